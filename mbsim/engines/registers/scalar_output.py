"""Proposals where a single output reads all K hidden units.

The counters of hidden units and of the output are kept up to date, and with them the examples on which the
output's sum is ±1: its counter has too many planes to look at for each proposal.
"""

from functools import cache

from mbsim.engines.registers.counters import (
    flips_of,
    load_counter,
    more_wrong,
    negated,
    one_from_zero,
    sign,
    store_counter,
)
from mbsim.engines.registers.decisions import decision
from mbsim.engines.registers.kept import fused, inner
from mbsim.engines.registers.loading import add_widened, flip_bits, load, load_bits, store
from mbsim.engines.registers.sizes import students_in
from mbsim.engines.registers.vectors import any_bit, zero_like

TOTAL = 127  # accepted proposals that a word of eight bits counts


@cache
def output(output_planes: int):
    """Compile changed and moved(at, row, where, term, block): how many more answers are wrong, in the register
    at this place of a row, if the output's term `term` changes its sign on the examples `where`; and change it.
    """

    @inner
    def changed(at, row, where, term, block):
        y, free = block.batch.outputs, block.batch.room
        answer = load(y, (output_planes - 1) * row + at)
        flip = where & load(free, at) & ~(answer ^ term)
        return more_wrong(flip, answer ^ load(y, output_planes * row + at))

    @inner
    def moved(at, row, where, term, block):
        y, free = block.batch.outputs, block.batch.room
        counter = negated(load_counter(y, at, row, output_planes), where, term)
        store_counter(y, at, row, counter)
        store(free, at, one_from_zero(counter) & load(block.tally.valid, at))

    return changed, moved


@cache
def proposals(bits: int, single: bool, planes: int, output_planes: int, chance: int):
    """Compile propose(sweep, links, place, begin, end, block), as `vector_output.proposals`; the room of the
    batch holds the examples on which the output's sum is ±1.
    """
    students = students_in(bits)
    decide = decision(bits, chance)
    changed, moved = output(output_planes)

    @fused
    def flip_output(unit, sweep, position, block):
        h, v, valid = block.batch.hidden, block.student.v, block.tally.valid
        row = students if single else block.sizes.words * students
        weight = load_bits(v, unit * students, load(valid, 0))
        top = unit * planes * row + (planes - 1) * row
        change = zero_like(weight)
        for at in range(0, row, students):
            change += changed(at, row, load(valid, at), load(h, top + at) ^ weight, block)
        accept = decide(change, sweep, position, block.heat)
        if any_bit(accept):
            for at in range(0, row, students):
                moved(at, row, accept, load(h, top + at) ^ weight, block)
        flip_bits(v, unit * students, accept)
        return accept

    @fused
    def flip_hidden(link, sweep, position, block):
        x, h, valid = block.batch.inputs, block.batch.hidden, block.tally.valid
        w, v = block.student.w, block.student.v
        row = students if single else block.sizes.words * students
        unit = link // block.sizes.degree
        weight = load_bits(w, link * students, load(valid, 0))
        own = load_bits(v, unit * students, weight)
        hidden, source = unit * planes * row, block.tables.hidden_sources[link] * row
        change = zero_like(weight)
        for at in range(0, row, students):
            counter, term = load_counter(h, hidden + at, row, planes), load(x, source + at) ^ weight
            change += changed(at, row, flips_of(counter, term), sign(counter) ^ own, block)
        accept = decide(change, sweep, position, block.heat)
        if any_bit(accept):
            for at in range(0, row, students):
                counter, term = load_counter(h, hidden + at, row, planes), load(x, source + at) ^ weight
                moved(at, row, flips_of(counter, term) & accept, sign(counter) ^ own, block)
                store_counter(h, hidden + at, row, negated(counter, accept, term))
        flip_bits(w, link * students, accept)
        return accept

    @inner
    def propose(sweep, links, place, begin, end, block):
        valid, first_hidden = block.tally.valid, block.sizes.first_hidden
        row = students if single else block.sizes.words * students
        for at in range(0, row, students):
            moved(at, row, zero_like(load(valid, 0)), load(valid, at), block)
        for start in range(begin, end, TOTAL):
            total = zero_like(load(valid, 0))
            for i in range(start, min(start + TOTAL, end)):
                link = links[place + i]
                if link < first_hidden:
                    total -= flip_output(link, sweep, i, block)
                else:
                    total -= flip_hidden(link - first_hidden, sweep, i, block)
            add_widened(block.tally.total, 0, total)

    return propose
