"""Forward passes of a block of students and of their teacher, and what is counted of them.

Rows, words and weights as the package says. A layer's unit u reads `degree` rows, whose numbers are
sources[u * degree : (u + 1) * degree]; the row with number s begins at word s * stride + offset of `rows`, so
that the sign planes of counters can be read as rows. Weights of a link lie `apart` from those of the next,
and the students at hand begin at `first`, so that part of a block can be looked at. The counter of unit u has
planes `words * students` apart, from word u * planes * words * students on.
"""

from functools import cache

import numpy as np
from numba import njit

from mbsim.kernel.native.kept import keep
from mbsim.kernel.native.sizes import students_in
from mbsim.kernel.native.vectors import (
    add_widened,
    counted,
    counted_pair,
    filled,
    inner,
    load,
    load_widened,
    new_counter,
    pointer,
    popcount,
    sign,
    store,
    store_counter,
)


@cache
def layer(bits: int, single: bool, planes: int, offset: int, shared: bool, keep: bool):
    """Compile run(units, degree, words, rows, stride, begin, sources, weights, apart, first, result).

    Args:
        bits: of a word.
        single: whether a batch is a single word, so that `words` is 1.
        planes: of a unit's counter.
        offset: with which the counter begins.
        shared: whether all students have the same weights (the teacher's).
        keep: whether the result are the counters, not the signs alone.
    """
    students = students_in(bits)

    @inner
    def term(link, at, rows, stride, begin, sources, weights, apart, first, like):
        row = load(rows, sources[link] * stride + begin + at)
        if shared:
            return row ^ filled(like, weights[link])
        return row ^ load_widened(weights, link * apart + first, like)

    @inner
    def run(units, degree, words, rows, stride, begin, sources, weights, apart, first, result):
        like = load(rows, 0)
        width = students if single else words * students
        for unit in range(units):
            link = unit * degree
            for at in range(0, width, students):
                counter = new_counter(like, planes, offset)
                counter = counted(
                    counter, term(link, at, rows, stride, begin, sources, weights, apart, first, like)
                )
                for pair in range(link + 1, link + degree, 2):
                    one = term(pair, at, rows, stride, begin, sources, weights, apart, first, like)
                    other = term(pair + 1, at, rows, stride, begin, sources, weights, apart, first, like)
                    counter = counted_pair(counter, one, other)
                if keep:
                    store_counter(result, unit * planes * width + at, width, counter)
                else:
                    store(result, unit * width + at, sign(counter))

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
    """Sum over output links (o, a -> k) and hidden links (k, b) of (v v*)(w w*), added to each student's
    `result`.

    Addresses of int32 sources, int8 weights, zeros (units * students,) int32 to work in, and int64 results.
    """
    source, total, unit_sum = (
        pointer(sources, np.int32),
        pointer(result, np.int64),
        pointer(of_units, np.int32),
    )
    own_w, own_v = pointer(w, np.int8), pointer(v, np.int8)
    true_w, true_v = pointer(teacher_w, np.int8), pointer(teacher_v, np.int8)
    for link in range(units * degree):
        at, true = (link // degree) * students, true_w[link]
        for s in range(students):
            unit_sum[at + s] += 1 - 2 * ((own_w[link * students + s] ^ true) & 1)
    for link in range(output_links):
        at, true = source[link] * students, true_v[link]
        for s in range(students):
            total[s] += unit_sum[at + s] * (1 - 2 * ((own_v[link * students + s] ^ true) & 1))
