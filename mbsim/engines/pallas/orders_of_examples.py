"""Random orders of a finite training set as one kernel: without it, each of the 16 turns of the network
(`sampling/example_sets.py`) is a kernel of its own, and the host must read whether to go on.
"""

import jax
import jax.numpy as jnp
from jax import Array
from jax.experimental import pallas as pl

from mbsim.engines.pallas import targets
from mbsim.engines.pallas.layout import Layout
from mbsim.engines.pallas.targets import Target
from mbsim.sampling.example_sets import example_set, walked
from mbsim.sampling.streams import Key


def permuted(target: Target, of: Layout, size: int, places: Array, key: Key) -> Array:
    """`example_sets.permuted` for sets of `size` examples: places (F, W, B, *lanes), where axes of one entry stand
    for all, and keys (F, 1, 1, *single).
    """
    numbers, single = example_set(size), key.first.shape[3:]
    row = of.row_of(single)
    places = jnp.broadcast_to(places, (of.fields, of.words, of.bits, *row)).reshape(-1, *row)
    halves = [half.reshape(of.fields, *single) for half in key]
    each, programs = of.words * of.bits, single[of.axis] // of.single[of.axis]

    def kernel(row, column, first, second, found) -> None:
        found[0] = walked(row[0], column[0], Key(first[0], second[0]), numbers)

    def block(dims: tuple[int, ...], rows: int) -> pl.BlockSpec:
        return pl.BlockSpec(
            (1, *dims), lambda g, n: (n // rows, *(g if i == of.axis else 0 for i in range(len(dims))))
        )

    found = pl.pallas_call(
        kernel,
        grid=(programs, of.fields * each),
        in_specs=[block(of.row, 1)] * 2 + [block(of.single, each)] * 2,
        out_specs=block(of.row, 1),
        out_shape=jax.ShapeDtypeStruct(places.shape, jnp.uint32),
        **targets.options(target),
    )(places // numbers.columns, places % numbers.columns, *halves)
    return found.reshape(of.fields, of.words, of.bits, *row)
