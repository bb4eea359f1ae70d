"""Mini-batches from a finite training set, on registers of sixteen ciphers: `sampling/example_sets.py`, bit for bit.

The words of a row hold 32 examples of one input, but the random words of a training set hold 32 inputs of one
example (`sampling/examples.py`). So words are drawn for 32 examples, and their bits, 32 x 32, are transposed. With
words of 64 bits a student has two neighbouring ciphers, one for each half of a word.
"""

from functools import cache

import numpy as np

from mbsim.engines.registers.cipher import CIPHERS, groups_of, threefry
from mbsim.engines.registers.kept import inner
from mbsim.engines.registers.loading import load, store, store_narrowed
from mbsim.engines.registers.sizes import ROOM, students_in
from mbsim.engines.registers.vectors import any_bit, below, chosen, filled, rotated, shifted, zero_like
from mbsim.sampling.example_sets import TURNS

HALF = np.uint32(0xFFFF)
DEEP = ROOM // 2
"""Bits of a random word: half of the room has the numbers of as many examples, half what is drawn for them."""


@inner
def scaled(word, n):
    """floor(word n / 2^32) for n up to 2^16."""
    low = (word & filled(word, HALF)) * n
    return shifted(shifted(word, 16) * n + shifted(low, 16), 16)


@inner
def product(a, b):
    """The upper word of a b."""
    half = filled(a, HALF)
    a1, a0, b1, b0 = shifted(a, 16), a & half, shifted(b, 16), b & half
    middle = a1 * b0 + shifted(a0 * b0, 16)
    cross = a0 * b1 + (middle & half)
    return a1 * b1 + shifted(middle, 16) + shifted(cross, 16)


@inner
def scaled_pair(high, low, n):
    """floor((2^32 high + low) n / 2^64)."""
    carried = high * n + product(low, n)
    return product(high, n) - below(carried, high * n)  # "below" is -1 where there is a carry


@inner
def permuted(number, first, second, sets):
    """The entries at places `number` of the random orders with these keys."""
    size, rows, columns = (
        filled(number, np.uint32(sets.size)),
        filled(number, np.uint32(sets.rows)),
        filled(number, np.uint32(sets.columns)),
    )
    unfinished = ~zero_like(number)
    while any_bit(unfinished):
        part, other, most, most_of_other = number // columns, number % columns, rows, columns
        for i in range(TURNS):
            part = part + scaled(threefry(first, second, filled(other, np.uint32(i)), other)[0], most)
            part = part - (most & ~below(part, most))
            part, other, most, most_of_other = other, part, most_of_other, most
        number = chosen(unfinished, part * columns + other, number)
        unfinished = ~below(number, size)
    return number


@cache
def exchanger(distance: int):
    """Compile exchange(words, first): in `DEEP` registers, the first of them number `first`, bit i + distance of word
    k and bit i of word k + distance change places, for all i and k without this binary digit.
    """
    places = sum(1 << i for i in range(DEEP) if not i & distance)

    @inner
    def exchange(words, first):
        for begin in range(first, first + DEEP, 2 * distance):
            for k in range(begin * CIPHERS, (begin + distance) * CIPHERS, CIPHERS):
                one, other = load(words, k), load(words, k + distance * CIPHERS)
                differ = (shifted(one, distance) ^ other) & filled(one, np.uint32(places))
                store(words, k, one ^ rotated(differ, distance))
                store(words, k + distance * CIPHERS, other ^ differ)

    return exchange


_by_16, _by_8, _by_4, _by_2, _by_1 = map(exchanger, (16, 8, 4, 2, 1))


@inner
def transpose(words, first):
    """Transpose the bits of `DEEP` registers: bit i of word k and bit k of word i change places.

    Source: Warren, "Hacker's Delight", section 7-3.
    """
    _by_16(words, first)
    _by_8(words, first)
    _by_4(words, first)
    _by_2(words, first)
    _by_1(words, first)


@cache
def set_filler(bits: int, sampling: str):
    """Compile start(number, keys, sets) and fill(rows, inputs, words, first_word, keys, sets).

    `start` makes ready mini-batch number `number`; `fill` then writes the words `first_word`, first_word + 1, ...
    (`words` of them, in words of 32 bits for 64) of all inputs. `keys` are those of the examples.
    """
    groups, students = groups_of(bits), students_in(bits)
    within, apiece, deep = students // groups, 2 if bits == 64 else 1, min(bits, DEEP)
    epochs, replacing = sampling == "epochs", sampling == "with"

    @inner
    def start(number, keys, sets):
        for at in range(0, groups * CIPHERS, CIPHERS):
            first, second, m = load(sets.first, at), load(sets.second, at), load(sets.m, at)
            label, begin = filled(first, np.uint32(number)), zero_like(first)
            if epochs:
                batches = filled(m, np.uint32(sets.size)) // m
                begin = label % batches * m
                label = label // batches
            x, y = threefry(first, second, zero_like(first), label)
            store(keys.folded_first, at, x)
            store(keys.folded_second, at, y)
            store(sets.begin, at, begin)

    @inner
    def example(slot, begin, first, second, sets):
        size = filled(slot, np.uint32(sets.size))
        if replacing:
            high, low = threefry(first, second, zero_like(slot), slot)
            return scaled_pair(high, low, size)
        place, last = begin + slot, size - filled(slot, np.uint32(1))
        return permuted(chosen(below(place, last), place, last), first, second, sets)

    @inner
    def fill(rows, inputs, words, first_word, keys, sets):
        for group in range(groups):
            at = group * CIPHERS
            first, second = load(keys.first, at), load(keys.second, at)
            choice_first, choice_second = load(keys.folded_first, at), load(keys.folded_second, at)
            number, begin, m = load(keys.numbers, at), load(sets.begin, at), load(sets.m, at)
            for q in range(words):
                word = number + filled(number, np.uint32(first_word + q * apiece))
                count = 0
                while count < deep:
                    slot = word * filled(word, np.uint32(DEEP)) + filled(word, np.uint32(count))
                    if not any_bit(below(slot, m)):
                        break
                    store(sets.room, count * CIPHERS, example(slot, begin, choice_first, choice_second, sets))
                    count += 1
                for column in range(0, inputs, DEEP):
                    place = filled(number, np.uint32(column // DEEP))
                    for e in range(DEEP):
                        at = (DEEP + e) * CIPHERS
                        if e < count:
                            of = load(sets.room, e * CIPHERS)
                            store(sets.room, at, threefry(first, second, of, place)[0])
                        else:
                            store(sets.room, at, zero_like(place))
                    transpose(sets.room, DEEP)
                    for row in range(column, min(column + DEEP, inputs)):
                        to = (row * words + q) * students + group * within
                        drawn = load(sets.room, (DEEP + row - column) * CIPHERS)
                        if bits < 32:
                            store_narrowed(rows, to, drawn)
                        else:
                            store(rows, to, drawn)

    return start, fill
