"""The inputs of examples for real weights, from the labels of an example: ±1 or standard normal.

An example of the online dynamics is labelled by the number of its step and its slot in the batch, one of a
finite training set by its number alone: `example_keys` turns either into a key and a counter. Input n of an
example is then a function of the lane's key and these labels, whatever else is drawn at the same time.

Examples first: inputs are float32 (examples, N).
"""

from typing import Literal

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from mbsim.kernel.staging import staged
from mbsim.kernel.streams import Key, normal, threefry

Inputs = Literal["sign", "normal"]


def signs(key: Key, example: Array, N: int, one: Array | None) -> Array:
    """±1 inputs (examples, N): input n is bit n mod 32 of the word with counter (example, n // 32), 1 for -1.

    Key halves and `example` have shape (examples,). A bit becomes the sign bit of 1.0, which costs a tenth of
    what a Bernoulli draw of each input does.
    """
    word = jnp.arange(-(-N // 32), dtype=jnp.uint32)[None]
    each = Key(key.first[:, None], key.second[:, None])
    words = staged(one, lambda: threefry(each, example[:, None], word)[0])
    shift = np.uint32(31) - jnp.arange(32, dtype=jnp.uint32)
    bits = (words[:, :, None] << shift[None, None]) & np.uint32(1 << 31) | np.uint32(0x3F800000)
    return lax.bitcast_convert_type(bits, jnp.float32).reshape(len(example), -1)[:, :N]


def normals(key: Key, example: Array, count: int) -> Array:
    """Standard normal numbers (examples, count), number n from the word with counter (example, n)."""
    each = Key(key.first[:, None], key.second[:, None])
    return normal(threefry(each, example[:, None], jnp.arange(count, dtype=jnp.uint32)[None])[0])


def inputs(kind: Inputs, key: Key, example: Array, N: int, one: Array | None) -> Array:
    """Inputs (examples, N) of the examples with these keys and counters, each (examples,)."""
    if kind == "sign":
        return staged(one, lambda: signs(key, example, N, one))
    return staged(one, lambda: normals(key, example, N))
