"""The students of one block, with everything that compiled functions are told of them made ready once.

Compiled functions take addresses; finding them costs as much as training a small network for a sweep, so they
are found when the students are drawn. `Members.arrays` keeps what they point to alive.
"""

from typing import NamedTuple

import numpy as np

from mbsim.engines.networks import Shape, Tables, Teacher, tables_of
from mbsim.engines.registers import blocks, cipher, compiled, decisions
from mbsim.engines.registers.blocks import Block
from mbsim.engines.registers.sizes import readers_of, students_in
from mbsim.engines.registers.vectors import address
from mbsim.sampling.streams import LaneKeys

Array = np.ndarray
Addresses = tuple[int, ...]


class Setting(NamedTuple):
    """What all students share: sizes, the teacher's graph (hidden sources, output sources, readers: int32)
    and weights (int8, 0 or -1), proposals between fresh batches, test examples, whether any temperature is
    positive, whether sweeps go unit by unit.
    """

    shape: Shape
    tables: tuple[Array, Array, Array]
    teacher: tuple[Array, Array]
    refresh: int
    test_size: int
    thermal: bool
    by_units: bool


class Exam(NamedTuple):
    """Some students' fresh batch: words, keys under which it is drawn, valid examples (one word a row)."""

    words: int
    keys: Addresses
    valid: int


class Part(NamedTuple):
    """Students of a block that are examined together: the first, test examples, the next mini-batch."""

    begin: int
    test: Exam
    batch: Exam


class Members(NamedTuple):
    """The students of a block. w, v are the bits of their weights, which training changes;
    `accepted` and `total` (students,) int64 take what is counted; keys, heat and valid as `compiled.trainer`
    wants them.
    """

    block: Block
    w: Array
    v: Array
    accepted: Array
    total: Array
    kind: compiled.Kind
    examiner: compiled.Kind
    keys: Addresses
    heat: Addresses
    valid: int
    parts: tuple[Part, ...]
    arrays: tuple[Array, ...]


def setting_of(
    teacher: Teacher, shape: Shape, refresh: int, test_size: int, thermal: bool, by_units: bool
) -> Setting:
    """What the students of this teacher share."""
    tables: Tables = tables_of(teacher, shape)
    sources = tables.hidden_sources, tables.output_sources, tables.readers.ravel()
    weights = -tables.w.astype(np.int8), -tables.v.astype(np.int8)
    return Setting(shape, sources, weights, refresh, test_size, thermal, by_units)


def addresses(*values: Array | int) -> Addresses:
    """Arrays by their addresses; integers as they are."""
    return tuple(address(value) if isinstance(value, np.ndarray) else value for value in values)


def init(
    setting: Setting, m: Array, init_overlap: Array, temperature: Array, keys: LaneKeys
) -> list[Members]:
    """Students at time 0; m, init_overlap, temperature and the keys have shape (lanes,)."""
    return [
        _members(setting, block, m[block.lanes], init_overlap[block.lanes], temperature[block.lanes], keys)
        for block in blocks.cut(m, readers_of(setting.shape))
    ]


def _members(
    setting: Setting, block: Block, m: Array, init_overlap: Array, temperature: Array, keys: LaneKeys
) -> Members:
    shape, students = setting.shape, len(block.lanes)
    w, v = _initial_weights(setting, block, init_overlap, keys)
    most = int(m.max()) * readers_of(shape)
    heat = _heat(block, temperature, keys, most) if setting.thermal else decisions.COLD
    key = blocks.cipher_keys(keys.examples, block)
    drawing = *key, cipher.word_numbers(block.bits), np.empty_like(key[0]), np.empty_like(key[0])
    valid = blocks.valid_examples(m, block.words, block.bits)
    parts, kept = _parts(block, m, setting.test_size, keys)
    return Members(
        block,
        w,
        v,
        np.zeros(students, np.int64),
        np.zeros(students, np.int64),
        compiled.kind_of(shape, block.bits, block.words, setting.thermal, setting.by_units),
        compiled.kind_of(shape, max(32, block.bits), 1, thermal=False, by_units=False)._replace(far=False),
        addresses(*drawing),
        addresses(*heat),
        address(valid),
        parts,
        (*drawing, *(value for value in heat if isinstance(value, np.ndarray)), valid, *kept),
    )


def _initial_weights(
    setting: Setting, block: Block, init_overlap: Array, keys: LaneKeys
) -> tuple[Array, Array]:
    """Weights (links * students bits) of both layers, as bytes."""
    shape, students = setting.shape, len(block.lanes)
    w = np.empty(shape.hidden_links * students // 8, np.uint8)
    v = np.zeros(shape.output_links * students // 8, np.uint8)
    chance = (1 + init_overlap.astype(np.float32)) / np.float32(2)
    below = np.ceil(chance.astype(np.float64) * decisions.RESOLUTION).astype(np.uint32)
    key = blocks.student_keys(keys.weights, block)
    drawn = np.empty(len(key[0]), np.uint32)
    for layer, weights in enumerate((w, v) if shape.train_output else (w,)):
        teacher = setting.teacher[layer]
        arrays = addresses(teacher, weights, below, *key, drawn)
        compiled.initial_weights(layer, len(teacher), students, len(drawn), arrays)
    return w, v


def _heat(block: Block, temperature: Array, keys: LaneKeys, most: int) -> tuple[Array | int, ...]:
    """What `decisions` needs to know of a block's temperatures."""
    values, which = np.unique(temperature, return_inverse=True)
    limits = decisions.limits_of(values, most)
    key = blocks.student_keys(keys.acceptance, block)
    drawn = np.empty(len(key[0]), np.uint32)
    changes = np.empty(len(block.lanes), f"int{block.bits}")
    flags = np.empty(len(changes), np.int8)
    return limits, *limits.shape, which.astype(np.int64), *key, drawn, changes, flags


def _parts(block: Block, m: Array, test_size: int, keys: LaneKeys) -> tuple[tuple[Part, ...], list[Array]]:
    """The parts of a block, and the arrays that they point to."""
    bits, kept = max(32, block.bits), []
    width = students_in(bits)
    numbers, *folded = cipher.word_numbers(bits), *(np.empty(cipher.CIPHERS, np.uint32) for _ in range(2))
    kept += [numbers, *folded]

    def exam(key: tuple[Array, Array], group: int, valid: Array) -> Exam:
        some = slice(group * cipher.CIPHERS, (group + 1) * cipher.CIPHERS)
        arrays = key[0][some], key[1][some], valid
        kept.extend(arrays)
        return Exam(len(valid) // width, addresses(*arrays[:2], numbers, *folded), address(valid))

    def shown(examples: Array) -> Array:
        return blocks.valid_examples(examples, -(-int(examples.max()) // bits), bits)

    test, examples = blocks.cipher_keys(keys.test, block), blocks.cipher_keys(keys.examples, block)
    tests = shown(np.full(width, test_size))
    parts = tuple(
        Part(
            begin,
            exam(test, group, tests),
            exam(examples, group, shown(m[begin : begin + width])),
        )
        for group, begin in enumerate(range(0, len(m), width))
    )
    return parts, kept
