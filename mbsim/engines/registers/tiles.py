"""Fresh examples in rows: a cipher draws a tile, 8 examples of 8 inputs, as `sampling/examples.in_tiles` has it.

Each of its eight bytes belongs to another row. So the tiles of 8, 16 or 32 examples of the same inputs are drawn
together, and their bytes are turned: byte j of tile number i becomes byte i of a word of row j.
"""

from functools import cache

import numpy as np

from mbsim.engines.registers.cipher import CIPHERS, groups_of, threefry
from mbsim.engines.registers.kept import inner
from mbsim.engines.registers.loading import load, store, store_narrowed
from mbsim.engines.registers.sizes import students_in
from mbsim.engines.registers.vectors import chosen, filled, rotated, shifted
from mbsim.sampling.examples import TILE

HALF = TILE // 2
"""Inputs in one half of what a cipher gives, a byte each."""
TILES = 32 // TILE
"""In a word of 32 bits."""


@inner
def bytes_of(one, other):
    """Bytes 0 and 2 of one, and above each that of the other; the same of bytes 1 and 3."""
    mask = filled(one, np.uint32(0x00FF00FF))
    return chosen(mask, one, rotated(other, 8)), chosen(mask, rotated(one, 24), other)


@inner
def halves_of(one, other):
    """The lower half of one, and above it that of the other; the same of the upper halves."""
    mask = filled(one, np.uint32(0x0000FFFF))
    return chosen(mask, one, rotated(other, 16)), chosen(mask, rotated(one, 16), other)


@cache
def tile_filler(bits: int):
    """Compile fill(rows, tile, inputs, words, first_word, keys).

    Of inputs 8 tile to 8 tile + 7, as far as there are so many, it writes the words `first_word`, first_word + 1, ...
    (`words` of them, in words of 32 bits for 64), drawn under the folded keys, to their rows.
    """
    groups, students = groups_of(bits), students_in(bits)
    within, apiece = students // groups, 2 if bits == 64 else 1

    @inner
    def put(rows, row, inputs, apart, place, word):
        if row < inputs:
            if bits < 32:
                store_narrowed(rows, row * apart + place, word)
            else:
                store(rows, row * apart + place, word)

    @inner
    def put_all(rows, row, inputs, apart, place, first, second, third, fourth):
        put(rows, row, inputs, apart, place, first)
        put(rows, row + 1, inputs, apart, place, second)
        put(rows, row + 2, inputs, apart, place, third)
        put(rows, row + 3, inputs, apart, place, fourth)

    @inner
    def put_8(rows, row, inputs, apart, place, a):
        put_all(rows, row, inputs, apart, place, a, shifted(a, 8), shifted(a, 16), shifted(a, 24))

    @inner
    def put_16(rows, row, inputs, apart, place, a, b):
        even, odd = bytes_of(a, b)
        put_all(rows, row, inputs, apart, place, even, odd, shifted(even, 16), shifted(odd, 16))

    @inner
    def put_32(rows, row, inputs, apart, place, a, b, c, d):
        even, odd = bytes_of(a, b)
        even_above, odd_above = bytes_of(c, d)
        first, third = halves_of(even, even_above)
        second, fourth = halves_of(odd, odd_above)
        put_all(rows, row, inputs, apart, place, first, second, third, fourth)

    @inner
    def fill(rows, tile, inputs, words, first_word, keys):
        row, apart = TILE * tile, words * students
        for group in range(groups):
            at = group * CIPHERS
            first, second = load(keys.folded_first, at), load(keys.folded_second, at)
            number = load(keys.numbers, at)
            column, one = filled(number, np.uint32(tile)), filled(number, np.uint32(1))
            for q in range(words):
                place = q * students + group * within
                word = number + filled(number, np.uint32(first_word + q * apiece))
                a_tile = word * filled(number, np.uint32(TILES))
                a, e = threefry(first, second, column, a_tile)
                if bits == 8:
                    put_8(rows, row, inputs, apart, place, a)
                    put_8(rows, row + HALF, inputs, apart, place, e)
                else:
                    b_tile = a_tile + one
                    b, f = threefry(first, second, column, b_tile)
                    if bits == 16:
                        put_16(rows, row, inputs, apart, place, a, b)
                        put_16(rows, row + HALF, inputs, apart, place, e, f)
                    else:
                        c_tile = b_tile + one
                        c, g = threefry(first, second, column, c_tile)
                        d, h = threefry(first, second, column, c_tile + one)
                        put_32(rows, row, inputs, apart, place, a, b, c, d)
                        put_32(rows, row + HALF, inputs, apart, place, e, f, g, h)

    return fill
