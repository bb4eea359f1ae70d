"""Sequential sweeps where every output reads d hidden units, a unit at a time.

Units of one colour share no output (`order.sequential_order`), so their proposals commute, and all d links of
a unit can be done before those of the next; so can all links of an output. It is the same sweep, bit for bit,
that goes d times as far with what it reads. Until a flip changes the unit's answer, what such a change does
to the outputs stays the same, and is worked out once for all links:

    effect[example] = (outputs that turn wrong) - (outputs that turn right) when the unit changes its sign

in bit planes of two's complement, so that dE of a link is a weighted sum of a few popcounts.
"""

from functools import cache

from mbsim.engines.registers.decisions import decision
from mbsim.engines.registers.sizes import students_in
from mbsim.engines.registers.vector_output import TOTAL, fetchers, flips_of, more_wrong, output_flipper
from mbsim.engines.registers.vectors import (
    add_widened,
    any_bit,
    inner,
    load,
    load_bits,
    load_counter,
    negated,
    new_counter,
    prefetch,
    sign,
    store,
    store_bits,
    store_counter,
    summed,
    zero_like,
)

AHEAD = 2  # outputs or units between asking for memory and reading it (1 and 4 differ by less than the noise)


@cache
def weigher(bits: int, single: bool, planes: int, effects: int):
    """Compile weigh(unit, changed, sizes, tables, student, batch): write the effect of a unit's change of
    sign behind the first row of the room. If the unit has just changed its sign on the examples of that first
    row, its outputs are told.
    """
    students = students_in(bits)

    @inner
    def weigh(unit, changed, sizes, tables, student, batch):
        degree, _, words = sizes
        _, _, readers, most = tables
        _, h, y, room = batch
        row = students if single else words * students
        top = (unit * planes + planes - 1) * row
        for at in range(0, row, students):
            answer = load(h, top + at)
            effect = new_counter(answer, effects, 0)
            for reader in range(unit * most, (unit + 1) * most):
                out = readers[reader]
                if out < 0:
                    break
                own = load_bits(student[1], out * students, answer)
                place = (out // degree) * (planes + 1) * row + at
                counter = load_counter(y, place, row, planes)
                if changed:
                    moved = load(room, at)
                    counter = negated(counter, moved, answer ^ moved ^ own)
                    store_counter(y, place, row, counter)
                wrong = sign(counter) ^ load(y, place + planes * row)
                # One more wherever the answer turns wrong, one less wherever it turns right.
                effect = negated(effect, flips_of(counter, answer ^ own), wrong)
            store_counter(room, row + at, row, effect)

    return weigh


@cache
def word_flippers(bits: int, planes: int, effects: int, thermal: bool):
    """Compile flip_slots(output, outputs, ...) and flip_links(unit, positions, ...) -> total: all links of an
    output or unit whose batch is one word. What they share stays in registers.

    Further args: (sweep, sizes, tables, valid, student, batch, heat, total); from the total -1 is taken for
    every proposal that a student accepts.
    """
    students = students_in(bits)
    decide = decision(bits, thermal)
    weigh = weigher(bits, True, planes, effects)

    @inner
    def flip_slots(output, outputs, sweep, sizes, tables, valid, student, batch, heat, total):
        degree, _, _ = sizes
        _, h, y, _ = batch
        v, place = student[1], output * (planes + 1) * students
        counter, shown = load_counter(y, place, students, planes), load(valid, 0)
        goal = load(y, place + planes * students)
        for slot in range(degree):
            link = output * degree + slot
            weight = load_bits(v, link * students, shown)
            term = load(h, (tables[1][link] * planes + planes - 1) * students) ^ weight
            flip = flips_of(counter, term) & shown
            accept = decide(more_wrong(flip, sign(counter) ^ goal), sweep, slot * outputs + output, heat)
            if any_bit(accept):
                counter = negated(counter, accept, term)
                store_counter(y, place, students, counter)
                store_bits(v, link * students, weight ^ accept)
            total -= accept
        return total

    @inner
    def flip_links(unit, positions, sweep, sizes, tables, valid, student, batch, heat, total):
        degree, _, _ = sizes
        x, h, _, room = batch
        w, place = student[0], unit * planes * students
        counter, shown = load_counter(h, place, students, planes), load(valid, 0)
        weigh(unit, False, sizes, tables, student, batch)
        effect = load_counter(room, students, students, effects)
        for link in range(unit * degree, (unit + 1) * degree):
            weight = load_bits(w, link * students, shown)
            term = load(x, tables[0][link] * students) ^ weight
            flip = flips_of(counter, term) & shown
            accept = decide(summed(effect, flip), sweep, positions[link], heat)
            if any_bit(accept):
                counter = negated(counter, accept, term)
                store_counter(h, place, students, counter)
                store_bits(w, link * students, weight ^ accept)
                moved = flip & accept
                if any_bit(moved):
                    store(room, 0, moved)
                    weigh(unit, True, sizes, tables, student, batch)
                    effect = load_counter(room, students, students, effects)
            total -= accept
        return total

    return flip_slots, flip_links


@cache
def row_flippers(bits: int, planes: int, effects: int, thermal: bool):
    """The same for batches of several words."""
    students = students_in(bits)
    decide = decision(bits, thermal)
    weigh = weigher(bits, False, planes, effects)
    flip_output = output_flipper(bits, False, planes, thermal)

    @inner
    def flip_slots(output, outputs, sweep, sizes, tables, valid, student, batch, heat, total):
        degree, _, _ = sizes
        for slot in range(degree):
            link, position = output * degree + slot, slot * outputs + output
            total -= flip_output(link, sweep, position, sizes, tables, valid, student, batch, heat)
        return total

    @inner
    def flip_links(unit, positions, sweep, sizes, tables, valid, student, batch, heat, total):
        degree, _, words = sizes
        x, h, _, room = batch
        row, w = words * students, student[0]
        weigh(unit, False, sizes, tables, student, batch)
        for link in range(unit * degree, (unit + 1) * degree):
            place, source = unit * planes * row, tables[0][link] * row
            weight = load_bits(w, link * students, load(valid, 0))
            change = zero_like(weight)
            for at in range(0, row, students):
                counter, term = load_counter(h, place + at, row, planes), load(x, source + at) ^ weight
                flip = flips_of(counter, term) & load(valid, at)
                change += summed(load_counter(room, row + at, row, effects), flip)
            accept = decide(change, sweep, positions[link], heat)
            if any_bit(accept):
                any_moved = zero_like(weight)
                for at in range(0, row, students):
                    counter, term = load_counter(h, place + at, row, planes), load(x, source + at) ^ weight
                    moved = flips_of(counter, term) & load(valid, at) & accept
                    store(room, at, moved)
                    any_moved |= moved
                    store_counter(h, place + at, row, negated(counter, accept, term))
                store_bits(w, link * students, weight ^ accept)
                if any_bit(any_moved):
                    weigh(unit, True, sizes, tables, student, batch)
            total -= accept
        return total

    return flip_slots, flip_links


@cache
def sweeps(bits: int, single: bool, far: bool, planes: int, effects: int, thermal: bool):
    """Compile run(sweep, units, plan, sizes, tables, valid, student, batch, heat, accepted): one sweep, for d
    up to `TOTAL`.

    Args of what is compiled: as `vector_output.proposals`, and
        units: how many hidden units there are.
        plan: (their order, the place in the sweep of each hidden link).
        batch: its room is for a row and the planes of an effect.
    """
    students = students_in(bits)
    flippers = word_flippers if single else row_flippers
    flip_slots, flip_links = flippers(bits, planes, effects, thermal)
    fetch_output, fetch_hidden = fetchers(bits, single, planes)

    @inner
    def fetch_slots(output, sizes, tables, student, batch):
        degree, _, words = sizes
        row = students if single else words * students
        first = output * degree
        fetch_output(first, sizes, tables, student, batch)
        for link in range(first + 1, first + degree):
            for at in range(0, row, students):
                prefetch(batch[1], (tables[1][link] * planes + planes - 1) * row + at)

    @inner
    def fetch_links(unit, sizes, tables, student, batch):
        degree, _, words = sizes
        row = students if single else words * students
        first = unit * degree
        fetch_hidden(first, sizes, tables, student, batch)
        for link in range(first + 1, first + degree):
            for at in range(0, row, students):
                prefetch(batch[0], tables[0][link] * row + at)

    @inner
    def run(sweep, units, plan, sizes, tables, valid, student, batch, heat, accepted):
        degree, first_hidden, _ = sizes
        order, positions = plan
        outputs = first_hidden // degree
        at_a_time = TOTAL // degree
        for begin in range(0, outputs, at_a_time):
            total = zero_like(load(valid, 0))
            for output in range(begin, min(begin + at_a_time, outputs)):
                if far and output + AHEAD < outputs:
                    fetch_slots(output + AHEAD, sizes, tables, student, batch)
                total = flip_slots(output, outputs, sweep, sizes, tables, valid, student, batch, heat, total)
            add_widened(accepted, 0, total)
        for begin in range(0, units, at_a_time):
            total = zero_like(load(valid, 0))
            for place in range(begin, min(begin + at_a_time, units)):
                if far and place + AHEAD < units:
                    fetch_links(order[place + AHEAD], sizes, tables, student, batch)
                unit = order[place]
                total = flip_links(unit, positions, sweep, sizes, tables, valid, student, batch, heat, total)
            add_widened(accepted, 0, total)

    return run
