"""The students of one block, and what compiled functions are told of them, made ready once.

Finding the address of an array costs as much as training a small network for a sweep, so addresses are found
when the students are drawn. `Students.arrays` keeps alive what they point to.
"""

from typing import NamedTuple

import numpy as np

from mbsim.engines.networks import Shape, tables_of
from mbsim.engines.registers import blocks, cipher, compiled, decisions, records
from mbsim.engines.registers.blocks import Block
from mbsim.engines.registers.loading import address
from mbsim.engines.registers.sizes import readers_of, students_in
from mbsim.engines.task import TrainingSet
from mbsim.physics.problem import Teacher
from mbsim.sampling.example_sets import example_set
from mbsim.sampling.streams import Key, StudentKeys, fold

Array = np.ndarray


class Shared(NamedTuple):
    """What all students of a task share: sizes; proposals between fresh batches; test examples; the rule, and what
    of its law is compiled (`decisions`); whether sweeps go unit by unit; the training set, or None.
    """

    shape: Shape
    refresh: int
    test_size: int
    law: str
    chance: int
    by_units: bool
    training: TrainingSet | None

    @property
    def sampling(self) -> str:
        """How batches are drawn from the training set; "" where examples are fresh."""
        return "" if self.training is None else self.training.sampling

    def sizes(self, words: int) -> records.Sizes:
        """For batches of so many words."""
        s = self.shape
        return records.Sizes(s.N, s.K, s.M, s.d, s.output_degree, s.first_hidden, s.proposals, words)


class Streams(NamedTuple):
    """Keys of the students of a task, for each purpose; `choice`, of examples of a training set, stands for nothing
    where all are fresh.
    """

    weights: Key
    examples: Key
    choice: Key
    test: Key
    acceptance: Key


def streams_of(keys: StudentKeys, training: TrainingSet | None) -> Streams:
    """The keys of all that is drawn."""
    examples = choice = keys.examples
    if training is not None:
        choice, examples = fold(keys.examples, 0), fold(keys.examples, 1)
    return Streams(keys.weights, examples, choice, keys.test, keys.acceptance)


class Taught(NamedTuple):
    """What the students of a teacher share: its graph and its weights."""

    tables: records.Tables
    weights: records.TeacherWeights


class Teachers:
    """The teachers of a task; item t is a `Taught`."""

    def __init__(self, teachers: Teacher, shape: Shape):
        tables = tables_of(teachers, shape)
        # The weights as 0 and -1; addresses below point into these arrays.
        self.arrays = *tables[:3], -tables.w.astype(np.int8), -tables.v.astype(np.int8)
        self.most = shape.readers

    def __getitem__(self, place: int) -> Taught:
        hidden, outputs, readers, w, v = (address(array) + place * array.strides[0] for array in self.arrays)
        return Taught(records.Tables(hidden, outputs, readers, self.most), records.TeacherWeights(w, v))


class Questions(NamedTuple):
    """A batch for some students of a block: how it is drawn ("" for fresh examples), its words, the keys under
    which it is drawn, its training sets, and the address of its valid examples (one word a row).
    """

    sampling: str
    words: int
    keys: records.Keys
    sets: records.Sets
    valid: int


class Part(NamedTuple):
    """Students of a block that are examined together: the first; test examples; the next mini-batch."""

    begin: int
    test: Questions
    batch: Questions


class Students(NamedTuple):
    """The students of a block.

    taught: of their teacher. kind, examiner: what training and examination are compiled for. w, v: bits of their weights (links * B / 8,)
    uint8, which training changes. accepted, wrong: (B,) int64, take what is counted. The rest is for compiled
    functions.
    """

    block: Block
    taught: Taught
    kind: compiled.Kind
    examiner: compiled.Kind
    w: Array
    v: Array
    accepted: Array
    wrong: Array
    weights: records.StudentWeights
    keys: records.Keys
    sets: records.Sets
    heat: records.Heat
    tally: records.Tally
    parts: tuple[Part, ...]
    arrays: tuple[Array, ...]


def kinds_of(shared: Shared, block: Block) -> tuple[compiled.Kind, compiled.Kind]:
    """What training and examination of a block are compiled for."""
    chance, by_units = shared.chance, shared.by_units
    kind = compiled.kind_of(shared.shape, block.bits, block.words, chance, by_units, shared.sampling)
    examiner = compiled.kind_of(shared.shape, max(32, block.bits), 1, decisions.GREEDY, by_units=False)
    return kind, examiner._replace(far=False)


def init(
    shared: Shared,
    taught: Taught,
    block: Block,
    m: Array,
    init_overlap: Array,
    temperature: Array,
    keys: Streams,
) -> Students:
    """The students of a block at time 0; columns (students,) of all students of the task, as are the keys."""
    shape, count = shared.shape, len(block.members)
    m, init_overlap, temperature = (column[block.members] for column in (m, init_overlap, temperature))
    w, v = _initial_weights(shape, taught, block, init_overlap, keys)
    heat, kept_heat = records.COLD, tuple[Array, ...]()
    if shared.chance:
        heat, kept_heat = _heat(shared.law, block, temperature, keys, most=int(m.max()) * readers_of(shape))
    drawing, sets, kept_keys = _examples(shared, block, m, keys)
    valid = blocks.valid_examples(m, block.words, block.bits)
    parts, kept_parts = _parts(shared, block, m, keys)
    accepted, wrong = np.zeros(count, np.int64), np.zeros(count, np.int64)
    return Students(
        block,
        taught,
        *kinds_of(shared, block),
        w,
        v,
        accepted,
        wrong,
        records.StudentWeights(address(w), address(v)),
        drawing,
        sets,
        heat,
        records.Tally(address(valid), address(accepted)),
        parts,
        (*kept_keys, *kept_heat, valid, *kept_parts),
    )


