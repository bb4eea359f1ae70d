"""The forward pass of ±1 networks on packed examples.

Hidden unit k reads d inputs and answers h_k = sign(sum_b w_kb x_b); output o reads D hidden units and answers
y_o = sign(sum_a v_oa h_a). Bits, words and lanes as in `bits.py`: inputs (N, W, L), hidden states (K, W, L),
outputs (M, W, L); weights are int8, w (K*d, L) and v (M*D, L).
"""

import jax.numpy as jnp
from jax import Array, lax

from mbsim.engines.networks import Shape
from mbsim.engines.staging import staged
from mbsim.engines.xla import bits


def take(rows: Array, index: Array) -> Array:
    """Rows by an index that is known to be inside, of shape index.shape + rows.shape[1:].

    Words and lanes are gathered as one axis: XLA:CPU gives a gather of (words, lanes) slices a layout of its
    own, whose change back keeps the loop that consumes it from vectorising.
    """
    flat = rows.reshape(rows.shape[0], -1)
    taken = flat.at[index].get(mode="promise_in_bounds", wrap_negative_indices=False)
    return taken.reshape(*index.shape, *rows.shape[1:])


def hidden_states(inputs: Array, sources: Array, w: Array, d: int, one: Array | None) -> Array:
    """States (K, W, L) of the hidden units; w is (K*d, L), or (K*d, 1) for weights that all lanes share."""
    source, weight = sources.reshape(-1, d), w.reshape(-1, d, w.shape[1])
    return staged(
        one, lambda: bits.majority([bits.times(take(inputs, source[:, b]), weight[:, b]) for b in range(d)])
    )


def vector_outputs(hidden: Array, sources: Array, v: Array, d: int, one: Array | None) -> Array:
    """Outputs (M, W, L), each the sign of the sum of the d hidden units that it reads: the same map, one
    layer up.
    """
    return hidden_states(hidden, sources, v, d, one)


def scalar_counts(hidden: Array, v: Array) -> tuple[Array, ...]:
    """Bit-sliced number of -1 terms among the K that a single output reads: P planes (W, L), K < 2^P.

    The planes are arrays of their own: XLA:CPU does not vectorise a loop that stacks them.
    """
    units = hidden.shape[0]
    planes = tuple(jnp.zeros(hidden.shape[1:], hidden.dtype) for _ in range(units.bit_length()))

    def add(k: Array, planes: tuple[Array, ...]) -> tuple[Array, ...]:
        term = bits.times(hidden[k], v[k])
        return tuple(bits.move(planes, term, jnp.zeros_like(term)))

    return lax.fori_loop(0, units, add, planes)


def scalar_output(planes: tuple[Array, ...], units: int) -> Array:
    """The single output (W, L) as the majority of its `units` terms."""
    return bits.at_least(planes, (units + 1) // 2)


def outputs(hidden: Array, sources: Array, v: Array, shape: Shape, one: Array | None) -> Array:
    """Outputs (M, W, L) of either kind of network."""
    if shape.scalar:
        return scalar_output(scalar_counts(hidden, v), shape.K)[None]
    return vector_outputs(hidden, sources, v, shape.d, one)
