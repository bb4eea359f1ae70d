"""Blocks of proposals for vector outputs, where each output reads d hidden units.

Nothing but the hidden states is kept up to date. Whether a flip changes the sign of a sum is asked of its d - 1 other terms, the
rivals: the sign changes exactly where they cancel, and there the sum has the sign of the flipped term. For a hidden link this is
asked once of its unit, then of each output that reads the unit. Recounting a few rows of bits costs less than keeping
counters, which would have to be scattered back.
"""

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from mbsim.kernel import bits
from mbsim.kernel.blocks import Block, State, View, accepted, rivals, tied
from mbsim.kernel.networks import take
from mbsim.kernel.staging import staged


def _count_type(state: State, outputs: int) -> np.dtype:
    """The narrowest type that holds the change in wrong outputs summed over one word of examples."""
    return np.dtype(np.int16 if bits.word_bits(state.inputs.dtype) * outputs < 2**15 else np.int32)


def _change(flips: Array, wrong: Array, dtype: np.dtype) -> Array:
    """Change in the number of wrong outputs, word by word, where the outputs in `flips` change and those in `wrong` are wrong."""
    return bits.popcount(flips, dtype) - 2 * bits.popcount(flips & wrong, dtype)


def _rival_terms(rows: Array, weights: Array, sources: Array, links: Array) -> list[Array]:
    """Terms of the rival links (..., d - 1): source row times weight, one (..., W, L) array for each rival."""
    return [
        take(rows, sources[..., j]) ^ take(weights, links[..., j])[..., None, :] for j in range(links.shape[-1])
    ]


def flip_output(view: View, state: State, block: Block) -> tuple[State, Array]:
    """Propose to flip output links: each touches its own output. Returns the number of accepted proposals (L,) too."""
    shape, tables, one = view.shape, view.tables, view.one
    link = jnp.where(block.valid, block.links, 0)

    output, unit, others = link // shape.d, take(tables.output_sources, link), rivals(link, shape.d)
    sources = take(tables.output_sources, others)

    def changes() -> Array:
        term = take(state.sums, unit) ^ take(state.v, link)[:, None]
        free = tied(_rival_terms(state.sums, state.v, sources, others), term)
        return _change(free & view.mask[None], term ^ take(state.targets, output), _count_type(state, 1))

    accept = accepted(view, block, staged(one, changes).sum(axis=1, dtype=jnp.int32))
    flipped = take(state.v, link) ^ bits.spread(accept, state.v.dtype)
    target = jnp.where(block.valid, link, shape.output_links)
    v = state.v.at[target].set(flipped, mode="drop", unique_indices=True)
    return state._replace(v=v), accept.sum(axis=0, dtype=jnp.int32)


def flip_hidden(view: View, state: State, block: Block) -> tuple[State, Array]:
    """Propose to flip hidden links: each touches the outputs that read its unit. Returns accepted proposals (L,) too."""
    shape, tables, one = view.shape, view.tables, view.one
    link = jnp.where(block.valid, block.links - shape.first_hidden, 0)

    unit, others = link // shape.d, rivals(link, shape.d)
    sources = take(tables.hidden_sources, others)
    reading = take(tables.readers, unit).T
    present = reading >= 0
    reading = jnp.where(present, reading, 0)
    beside, output = rivals(reading, shape.d), reading // shape.d
    beside_sources = take(tables.output_sources, beside)

    def flips_of_unit() -> tuple[Array, Array]:
        state_of_unit = take(state.sums, unit)
        free = tied(_rival_terms(state.inputs, state.w, sources, others), state_of_unit)
        return free & view.mask[None], state_of_unit

    flips, hidden = staged(one, flips_of_unit)
    dtype = _count_type(state, shape.readers)

    def add_output(s: Array, change: Array) -> Array:
        term = hidden ^ take(state.v, reading[s])[:, None]
        free = tied(_rival_terms(state.sums, state.v, beside_sources[s], beside[s]), term)
        if not shape.regular:
            free &= bits.spread(present[s], free.dtype)[:, None, None]
        return change + _change(flips & free, term ^ take(state.targets, output[s]), dtype)

    change = lax.fori_loop(0, shape.readers, add_output, jnp.zeros(flips.shape, dtype)).sum(axis=1, dtype=jnp.int32)
    accept = staged(one, lambda: accepted(view, block, change))
    mask = bits.spread(accept, state.w.dtype)
    hidden, weights = hidden ^ (flips & mask[:, None]), take(state.w, link) ^ mask
    sums = state.sums.at[jnp.where(block.valid, unit, shape.K)].set(hidden, mode="drop", unique_indices=True)
    target = jnp.where(block.valid, link, shape.hidden_links)
    w = state.w.at[target].set(weights, mode="drop", unique_indices=True)
    return state._replace(w=w, sums=sums), accept.sum(axis=0, dtype=jnp.int32)
