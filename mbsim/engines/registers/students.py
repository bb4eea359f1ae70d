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
from mbsim.physics.problem import Teacher
from mbsim.sampling.streams import StudentKeys

Array = np.ndarray


class Shared(NamedTuple):
    """What all students of a teacher share: sizes; its graph and weights; proposals between fresh batches; test
    examples; the rule, and what of its law is compiled (`decisions`); whether sweeps go unit by unit; arrays that
    are pointed to.
    """

    shape: Shape
    tables: records.Tables
    teacher: records.TeacherWeights
    refresh: int
    test_size: int
    law: str
    chance: int
    by_units: bool
    arrays: tuple[Array, ...]

    def sizes(self, words: int) -> records.Sizes:
        """For batches of so many words."""
        s = self.shape
        return records.Sizes(s.N, s.K, s.M, s.d, s.output_degree, s.first_hidden, s.proposals, words)


class Questions(NamedTuple):
    """A fresh batch for some students of a block: its words, the keys under which it is drawn, and the address
    of its valid examples (one word a row).
    """

    words: int
    keys: records.Keys
    valid: int


class Part(NamedTuple):
    """Students of a block that are examined together: the first; test examples; the next mini-batch."""

    begin: int
    test: Questions
    batch: Questions


class Students(NamedTuple):
    """The students of a block.

    kind, examiner: what training and examination are compiled for. w, v: bits of their weights (links * B / 8,)
    uint8, which training changes. accepted, wrong: (B,) int64, take what is counted. The rest is for compiled
    functions.
    """

    block: Block
    kind: compiled.Kind
    examiner: compiled.Kind
    w: Array
    v: Array
    accepted: Array
    wrong: Array
    weights: records.StudentWeights
    keys: records.Keys
    heat: records.Heat
    tally: records.Tally
    parts: tuple[Part, ...]
    arrays: tuple[Array, ...]


def shared_of(
    teacher: Teacher, shape: Shape, refresh: int, test_size: int, law: str, chance: int, by_units: bool
) -> Shared:
    """What the students of this teacher share."""
    tables = tables_of(teacher, shape)
    graph = tables.hidden_sources, tables.output_sources, tables.readers.ravel()
    weights = -tables.w.astype(np.int8), -tables.v.astype(np.int8)
    return Shared(
        shape,
        records.Tables(address(graph[0]), address(graph[1]), address(graph[2]), shape.readers),
        records.TeacherWeights(*map(address, weights)),
        refresh,
        test_size,
        law,
        chance,
        by_units,
        (*graph, *weights),
    )


def init(
    shared: Shared, m: Array, init_overlap: Array, temperature: Array, keys: StudentKeys
) -> list[Students]:
    """Students at time 0; m, init_overlap, temperature and the keys have shape (students,)."""
    return [
        _block(shared, block, m[block.members], init_overlap[block.members], temperature[block.members], keys)
        for block in blocks.cut(m, readers_of(shared.shape))
    ]


def _block(
    shared: Shared, block: Block, m: Array, init_overlap: Array, temperature: Array, keys: StudentKeys
) -> Students:
    shape, count = shared.shape, len(block.members)
    w, v = _initial_weights(shared, block, init_overlap, keys)
    heat, kept_heat = records.COLD, tuple[Array, ...]()
    if shared.chance:
        heat, kept_heat = _heat(shared.law, block, temperature, keys, most=int(m.max()) * readers_of(shape))
    first, second = blocks.cipher_keys(keys.examples, block)
    drawing = first, second, cipher.word_numbers(block.bits), np.empty_like(first), np.empty_like(first)
    valid = blocks.valid_examples(m, block.words, block.bits)
    parts, kept_parts = _parts(block, m, shared.test_size, keys)
    accepted, wrong = np.zeros(count, np.int64), np.zeros(count, np.int64)
    return Students(
        block,
        compiled.kind_of(shape, block.bits, block.words, shared.chance, shared.by_units),
        compiled.kind_of(shape, max(32, block.bits), 1, chance=decisions.GREEDY, by_units=False)._replace(
            far=False
        ),
        w,
        v,
        accepted,
        wrong,
        records.StudentWeights(address(w), address(v)),
        records.Keys(*map(address, drawing)),
        heat,
        records.Tally(address(valid), address(accepted)),
        parts,
        (*drawing, *kept_heat, valid, *kept_parts),
    )


def _initial_weights(
    shared: Shared, block: Block, init_overlap: Array, keys: StudentKeys
) -> tuple[Array, Array]:
    """Bits of the weights (links * B / 8,) of both layers, uint8."""
    shape, count = shared.shape, len(block.members)
    w = np.empty(shape.hidden_links * count // 8, np.uint8)
    v = np.zeros(shape.output_links * count // 8, np.uint8)
    chance = (1 + init_overlap.astype(np.float32)) / np.float32(2)
    below = np.ceil(chance.astype(np.float64) * decisions.RESOLUTION).astype(np.uint32)
    key = blocks.student_keys(keys.weights, block)
    drawn = np.empty(len(key[0]), np.uint32)
    layers = (shape.hidden_links, w, shared.teacher.w), (shape.output_links, v, shared.teacher.v)
    for layer, (links, weights, teacher) in enumerate(layers if shape.train_output else layers[:1]):
        drawing = records.Drawing(teacher, *[address(array) for array in (weights, below, *key, drawn)])
        compiled.initial_weights(layer, links, count, len(drawn), drawing)
    return w, v


def _heat(
    law: str, block: Block, temperature: Array, keys: StudentKeys, most: int
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


def _parts(block: Block, m: Array, test_size: int, keys: StudentKeys) -> tuple[tuple[Part, ...], list[Array]]:
    """The parts of a block, and the arrays that are pointed to."""
    bits, kept = max(32, block.bits), []
    width = students_in(bits)
    numbers, *folded = cipher.word_numbers(bits), *(np.empty(cipher.CIPHERS, np.uint32) for _ in range(2))
    kept += [numbers, *folded]

    def questions(key: tuple[Array, Array], group: int, valid: Array) -> Questions:
        some = slice(group * cipher.CIPHERS, (group + 1) * cipher.CIPHERS)
        first, second = key[0][some], key[1][some]
        kept.extend((first, second, valid))
        drawing = [address(array) for array in (first, second, numbers, *folded)]
        return Questions(len(valid) // width, records.Keys(*drawing), address(valid))

    def shown(examples: Array) -> Array:
        return blocks.valid_examples(examples, -(-int(examples.max()) // bits), bits)

    test, examples = blocks.cipher_keys(keys.test, block), blocks.cipher_keys(keys.examples, block)
    tests = shown(np.full(width, test_size))
    parts = tuple(
        Part(
            begin,
            questions(test, group, tests),
            questions(examples, group, shown(m[begin : begin + width])),
        )
        for group, begin in enumerate(range(0, len(m), width))
    )
    return parts, kept
