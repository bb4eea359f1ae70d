"""A hidden unit at a time, as `unit_sweeps`, where terms are kept, as `vector_terms` has them (d = 3)."""

from functools import cache

from mbsim.engines.registers.counters import load_counter, negated, new_counter, store_counter, summed
from mbsim.engines.registers.decisions import decision
from mbsim.engines.registers.kept import fused, inner
from mbsim.engines.registers.loading import flip_bits, load, store
from mbsim.engines.registers.sizes import TERMS, students_in
from mbsim.engines.registers.vector_terms import cancel
from mbsim.engines.registers.vectors import any_bit, zero_like


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
                mine = out * row + at
                own = load(y, mine)
                where = cancel(y, out // TERMS * (TERMS * row) + at, row, own)
                if changed:
                    own = own ^ load(room, at)
                    store(y, mine, own)
                # One more wherever the answer turns wrong, one less wherever it turns right.
                effect = negated(effect, where, own)
            store_counter(room, row + at, row, effect)

    return weigh


@cache
def link_flipper(bits: int, single: bool, effects: int, chance: int):
    """Compile flip_links(unit, sweep, positions, block, total), as `unit_sweeps.link_flipper`."""
    students = students_in(bits)
    decide = decision(bits, chance)
    weigh = weigher(bits, single, effects)

    @fused
    def flip_links(unit, sweep, positions, block, total):
        h, room, w, valid = block.batch.hidden, block.batch.room, block.student.w, block.tally.valid
        row = students if single else block.sizes.words * students
        first = unit * (TERMS * row)
        weigh(unit, False, block)
        effect = load_counter(room, row, row, effects)
        for link in range(unit * TERMS, (unit + 1) * TERMS):
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
