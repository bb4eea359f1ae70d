"""The compiled functions of a block: draw weights, train through sweeps, count wrong answers."""

from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit

from mbsim.kernel.native import scalar_output, vector_output
from mbsim.kernel.native.cipher import CIPHERS, fold, groups_of, row_filler, threefry
from mbsim.kernel.native.networks import layer, wrong_counter
from mbsim.kernel.native.vectors import filled, load, planes_for, pointer, store, students_in


class Kind(NamedTuple):
    """What a block's functions are compiled for: bits of a word, whether a batch is a single word, terms of a hidden unit and of an output, whether a
    single output reads everything, whether there is a temperature. Only the number of planes of a sum counts.
    """

    bits: int
    single: bool
    planes: tuple[int, int]
    output_planes: tuple[int, int]
    scalar: bool
    thermal: bool


def kind_of(bits: int, single: bool, degree: int, output_degree: int, scalar: bool, thermal: bool) -> Kind:
    """The kind for given in-degrees."""
    return Kind(bits, single, planes_for(degree), planes_for(output_degree), scalar, thermal)


@njit(nogil=True)
def initial_weights(layer, teacher, weights, students, keys_1, keys_2, below, numbers):
    """Draw weights (links * students,): the teacher's (links,) where the link's 24-bit number is below `below`
    (students,), its negative elsewhere, as `metropolis.initial_weights`.
    """
    first, second, drawn = pointer(keys_1), pointer(keys_2), pointer(numbers)
    for link in range(teacher.size):
        for at in range(0, keys_1.size, CIPHERS):
            like = load(first, at)
            x, y = filled(like, np.uint32(layer)), filled(like, np.uint32(link))
            store(drawn, at, threefry(like, load(second, at), x, y)[0])
        for s in range(students):
            agrees = (numbers[s] >> np.uint32(8)) < below[s]
            weights[link * students + s] = teacher[link] if agrees else ~teacher[link]


@cache
def trainer(kind: Kind):
    """Compile train(first, stop, orders, begin, refresh, sizes, tables, teacher, valid, student, batch, keys, heat,
    accepted).

    Sweeps first to stop, their orders in rows of `orders`, of which row 0 is sweep `begin` (a single row serves all).
    Proposal i of sweep s is number s * n + i, and belongs to batch number (s * n + i) // refresh.
    sizes = ((N, K, M, D), (d, links proposed first, words)); teacher = (w, v, room for its hidden units);
    keys = (key_1, key_2, word numbers, room for the batch's two).
    """
    bits, single, (planes, offset), (output_planes, output_offset), scalar, thermal = kind
    students, ciphers = students_in(bits), CIPHERS * groups_of(bits)
    fill = row_filler(bits)
    teacher_layer = layer(bits, single, planes, offset, shared=True, keep=False)
    teacher_output = layer(bits, single, output_planes, output_offset, shared=True, keep=False)
    hidden_layer = layer(bits, single, planes, offset, shared=False, keep=True)
    output_layer = layer(bits, single, output_planes, output_offset, shared=False, keep=True)
    if scalar:
        propose = scalar_output.proposals(bits, single, planes, output_planes, thermal)
    else:
        propose = vector_output.proposals(bits, single, planes, thermal)

    @njit(nogil=True)
    def draw(number, sizes, tables, teacher, student, batch, keys):
        (inputs, units, outputs, output_degree), (degree, _, words) = sizes
        hidden_sources, output_sources = tables[0], tables[1]
        teacher_w, teacher_v, teacher_h = teacher
        w, v = student
        x, h, y, target = batch[0], batch[1], batch[2], batch[3]
        key_1, key_2, numbers, batch_1, batch_2 = keys
        row = words * students
        fold(ciphers, key_1, key_2, number, batch_1, batch_2)
        for i in range(inputs):
            fill(x, i, i, words, 0, batch_1, batch_2, numbers)
        teacher_layer(units, degree, words, x, row, 0, hidden_sources, teacher_w, 1, 0, teacher_h)
        teacher_output(outputs, output_degree, words, teacher_h, row, 0, output_sources, teacher_v, 1, 0, target)
        hidden_layer(units, degree, words, x, row, 0, hidden_sources, w, students, 0, h)
        top = (planes - 1) * row
        output_layer(outputs, output_degree, words, h, planes * row, top, output_sources, v, students, 0, y)

    @njit(nogil=True)
    def train(
        first, stop, orders, begin, refresh, sizes, tables, teacher, valid, student, batch, keys, heat, accepted
    ):
        rows, n = orders.shape
        order_at = pointer(orders)
        hidden_sources, output_sources, readers, most = tables
        tables_at = pointer(hidden_sources), pointer(output_sources), pointer(readers), most
        teacher_at = pointer(teacher[0]), pointer(teacher[1]), pointer(teacher[2])
        student_at = pointer(student[0]), pointer(student[1])
        batch_at = pointer(batch[0]), pointer(batch[1]), pointer(batch[2]), pointer(batch[3]), pointer(batch[4])
        keys_at = pointer(keys[0]), pointer(keys[1]), pointer(keys[2]), pointer(keys[3]), pointer(keys[4])
        limits, columns, which, key_1, key_2, numbers, changes, flags = heat
        room = pointer(numbers), pointer(changes), pointer(flags)
        heat_at = (
            pointer(limits), limits.size // columns, columns, pointer(which), pointer(key_1), pointer(key_2), *room
        )
        valid_at, accepted_at = pointer(valid), pointer(accepted)
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
                propose(
                    sweep, order_at, place, i, end, sizes[1], tables_at, valid_at, student_at, batch_at, heat_at,
                    accepted_at,
                )
                i = end

    return train


