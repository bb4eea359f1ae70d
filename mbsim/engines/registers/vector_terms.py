"""Proposals where every unit and output reads d = 3 others: their terms are kept, not their sums.

A term decides the sign of three where the other two cancel, t1 ^ t2. So a flip needs no counter and no weight, and
changes one row of a unit, or of each output that reads it.
"""

from functools import cache

from mbsim.engines.registers.counters import more_wrong
from mbsim.engines.registers.decisions import decision
from mbsim.engines.registers.kept import fused, inner
from mbsim.engines.registers.loading import add_widened, flip_bits, load, load_bits, prefetch, store
from mbsim.engines.registers.sizes import students_in
from mbsim.engines.registers.vectors import any_bit, zero_like

DEGREE = 3
HIDDEN, OUTPUT = DEGREE, DEGREE + 1  # rows of a unit, and of an output, the last the teacher's answer
AHEAD = 5
TOTAL = 127


@inner
def cancel(rows, first, row, own):
    """Where the two terms beside this one of a unit whose terms begin at `first` cancel."""
    return load(rows, first) ^ load(rows, first + row) ^ load(rows, first + row + row) ^ own


@cache
def unfolded(bits: int, single: bool, signed: bool):
    """Compile run(units, words, rows, sources, weights, result, signs): the terms of a layer's units and, if signed,
    their signs.
    """
    students = students_in(bits)

    @inner
    def term(link, at, rows, sources, weights, like):
        row = load(rows.array, sources[link] * rows.stride + rows.begin + at)
        return row ^ load_bits(weights.array, link * weights.apart + weights.first, like)

    @inner
    def run(units, words, rows, sources, weights, result, signs):
        like = load(rows.array, 0)
        width = students if single else words * students
        for unit in range(units):
            link, place = unit * DEGREE, unit * result.stride + result.begin
            for at in range(0, width, students):
                a = term(link, at, rows, sources, weights, like)
                b = term(link + 1, at, rows, sources, weights, like)
                c = term(link + 2, at, rows, sources, weights, like)
                store(result.array, place + at, a)
                store(result.array, place + width + at, b)
                store(result.array, place + width + width + at, c)
                if signed:
                    store(signs.array, unit * signs.stride + signs.begin + at, (a & b) | (c & (a | b)))

    return run


@cache
def proposals(bits: int, single: bool, far: bool, chance: int):
    """Compile propose(sweep, links, place, begin, end, block), as `vector_output.proposals`."""
    students = students_in(bits)
    decide = decision(bits, chance)

    @fused
    def flip_output(link, sweep, position, block):
        y, v, valid = block.batch.outputs, block.student.v, block.tally.valid
        row = students if single else block.sizes.words * students
        output = link // DEGREE
        first = output * (OUTPUT * row)
        mine, target = first + (link - output * DEGREE) * row, first + DEGREE * row
        change = zero_like(load(valid, 0))
        for at in range(0, row, students):
            own = load(y, mine + at)
            flip = cancel(y, first + at, row, own) & load(valid, at)
            change += more_wrong(flip, own ^ load(y, target + at))
        accept = decide(change, sweep, position, block.heat)
        if any_bit(accept):
            for at in range(0, row, students):
                store(y, mine + at, load(y, mine + at) ^ accept)
            flip_bits(v, link * students, accept)
        return accept

    @fused
    def flip_hidden(link, sweep, position, block):
        h, y, flips = block.batch.hidden, block.batch.outputs, block.batch.room
        w, valid = block.student.w, block.tally.valid
        readers, most = block.tables.readers, block.tables.most
        row = students if single else block.sizes.words * students
        unit = link // DEGREE
        first, mine = unit * (HIDDEN * row), link * row
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
                output = out // DEGREE
                begin = output * (OUTPUT * row)
                read, target = begin + (out - output * DEGREE) * row, begin + DEGREE * row
                for at in range(0, row, students):
                    own = load(y, read + at)
                    flip = cancel(y, begin + at, row, own) & load(flips, at)
                    change += more_wrong(flip, own ^ load(y, target + at))
        accept = decide(change, sweep, position, block.heat)
        if any_bit(any_flip & accept):
            for reader in range(unit * most, (unit + 1) * most):
                out = readers[reader]
                if out < 0:
                    break
                output = out // DEGREE
                read = output * (OUTPUT * row) + (out - output * DEGREE) * row
                for at in range(0, row, students):
                    store(y, read + at, load(y, read + at) ^ (load(flips, at) & accept))
        if any_bit(accept):
            for at in range(0, row, students):
                store(h, mine + at, load(h, mine + at) ^ accept)
            flip_bits(w, link * students, accept)
        return accept

    fetch_output, fetch_hidden = fetchers(bits, single)

    @inner
    def propose(sweep, links, place, begin, end, block):
        first_hidden = block.sizes.first_hidden
        row = students if single else block.sizes.words * students
        for start in range(begin, end, TOTAL):
            total = zero_like(load(block.tally.valid, 0))
            for i in range(start, min(start + TOTAL, end)):
                if far and i + AHEAD < end:
                    coming = links[place + i + AHEAD]
                    if coming < first_hidden:
                        fetch_output(coming // DEGREE, row, block)
                    else:
                        fetch_hidden(coming - first_hidden, row, block)
                link = links[place + i]
                if link < first_hidden:
                    total -= flip_output(link, sweep, i, block)
                else:
                    total -= flip_hidden(link - first_hidden, sweep, i, block)
            add_widened(block.tally.total, 0, total)

    return propose


@cache
def fetchers(bits: int, single: bool):
    """Compile fetch_output(output, row, block) and fetch_hidden(link, row, block): ask for the memory of flips."""
    students = students_in(bits)

    @inner
    def fetch_output(output, row, block):
        begin = output * (OUTPUT * row)
        for at in range(begin, begin + OUTPUT * row, students):
            prefetch(block.batch.outputs, at)

    @inner
    def fetch_hidden(link, row, block):
        readers, most = block.tables.readers, block.tables.most
        unit = link // DEGREE
        for at in range(unit * (HIDDEN * row), (unit + 1) * (HIDDEN * row), students):
            prefetch(block.batch.hidden, at)
        for reader in range(unit * most, (unit + 1) * most):
            if readers[reader] < 0:
                break
            fetch_output(readers[reader] // DEGREE, row, block)

    return fetch_output, fetch_hidden
