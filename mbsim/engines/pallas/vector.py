"""Flips of a link where every output reads d hidden units.

A link's own row is a term of a sum whose other terms are the rest of its record (`tables`, `unfold`): the sign of
the sum changes where the link's term decides it. For a hidden link this is asked of its unit and then, for each
output that reads the unit, of the unit's term there.
"""

import jax.numpy as jnp
from jax import Array, lax

from mbsim.engines.pallas import bitwise
from mbsim.engines.pallas.body import (
    Body,
    decide,
    decisive,
    each,
    flipped,
    for_words,
    over_words,
    readers_written_out,
    summed,
)


def flip_output(body: Body, own: Array, record: Array, position: Array) -> Array:
    """Propose to flip the output link with row `own`; 1 in the field of each student that accepts."""
    fields, words = body.layout.fields, body.layout.words

    def changes(word: Array | int) -> Array:
        flips, term = _decisive(body, own, record, word)
        return bitwise.field_sums(bitwise.count(flipped(flips & body.mask[word], term), 2), fields, 2)

    taken = decide(body, position, summed(body, over_words(body, changes)), words)
    accept = bitwise.filled(taken, fields)
    for_words(body, lambda word: _flip(body, own + word, accept))
    return taken


def flip_hidden(body: Body, own: Array, record: Array, reads: Array, position: Array) -> Array:
    """Propose to flip the hidden link with row `own`, whose unit's readers begin at `reads` of their table; 1 in
    the field of each student that accepts.
    """
    shape, fields = body.shape, body.layout.fields
    kept: dict[int, Array] = {}
    first = 0 if shape.regular else 1
    unrolled = readers_written_out(shape, body.layout)

    def reader(r: Array | int) -> tuple[Array, Array]:
        return body.readers[0, reads + first + 2 * r], body.readers[0, reads + first + 2 * r + 1]

    number = shape.readers if shape.regular else body.readers[0, reads]
    rows = [reader(r) for r in range(shape.readers)] if unrolled else []

    def changes(word: Array | int) -> Array:
        flips, _ = _decisive(body, own, record, word)
        if isinstance(word, int):
            kept[word] = flips
        else:
            body.flips[word] = flips
        flips = flips & body.mask[word]

        def one(reader_row: Array, reader_record: Array) -> list[list[Array]]:
            decides, term = _decisive(body, reader_row, reader_record, word)
            return flipped(decides & flips, term)

        if unrolled:
            columns = [one(*row) for row in rows]
            together = [[word for column in columns for word in column[weight]] for weight in range(2)]
            most = 2 * len(rows)
            return bitwise.field_sums(bitwise.count(together, most), fields, most)

        def add(r: Array, total: Array) -> Array:
            return total + bitwise.field_sums(bitwise.count(one(*reader(r)), 2), fields, 2)

        return lax.fori_loop(0, number, add, jnp.zeros(body.layout.row, jnp.int32))

    total = summed(body, over_words(body, changes))
    taken = decide(body, position, total, number * body.layout.words)
    accept = bitwise.filled(taken, fields)

    def change(word: Array | int) -> None:
        flips = (kept[word] if isinstance(word, int) else body.flips[word]) & accept
        _flip(body, own + word, accept)
        if unrolled:
            for row, _ in rows:
                _flip(body, row + word, flips)
        else:
            each(0, number, lambda r: _flip(body, reader(r)[0] + word, flips))

    for_words(body, change)
    return taken


def _decisive(body: Body, own: Array, record: Array, word: Array | int) -> tuple[Array, Array]:
    """Where the term of row `own` decides the sign of its record, and that term."""
    term = body.kept[own + word]
    return decisive(body, record, term, word), term


def _flip(body: Body, row: Array, where: Array) -> None:
    body.kept[row] = body.kept[row] ^ where
