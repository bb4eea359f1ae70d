"""Groups of proposals for vector outputs, where each output reads d hidden units.

Nothing but the hidden states is kept up to date. Whether a flip changes the sign of a sum is asked of its d -
1 other terms, the
rivals: the sign changes exactly where they cancel, and there the sum has the sign of the flipped term. For a
hidden link this is asked once of its unit, then of each output that reads the unit. Recounting a few rows of
bits costs less than keeping counters, which would have to be scattered back.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from mbsim.engines.staging import staged
from mbsim.engines.xla import bits
from mbsim.engines.xla.groups import Group, State, View, accepted, rivals, tied
from mbsim.engines.xla.networks import take


def _count_type(state: State, outputs: int) -> np.dtype:
    """The type for the change in wrong outputs summed over a word: 16 bits where words are narrow and the sum
    fits.
    """
    bits_in_word = bits.word_bits(state.inputs.dtype)
    return np.dtype(np.int16 if bits_in_word < 32 and bits_in_word * outputs < 2**15 else np.int32)


def _change(flips: Array, wrong: Array, dtype: np.dtype) -> Array:
    """Change in the number of wrong outputs, word by word, where the outputs in `flips` change and those in
    `wrong` are wrong.
    """
    return bits.popcount(flips, dtype) - 2 * bits.popcount(flips & wrong, dtype)


def _rival_terms(rows: Array, weights: Array, sources: Array, links: Array) -> list[Array]:
    """Terms of the rival links (..., d - 1): source row times weight, one (..., W, L) array for each
    rival.
    """
    return [
        bits.times(take(rows, sources[..., j]), take(weights, links[..., j])) for j in range(links.shape[-1])
    ]


class _Readers(NamedTuple):
    """The R output links that read each of G units: links and whether they exist (R, G), their rivals and
    those' sources (R, G, d - 1).
    """

    links: Array
    present: Array
    beside: Array
    sources: Array


def _readers_of(view: View, unit: Array) -> _Readers:
    """What is looked up once for units (G,)."""
    links = take(view.tables.readers, unit).T
    present = links >= 0
    links = jnp.where(present, links, 0)
    beside = rivals(links, view.shape.d)
    return _Readers(links, present, beside, take(view.tables.output_sources, beside))


def _deciding(view: View, state: State, reader: _Readers) -> tuple[Array, Array]:
    """For one output link a unit: where (G, W, L) the unit decides the output, and where the output is then
    wrong if h = +1.
    """
    wrong = bits.times(take(state.targets, reader.links // view.shape.d), take(state.v, reader.links))
    free = tied(_rival_terms(state.sums, state.v, reader.sources, reader.beside), wrong)
    if not view.shape.regular:
        free &= bits.spread(reader.present, free.dtype)[:, None, None]
    return free, wrong


def flip_output(view: View, state: State, group: Group) -> tuple[State, Array]:
    """Propose to flip output links: each touches its own output. Returns the number of accepted proposals
    (L,) too.
    """
    shape, tables, one = view.shape, view.tables, view.one
    link = jnp.where(group.valid, group.links, 0)

    output, unit, others = link // shape.d, take(tables.output_sources, link), rivals(link, shape.d)
    sources = take(tables.output_sources, others)

    def changes() -> Array:
        term = bits.times(take(state.sums, unit), take(state.v, link))
        free = tied(_rival_terms(state.sums, state.v, sources, others), term)
        return _change(free & view.mask[None], term ^ take(state.targets, output), _count_type(state, 1))

    accept = accepted(view, group, staged(one, changes).sum(axis=1, dtype=jnp.int32))
    flipped = take(state.v, link) ^ bits.spread(accept, state.v.dtype)
    target = jnp.where(group.valid, link, shape.output_links)
    v = state.v.at[target].set(flipped, mode="drop", unique_indices=True)
    return state._replace(v=v), accept.sum(axis=0, dtype=jnp.int32)


def flip_hidden(view: View, state: State, group: Group) -> tuple[State, Array]:
    """Propose to flip hidden links: each touches the outputs that read its unit. Returns accepted proposals
    (L,) too.
    """
    shape, tables, one = view.shape, view.tables, view.one
    link = jnp.where(group.valid, group.links - shape.first_hidden, 0)

    unit, others = link // shape.d, rivals(link, shape.d)
    sources = take(tables.hidden_sources, others)
    readers = _readers_of(view, unit)

    def flips_of_unit() -> tuple[Array, Array]:
        state_of_unit = take(state.sums, unit)
        free = tied(_rival_terms(state.inputs, state.w, sources, others), state_of_unit)
        return free & view.mask[None], state_of_unit

    flips, hidden = staged(one, flips_of_unit)
    dtype = _count_type(state, shape.readers)

    def add_output(s: Array, change: Array) -> Array:
        free, wrong = _deciding(view, state, jax.tree.map(lambda x: x[s], readers))
        return change + _change(flips & free, hidden ^ wrong, dtype)

    change = lax.fori_loop(0, shape.readers, add_output, jnp.zeros(flips.shape, dtype)).sum(
        axis=1, dtype=jnp.int32
    )
    accept = staged(one, lambda: accepted(view, group, change))
    hidden = hidden ^ (flips & bits.spread(accept, flips.dtype)[:, None])
    weights = take(state.w, link) ^ bits.spread(accept, state.w.dtype)
    sums = state.sums.at[jnp.where(group.valid, unit, shape.K)].set(hidden, mode="drop", unique_indices=True)
    target = jnp.where(group.valid, link, shape.hidden_links)
    w = state.w.at[target].set(weights, mode="drop", unique_indices=True)
    return state._replace(w=w, sums=sums), accept.sum(axis=0, dtype=jnp.int32)


def flip_units(
    view: View, state: State, units: Array, valid: Array, positions: Array, sweep: Array
) -> tuple[State, Array]:
    """Propose every hidden link of commuting units (G,), slot by slot: what `flip_hidden` does d times, in
    the same order.

    No output of these units is touched by anything else meanwhile, so where a unit decides its outputs is
    asked once for its d proposals. positions (K*d,) are the places of the hidden links in the sweep. Returns
    accepted proposals (L,) too.
    """
    shape, tables, one = view.shape, view.tables, view.one
    unit = jnp.where(valid, units, 0)
    readers = _readers_of(view, unit)
    links = unit[:, None] * shape.d + jnp.arange(shape.d, dtype=jnp.int32)[None, :]
    sources = take(tables.hidden_sources, links)
    words, lanes = state.sums.shape[1:]
    dtype = _count_type(state, shape.readers)

    _, (free, wrong) = lax.scan(lambda _, reader: (None, _deciding(view, state, reader)), None, readers)

    def terms() -> tuple[Array, ...]:
        rows = [
            bits.times(take(state.inputs, sources[:, b]), take(state.w, links[:, b])) for b in range(shape.d)
        ]
        return (take(state.sums, unit), *bits.count(rows))

    hidden, *planes = staged(one, terms)

    def slot(
        b: Array, carry: tuple[Array, tuple[Array, ...], Array, Array]
    ) -> tuple[Array, tuple[Array, ...], Array, Array]:
        hidden, planes, w, total = carry
        link, weight = links[:, b], take(w, links[:, b])

        def flips_of_unit() -> tuple[Array, Array]:
            term = bits.times(take(state.inputs, sources[:, b]), weight)
            edge = (term & bits.equals(planes, shape.d // 2 + 1)) | (
                ~term & bits.equals(planes, shape.d // 2)
            )
            return edge & view.mask[None], term

        flips, term = staged(one, flips_of_unit)
        change = lax.fori_loop(
            0,
            shape.readers,
            lambda s, change: change + _change(flips & free[s], hidden ^ wrong[s], dtype),
            jnp.zeros((len(units), words, lanes), dtype),
        )
        group = Group(link, take(positions, link), valid, sweep)
        accept = staged(one, lambda: accepted(view, group, change.sum(axis=1, dtype=jnp.int32)))
        mask = bits.spread(accept, hidden.dtype)
        planes = tuple(bits.move(planes, jnp.broadcast_to(mask[:, None], term.shape), term))
        target = jnp.where(valid, link, shape.hidden_links)
        w = w.at[target].set(weight ^ bits.spread(accept, w.dtype), mode="drop", unique_indices=True)
        return hidden ^ (flips & mask[:, None]), planes, w, total + accept.sum(axis=0, dtype=jnp.int32)

    nothing = jnp.zeros(lanes, jnp.int32)
    hidden, _, w, total = lax.fori_loop(0, shape.d, slot, (hidden, tuple(planes), state.w, nothing))
    sums = state.sums.at[jnp.where(valid, unit, shape.K)].set(hidden, mode="drop", unique_indices=True)
    return state._replace(w=w, sums=sums), total
