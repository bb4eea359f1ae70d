"""What is counted of students at a measured time: wrong outputs on fresh examples, agreement with the teacher."""

import jax.numpy as jnp
from jax import Array, lax

from mbsim.engines.networks import Shape
from mbsim.engines.pallas import batches, kernels
from mbsim.engines.pallas.kernels import Rows, Size, Tables
from mbsim.engines.pallas.layout import Layout
from mbsim.engines.pallas.targets import Target
from mbsim.sampling.streams import Key


def test_wrong(size: Size, tables: Tables, key: Key, rows: Rows, examples: int) -> Array:
    """Wrong outputs (F, *single) on fresh examples, drawn under keys (F, *single).

    As many words at a time as a student has in a row. With several students in a word, each word that is drawn
    serves as many times as there are fields in it.
    """
    of = size.layout
    in_turn = size.target != Target("gpu")
    single = key.first.shape
    words = of.words * of.inner

    def some(i: Array, wrong: Array) -> Array:
        raw = batches.raw_words(of, key, size.shape.N, (i * words).astype(jnp.uint32), 32, in_turn)
        if of.fields > 1:
            raw = lax.optimization_barrier(raw)

        def piece(p: Array, wrong: Array) -> Array:
            x = batches.together(of, raw >> (p * of.bits).astype(jnp.uint32))
            left = examples - i * (32 * words) - p * of.bits
            shown = batches.mask(of, jnp.broadcast_to(left, single))
            return wrong + kernels.examine(size, tables, Rows(shown, x, rows.w, rows.v))

        return lax.fori_loop(0, of.fields, piece, wrong)

    return lax.fori_loop(0, -(-examples // (32 * words)), some, jnp.zeros(single, jnp.int32))


def path_agreement(
    of: Layout, shape: Shape, w: Array, v: Array, taught_w: Array, taught_v: Array, output_sources: Array
) -> Array:
    """Sum (F, *single) over output links (o,a -> k) and hidden links (k,b) of (v v*)(w w*): blind to the sign
    gauge of hidden units.

    Args:
        of: the layout.
        shape: of the networks.
        w: packed weights (rows, *lanes).
        v: packed weights of the outputs, not looked at where these are fixed.
        taught_w: the teacher's weights (K, d), 1 where -1.
        taught_v: those of his outputs (M, D).
        output_sources: (M, D).
    """
    sums = [_of_field(of, f, shape, w, v, taught_w, taught_v, output_sources) for f in range(of.fields)]
    return jnp.stack(sums)


def _of_field(
    of: Layout, f: int, shape: Shape, w: Array, v: Array, taught_w: Array, taught_v: Array, sources: Array
) -> Array:
    if of.inner > 1:
        w, v = w[:, :1], v[:, :1]
    rank = w.ndim - 1

    def signs(rows: Array, taught: Array, slot: int, degree: int) -> Array:
        """Products of the weights in this slot of all units with the teacher's, (units, *single)."""
        each = -(-degree // of.bits)
        bits = rows[slot // of.bits :: each] >> (f * of.bits + slot % of.bits)
        return 1 - 2 * ((bits & 1) ^ taught[:, slot].reshape((-1,) + (1,) * rank))

    units = signs(w, taught_w, 0, shape.d)
    for b in range(1, shape.d):
        units += signs(w, taught_w, b, shape.d)
    if shape.scalar:
        # The links of the one output are those of its units in turn.
        place = jnp.arange(shape.K)
        negative = taught_v[0].reshape((-1,) + (1,) * rank)
        if shape.train_output:
            shift = (f * of.bits + place % of.bits).reshape((-1,) + (1,) * rank)
            negative = negative ^ ((v[place // of.bits] >> shift) & 1)
        return ((1 - 2 * negative) * units[sources[0]]).sum(axis=0, dtype=jnp.int32)
    total = jnp.zeros(units.shape[1:], jnp.int32)
    for a in range(shape.d):
        if shape.train_output:
            sign = signs(v, taught_v, a, shape.d)
        else:
            sign = 1 - 2 * taught_v[:, a].reshape((-1,) + (1,) * rank)
        total += (sign * units[sources[:, a]]).sum(axis=0, dtype=jnp.int32)
    return total
