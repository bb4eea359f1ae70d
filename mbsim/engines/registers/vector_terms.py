"""Flips where every unit and output reads d = 3 others: their terms are kept, not their sums.

A term decides the sign of three where the other two cancel, t1 ^ t2. So a proposal looks at no counter, weight or
input, only at rows of a unit, or of an output, that lie side by side; and a flip changes one row of its unit, and one
of each output that reads it. Terms of outputs are kept times the teacher's answer: an output is wrong where most of
them are ones, and where two cancel the third says whether it is. Of a unit that is one row more than sums take, of an
output as many; the gap grows with d.
"""

from functools import cache

from mbsim.engines.registers.counters import more_wrong
from mbsim.engines.registers.decisions import decision
from mbsim.engines.registers.kept import fused, inner
from mbsim.engines.registers.loading import flip_bits, load, prefetch, store
from mbsim.engines.registers.networks import term_of
from mbsim.engines.registers.sizes import TERMS, students_in
from mbsim.engines.registers.vectors import any_bit, zero_like


@inner
def cancel(rows, first, row, own):
    """Where the terms beside this one cancel, of a unit whose terms begin at `first`, `row` words apart."""
    return load(rows, first) ^ load(rows, first + row) ^ load(rows, first + row + row) ^ own


@cache
def unfolded(bits: int, single: bool, signed: bool):
    """Compile run(units, words, rows, sources, weights, result, others): the terms of a layer's units; rows and
    weights as in `networks`. If signed, the others are written: the units' signs. Else they are read: the answers
    that terms are multiplied by. They may lie where the first terms go.
    """
    students, term = students_in(bits), term_of(shared=False)

    @inner
    def run(units, words, rows, sources, weights, result, others):
        like = load(rows.array, 0)
        width = students if single else words * students
        for unit in range(units):
            link, place = unit * TERMS, unit * result.stride + result.begin
            for at in range(0, width, students):
                a = term(link, at, rows, sources, weights, like)
                b = term(link + 1, at, rows, sources, weights, like)
                c = term(link + 2, at, rows, sources, weights, like)
                other = unit * others.stride + others.begin + at
                if signed:
                    store(others.array, other, (a & b) | (c & (a | b)))
                else:
                    answer = load(others.array, other)
                    a, b, c = a ^ answer, b ^ answer, c ^ answer
                store(result.array, place + at, a)
                store(result.array, place + width + at, b)
                store(result.array, place + width + width + at, c)

    return run


@cache
def output_flipper(bits: int, single: bool, chance: int):
    """Compile flip_outputs(first, count, sweep, position, step, block, total), as `vector_output.output_flipper`."""
    students = students_in(bits)
    decide = decision(bits, chance)

    @fused
    def flip_outputs(first, count, sweep, position, step, block, total):
        y, v, valid = block.batch.outputs, block.student.v, block.tally.valid
        row = students if single else block.sizes.words * students
        begin = first // TERMS * (TERMS * row)
        for link in range(first, first + count):
            mine, change = link * row, zero_like(load(valid, 0))
            for at in range(0, row, students):
                own = load(y, mine + at)
                flip = cancel(y, begin + at, row, own) & load(valid, at)
                change += more_wrong(flip, own)
            accept = decide(change, sweep, position, block.heat)
            if any_bit(accept):
                for at in range(0, row, students):
                    store(y, mine + at, load(y, mine + at) ^ accept)
                flip_bits(v, link * students, accept)
            total -= accept
            position += step
        return total

    return flip_outputs


@cache
def hidden_flipper(bits: int, single: bool, chance: int):
    """Compile flip_hidden(link, sweep, position, block), as `vector_output.hidden_flipper`."""
    students = students_in(bits)
    decide = decision(bits, chance)

    @fused
    def flip_hidden(link, sweep, position, block):
        h, y, flips = block.batch.hidden, block.batch.outputs, block.batch.room
        w, valid = block.student.w, block.tally.valid
        readers, most = block.tables.readers, block.tables.most
        row = students if single else block.sizes.words * students
        unit = link // TERMS
        first, mine = unit * (TERMS * row), link * row
        change = zero_like(load(valid, 0))
        any_flip = change
        for at in range(0, row, students):
            flip = cancel(h, first + at, row, load(h, mine + at)) & load(valid, at)
            store(flips, at, flip)
            any_flip |= flip
        if any_bit(any_flip):
            for reader in range(unit * most, (unit + 1) * most):
                out = readers[reader]
                if out < 0:
                    break
                begin = out // TERMS * (TERMS * row)
                for at in range(0, row, students):
                    own = load(y, out * row + at)
                    flip = cancel(y, begin + at, row, own) & load(flips, at)
                    change += more_wrong(flip, own)
        accept = decide(change, sweep, position, block.heat)
        if any_bit(any_flip & accept):
            for reader in range(unit * most, (unit + 1) * most):
                out = readers[reader]
                if out < 0:
                    break
                for at in range(0, row, students):
                    store(y, out * row + at, load(y, out * row + at) ^ (load(flips, at) & accept))
        if any_bit(accept):
            for at in range(0, row, students):
                store(h, mine + at, load(h, mine + at) ^ accept)
            flip_bits(w, link * students, accept)
        return accept

    return flip_hidden


@cache
def fetchers(bits: int, single: bool):
    """Compile fetch_outputs and fetch_hidden(first, count, block), as `vector_output.fetchers`."""
    students = students_in(bits)

    @inner
    def fetch_outputs(first, count, block):
        row = students if single else block.sizes.words * students
        begin = first // TERMS * (TERMS * row)
        for at in range(begin, begin + TERMS * row, students):
            prefetch(block.batch.outputs, at)

    @inner
    def fetch_hidden(first, count, block):
        readers, most = block.tables.readers, block.tables.most
        row = students if single else block.sizes.words * students
        unit = first // TERMS
        for at in range(unit * (TERMS * row), (unit + 1) * (TERMS * row), students):
            prefetch(block.batch.hidden, at)
        for reader in range(unit * most, (unit + 1) * most):
            if readers[reader] < 0:
                break
            fetch_outputs(readers[reader], 1, block)

    return fetch_outputs, fetch_hidden
