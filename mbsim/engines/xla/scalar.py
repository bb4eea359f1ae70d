"""Proposals for a scalar output, which reads all K hidden units: none commutes with another, so a group is
one proposal.

The bit-sliced number of -1 terms at the output is kept for every example. A flip changes the output only
where that number stands at the edge of the majority on the side of the flipped term. Hidden states are not
kept: where a flip changes a unit, the unit has the sign of the flipped term.
"""

import jax.numpy as jnp
from jax import Array

from mbsim.engines.staging import staged
from mbsim.engines.xla import bits
from mbsim.engines.xla.groups import Group, State, View, accepted, rivals, tied
from mbsim.engines.xla.networks import take


def _decide(
    view: View, state: State, group: Group, flips: Array, term: Array
) -> tuple[Array, tuple[Array, ...], Array]:
    """Metropolis on a change of one term (W, L) of the output at the examples in `flips`.

    Returns the accepted flag (1, L), the moved counts, and the flag as a change of weights (1, L).
    """
    one, edge = view.one, (view.shape.K + 1) // 2
    planes = state.sums

    def changes() -> Array:
        crossing = flips & ((term & bits.equals(planes, edge)) | (~term & bits.equals(planes, edge - 1)))
        return bits.popcount(crossing) - 2 * bits.popcount(crossing & (term ^ state.targets[0]))

    change = staged(one, changes).sum(axis=0)[None, :]
    accept = staged(one, lambda: accepted(view, group, change))
    moving = flips & bits.spread(accept, flips.dtype)
    moved = tuple(bits.move(planes, moving, term))
    return accept, moved, bits.spread(accept, state.w.dtype)


def flip_output(view: View, state: State, group: Group) -> tuple[State, Array]:
    """Propose to flip one output link; its term changes on every example. Returns the number of accepted
    proposals (L,) too.
    """
    shape, tables, one = view.shape, view.tables, view.one
    link = group.links[0]
    rows = link * shape.d + jnp.arange(shape.d, dtype=jnp.int32)

    def own_term() -> Array:
        inputs = [take(state.inputs, take(tables.hidden_sources, rows)[b]) for b in range(shape.d)]
        terms = [bits.times(inputs[b], take(state.w, rows[b])) for b in range(shape.d)]
        return bits.times(bits.majority(terms), take(state.v, link))

    term = staged(one, own_term)
    accept, sums, mask = _decide(view, state, group, view.mask, term)
    v = state.v.at[link].set(take(state.v, link) ^ mask[0])
    return state._replace(v=v, sums=sums), accept.sum(axis=0, dtype=jnp.int32)


def flip_hidden(view: View, state: State, group: Group) -> tuple[State, Array]:
    """Propose to flip one hidden link. Returns the number of accepted proposals (L,) too."""
    shape, tables, one = view.shape, view.tables, view.one
    link = group.links[0] - shape.first_hidden
    unit = link // shape.d

    def look_up() -> tuple[Array, Array]:
        others = rivals(link, shape.d)
        return others, take(tables.hidden_sources, others)

    others, sources = staged(one, look_up)

    def flips_of_unit() -> tuple[Array, Array]:
        own = bits.times(take(state.inputs, take(tables.hidden_sources, link)), take(state.w, link))
        terms = [
            bits.times(take(state.inputs, sources[j]), take(state.w, others[j])) for j in range(shape.d - 1)
        ]
        return tied(terms, own) & view.mask, bits.times(own, take(state.v, unit))

    flips, term = staged(one, flips_of_unit)
    accept, sums, mask = _decide(view, state, group, flips, term)
    w = state.w.at[link].set(take(state.w, link) ^ mask[0])
    return state._replace(w=w, sums=sums), accept.sum(axis=0, dtype=jnp.int32)