def _initial_weights(
    shape: Shape, taught: Taught, block: Block, init_overlap: Array, keys: Streams
) -> tuple[Array, Array]:
    """Bits of the weights (links * B / 8,) of both layers, uint8."""
    count = len(block.members)
    w = np.empty(shape.hidden_links * count // 8, np.uint8)
    v = np.zeros(shape.output_links * count // 8, np.uint8)
    chance = (1 + init_overlap.astype(np.float32)) / np.float32(2)
    below = np.ceil(chance.astype(np.float64) * decisions.RESOLUTION).astype(np.uint32)
    key = blocks.student_keys(keys.weights, block)
    drawn = np.empty(len(key[0]), np.uint32)
    layers = (shape.hidden_links, w, taught.weights.w), (shape.output_links, v, taught.weights.v)
    for layer, (links, weights, teacher) in enumerate(layers if shape.train_output else layers[:1]):
        drawing = records.Drawing(teacher, *[address(array) for array in (weights, below, *key, drawn)])
        compiled.initial_weights(layer, links, count, len(drawn), drawing)
    return w, v


def _heat(
    law: str, block: Block, temperature: Array, keys: Streams, most: int
) -> tuple[records.Heat, tuple[Array, ...]]:
    """What decisions need to know of a block's temperatures, and the arrays that are pointed to."""
    values, places = np.unique(temperature, return_inverse=True)
    limits, which = decisions.table_of(law, values, most), places.astype(np.int64)
    key = blocks.student_keys(keys.acceptance, block)
    room = (
        np.empty(len(key[0]), np.uint32),
        np.empty(len(block.members), f"int{block.bits}"),
        np.empty(len(block.members), np.int8),
    )
    addresses = [address(array) for array in (which, *key, *room)]
    heat = records.Heat(address(limits), *limits.shape, *addresses)
    return heat, (limits, which, *key, *room)


def _examples(
    shared: Shared, block: Block, m: Array, keys: Streams
) -> tuple[records.Keys, records.Sets, tuple[Array, ...]]:
    """Keys of the mini-batches, the training sets, and the arrays that are pointed to."""
    drawing, kept = _keys(*blocks.cipher_keys(keys.examples, block), block.bits)
    if shared.training is None:
        return drawing, records.FRESH, kept
    choice = blocks.cipher_keys(keys.choice, block)
    sets, more = _sets(shared.training, choice, cipher.ciphers_of(m, block.bits))
    return drawing, sets, (*kept, *more)


def _keys(first: Array, second: Array, bits: int) -> tuple[records.Keys, tuple[Array, ...]]:
    """Keys (ciphers,) as records, and the arrays that are pointed to."""
    arrays = first, second, cipher.word_numbers(bits), np.empty_like(first), np.empty_like(first)
    return records.Keys(*map(address, arrays)), arrays


def _sets(
    training: TrainingSet, choice: tuple[Array, Array], m: Array
) -> tuple[records.Sets, tuple[Array, ...]]:
    """Training sets as records: keys (ciphers,) under which examples are chosen, and m. The room is not theirs."""
    of = example_set(training.size)
    arrays = *choice, m.astype(np.uint32), np.empty(len(m), np.uint32)
    return records.Sets(*map(int, of), *map(address, arrays), 0), arrays


def _parts(
    shared: Shared, block: Block, m: Array, keys: Streams
) -> tuple[tuple[Part, ...], list[Array]]:
    """The parts of a block, and the arrays that are pointed to."""
    bits, kept = max(32, block.bits), list[Array]()
    width = students_in(bits)
    test, examples, choice = (
        blocks.cipher_keys(key, block) for key in (keys.test, keys.examples, keys.choice)
    )

    def questions(key: tuple[Array, Array], group: int, count: Array, training: TrainingSet | None) -> Questions:
        some = slice(group * cipher.CIPHERS, (group + 1) * cipher.CIPHERS)
        drawing, arrays = _keys(key[0][some], key[1][some], bits)
        valid, sets = blocks.valid_examples(count, -(-int(count.max()) // bits), bits), records.FRESH
        if training is not None:
            of_group = choice[0][some], choice[1][some]
            sets, more = _sets(training, of_group, cipher.ciphers_of(count, bits))
            kept.extend(more)
        kept.extend((*arrays, valid))
        sampling = "" if training is None else training.sampling
        return Questions(sampling, len(valid) // width, drawing, sets, address(valid))

    everything = np.full(width, shared.test_size)
    parts = tuple(
        Part(
            begin,
            questions(test, group, everything, None),
            questions(examples, group, m[begin : begin + width], shared.training),
        )
        for group, begin in enumerate(range(0, len(m), width))
    )
    return parts, kept
