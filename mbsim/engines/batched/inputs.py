"""The inputs of examples for real weights, from the labels of an example: ±1 or standard normal.

An example of the online dynamics is labelled by the number of its step and its slot in the batch, one of a
finite training set by its number alone: `sgd.labels_of` turns either into a key and a counter. Input n of an
example is then a function of the student's key and these labels, whatever else is drawn at the same time.

Inputs are float32.
"""

from typing import Literal

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from mbsim.engines.staging import Stage, barrier
from mbsim.sampling.streams import Key, normal, threefry

Inputs = Literal["sign", "normal"]


def signs(key: Key, example: Array, N: int, stage: Stage = barrier) -> tuple[Array, Array]:
    """±1 inputs (examples, N), and the same as (N, examples): input n is bit n mod 32 of the word with
    counter (example, n // 32), 1 for -1.

    Key halves and `example` have shape (examples,). A bit becomes the sign bit of 1.0, which costs a tenth of
    what a Bernoulli draw of each input does; to do so twice costs less than to transpose what came of it.
    """
    word = jnp.arange(-(-N // 32), dtype=jnp.uint32)[:, None]
    each = Key(key.first[None], key.second[None])
    words = stage(lambda: threefry(each, example[None], word)[0])
    turned = stage(lambda: words.T)
    shift = np.uint32(31) - jnp.arange(32, dtype=jnp.uint32)

    def ones(bits: Array) -> Array:
        return lax.bitcast_convert_type(bits & np.uint32(1 << 31) | np.uint32(0x3F800000), jnp.float32)

    # Reshaped after the stages: a reshape that is fused with them costs several times as much as they do.
    by_example = stage(lambda: ones(turned[:, :, None] << shift[None, None]))
    by_input = stage(lambda: ones(words[:, None] << shift[None, :, None]))
    return by_example.reshape(len(example), -1)[:, :N], by_input.reshape(-1, len(example))[:N]


def normals(key: Key, example: Array, count: int, stage: Stage = barrier) -> Array:
    """Standard normal numbers (examples, count), number n from the word with counter (example, n)."""
    each, number = Key(key.first[:, None], key.second[:, None]), jnp.arange(count, dtype=jnp.uint32)[None]
    # Words first: to fuse both takes a TPU's compiler a fifth to two fifths longer, and a CPU no less time to run.
    words = stage(lambda: threefry(each, example[:, None], number)[0])
    return stage(lambda: normal(words))


def inputs(kind: Inputs, key: Key, example: Array, N: int, stage: Stage = barrier) -> tuple[Array, Array]:
    """Inputs (examples, N), and the same as (N, examples), of the examples with these keys and counters, each
    (examples,).
    """
    if kind == "sign":
        return signs(key, example, N, stage)
    x = normals(key, example, N, stage)
    return x, stage(lambda: x.T)
