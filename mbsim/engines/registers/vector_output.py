"""Proposals where every output reads d hidden units.

The counters of hidden units and of outputs are kept up to date: flipping a link changes a unit's sign where
its sum is ±1 and has the sign of the link's term. Proposals are done one after the other, in any order.
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
    prefetch,
    sign,
    store,
    store_bits,
    store_counter,
    zero_like,
)

AHEAD = 5  # proposals between asking for memory and reading it (measured)
TOTAL = 127  # accepted proposals that a word of eight bits counts


@inner
def flips_of(counter, term):
    """Where a sum would change its sign if this one of its terms did."""
    return one_from_zero(counter) & ~(sign(counter) ^ term)


@inner
def more_wrong(flip, wrong):
    """How many more answers are wrong after changing those in `flip`."""
    both = popcount(flip & wrong)
    return popcount(flip) - both - both


@cache
def output_flipper(bits: int, single: bool, planes: int, thermal: bool):
    """Compile flip_output(link, sweep, position, sizes, tables, valid, student, batch, heat) -> accepted.

    Args as in `proposals`; position is the proposal's place in its sweep.
    """
    students = students_in(bits)
    decide = decision(bits, thermal)

    @inner
    def flip_output(link, sweep, position, sizes, tables, valid, student, batch, heat):
        degree, _, words = sizes
        _, output_sources, _, _ = tables
        _, v = student
        _, h, y, _ = batch
        row = students if single else words * students
        weight = load_bits(v, link * students, load(valid, 0))
        output = (link // degree) * (planes + 1) * row
        target = output + planes * row
        source = output_sources[link] * planes * row + (planes - 1) * row
        change = zero_like(weight)
        for at in range(0, row, students):
            counter = load_counter(y, output + at, row, planes)
            flip = flips_of(counter, load(h, source + at) ^ weight) & load(valid, at)
            change += more_wrong(flip, sign(counter) ^ load(y, target + at))
        accept = decide(change, sweep, position, heat)
        if any_bit(accept):
            for at in range(0, row, students):
                counter = load_counter(y, output + at, row, planes)
                moved = negated(counter, accept, load(h, source + at) ^ weight)
                store_counter(y, output + at, row, moved)
            store_bits(v, link * students, weight ^ accept)
        return accept

    return flip_output


@cache
def fetchers(bits: int, single: bool, planes: int):
    """Compile fetch_output and fetch_hidden(link, sizes, tables, student, batch): ask for the memory that the
    proposal of a link will read.
    """
    students = students_in(bits)

    @inner
    def fetch_output(link, sizes, tables, student, batch):
        degree, words = sizes[0], sizes[2]
        h, y, v = batch[1], batch[2], student[1]
        row = students if single else words * students
        output = (link // degree) * (planes + 1) * row
        source = (tables[1][link] * planes + planes - 1) * row
        prefetch(v, link * students // 8)
        for at in range(0, row, students):
            prefetch(h, source + at)
        for at in range(output, output + (planes + 1) * row, students):
            prefetch(y, at)

    @inner
    def fetch_hidden(link, sizes, tables, student, batch):
        degree, words = sizes[0], sizes[2]
        hidden_sources, _, readers, most = tables
        x, h = batch[0], batch[1]
        row = students if single else words * students
        unit = link // degree
        prefetch(student[0], link * students // 8)
        for at in range(0, row, students):
            prefetch(x, hidden_sources[link] * row + at)
            for plane in range(planes):
                prefetch(h, (unit * planes + plane) * row + at)
        for reader in range(unit * most, (unit + 1) * most):
            if readers[reader] < 0:
                break
            fetch_output(readers[reader], sizes, tables, student, batch)

    return fetch_output, fetch_hidden


@cache
def proposals(bits: int, single: bool, far: bool, planes: int, thermal: bool):
    """Compile propose(span, sizes, tables, valid, student, batch, heat, accepted).

    Args of what is compiled:
        span = (sweep, orders, place, begin, end): proposals begin to end of this sweep, whose order begins at
        `place`.
        sizes: (d, links into outputs that are proposed, words).
        tables: (hidden sources, output sources, readers, most readers of a unit).
        valid: the examples that count, a row.
        student: (w, v), bits.
        batch: (inputs, counters of hidden units, counters of outputs each with the teacher's answer behind
        it, room for a row).
        heat: `decisions`'.
        accepted: (students,) int64, to which the accepted proposals are added.
    All arrays are pointers.
    """
    students = students_in(bits)
    decide = decision(bits, thermal)
    flip_output = output_flipper(bits, single, planes, thermal)
    fetch_output, fetch_hidden = fetchers(bits, single, planes)

    @inner
    def flip_hidden(link, sweep, position, sizes, tables, valid, student, batch, heat):
        degree, _, words = sizes
        hidden_sources, _, readers, most = tables
        w, v = student
        x, h, y, flips = batch
        row = students if single else words * students
        unit = link // degree
        weight = load_bits(w, link * students, load(valid, 0))
        hidden, source = unit * planes * row, hidden_sources[link] * row
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
        accept = decide(change, sweep, position, heat)
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
            store_bits(w, link * students, weight ^ accept)
        return accept

    @inner
    def propose(span, sizes, tables, valid, student, batch, heat, accepted):
        sweep, orders, place, begin, end = span
        first_hidden = sizes[1]
        for start in range(begin, end, TOTAL):
            total = zero_like(load(valid, 0))
            for i in range(start, min(start + TOTAL, end)):
                if far and i + AHEAD < end:
                    coming = orders[place + i + AHEAD]
                    if coming < first_hidden:
                        fetch_output(coming, sizes, tables, student, batch)
                    else:
                        fetch_hidden(coming - first_hidden, sizes, tables, student, batch)
                link = orders[place + i]
                if link < first_hidden:
                    total -= flip_output(link, sweep, i, sizes, tables, valid, student, batch, heat)
                else:
                    hidden = link - first_hidden
                    total -= flip_hidden(hidden, sweep, i, sizes, tables, valid, student, batch, heat)
            add_widened(accepted, 0, total)

    return propose
