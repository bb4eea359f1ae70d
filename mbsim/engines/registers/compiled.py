"""The compiled functions of a block: draw weights, train through sweeps, count wrong answers."""

from functools import cache
from typing import NamedTuple

import numpy as np

from mbsim.engines.networks import Shape
from mbsim.engines.registers import (
    records,
    scalar_output,
    unit_sweeps,
    unit_terms,
    vector_output,
    vector_terms,
)
from mbsim.engines.registers.cipher import CIPHERS, fold, groups_of, threefry
from mbsim.engines.registers.example_sets import set_filler
from mbsim.engines.registers.kept import inner, kept
from mbsim.engines.registers.loading import load, store
from mbsim.engines.registers.networks import layer, wrong_counter
from mbsim.engines.registers.rows import told
from mbsim.engines.registers.sizes import block_bytes, effect_planes, planes_for, students_in
from mbsim.engines.registers.tiles import tile_filler
from mbsim.engines.registers.vectors import filled
from mbsim.sampling.examples import TILE

SECOND_LEVEL = 2**20
"""Bytes of the second level of the cache, on machines of these years."""


class Kind(NamedTuple):
    """What a block's functions are compiled for.

    bits: of a word. single: whether a batch is a single word. far: whether a block's memory exceeds the
    second level of the cache, so that it is worth asking for ahead. planes, output_planes: (planes, offset)
    of the sums of hidden units and of outputs. scalar: whether a single output reads all units. chance:
    what of the law is compiled (`decisions`). effects: planes of what a unit does to its outputs, if sweeps go unit
    by unit, else 0. sampling: how batches are drawn from a training set, "" where examples are fresh.
    """

    bits: int
    single: bool
    far: bool
    planes: tuple[int, int]
    output_planes: tuple[int, int]
    scalar: bool
    chance: int
    effects: int
    sampling: str

    @property
    def terms(self) -> bool:
        """Whether terms are kept in place of sums: three of every unit and output (`vector_terms`)."""
        return self.planes[0] == 2 and not self.scalar

    @property
    def rows(self) -> tuple[int, int]:
        """Of a hidden unit, and of an output with the teacher's answer."""
        if self.terms:
            return vector_terms.HIDDEN, vector_terms.OUTPUT
        return self.planes[0], self.output_planes[0] + 1


def kind_of(shape: Shape, bits: int, words: int, chance: int, by_units: bool, sampling: str = "") -> Kind:
    """The kind of blocks with so many words of so many bits."""
    planes, output_planes = planes_for(shape.d), planes_for(shape.output_degree)
    far = not shape.scalar and block_bytes(shape, bits, words) > SECOND_LEVEL
    effects = effect_planes(shape) if by_units else 0
    return Kind(bits, words == 1, far, planes, output_planes, shape.scalar, chance, effects, sampling)


