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
from mbsim.engines.registers.decisions import GREEDY
from mbsim.engines.registers.example_sets import set_filler
from mbsim.engines.registers.kept import inner, kept
from mbsim.engines.registers.loading import load
from mbsim.engines.registers.networks import layer, wrong_counter
from mbsim.engines.registers.rows import told
from mbsim.engines.registers.sizes import (
    TERMS,
    block_bytes,
    effect_planes,
    keeps_terms,
    planes_for,
    students_in,
)
from mbsim.engines.registers.tiles import tile_filler
from mbsim.engines.registers.vectors import below, filled, highest_bits, shifted
from mbsim.sampling.examples import TILE

SECOND_LEVEL = 2**20
"""Bytes of the second level of the cache, on machines of these years."""


class Kind(NamedTuple):
    """What a block's functions are compiled for.

    bits: of a word. single: whether a batch is a single word. far: whether a block's memory exceeds the
    second level of the cache, so that it is worth asking for ahead. planes, output_planes: (planes, offset)
    of the sums of hidden units and of outputs. scalar: whether a single output reads all units. chance:
    what of the law is compiled (`decisions`). effects: planes of what a unit does to its outputs, if sweeps go unit
    by unit, else 0. sampling: how batches are drawn from a training set, "" where examples are fresh. terms: whether
    those of units and outputs are kept in place of their sums.
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
    terms: bool


def kind_of(shape: Shape, bits: int, words: int, chance: int, by_units: bool, sampling: str = "") -> Kind:
    """The kind of blocks with so many words of so many bits."""
    planes, output_planes = planes_for(shape.d), planes_for(shape.output_degree)
    far = not shape.scalar and block_bytes(shape, bits, words) > SECOND_LEVEL
    effects = effect_planes(shape) if by_units else 0
    return Kind(
        bits,
        words == 1,
        far,
        planes,
        output_planes,
        shape.scalar,
        chance,
        effects,
        sampling,
        keeps_terms(shape),
    )


@kept
def initial_weights(row):
    """Draw the weights of a layer: the teacher's where the link's 24-bit number is below the student's limit, its
    negative elsewhere.
    """
    of, given = told(row, "drawing", "Links", 32), told(row, "drawing", "Drawing", 32)
    layer, links, students, ciphers = of.layer, of.links, of.students, of.ciphers
    for link in range(0, links, max(1, CIPHERS // students)):
        for at in range(0, ciphers, CIPHERS):
            first, second = load(given.first, at), load(given.second, at)
            x, y = filled(first, np.uint32(layer)), filled(first, np.uint32(link)) + load(given.beyond, at)
            u = shifted(threefry(first, second, x, y)[0], 8)
            differ, place = highest_bits(~below(u, load(given.below, at))), link * students + at
            for bit in range(0, CIPHERS, 8):  # eight students of one link make a byte
                own = (place + bit) // students
                if own < links:
                    eight = np.uint8(differ >> np.uint64(bit)) ^ np.uint8(given.teacher[own])
                    given.weights[(place + bit) // 8] = eight


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
def worker_out(kind: Kind):
    """Compile work_out(sizes, tables, student, batch): of the inputs of a batch the terms or sums of the students, as
    `records.Batch` says, once for each batch: the teacher's hidden states are not looked at any more, and its
    answers, where terms are multiplied by them, are written over.
    """
    bits, single, _, (planes, offset), (output_planes, output_offset), *_ = kind
    students = students_in(bits)
    unfold_hidden = vector_terms.unfolded(bits, single, signed=True)
    unfold_outputs = vector_terms.unfolded(bits, single, signed=False)
    hidden_layer = layer(bits, single, planes, offset, shared=False, whole=True)
    output_layer = layer(bits, single, output_planes, output_offset, shared=False, whole=True)

    @inner
    def terms(sizes, tables, student, batch):
        row = sizes.words * students
        x, signs = records.Rows(batch.inputs, row, 0), records.Rows(batch.teacher, row, 0)
        hidden = records.Rows(batch.hidden, TERMS * row, 0)
        outputs = records.Rows(batch.outputs, TERMS * row, 0)
        own = records.LinkWeights(student.w, students, 0)
        unfold_hidden(sizes.units, sizes.words, x, tables.hidden_sources, own, hidden, signs)
        own = records.LinkWeights(student.v, students, 0)
        unfold_outputs(sizes.outputs, sizes.words, signs, tables.output_sources, own, outputs, outputs)

    @inner
    def sums(sizes, tables, student, batch):
        words, row = sizes.words, sizes.words * students
        x = records.Rows(batch.inputs, row, 0)
        hidden = records.Rows(batch.hidden, planes * row, 0)
        signs = records.Rows(batch.hidden, planes * row, (planes - 1) * row)
        outputs = records.Rows(batch.outputs, (output_planes + 1) * row, 0)
        own = records.LinkWeights(student.w, students, 0)
        hidden_layer(sizes.units, sizes.degree, words, x, tables.hidden_sources, own, hidden)
        own = records.LinkWeights(student.v, students, 0)
        output_layer(sizes.outputs, sizes.output_degree, words, signs, tables.output_sources, own, outputs)

    return terms if kind.terms else sums


@cache
def drawer(kind: Kind):
    """Compile draw(number, sizes, tables, teacher, student, batch, keys, sets): mini-batch number `number`, what
    the teacher answers to it, and the terms or sums of the students, as `records.Batch` says.
    """
    bits, single, _, (planes, offset), (output_planes, output_offset), *_, sampling, terms = kind
    students, work_out = students_in(bits), worker_out(kind)
    # Rows of an output, and those before the teacher's answer, which terms are multiplied by.
    rows, before = (TERMS, 0) if terms else (output_planes + 1, output_planes)
    start, fill = filler(bits, sampling)
    teacher_layer = layer(bits, single, planes, offset, shared=True, whole=False)
    teacher_output = layer(bits, single, output_planes, output_offset, shared=True, whole=False)

    @inner
    def draw(number, sizes, tables, teacher, student, batch, keys, sets):
        words, row = sizes.words, sizes.words * students
        start(number, keys, sets)
        fill(batch.inputs, sizes.inputs, words, 0, keys, sets)
        x, true = records.Rows(batch.inputs, row, 0), records.Rows(batch.teacher, row, 0)
        answers = records.Rows(batch.outputs, rows * row, before * row)
        links = records.LinkWeights(teacher.w, 1, 0)
        teacher_layer(sizes.units, sizes.degree, words, x, tables.hidden_sources, links, true)
        links = records.LinkWeights(teacher.v, 1, 0)
        teacher_output(sizes.outputs, sizes.output_degree, words, true, tables.output_sources, links, answers)
        work_out(sizes, tables, student, batch)

    return draw


@cache
def proposer(kind: Kind):
    """Compile what does the proposals of a kind: `vector_output.proposals` or `unit_sweeps.sweeps`, of sums or of
    terms, or `scalar_output.proposals`.
    """
    bits, single, far, (planes, _), (output_planes, _), scalar, chance, effects, _, terms = kind
    if scalar:
        return scalar_output.proposals(bits, single, planes, output_planes, chance)
    if terms:
        flip_outputs = vector_terms.output_flipper(bits, single, chance)
        fetch = vector_terms.fetchers(bits, single)
    else:
        flip_outputs = vector_output.output_flipper(bits, single, planes, chance)
        fetch = vector_output.fetchers(bits, single, planes)
    if effects:
        flip_links = (
            unit_terms.link_flipper(bits, single, effects, chance)
            if terms
            else unit_sweeps.link_flipper(bits, single, planes, effects, chance)
        )
        return unit_sweeps.sweeps(far, flip_outputs, flip_links, *fetch)
    flip_hidden = (
        vector_terms.hidden_flipper(bits, single, chance)
        if terms
        else vector_output.hidden_flipper(bits, single, planes, chance)
    )
    return vector_output.proposals(far, flip_outputs, flip_hidden, *fetch)


@cache
def trainer(kind: Kind):
    """Compile train(row, first, stop): sweeps first to stop of a block. Proposal i of sweep s is number s * n + i,
    and belongs to batch number (s * n + i) // refresh.
    """
    bits, effects, propose = kind.bits, kind.effects, proposer(kind)
    draw = drawer(kind._replace(far=False, chance=GREEDY, effects=0))  # it asks for none of these

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
                    propose(sweep, links, block)
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
    bits, single, _, (planes, offset), (output_planes, output_offset), *_, sampling, _ = kind
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
