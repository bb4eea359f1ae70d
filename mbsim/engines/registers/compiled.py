"""The compiled functions of a block: draw weights, train through sweeps, count wrong answers."""

from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit

from mbsim.engines.networks import Shape
from mbsim.engines.registers import scalar_output, unit_sweeps, vector_output
from mbsim.engines.registers.cipher import CIPHERS, fold, groups_of, row_filler, threefry
from mbsim.engines.registers.kept import keep
from mbsim.engines.registers.networks import layer, wrong_counter
from mbsim.engines.registers.sizes import block_bytes, effect_planes, planes_for, students_in
from mbsim.engines.registers.vectors import filled, inner, load, pointer, store

SECOND_LEVEL = 2**20
"""Bytes of the second level of the cache, on machines of these years."""


class Kind(NamedTuple):
    """What a block's functions are compiled for.

    bits: of a word. single: whether a batch is a single word. far: whether a block's memory exceeds the
    second level of the cache, so that it is worth asking for ahead. planes, output_planes: (planes, offset)
    of the sums of hidden units and of outputs. scalar: whether a single output reads all units. thermal:
    whether any temperature is positive. effects: planes of what a unit does to its outputs, if sweeps go unit
    by unit, else 0.
    """

    bits: int
    single: bool
    far: bool
    planes: tuple[int, int]
    output_planes: tuple[int, int]
    scalar: bool
    thermal: bool
    effects: int


def kind_of(shape: Shape, bits: int, words: int, thermal: bool, by_units: bool) -> Kind:
    """The kind of blocks with so many words of so many bits."""
    planes, output_planes = planes_for(shape.d), planes_for(shape.output_degree)
    far = not shape.scalar and block_bytes(shape, bits, words) > SECOND_LEVEL
    effects = effect_planes(shape) if by_units else 0
    return Kind(bits, words == 1, far, planes, output_planes, shape.scalar, thermal, effects)