@cache
def examiner(kind: Kind):
    """Compile examine(label, sizes, tables, teacher, student, students, begin, valid, words, keys, room, total).

    Adds to `total` the wrong answers of some students of a block to a fresh batch: those from `begin` on, as many as
    fill a register, of `students`. The batch is drawn under their key with the label folded in, and has `words`
    words, of which `valid` counts. room = (inputs, and hidden units and outputs of student and teacher), a word of
    each. bits is 32 or 64, as 32 bits are drawn at a time.
    """
    bits, single, (planes, offset), (output_planes, output_offset), _, _ = kind
    fill, count, apiece = row_filler(bits), wrong_counter(bits), bits // 32
    here = students_in(bits)
    teacher_layer = layer(bits, single, planes, offset, shared=True, keep=False)
    teacher_output = layer(bits, single, output_planes, output_offset, shared=True, keep=False)
    hidden_layer = layer(bits, single, planes, offset, shared=False, keep=False)
    output_layer = layer(bits, single, output_planes, output_offset, shared=False, keep=False)

    @njit(nogil=True)
    def examine(label, sizes, tables, teacher, student, students, begin, valid, words, keys, room, total):
        (inputs, units, outputs, output_degree), degree = sizes
        hidden_sources, output_sources = pointer(tables[0]), pointer(tables[1])
        teacher_w, teacher_v = pointer(teacher[0]), pointer(teacher[1])
        w, v, totals, mask = pointer(student[0]), pointer(student[1]), pointer(total), pointer(valid)
        key_1, key_2, numbers = pointer(keys[0]), pointer(keys[1]), pointer(keys[2])
        batch_1, batch_2 = pointer(keys[3]), pointer(keys[4])
        x, h, y = pointer(room[0]), pointer(room[1]), pointer(room[2])
        teacher_h, target = pointer(room[3]), pointer(room[4])
        fold(CIPHERS, key_1, key_2, label, batch_1, batch_2)
        for q in range(words):
            for i in range(inputs):
                fill(x, i, i, 1, q * apiece, batch_1, batch_2, numbers)
            teacher_layer(units, degree, 1, x, here, 0, hidden_sources, teacher_w, 1, 0, teacher_h)
            teacher_output(outputs, output_degree, 1, teacher_h, here, 0, output_sources, teacher_v, 1, 0, target)
            hidden_layer(units, degree, 1, x, here, 0, hidden_sources, w, students, begin, h)
            output_layer(outputs, output_degree, 1, h, here, 0, output_sources, v, students, begin, y)
            count(outputs, y, target, mask, q * here, totals)

    return examine