@kept
def initial_weights(row):
    """Draw the weights of a layer: the teacher's where the link's 24-bit number is below the student's limit, its
    negative elsewhere.
    """
    of, given = told(row, "drawing", "Links", 32), told(row, "drawing", "Drawing", 32)
    layer, links, students, ciphers = of.layer, of.links, of.students, of.ciphers
    for link in range(links):
        for at in range(0, ciphers, CIPHERS):
            first, second = load(given.first, at), load(given.second, at)
            x, y = filled(first, np.uint32(layer)), filled(first, np.uint32(link))
            store(given.drawn, at, threefry(first, second, x, y)[0])
        for byte in range(students // 8):
            packed = np.uint8(0)
            for bit in range(8):
                u, limit = given.drawn[8 * byte + bit] >> np.uint32(8), given.below[8 * byte + bit]
                packed |= np.uint8(((u >= limit) ^ (given.teacher[link] != 0)) << bit)
            given.weights[(link * students) // 8 + byte] = packed


@cache
def filler(bits: int, sampling: str):
    """Compile start(number, keys, sets) and fill(rows, inputs, words, first_word, keys, sets), as
    `example_sets.set_filler`, for fresh examples too.
    """
    if sampling:
        return set_filler(bits, sampling)
    ciphers, fill_tile = CIPHERS * groups_of(bits), tile_filler(bits)

    @inner
    def start(number, keys, sets):
        fold(ciphers, keys, number)

    @inner
    def fill(rows, inputs, words, first_word, keys, sets):
        for tile in range((inputs + TILE - 1) // TILE):
            fill_tile(rows, tile, inputs, words, first_word, keys)

    return start, fill


@cache
def drawer(kind: Kind):
    """Compile draw(number, sizes, tables, teacher, student, batch, keys, sets): mini-batch number `number`, what
    the teacher answers to it, and the sums of the students, as `records.Batch` says.
    """
    bits, single, _, (planes, offset), (output_planes, output_offset), *_, sampling = kind
    students, terms = students_in(bits), kind.terms
    hidden_rows, output_rows = kind.rows
    start, fill = filler(bits, sampling)
    unfold_hidden = vector_terms.unfolded(bits, single, signed=True)
    unfold_outputs = vector_terms.unfolded(bits, single, signed=False)
    teacher_layer = layer(bits, single, planes, offset, shared=True, whole=False)
    teacher_output = layer(bits, single, output_planes, output_offset, shared=True, whole=False)
    hidden_layer = layer(bits, single, planes, offset, shared=False, whole=True)
    output_layer = layer(bits, single, output_planes, output_offset, shared=False, whole=True)

    @inner
    def draw(number, sizes, tables, teacher, student, batch, keys, sets):
        words, hidden_sources, output_sources = sizes.words, tables.hidden_sources, tables.output_sources
        row = words * students
        start(number, keys, sets)
        fill(batch.inputs, sizes.inputs, words, 0, keys, sets)
        x, true = records.Rows(batch.inputs, row, 0), records.Rows(batch.teacher, row, 0)
        apart = output_rows * row
        answers = records.Rows(batch.outputs, apart, (output_rows - 1) * row)
        links = records.LinkWeights(teacher.w, 1, 0)
        teacher_layer(sizes.units, sizes.degree, words, x, hidden_sources, links, true)
        links = records.LinkWeights(teacher.v, 1, 0)
        teacher_output(sizes.outputs, sizes.output_degree, words, true, output_sources, links, answers)
        hidden = records.Rows(batch.hidden, hidden_rows * row, 0)
        own_w = records.LinkWeights(student.w, students, 0)
        own_v = records.LinkWeights(student.v, students, 0)
        sums = records.Rows(batch.outputs, apart, 0)
        if terms:  # the teacher's hidden states have served
            unfold_hidden(sizes.units, words, x, hidden_sources, own_w, hidden, true)
            unfold_outputs(sizes.outputs, words, true, output_sources, own_v, sums, sums)
        else:
            signs = records.Rows(batch.hidden, planes * row, (planes - 1) * row)
            hidden_layer(sizes.units, sizes.degree, words, x, hidden_sources, own_w, hidden)
            output_layer(sizes.outputs, sizes.output_degree, words, signs, output_sources, own_v, sums)

    return draw


@cache
def trainer(kind: Kind):
    """Compile train(row, first, stop): sweeps first to stop of a block. Proposal i of sweep s is number s * n + i,
    and belongs to batch number (s * n + i) // refresh.
    """
    bits, single, far, (planes, _), (output_planes, _), scalar, chance, effects, _ = kind
    draw = drawer(kind)
    if kind.terms and effects:
        sweep_units = unit_terms.sweeps(bits, single, far, effects, chance)
    elif effects:
        sweep_units = unit_sweeps.sweeps(bits, single, far, planes, effects, chance)
    elif kind.terms:
        propose = vector_terms.proposals(bits, single, far, chance)
    elif scalar:
        propose = scalar_output.proposals(bits, single, planes, output_planes, chance)
    else:
        propose = vector_output.proposals(bits, single, far, planes, chance)

    @kept
    def train(row, first, stop):
        sizes, graph = told(row, "training", "Sizes", bits), told(row, "training", "Tables", bits)
        truth, own = (
            told(row, "training", "TeacherWeights", bits),
            told(row, "training", "StudentWeights", bits),
        )
        links, rows = told(row, "training", "Order", bits), told(row, "training", "Batch", bits)
        under, drawn = told(row, "training", "Keys", bits), told(row, "training", "Sets", bits)
        heat, tally = told(row, "training", "Heat", bits), told(row, "training", "Tally", bits)
        block = records.Block(sizes, graph, own, rows, heat, tally)
        n, refresh = sizes.proposals, sizes.refresh
        current = np.int64(-1)
        for sweep in range(first, stop):
            place = np.int64(0) if links.rows == 1 else (sweep - links.first) * n
            i = np.int64(0)
            while i < n:
                number = (sweep * n + i) // refresh
                end = min(n, (number + 1) * refresh - sweep * n)
                if number != current:
                    draw(number, sizes, graph, truth, own, rows, under, drawn)
                    current = number
                if effects:
                    sweep_units(sweep, links, block)
                else:
                    propose(sweep, links.links, place, i, end, block)
                i = end

    return train


@cache
def examiner(kind: Kind):
    """Compile examine(row, label).

    Adds to the tally the wrong answers of some students of a block to a batch of `sizes.words` words: fresh ones
    under their keys with the label folded in, or mini-batch number `label` of their training sets. The words have
    32 or 64 bits, as 32 are drawn at a time.
    """
    bits, single, _, (planes, offset), (output_planes, output_offset), *_, sampling = kind
    (start, fill), count, apiece = filler(bits, sampling), wrong_counter(bits), bits // 32
    here = students_in(bits)
    teacher_layer = layer(bits, single, planes, offset, shared=True, whole=False)
    teacher_output = layer(bits, single, output_planes, output_offset, shared=True, whole=False)
    hidden_layer = layer(bits, single, planes, offset, shared=False, whole=False)
    output_layer = layer(bits, single, output_planes, output_offset, shared=False, whole=False)

    @kept
    def examine(row, label):
        sizes, seats = told(row, "exam", "Sizes", bits), told(row, "exam", "Seats", bits)
        graph, truth = told(row, "exam", "Tables", bits), told(row, "exam", "TeacherWeights", bits)
        own, room = told(row, "exam", "StudentWeights", bits), told(row, "exam", "Exam", bits)
        under, drawn = told(row, "exam", "Keys", bits), told(row, "exam", "Sets", bits)
        counts = told(row, "exam", "Tally", bits)
        x, h, y = (
            records.Rows(room.inputs, here, 0),
            records.Rows(room.hidden, here, 0),
            records.Rows(room.outputs, here, 0),
        )
        true, target = records.Rows(room.teacher, here, 0), records.Rows(room.targets, here, 0)
        true_w, true_v = records.LinkWeights(truth.w, 1, 0), records.LinkWeights(truth.v, 1, 0)
        w = records.LinkWeights(own.w, seats.students, seats.begin)
        v = records.LinkWeights(own.v, seats.students, seats.begin)
        start(label, under, drawn)
        for q in range(sizes.words):
            fill(room.inputs, sizes.inputs, 1, q * apiece, under, drawn)
            teacher_layer(sizes.units, sizes.degree, 1, x, graph.hidden_sources, true_w, true)
            teacher_output(sizes.outputs, sizes.output_degree, 1, true, graph.output_sources, true_v, target)
            hidden_layer(sizes.units, sizes.degree, 1, x, graph.hidden_sources, w, h)
            output_layer(sizes.outputs, sizes.output_degree, 1, h, graph.output_sources, v, y)
            count(sizes.outputs, room, counts.valid, q * here, counts.total)

    return examine