@keep
@njit(nogil=True)
def initial_weights(layer, links, students, ciphers, arrays):
    """Draw weights (links * students bits): the teacher's (links,) where the link's 24-bit number is below
    `below` (students,), its negative elsewhere, as `metropolis.initial_weights`.

    arrays = addresses of (teacher: int8; weights: bytes; below, both halves of the keys, room for as many:
    uint32).
    """
    teacher, weights, below = (
        pointer(arrays[0], np.int8),
        pointer(arrays[1], np.uint8),
        pointer(arrays[2], np.uint32),
    )
    first, second = pointer(arrays[3], np.uint32), pointer(arrays[4], np.uint32)
    drawn = pointer(arrays[5], np.uint32)
    for link in range(links):
        for at in range(0, ciphers, CIPHERS):
            like = load(first, at)
            x, y = filled(like, np.uint32(layer)), filled(like, np.uint32(link))
            store(drawn, at, threefry(like, load(second, at), x, y)[0])
        for byte in range(students // 8):
            packed = np.uint8(0)
            for bit in range(8):
                differs = (drawn[8 * byte + bit] >> np.uint32(8)) >= below[8 * byte + bit]
                packed |= np.uint8((differs ^ (teacher[link] != 0)) << bit)
            weights[(link * students) // 8 + byte] = packed


@cache
def trainer(kind: Kind):
    """Compile train(first, stop, refresh, sizes, order, tables, teacher, student, batch, keys, heat,
    results).

    Sweeps first to stop, with a fresh batch every `refresh` proposals: proposal i of sweep s is number s * n
    + i, and belongs to batch number (s * n + i) // refresh. Arrays are told by their addresses.
        sizes: ((N, K, M, D, n), (d, links into outputs that are proposed, words)).
        order: (proposals (S, n) int32, S, sweep of row 0, anything); a single row serves every sweep. Unit by
        unit: (the order of units (K,) int32, 1, 0, the place in the sweep of each hidden link (K*d,) int32).
        tables: (hidden sources, output sources, readers: int32; most readers of a unit).
        teacher: (w, v: int8; room for its hidden units). student: (w, v: bits).
        batch: room for (inputs, counters of hidden units, counters of outputs each with the teacher's answer
            behind it, a row and, where sweeps go unit by unit, the planes of an effect).
        keys: of the examples, (both halves, word numbers, room for both halves: uint32).
        heat: as `decisions.decision`. results: (valid examples, accepted proposals: int64).
    """
    bits, single, far, (planes, offset), (output_planes, output_offset), scalar, thermal, effects = kind
    students, ciphers = students_in(bits), CIPHERS * groups_of(bits)
    word, signed = getattr(np, f"uint{bits}"), getattr(np, f"int{bits}")
    fill = row_filler(bits)
    teacher_layer = layer(bits, single, planes, offset, shared=True, whole=False)
    teacher_output = layer(bits, single, output_planes, output_offset, shared=True, whole=False)
    hidden_layer = layer(bits, single, planes, offset, shared=False, whole=True)
    output_layer = layer(bits, single, output_planes, output_offset, shared=False, whole=True)
    if effects:
        sweep_units = unit_sweeps.sweeps(bits, single, far, planes, effects, thermal)
    elif scalar:
        propose = scalar_output.proposals(bits, single, planes, output_planes, thermal)
    else:
        propose = vector_output.proposals(bits, single, far, planes, thermal)

    @inner
    def draw(number, sizes, tables, teacher, student, batch, keys):
        (inputs, units, outputs, output_degree, _), (degree, _, words) = sizes
        hidden_sources, output_sources = tables[0], tables[1]
        teacher_w, teacher_v, teacher_h = teacher
        w, v = student
        x, h, y = batch[0], batch[1], batch[2]
        key_1, key_2, numbers, batch_1, batch_2 = keys
        row = words * students
        fold(ciphers, key_1, key_2, number, batch_1, batch_2)
        for i in range(inputs):
            fill(x, i, i, words, 0, batch_1, batch_2, numbers)
        rows, apart = (x, row, 0), (output_planes + 1) * row
        true, target = (teacher_h, row, 0), (y, apart, output_planes * row)
        teacher_layer(units, degree, words, rows, hidden_sources, (teacher_w, 1, 0), true)
        teacher_output(outputs, output_degree, words, true, output_sources, (teacher_v, 1, 0), target)
        counters, signs = (h, planes * row, 0), (h, planes * row, (planes - 1) * row)
        hidden_layer(units, degree, words, rows, hidden_sources, (w, students, 0), counters)
        output_layer(outputs, output_degree, words, signs, output_sources, (v, students, 0), (y, apart, 0))

    @njit(nogil=True)
    def train(first, stop, refresh, sizes, order, tables, teacher, student, batch, keys, heat, results):
        (_, units, _, _, n), steps = sizes
        orders, rows, begin = pointer(order[0], np.int32), order[1], order[2]
        plan = orders, pointer(order[3], np.int32)
        hidden_sources, output_sources = pointer(tables[0], np.int32), pointer(tables[1], np.int32)
        tables_at = hidden_sources, output_sources, pointer(tables[2], np.int32), tables[3]
        teacher_at = pointer(teacher[0], np.int8), pointer(teacher[1], np.int8), pointer(teacher[2], word)
        student_at = pointer(student[0], np.uint8), pointer(student[1], np.uint8)
        x, h, y = pointer(batch[0], word), pointer(batch[1], word), pointer(batch[2], word)
        batch_at = x, h, y, pointer(batch[3], word)
        valid, accepted = pointer(results[0], word), pointer(results[1], np.int64)
        key_1, key_2, numbers = (
            pointer(keys[0], np.uint32),
            pointer(keys[1], np.uint32),
            pointer(keys[2], np.uint32),
        )
        keys_at = key_1, key_2, numbers, pointer(keys[3], np.uint32), pointer(keys[4], np.uint32)
        limits, most, columns, which, hot_1, hot_2, drawn, changes, flags = heat
        hot = pointer(hot_1, np.uint32), pointer(hot_2, np.uint32), pointer(drawn, np.uint32)
        room = pointer(changes, signed), pointer(flags, np.int8)
        heat_at = (pointer(limits, np.uint32), most, columns, pointer(which, np.int64), *hot, *room)
        current = np.int64(-1)
        for sweep in range(first, stop):
            place = np.int64(0) if rows == 1 else (sweep - begin) * n
            i = np.int64(0)
            while i < n:
                number = (sweep * n + i) // refresh
                end = min(n, (number + 1) * refresh - sweep * n)
                if number != current:
                    draw(number, sizes, tables_at, teacher_at, student_at, batch_at, keys_at)
                    current = number
                if effects:
                    sweep_units(
                        sweep, units, plan, steps, tables_at, valid, student_at, batch_at, heat_at, accepted
                    )
                else:
                    span = sweep, orders, place, i, end
                    propose(span, steps, tables_at, valid, student_at, batch_at, heat_at, accepted)
                i = end

    return keep(train, kind)


@cache
def examiner(kind: Kind):
    """Compile examine(label, sizes, tables, teacher, student, keys, room, results).

    Adds to the totals the wrong answers of some students of a block to a fresh batch, drawn under their key
    with the label folded in. bits is 32 or 64, as 32 bits are drawn at a time. Arrays are told by their
    addresses.
        sizes: ((N, K, M, D, d), (words, students of the block, the first to look at)).
        room: for (inputs, hidden units, outputs, and both of the teacher), one word of each.
        results: (valid examples, totals: int64).
        Others: as in `trainer`.
    """
    bits, single, _, (planes, offset), (output_planes, output_offset), *_ = kind
    fill, count, apiece = row_filler(bits), wrong_counter(bits), bits // 32
    here, word = students_in(bits), getattr(np, f"uint{bits}")
    teacher_layer = layer(bits, single, planes, offset, shared=True, whole=False)
    teacher_output = layer(bits, single, output_planes, output_offset, shared=True, whole=False)
    hidden_layer = layer(bits, single, planes, offset, shared=False, whole=False)
    output_layer = layer(bits, single, output_planes, output_offset, shared=False, whole=False)

    @njit(nogil=True)
    def examine(label, sizes, tables, teacher, student, keys, room, results):
        (inputs, units, outputs, output_degree, degree), (words, students, begin) = sizes
        hidden_sources, output_sources = pointer(tables[0], np.int32), pointer(tables[1], np.int32)
        teacher_w, teacher_v = pointer(teacher[0], np.int8), pointer(teacher[1], np.int8)
        w, v = pointer(student[0], np.uint8), pointer(student[1], np.uint8)
        mask, totals = pointer(results[0], word), pointer(results[1], np.int64)
        key_1, key_2, numbers = (
            pointer(keys[0], np.uint32),
            pointer(keys[1], np.uint32),
            pointer(keys[2], np.uint32),
        )
        batch_1, batch_2 = pointer(keys[3], np.uint32), pointer(keys[4], np.uint32)
        x, h, y = pointer(room[0], word), pointer(room[1], word), pointer(room[2], word)
        teacher_h, target = pointer(room[3], word), pointer(room[4], word)
        rows, own, true = (x, here, 0), (h, here, 0), (teacher_h, here, 0)
        fold(CIPHERS, key_1, key_2, label, batch_1, batch_2)
        for q in range(words):
            for i in range(inputs):
                fill(x, i, i, 1, q * apiece, batch_1, batch_2, numbers)
            teacher_layer(units, degree, 1, rows, hidden_sources, (teacher_w, 1, 0), true)
            teacher_output(
                outputs, output_degree, 1, true, output_sources, (teacher_v, 1, 0), (target, here, 0)
            )
            hidden_layer(units, degree, 1, rows, hidden_sources, (w, students, begin), own)
            output_layer(outputs, output_degree, 1, own, output_sources, (v, students, begin), (y, here, 0))
            count(outputs, y, target, mask, q * here, totals)

    return keep(examine, kind)
