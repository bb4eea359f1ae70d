"""The order of proposals (`physics.order`) cut into levels of commuting proposals.

A flip of an output link changes one output; a flip of a hidden link changes the outputs that read its unit.
Two proposals that touch no common output commute: neither changes the other's energy difference. Give each
proposal the level

    level = max(first level of its batch, 1 + highest level of the earlier proposals that touch one of its
    outputs)

and carry the levels out one after the other, each all at once: the result is exactly that of the sequential
order. A fresh mini-batch starts a new level, so no level straddles it. Units that no output reads keep their
own proposals in order through one more resource, the unit itself.

The order is drawn for whole sweeps at a time, from the teacher's key and the number of the sweep: lanes of a
teacher share it.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from mbsim.engines.staging import staged
from mbsim.physics.order import colours, hidden_positions
from mbsim.sampling.streams import Leaf


class Schedule(NamedTuple):
    """Sweeps cut into levels. S sweeps, n proposals each; the arrays are padded by one group at the end.

    proposals (S, n + pad): the proposals sorted by level, within a level output links first.
    positions (S, n + pad): the place of each in its sweep, 0 to n - 1, the label of its random numbers.
    starts (S, 2n + 1): entries starts[2l]:starts[2l+1] are level l's output links, starts[2l+1]:starts[2l+2]
    its hidden links.
    fresh (S, n): 1 where a fresh mini-batch is drawn before the level.
    levels (S,): number of levels.
    """

    proposals: Leaf
    positions: Leaf
    starts: Leaf
    fresh: Leaf
    levels: Leaf


class UnitPlan(NamedTuple):
    """One sweep of the sequential order, told by units instead of proposals, for a vector output and a batch
    for each sweep.

    groups (K, G): commuting units that are done together, padded with -1, of which the first `used` () are
    used; positions (K*d,): the place of each hidden link in the sweep. Output link o*D + a has the place
    a*M + o.
    """

    groups: Leaf
    used: Leaf
    positions: Leaf


def unit_plan(
    output_sources: np.ndarray, hidden_degree: int, units: int, train_output: bool, size: int
) -> UnitPlan:
    """The sequential order in groups of up to `size` units of one colour."""
    # As many rows as there could be groups: teachers differ in their colours, and must share a compiled
    # program.
    groups = np.full((units, size), -1, np.int32)
    count = 0
    for colour in colours(output_sources, units):
        for begin in range(0, len(colour), size):
            part = colour[begin : begin + size]
            groups[count, : len(part)] = part
            count += 1
    positions = hidden_positions(output_sources, hidden_degree, units, train_output)
    return UnitPlan(groups, np.int32(count), positions)


def touched(
    proposals: Array,
    readers: Array,
    *,
    outputs: int,
    output_degree: int,
    first_hidden: int,
    hidden_degree: int,
) -> Array:
    """The resources (..., R) that each proposal (...) touches: outputs 0..M-1, unit k as M + k, and M + K for
    "nothing".

    readers (K, R) holds the output links that read each unit, padded with -1.
    """
    units, width = readers.shape
    is_output = proposals < first_hidden
    unit = jnp.where(is_output, 0, (proposals - first_hidden) // hidden_degree)
    links = readers[unit]
    hidden = jnp.where(links >= 0, links // output_degree, outputs + unit[..., None])
    first_slot = (jnp.arange(width) == 0).reshape((1,) * proposals.ndim + (-1,))
    output = jnp.where(first_slot, (proposals // output_degree)[..., None], outputs + units)
    return jnp.where(is_output[..., None], output, hidden)


def levels(touches: Array, fresh: Array, resources: int, one: Array | None) -> Array:
    """The level (n, S) of each proposal of S sweeps, one after the other.

    touches (n, S, R) holds resources, `resources` itself standing for nothing; fresh (n, S) is true where a
    proposal begins a batch. The sweeps are only there to be done side by side: a loop over n with so little
    to do must do it for many.
    """
    _, sweeps, width = touches.shape
    row = jnp.arange(sweeps, dtype=jnp.int32)[:, None]

    def place(
        carry: tuple[Array, Array, Array], now: tuple[Array, Array]
    ) -> tuple[tuple[Array, Array, Array], Array]:
        free, base, top = carry
        touch, begins = now
        base = jnp.where(begins, top, base)

        def lowest() -> Array:
            taken = free.at[row, touch].get(mode="promise_in_bounds")
            return jnp.maximum(base, jnp.where(touch == resources, 0, taken).max(axis=1))

        level = staged(one, lowest)
        above = jnp.broadcast_to(level[:, None] + 1, (sweeps, width))
        free = free.at[row, touch].set(above, mode="promise_in_bounds")
        return (free, base, jnp.maximum(top, level + 1)), level

    empty = jnp.zeros(sweeps, jnp.int32)
    start = (jnp.zeros((sweeps, resources + 1), jnp.int32), empty, empty)
    return lax.scan(place, start, (touches, fresh))[1]


def _ranks(keys: Array, size: int, one: Array | None) -> tuple[Array, Array]:
    """Counting sort: for keys (n, S) below `size`, the number of equal earlier keys (n, S) and of each key in
    all (S, size).
    """
    row = jnp.arange(keys.shape[1], dtype=jnp.int32)

    def place(width: Array, key: Array) -> tuple[Array, Array]:
        rank = staged(one, lambda: width.at[row, key].get(mode="promise_in_bounds"))
        return width.at[row, key].set(rank + 1, mode="promise_in_bounds"), rank

    width, rank = lax.scan(place, jnp.zeros((keys.shape[1], size), jnp.int32), keys)
    return rank, width


def schedule(
    proposals: Array,
    phase: Array,
    refresh: Array,
    readers: Array,
    one: Array | None,
    *,
    outputs: int,
    output_degree: int,
    first_hidden: int,
    hidden_degree: int,
    pad: int,
) -> Schedule:
    """Cut sweeps into levels: proposals (S, n), phase (S,) = number of proposals since the last refresh
    boundary.

    A fresh batch comes before the proposals whose global number is a multiple of `refresh`, that is where
    (phase + position) % refresh == 0. `one` is `staged`'s.
    """
    sweeps, n = proposals.shape
    resources = outputs + readers.shape[0]
    order = proposals.T
    position = jnp.arange(n, dtype=jnp.int32)
    # Written so that no intermediate number exceeds n + refresh.
    until = jnp.where(phase == 0, 0, refresh - phase)[None, :]
    begins = (position[:, None] >= until) & ((position[:, None] - until) % refresh == 0)
    touches = touched(
        order,
        readers,
        outputs=outputs,
        output_degree=output_degree,
        first_hidden=first_hidden,
        hidden_degree=hidden_degree,
    )
    level = levels(touches, begins, resources, one)
    key = 2 * level + (order >= first_hidden)
    rank, width = _ranks(key, 2 * n, one)
    starts = jnp.concatenate(
        [jnp.zeros((sweeps, 1), jnp.int32), jnp.cumsum(width, axis=1, dtype=jnp.int32)], axis=1
    )
    row = jnp.arange(sweeps, dtype=jnp.int32)[None, :]
    slot = starts[row, key] + rank
    blank = jnp.zeros((sweeps, n + pad), jnp.int32)
    return Schedule(
        proposals=blank.at[row, slot].set(order, unique_indices=True),
        positions=blank.at[row, slot].set(
            jnp.broadcast_to(position[:, None], (n, sweeps)), unique_indices=True
        ),
        starts=starts,
        fresh=jnp.zeros((sweeps, n), jnp.int8).at[row, level].max(begins.astype(jnp.int8)),
        levels=level.max(axis=0) + 1,
    )
