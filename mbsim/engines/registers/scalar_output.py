"""Proposals where a single output reads all K hidden units.

The counters of hidden units and of the output are kept up to date, and with them the examples on which the
output's sum is ±1: its counter has too many planes to look at for each proposal.
"""

from functools import cache

from mbsim.engines.registers.decisions import decision
from mbsim.engines.registers.sizes import students_in
from mbsim.engines.registers.vectors import (
    add_widened,
    any_bit,
    inner,
    load,
    load_bits,
    load_counter,
    negated,
    one_from_zero,
    popcount,
    sign,
    store,
    store_bits,
    store_counter,
    zero_like,
)

TOTAL = 127  # accepted proposals that a word of eight bits counts


@cache
def proposals(bits: int, single: bool, planes: int, output_planes: int, thermal: bool):
    """Compile propose(span, sizes, tables, valid, student, batch, heat, accepted).

    As `vector_output.proposals`; batch = (inputs, counters of hidden units, counter of the output with the
    teacher's answer behind it, room for a row).
    """
    students = students_in(bits)
    decide = decision(bits, thermal)

    @inner
    def more_wrong(flip, at, y, free, row, term):
        answer = load(y, (output_planes - 1) * row + at)
        flip &= load(free, at) & ~(answer ^ term)
        both = popcount(flip & (answer ^ load(y, output_planes * row + at)))
        return popcount(flip) - both - both

    @inner
    def move_output(at, y, free, valid, row, where, term):
        counter = negated(load_counter(y, at, row, output_planes), where, term)
        store_counter(y, at, row, counter)
        store(free, at, one_from_zero(counter) & load(valid, at))

    @inner
    def flip_output(unit, sweep, position, sizes, valid, student, batch, heat):
        row = students if single else sizes[2] * students
        _, v = student
        _, h, y, free = batch
        weight = load_bits(v, unit * students, load(valid, 0))
        top = unit * planes * row + (planes - 1) * row
        change = zero_like(weight)
        for at in range(0, row, students):
            change += more_wrong(load(valid, at), at, y, free, row, load(h, top + at) ^ weight)
        accept = decide(change, sweep, position, heat)
        if any_bit(accept):
            for at in range(0, row, students):
                move_output(at, y, free, valid, row, accept, load(h, top + at) ^ weight)
        store_bits(v, unit * students, weight ^ accept)
        return accept

    @inner
    def flip_hidden(link, sweep, position, sizes, tables, valid, student, batch, heat):
        degree, _, words = sizes
        hidden_sources = tables[0]
        w, v = student
        x, h, y, free = batch
        row = students if single else words * students
        unit = link // degree
        weight = load_bits(w, link * students, load(valid, 0))
        own = load_bits(v, unit * students, weight)
        hidden, source = unit * planes * row, hidden_sources[link] * row
        change = zero_like(weight)
        for at in range(0, row, students):
            counter, term = load_counter(h, hidden + at, row, planes), load(x, source + at) ^ weight
            flip = one_from_zero(counter) & ~(sign(counter) ^ term)
            change += more_wrong(flip, at, y, free, row, sign(counter) ^ own)
        accept = decide(change, sweep, position, heat)
        if any_bit(accept):
            for at in range(0, row, students):
                counter, term = load_counter(h, hidden + at, row, planes), load(x, source + at) ^ weight
                flip = one_from_zero(counter) & ~(sign(counter) ^ term) & accept
                move_output(at, y, free, valid, row, flip, sign(counter) ^ own)
                store_counter(h, hidden + at, row, negated(counter, accept, term))
        store_bits(w, link * students, weight ^ accept)
        return accept

    @inner
    def propose(span, sizes, tables, valid, student, batch, heat, accepted):
        sweep, orders, place, begin, end = span
        first_hidden, words = sizes[1], sizes[2]
        y, free = batch[2], batch[3]
        row = students if single else words * students
        for at in range(0, row, students):
            move_output(at, y, free, valid, row, zero_like(load(valid, 0)), load(valid, at))
        for start in range(begin, end, TOTAL):
            total = zero_like(load(valid, 0))
            for i in range(start, min(start + TOTAL, end)):
                link = orders[place + i]
                if link < first_hidden:
                    total -= flip_output(link, sweep, i, sizes, valid, student, batch, heat)
                else:
                    hidden = link - first_hidden
                    total -= flip_hidden(hidden, sweep, i, sizes, tables, valid, student, batch, heat)
            add_widened(accepted, 0, total)

    return propose
