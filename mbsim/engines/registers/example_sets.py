"""Mini-batches from a finite training set, on registers of sixteen ciphers: `sampling/example_sets.py`, bit for bit.

The words of a row hold 32 examples of one input, but the random words of a training set hold 32 inputs of one
example (`sampling/examples.py`). So the examples of a word are drawn one after the other, and the bits of each are
put where they belong. With words of 64 bits a student has two neighbouring ciphers, one for each half of a word.
"""

from functools import cache

import numpy as np

from mbsim.engines.registers.cipher import CIPHERS, groups_of, threefry
from mbsim.engines.registers.kept import inner
from mbsim.engines.registers.loading import load, store, store_narrowed
from mbsim.engines.registers.sizes import students_in
from mbsim.engines.registers.vectors import any_bit, below, chosen, filled, shifted, zero_like
from mbsim.sampling.example_sets import TURNS

HALF = np.uint32(0xFFFF)


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
def set_filler(bits: int, sampling: str):
    """Compile start(number, keys, sets) and fill(rows, inputs, words, first_word, keys, sets).

    `start` makes ready mini-batch number `number`; `fill` then writes the words `first_word`, first_word + 1, ...
    (`words` of them, in words of 32 bits for 64) of all inputs. `keys` are those of the examples.
    """
    groups, students = groups_of(bits), students_in(bits)
    within, apiece, deep = students // groups, 2 if bits == 64 else 1, min(bits, 32)
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
            one, zero = filled(first, np.uint32(1)), zero_like(first)
            for q in range(words):
                word = number + filled(number, np.uint32(first_word + q * apiece))
                for i in range(inputs):
                    store(sets.room, i * CIPHERS, zero)
                for e in range(deep):
                    slot = word * filled(word, np.uint32(32)) + filled(word, np.uint32(e))
                    if not any_bit(below(slot, m)):
                        break
                    place = example(slot, begin, choice_first, choice_second, sets)
                    bit = filled(place, np.uint32(1) << np.uint32(e))
                    for i in range(0, inputs, 32):
                        drawn = threefry(first, second, place, filled(place, np.uint32(i // 32)))[0]
                        for row in range(i, min(i + 32, inputs)):
                            old = load(sets.room, row * CIPHERS)
                            store(sets.room, row * CIPHERS, old | (bit & (zero - (drawn & one))))
                            drawn = shifted(drawn, 1)
                for row in range(inputs):
                    to = (row * words + q) * students + group * within
                    if bits < 32:
                        store_narrowed(rows, to, load(sets.room, row * CIPHERS))
                    else:
                        store(rows, to, load(sets.room, row * CIPHERS))

    return start, fill
