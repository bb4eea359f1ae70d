"""Sequential sweeps where every output reads d hidden units, a unit at a time.

Hidden units of one colour share no output (`physics.order`), so their proposals commute, and all d links of a
unit can be done before those of the next; so can all links of an output. It is the same sweep, bit for bit, and
what is read serves d proposals instead of one. Until a flip changes the unit's answer, what such a change does
to the outputs stays the same, and is worked out once for all links:

    effect[example] = (outputs that turn wrong) - (outputs that turn right) when the unit changes its sign

in bit planes of two's complement, so that dE of a link is a weighted sum of a few popcounts.
"""

from functools import cache
from typing import Any

from mbsim.engines.registers.counters import (
    flips_of,
    load_counter,
    negated,
    new_counter,
    sign,
    store_counter,
    summed,
)
from mbsim.engines.registers.decisions import decision
from mbsim.engines.registers.kept import fused, inner
from mbsim.engines.registers.loading import add_widened, flip_bits, load, load_bits, store
from mbsim.engines.registers.sizes import students_in
from mbsim.engines.registers.vector_output import TOTAL
from mbsim.engines.registers.vectors import any_bit, zero_like

AHEAD = 2  # outputs or units between asking for memory and reading it (1 and 4 differ by less than the noise)


@cache
def weigher(bits: int, single: bool, planes: int, effects: int):
    """Compile weigh(unit, changed, block): write the effect of a unit's change of sign behind the first row of
    the room. If the unit has just changed its sign on the examples of that first row, its outputs are told.
    """
    students = students_in(bits)

    @inner
    def weigh(unit, changed, block):
        h, y, room = block.batch.hidden, block.batch.outputs, block.batch.room
        readers, most = block.tables.readers, block.tables.most
        row = students if single else block.sizes.words * students
        top = (unit * planes + planes - 1) * row
        for at in range(0, row, students):
            answer = load(h, top + at)
            effect = new_counter(answer, effects, 0)
            for reader in range(unit * most, (unit + 1) * most):
                out = readers[reader]
                if out < 0:
                    break
                own = load_bits(block.student.v, out * students, answer)
                place = (out // block.sizes.degree) * (planes + 1) * row + at
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
def link_flipper(bits: int, single: bool, planes: int, effects: int, chance: int):
    """Compile flip_links(unit, sweep, positions, block, total) -> total: all links of a unit; from the total -1
    is taken for every proposal that a student accepts. Sums and effect of a batch of one word stay in registers
    from one link to the next.
    """
    students = students_in(bits)
    decide = decision(bits, chance)
    weigh = weigher(bits, single, planes, effects)

    @fused
    def flip_links(unit, sweep, positions, block, total):
        x, h, room = block.batch.inputs, block.batch.hidden, block.batch.room
        w, valid, degree = block.student.w, block.tally.valid, block.sizes.degree
        row = students if single else block.sizes.words * students
        place = unit * planes * row
        weigh(unit, False, block)
        counter, effect = load_counter(h, place, row, planes), load_counter(room, row, row, effects)
        for link in range(unit * degree, (unit + 1) * degree):
            source = block.tables.hidden_sources[link] * row
            weight = load_bits(w, link * students, load(valid, 0))
            change = zero_like(weight)
            for at in range(0, row, students):
                if not single:
                    counter = load_counter(h, place + at, row, planes)
                    effect = load_counter(room, row + at, row, effects)
                flip = flips_of(counter, load(x, source + at) ^ weight) & load(valid, at)
                change += summed(effect, flip)
            accept = decide(change, sweep, positions[link], block.heat)
            if any_bit(accept):
                any_moved = zero_like(weight)
                for at in range(0, row, students):
                    if not single:
                        counter = load_counter(h, place + at, row, planes)
                    term = load(x, source + at) ^ weight
                    moved = flips_of(counter, term) & load(valid, at) & accept
                    store(room, at, moved)
                    any_moved |= moved
                    counter = negated(counter, accept, term)
                    store_counter(h, place + at, row, counter)
                flip_bits(w, link * students, accept)
                if any_bit(any_moved):
                    weigh(unit, True, block)
                    effect = load_counter(room, row, row, effects)
            total -= accept
        return total

    return flip_links


@cache
def sweeps(far: bool, flip_outputs: Any, flip_links: Any, fetch_outputs: Any, fetch_hidden: Any):
    """Compile run(sweep, order, block): one sweep, for d up to `TOTAL`; `order` is a `records.Order`, `block` a
    `records.Block`. What flips and fetches is that of sums (`vector_output`, and above) or of terms.
    """

    @inner
    def run(sweep, order, block):
        degree, units = block.sizes.degree, block.sizes.units
        outputs = block.sizes.first_hidden // degree  # those whose links are trained
        at_a_time = TOTAL // degree
        for begin in range(0, outputs, at_a_time):
            total = zero_like(load(block.tally.valid, 0))
            for output in range(begin, min(begin + at_a_time, outputs)):
                if far and output + AHEAD < outputs:
                    fetch_outputs((output + AHEAD) * degree, degree, block)
                total = flip_outputs(output * degree, degree, sweep, output, outputs, block, total)
            add_widened(block.tally.total, 0, total)
        for begin in range(0, units, at_a_time):
            total = zero_like(load(block.tally.valid, 0))
            for place in range(begin, min(begin + at_a_time, units)):
                if far and place + AHEAD < units:
                    fetch_hidden(order.links[place + AHEAD] * degree, degree, block)
                total = flip_links(order.links[place], sweep, order.positions, block, total)
            add_widened(block.tally.total, 0, total)

    return run
