"""Proposals where every output reads d hidden units.

The counters of hidden units and of outputs are kept up to date: flipping a link changes a unit's sign where
its sum is ±1 and has the sign of the link's term (for d = 3 see `vector_terms`). Proposals are done one after the
other, in any order.
"""

from functools import cache
from typing import Any

from mbsim.engines.registers.counters import (
    flips_of,
    load_counter,
    more_wrong,
    negated,
    sign,
    store_counter,
)
from mbsim.engines.registers.decisions import decision
from mbsim.engines.registers.kept import fused, inner
from mbsim.engines.registers.loading import add_widened, flip_bits, load, load_bits, prefetch, store
from mbsim.engines.registers.sizes import students_in
from mbsim.engines.registers.vectors import any_bit, zero_like

AHEAD = 5  # proposals between asking for memory and reading it (measured)
TOTAL = 127  # accepted proposals that a word of eight bits counts


@cache
def output_flipper(bits: int, single: bool, planes: int, chance: int):
    """Compile flip_outputs(first, count, sweep, position, step, block, total) -> total.

    Proposes to flip `count` links into one output, in turn; the first link is number `first`, its proposal is at
    `position` of the sweep, and that of the next `step` later. From the total -1 is taken for every proposal
    that a student accepts. The counter of a batch of one word stays in registers from one link to the next.
    """
    students = students_in(bits)
    decide = decision(bits, chance)

    @fused
    def flip_outputs(first, count, sweep, position, step, block, total):
        h, y, v, valid = block.batch.hidden, block.batch.outputs, block.student.v, block.tally.valid
        row = students if single else block.sizes.words * students
        output = (first // block.sizes.degree) * (planes + 1) * row
        target = output + planes * row
        counter = load_counter(y, output, row, planes)
        for link in range(first, first + count):
            source = (block.tables.output_sources[link] * planes + planes - 1) * row
            weight = load_bits(v, link * students, load(valid, 0))
            change = zero_like(weight)
            for at in range(0, row, students):
                if not single:
                    counter = load_counter(y, output + at, row, planes)
                flip = flips_of(counter, load(h, source + at) ^ weight) & load(valid, at)
                change += more_wrong(flip, sign(counter) ^ load(y, target + at))
            accept = decide(change, sweep, position, block.heat)
            if any_bit(accept):
                for at in range(0, row, students):
                    if not single:
                        counter = load_counter(y, output + at, row, planes)
                    counter = negated(counter, accept, load(h, source + at) ^ weight)
                    store_counter(y, output + at, row, counter)
                flip_bits(v, link * students, accept)
            total -= accept
            position += step
        return total

    return flip_outputs


@cache
def hidden_flipper(bits: int, single: bool, planes: int, chance: int):
    """Compile flip_hidden(link, sweep, position, block) -> all ones for each student that accepts.

    Proposes to flip a hidden link, which may change the sign of its unit, and this the outputs that read the
    unit; position is the proposal's place in the sweep.
    """
    students = students_in(bits)
    decide = decision(bits, chance)

    @fused
    def flip_hidden(link, sweep, position, block):
        x, h, y, flips = block.batch.inputs, block.batch.hidden, block.batch.outputs, block.batch.room
        w, v, valid = block.student.w, block.student.v, block.tally.valid
        readers, most, degree = block.tables.readers, block.tables.most, block.sizes.degree
        row = students if single else block.sizes.words * students
        unit = link // degree
        weight = load_bits(w, link * students, load(valid, 0))
        hidden, source = unit * planes * row, block.tables.hidden_sources[link] * row
        top = hidden + (planes - 1) * row
        change = zero_like(weight)
        any_flip = change
        for at in range(0, row, students):
            counter = load_counter(h, hidden + at, row, planes)
            flip = flips_of(counter, load(x, source + at) ^ weight) & load(valid, at)
            store(flips, at, flip)
            any_flip |= flip
        if any_bit(any_flip):
            for reader in range(unit * most, (unit + 1) * most):
                out = readers[reader]
                if out < 0:
                    break
                output, own = (out // degree) * (planes + 1) * row, load_bits(v, out * students, weight)
                target = output + planes * row
                for at in range(0, row, students):
                    counter = load_counter(y, output + at, row, planes)
                    flip = flips_of(counter, load(h, top + at) ^ own) & load(flips, at)
                    change += more_wrong(flip, sign(counter) ^ load(y, target + at))
        accept = decide(change, sweep, position, block.heat)
        if any_bit(any_flip & accept):
            for reader in range(unit * most, (unit + 1) * most):
                out = readers[reader]
                if out < 0:
                    break
                output, own = (out // degree) * (planes + 1) * row, load_bits(v, out * students, weight)
                for at in range(0, row, students):
                    counter = load_counter(y, output + at, row, planes)
                    moved = negated(counter, load(flips, at) & accept, load(h, top + at) ^ own)
                    store_counter(y, output + at, row, moved)
        if any_bit(accept):
            for at in range(0, row, students):
                counter = load_counter(h, hidden + at, row, planes)
                store_counter(h, hidden + at, row, negated(counter, accept, load(x, source + at) ^ weight))
            flip_bits(w, link * students, accept)
        return accept

    return flip_hidden


@cache
def fetchers(bits: int, single: bool, planes: int):
    """Compile fetch_outputs and fetch_hidden(first, count, block): ask for the memory that flips of `count` links
    into one output or hidden unit will read, the first of them number `first`.
    """
    students = students_in(bits)

    @inner
    def fetch_outputs(first, count, block):
        h, y = block.batch.hidden, block.batch.outputs
        row = students if single else block.sizes.words * students
        output = (first // block.sizes.degree) * (planes + 1) * row
        prefetch(block.student.v, first * students // 8)
        for link in range(first, first + count):
            source = (block.tables.output_sources[link] * planes + planes - 1) * row
            for at in range(0, row, students):
                prefetch(h, source + at)
        for at in range(output, output + (planes + 1) * row, students):
            prefetch(y, at)

    @inner
    def fetch_hidden(first, count, block):
        x, h, readers, most = block.batch.inputs, block.batch.hidden, block.tables.readers, block.tables.most
        row = students if single else block.sizes.words * students
        unit = first // block.sizes.degree
        prefetch(block.student.w, first * students // 8)
        for link in range(first, first + count):
            for at in range(0, row, students):
                prefetch(x, block.tables.hidden_sources[link] * row + at)
        for at in range(unit * planes * row, (unit + 1) * planes * row, students):
            prefetch(h, at)
        for reader in range(unit * most, (unit + 1) * most):
            if readers[reader] < 0:
                break
            fetch_outputs(readers[reader], 1, block)

    return fetch_outputs, fetch_hidden


@cache
def proposals(far: bool, flip_outputs: Any, flip_hidden: Any, fetch_outputs: Any, fetch_hidden: Any):
    """Compile propose(sweep, links, place, begin, end, block): proposals begin to end of this sweep, whose
    numbers begin at links[place]; accepted ones are added to the tally. `block` is a `records.Block`. What flips and
    fetches is that of sums, above, or of terms.
    """

    @inner
    def propose(sweep, links, place, begin, end, block):
        first_hidden = block.sizes.first_hidden
        for start in range(begin, end, TOTAL):
            total = zero_like(load(block.tally.valid, 0))
            for i in range(start, min(start + TOTAL, end)):
                if far and i + AHEAD < end:
                    coming = links[place + i + AHEAD]
                    if coming < first_hidden:
                        fetch_outputs(coming, 1, block)
                    else:
                        fetch_hidden(coming - first_hidden, 1, block)
                link = links[place + i]
                if link < first_hidden:
                    total = flip_outputs(link, 1, sweep, i, 0, block, total)
                else:
                    total -= flip_hidden(link - first_hidden, sweep, i, block)
            add_widened(block.tally.total, 0, total)

    return propose
