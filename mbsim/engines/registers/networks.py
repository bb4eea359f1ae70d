"""Forward passes of a block of students and of their teacher, and what is counted of them.

A layer's unit u reads the rows of units sources[u * degree : (u + 1) * degree] below it, and its links have
these numbers. Rows and weights are told as `records.Rows` and `records.LinkWeights`.
"""

from functools import cache

import numpy as np

from mbsim.engines.registers.counters import counted, counted_pair, new_counter, sign, store_counter
from mbsim.engines.registers.kept import inner, kept
from mbsim.engines.registers.loading import add_widened, load, load_bits, store
from mbsim.engines.registers.rows import told
from mbsim.engines.registers.sizes import students_in
from mbsim.engines.registers.vectors import filled, popcount, zero_like

WIDE = 64
STUDENTS = students_in(WIDE)


@cache
def term_of(shared: bool):
    """Compile term(link, at, rows, sources, weights, like): what a link brings to the sum of its unit, in the
    register at this place of a row. shared: whether all students have the same weights (the teacher's).
    """

    @inner
    def term(link, at, rows, sources, weights, like):
        row = load(rows.array, sources[link] * rows.stride + rows.begin + at)
        if shared:
            return row ^ filled(like, weights.array[link])
        return row ^ load_bits(weights.array, link * weights.apart + weights.first, like)

    return term


@cache
def layer(bits: int, single: bool, planes: int, offset: int, shared: bool, whole: bool):
    """Compile run(units, degree, words, rows, sources, weights, result): the states of a layer's units.

    Args:
        bits: of a word.
        single: whether a batch is a single word, so that `words` is 1.
        planes: of a unit's counter.
        offset: with which the counter begins.
        shared: as of `term_of`.
        whole: whether the result are the counters, their planes one after the other, not the signs alone.
    """
    students, term = students_in(bits), term_of(shared)

    @inner
    def run(units, degree, words, rows, sources, weights, result):
        like = load(rows.array, 0)
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
                place = unit * result.stride + result.begin + at
                if whole:
                    store_counter(result.array, place, width, counter)
                else:
                    store(result.array, place, sign(counter))

    return run


@cache
def wrong_counter(bits: int):
    """Compile count(outputs, exam, valid, place, total): add wrong answers to the totals of the students, one
    word of each output; `valid` begins at `place`.
    """
    students = students_in(bits)

    @inner
    def count(outputs, exam, valid, place, total):
        mask = load(valid, place)
        for at in range(0, outputs * students, students):
            wrong = load(exam.outputs, at) ^ load(exam.targets, at)
            add_widened(total, 0, popcount(wrong & mask))

    return count


@kept
def path_agreement(row):
    """Sum over output links (o, a -> k) and hidden links (k, b) of (v v*)(w w*), for each of the students of a
    block; students are taken eight at a time, as numbers of 64 bits.
    """
    sizes, seats = told(row, "agreement", "Sizes", WIDE), told(row, "agreement", "Seats", WIDE)
    of, students = told(row, "agreement", "Agreement", WIDE), seats.students
    degree, output_links = sizes.degree, sizes.outputs * sizes.output_degree
    for first in range(0, students, STUDENTS):
        like = load(of.result, first)
        for unit in range(sizes.units):
            agreeing = filled(like, np.int64(degree))
            for link in range(unit * degree, (unit + 1) * degree):
                differ = load_bits(of.w, link * students + first, like) ^ filled(like, of.teacher_w[link])
                agreeing += differ + differ
            store(of.of_units, unit * STUDENTS, agreeing)
        total = zero_like(like)
        for link in range(output_links):
            differ = load_bits(of.v, link * students + first, like) ^ filled(like, of.teacher_v[link])
            total += (load(of.of_units, of.sources[link] * STUDENTS) ^ differ) - differ
        store(of.result, first, total)
