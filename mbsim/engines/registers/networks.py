"""Forward passes of a block of students and of their teacher, and what is counted of them.

Rows, words and weights as the package says. Rows that belong to units are told as (array, stride, begin):
that of unit u begins at word u * stride + begin, so that one plane of each counter can be read as a row, and
a unit's rows can lie side by side. A layer's unit u reads the rows of units sources[u * degree : (u + 1) *
degree]. Weights are told as (array, apart, first): those of a link lie `apart` from those of the next, and
the students at hand begin at `first`, so that part of a block can be looked at.
"""

from functools import cache

import numpy as np
from numba import njit

from mbsim.engines.registers.kept import keep
from mbsim.engines.registers.sizes import students_in
from mbsim.engines.registers.vectors import (
    add_widened,
    counted,
    counted_pair,
    filled,
    inner,
    load,
    load_bits,
    new_counter,
    pointer,
    popcount,
    sign,
    store,
    store_counter,
    zero_like,
)

EIGHT = students_in(64)


@cache
def layer(bits: int, single: bool, planes: int, offset: int, shared: bool, whole: bool):
    """Compile run(units, degree, words, rows, sources, weights, result).

    Args:
        bits: of a word.
        single: whether a batch is a single word, so that `words` is 1.
        planes: of a unit's counter.
        offset: with which the counter begins.
        shared: whether all students have the same weights (the teacher's).
        whole: whether the result are the counters, their planes one after the other, not the signs alone.
    """
    students = students_in(bits)

    @inner
    def term(link, at, rows, sources, weights, like):
        array, stride, begin = rows
        signs, apart, first = weights
        row = load(array, sources[link] * stride + begin + at)
        if shared:
            return row ^ filled(like, signs[link])
        return row ^ load_bits(signs, link * apart + first, like)

    @inner
    def run(units, degree, words, rows, sources, weights, result):
        array, stride, begin = result
        like = load(rows[0], 0)
        width = students if single else words * students
        for unit in range(units):
            link = unit * degree
            for at in range(0, width, students):
                counter = new_counter(like, planes, offset)
                counter = counted(counter, term(link, at, rows, sources, weights, like))
                for pair in range(link + 1, link + degree, 2):
                    one = term(pair, at, rows, sources, weights, like)
                    other = term(pair + 1, at, rows, sources, weights, like)
                    counter = counted_pair(counter, one, other)
                if whole:
                    store_counter(array, unit * stride + begin + at, width, counter)
                else:
                    store(array, unit * stride + begin + at, sign(counter))

    return run


@cache
def wrong_counter(bits: int):
    """Compile count(outputs, answers, targets, valid, place, total): add wrong answers, a word of each
    output, to the totals of the students.
    """
    students = students_in(bits)

    @inner
    def count(outputs, answers, targets, valid, place, total):
        mask = load(valid, place)
        for at in range(0, outputs * students, students):
            add_widened(total, 0, popcount((load(answers, at) ^ load(targets, at)) & mask))

    return count


@keep
@njit(nogil=True)
def path_agreement(
    units, degree, output_links, students, sources, w, v, teacher_w, teacher_v, of_units, result
):
    """Sum over output links (o, a -> k) and hidden links (k, b) of (v v*)(w w*), for each student.

    Addresses of int32 sources, bits w and v, int8 teacher's weights, room for a register of each unit, and
    the results (students,) uint64. Registers of eight students, as numbers of 64 bits.
    """
    source, sums, totals = (
        pointer(sources, np.int32),
        pointer(of_units, np.uint64),
        pointer(result, np.uint64),
    )
    own_w, own_v = pointer(w, np.uint8), pointer(v, np.uint8)
    true_w, true_v = pointer(teacher_w, np.int8), pointer(teacher_v, np.int8)
    for first in range(0, students, EIGHT):
        like = load(totals, first)
        for unit in range(units):
            agreeing = filled(like, np.int64(degree))
            for link in range(unit * degree, (unit + 1) * degree):
                differ = load_bits(own_w, link * students + first, like) ^ filled(like, true_w[link])
                agreeing += differ + differ
            store(sums, unit * EIGHT, agreeing)
        total = zero_like(like)
        for link in range(output_links):
            differ = load_bits(own_v, link * students + first, like) ^ filled(like, true_v[link])
            total += (load(sums, source[link] * EIGHT) ^ differ) - differ
        store(totals, first, total)
