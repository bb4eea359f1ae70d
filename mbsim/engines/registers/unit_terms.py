"""Sequential sweeps a unit at a time, as `unit_sweeps`, where terms are kept, as `vector_terms` has them (d = 3)."""

from functools import cache

from mbsim.engines.registers.counters import (
    load_counter,
    more_wrong,
    negated,
    new_counter,
    store_counter,
    summed,
)
from mbsim.engines.registers.decisions import decision
from mbsim.engines.registers.kept import fused, inner
from mbsim.engines.registers.loading import add_widened, flip_bits, load, store
from mbsim.engines.registers.sizes import students_in
from mbsim.engines.registers.unit_sweeps import AHEAD
from mbsim.engines.registers.vector_output import TOTAL
from mbsim.engines.registers.vector_terms import DEGREE, HIDDEN, OUTPUT, cancel, fetchers
from mbsim.engines.registers.vectors import any_bit, zero_like


@cache
def output_flipper(bits: int, single: bool, chance: int):
    """Compile flip_outputs(output, sweep, outputs, block, total) -> total: all links of an output; from the total -1 is
    taken for every proposal that a student accepts.
    """
    students = students_in(bits)
    decide = decision(bits, chance)

    @fused
    def flip_outputs(output, sweep, outputs, block, total):
        y, v, valid = block.batch.outputs, block.student.v, block.tally.valid
        row = students if single else block.sizes.words * students
        first = output * (OUTPUT * row)
        target = first + DEGREE * row
        for a in range(DEGREE):
            change = zero_like(load(valid, 0))
            mine = first + a * row
            for at in range(0, row, students):
                own = load(y, mine + at)
                flip = cancel(y, first + at, row, own) & load(valid, at)
                change += more_wrong(flip, own ^ load(y, target + at))
            accept = decide(change, sweep, output + a * outputs, block.heat)
            if any_bit(accept):
                for at in range(0, row, students):
                    store(y, mine + at, load(y, mine + at) ^ accept)
                flip_bits(v, (output * DEGREE + a) * students, accept)
            total -= accept
        return total

    return flip_outputs


@cache
def weigher(bits: int, single: bool, effects: int):
    """Compile weigh(unit, changed, block), as `unit_sweeps.weigher`."""
    students = students_in(bits)

    @inner
    def weigh(unit, changed, block):
        y, room = block.batch.outputs, block.batch.room
        readers, most = block.tables.readers, block.tables.most
        row = students if single else block.sizes.words * students
        for at in range(0, row, students):
            effect = new_counter(load(room, at), effects, 0)
            for reader in range(unit * most, (unit + 1) * most):
                out = readers[reader]
                if out < 0:
                    break
                output = out // DEGREE
                first = output * (OUTPUT * row) + at
                mine = first + (out - output * DEGREE) * row
                own = load(y, mine)
                where = cancel(y, first, row, own)
                if changed:
                    own = own ^ load(room, at)
                    store(y, mine, own)
                effect = negated(effect, where, own ^ load(y, first + DEGREE * row))
            store_counter(room, row + at, row, effect)

    return weigh


@cache
def link_flipper(bits: int, single: bool, effects: int, chance: int):
    """Compile flip_links(unit, sweep, positions, block, total) -> total, as `unit_sweeps.link_flipper`."""
    students = students_in(bits)
    decide = decision(bits, chance)
    weigh = weigher(bits, single, effects)

    @fused
    def flip_links(unit, sweep, positions, block, total):
        h, room, w, valid = block.batch.hidden, block.batch.room, block.student.w, block.tally.valid
        row = students if single else block.sizes.words * students
        first = unit * (HIDDEN * row)
        weigh(unit, False, block)
        effect = load_counter(room, row, row, effects)
        for link in range(unit * DEGREE, (unit + 1) * DEGREE):
            mine, change = link * row, zero_like(load(valid, 0))
            for at in range(0, row, students):
                if not single:
                    effect = load_counter(room, row + at, row, effects)
                flip = cancel(h, first + at, row, load(h, mine + at)) & load(valid, at)
                change += summed(effect, flip)
            accept = decide(change, sweep, positions[link], block.heat)
            if any_bit(accept):
                any_moved = zero_like(accept)
                for at in range(0, row, students):
                    own = load(h, mine + at)
                    moved = cancel(h, first + at, row, own) & load(valid, at) & accept
                    store(room, at, moved)
                    any_moved |= moved
                    store(h, mine + at, own ^ accept)
                flip_bits(w, link * students, accept)
                if any_bit(any_moved):
                    weigh(unit, True, block)
                    effect = load_counter(room, row, row, effects)
            total -= accept
        return total

    return flip_links


@cache
def sweeps(bits: int, single: bool, far: bool, effects: int, chance: int):
    """Compile run(sweep, order, block), as `unit_sweeps.sweeps`."""
    flip_outputs = output_flipper(bits, single, chance)
    flip_links = link_flipper(bits, single, effects, chance)
    fetch_output, fetch_hidden = fetchers(bits, single)
    students = students_in(bits)

    @inner
    def run(sweep, order, block):
        row = students if single else block.sizes.words * students
        units, outputs = block.sizes.units, block.sizes.first_hidden // DEGREE
        at_a_time = TOTAL // DEGREE
        for begin in range(0, outputs, at_a_time):
            total = zero_like(load(block.tally.valid, 0))
            for output in range(begin, min(begin + at_a_time, outputs)):
                if far and output + AHEAD < outputs:
                    fetch_output(output + AHEAD, row, block)
                total = flip_outputs(output, sweep, outputs, block, total)
            add_widened(block.tally.total, 0, total)
        for begin in range(0, units, at_a_time):
            total = zero_like(load(block.tally.valid, 0))
            for place in range(begin, min(begin + at_a_time, units)):
                if far and place + AHEAD < units:
                    fetch_hidden(order.links[place + AHEAD] * DEGREE, row, block)
                total = flip_links(order.links[place], sweep, order.positions, block, total)
            add_widened(block.tally.total, 0, total)

    return run
