"""Flips of a link where the one output reads all hidden units.

The output's count of hidden terms that are wrong is kept bit by bit; a flip changes the output's correctness where
the flipped term decides the majority of K. A hidden link changes its unit's term where it decides the unit, which
then has the link's own sign; an output link changes its unit's term everywhere, and so all rows of its record.
"""

import jax.numpy as jnp
from jax import Array

from mbsim.engines.pallas import bitwise
from mbsim.engines.pallas.body import (
    Body,
    decide,
    decisive,
    flipped,
    for_links,
    for_words,
    majority,
    of_record,
    over_words,
    summed,
)
from mbsim.engines.pallas.unfold import planes_begin, weights_begin


def flip_output(body: Body, record: Array, unit: Array, position: Array) -> Array:
    """Propose to flip the output weight of `unit`; 1 in the field of each student that accepts."""

    def look(word: Array | int) -> tuple[Array, Array]:
        term = majority(body, of_record(body, record, word), body.shape.d)
        return jnp.full_like(term, -1), term

    def change(word: Array | int, accept: Array) -> None:
        def flip(b: Array | int) -> None:
            row = record + b * body.layout.words + word
            body.kept[row] = body.kept[row] ^ accept

        for_links(body.shape.d, flip)

    taken, accept = _propose(body, position, look, change)
    row = weights_begin(body) + unit
    body.kept[row] = body.kept[row] ^ accept
    return taken


def flip_hidden(body: Body, own: Array, record: Array, position: Array) -> Array:
    """Propose to flip the hidden link with row `own`; 1 in the field of each student that accepts."""

    def look(word: Array | int) -> tuple[Array, Array]:
        term = body.kept[own + word]
        return decisive(body, record, term, word), term

    def change(word: Array | int, accept: Array) -> None:
        body.kept[own + word] = body.kept[own + word] ^ accept

    return _propose(body, position, look, change)[0]


def _propose(body: Body, position: Array, look, change) -> tuple[Array, Array]:
    """Metropolis on terms of the output: look(word) -> (where the term changes, its sign), change(word, accept)
    carries it out. Returns 1 in each field that accepts, and the same as all its bits.
    """
    fields, words = body.layout.fields, body.layout.words
    seen: dict[int, tuple[Array, Array, list[Array]]] = {}

    def changes(word: Array | int) -> Array:
        moves, term = look(word)
        planes = _planes(body, word)
        if isinstance(word, int):
            seen[word] = moves, term, planes
        flips = moves & bitwise.decides(planes, term, body.shape.K) & body.mask[word]
        return bitwise.field_sums(bitwise.count(flipped(flips, term), 2), fields, 2)

    def carry_out(word: Array | int) -> None:
        moves, term, planes = seen[word] if isinstance(word, int) else (*look(word), _planes(body, word))
        for p, plane in enumerate(bitwise.moved(planes, moves & accept, term)):
            body.kept[_plane(body, p) + word] = plane
        change(word, accept)

    taken = decide(body, position, summed(body, over_words(body, changes)), words)
    accept = bitwise.filled(taken, fields)
    for_words(body, carry_out)
    return taken, accept


def _plane(body: Body, p: int) -> int:
    return planes_begin(body) + p * body.layout.words


def _planes(body: Body, word: Array | int) -> list[Array]:
    return [body.kept[_plane(body, p) + word] for p in range(body.shape.K.bit_length())]
