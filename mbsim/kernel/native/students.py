"""All students of a teacher on the cores of this machine: `init`, `advance`, `observe`, `weights`.

Blocks of students (`blocks.py`) are independent, so each core takes the next as soon as it is free. What a
student does follows from its labels alone, and is the same, bit for bit, as what the programs of XLA compute.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from mbsim.kernel.metropolis import Observation
from mbsim.kernel.native import blocks, cipher, compiled, decisions, networks
from mbsim.kernel.native.blocks import Block
from mbsim.kernel.native.sizes import readers_of, students_in
from mbsim.kernel.native.vectors import address
from mbsim.kernel.networks import Shape, Tables, Teacher, tables_of
from mbsim.kernel.streams import LaneKeys

Array = np.ndarray


class Setting(NamedTuple):
    """What all students share: sizes, the teacher's graph and weights (int8, 0 or -1), the length of a batch
    in
    proposals, the number of test examples.
    """

    shape: Shape
    tables: tuple[Array, Array, Array, int]
    teacher: tuple[Array, Array]
    refresh: int
    test_size: int


class Members(NamedTuple):
    """The students of one block: weights, which advance; batch sizes, valid examples, keys, temperatures."""

    block: Block
    w: Array
    v: Array
    m: Array
    valid: Array
    keys: LaneKeys
    heat: tuple[Any, ...]
    thermal: bool


def setting_of(teacher: Teacher, shape: Shape, refresh: int, test_size: int) -> Setting:
    """What the students of this teacher share."""
    tables: Tables = tables_of(teacher, shape)
    sources = tables.hidden_sources, tables.output_sources, tables.readers.ravel(), shape.readers
    return Setting(shape, sources, (-tables.w.astype(np.int8), -tables.v.astype(np.int8)), refresh, test_size)


def init(
    setting: Setting, m: Array, init_overlap: Array, temperature: Array, keys: LaneKeys
) -> list[Members]:
    """Students at time 0; m, init_overlap, temperature and the keys have shape (lanes,)."""
    readers = readers_of(setting.shape)
    result = []
    for block in blocks.cut(m, readers):
        own = m[block.lanes]
        valid = blocks.valid_examples(own, block.words, block.bits)
        hot = bool((temperature[block.lanes] > 0).any())
        most = int(own.max()) * readers
        heat = _heat(block, temperature[block.lanes] if hot else np.zeros(1), keys, most)
        w, v = _initial(setting, block, init_overlap[block.lanes], keys)
        result.append(Members(block, w, v, own, valid, keys, heat, hot))
    return result


def _initial(setting: Setting, block: Block, init_overlap: Array, keys: LaneKeys) -> tuple[Array, Array]:
    """Weights (links * students) of both layers."""
    shape, students = setting.shape, len(block.lanes)
    w = np.empty(shape.hidden_links * students, np.int8)
    v = np.zeros(shape.output_links * students, np.int8)
    chance = (1 + init_overlap.astype(np.float32)) / np.float32(2)
    below = np.ceil(chance.astype(np.float64) * decisions.RESOLUTION).astype(np.uint32)
    key = blocks.student_keys(keys.weights, block)
    drawn = np.empty(len(key[0]), np.uint32)
    for layer, weights in enumerate((w, v) if shape.train_output else (w,)):
        links = len(setting.teacher[layer])
        arrays = addresses(setting.teacher[layer], weights, below, *key, drawn)
        compiled.initial_weights(layer, links, students, len(drawn), arrays)
    return w, v


def _heat(block: Block, temperature: Array, keys: LaneKeys, most: int) -> tuple[Any, ...]:
    """What `decisions` needs to know of a block's temperatures."""
    values, which = np.unique(temperature, return_inverse=True)
    limits = decisions.limits_of(values, most)
    key = blocks.student_keys(keys.acceptance, block)
    drawn = np.empty(len(key[0]), np.uint32)
    changes = np.empty(len(block.lanes), f"int{block.bits}")
    flags = np.empty(len(changes), np.int8)
    return limits, *limits.shape, which.astype(np.int64), *key, drawn, changes, flags


class Ensemble:
    """The students of a launch and the threads that train them.

    Args:
        setting: what they share.
        members: from `init`.
        workers: how many cores to use.
    """

    def __init__(self, setting: Setting, members: list[Members], workers: int):
        self.setting, self.members = setting, members
        self.lanes = sum(member.block.used for member in members)
        self.pool = ThreadPoolExecutor(workers) if workers > 1 else None
        self.rooms: list[dict[tuple[int, int], tuple[Array, ...]]] = [{} for _ in range(workers)]

    def _for_each(self, work, dtype: type) -> Array:
        """work(member, rooms) -> (students, ...) of every block, in the order of the lanes."""

        def one(member: Members) -> Array:
            rooms = self.rooms.pop()
            try:
                return work(member, rooms)
            finally:
                self.rooms.append(rooms)

        results = [*(map if self.pool is None else self.pool.map)(one, self.members)]
        gathered = np.empty((self.lanes, *results[0].shape[1:]), dtype)
        for member, result in zip(self.members, results, strict=True):
            used = member.block.used
            gathered[member.block.lanes[:used]] = result[:used]
        return gathered

    def advance(self, first: int, stop: int, orders: Array, begin: int) -> Array:
        """Train through sweeps first to stop; returns accepted proposals (lanes,).

        orders (S, n) int32: row 0 is the order of sweep `begin`, or, alone, of every sweep.
        """

        def work(member: Members, rooms: dict) -> Array:
            accepted = np.zeros(len(member.block.lanes), np.int64)
            _train(self.setting, member, rooms, first, stop, orders, begin, accepted)
            return accepted

        return self._for_each(work, np.int64)

    def observe(self, time: int) -> Observation:
        """Count agreements with the teacher, and errors on fresh test examples and on the next mini-batch."""
        shape, setting = self.setting.shape, self.setting
        number = -(-time * shape.proposals // setting.refresh)

        def work(member: Members, rooms: dict) -> Array:
            test = np.full(len(member.block.lanes), setting.test_size)
            return np.stack(
                [
                    _agreement(setting, member),
                    _wrong(setting, member, rooms, member.keys.test, time, test),
                    _wrong(setting, member, rooms, member.keys.examples, number, member.m),
                ],
                axis=1,
            )

        return Observation(*self._for_each(work, np.int64).T)

    def weights(self) -> tuple[Array, Array]:
        """±1 weights (lanes, links) of both layers, int8."""

        def of_layer(name: str) -> Array:
            def work(member: Members, rooms: dict) -> Array:
                return 1 + 2 * getattr(member, name).reshape(-1, len(member.block.lanes)).T

            return self._for_each(work, np.int8)

        return of_layer("w"), of_layer("v")

    def close(self) -> None:
        """End the threads."""
        if self.pool is not None:
            self.pool.shutdown()


def addresses(*values: Array | int) -> tuple[int, ...]:
    """Arrays as the compiled functions are told of them; integers as they are."""
    return tuple(address(value) if isinstance(value, np.ndarray) else value for value in values)


def _room(rooms: dict, key: tuple[int, ...], sizes: tuple[int, ...], bits: int) -> tuple[Array, ...]:
    """Arrays of words that are made once for each thread."""
    if key not in rooms:
        rooms[key] = tuple(np.zeros(size, f"uint{bits}") for size in sizes)
    return rooms[key]


def _train(
    setting: Setting,
    member: Members,
    rooms: dict,
    first: int,
    stop: int,
    orders: Array,
    begin: int,
    accepted: Array,
) -> None:
    shape, block = setting.shape, member.block
    kind = compiled.kind_of(shape, block.bits, block.words, member.thermal)
    row = block.words * len(block.lanes)
    counters = shape.K * kind.planes[0], shape.M * kind.output_planes[0]
    lengths = tuple(rows * row for rows in (shape.N, *counters, shape.M, 1, shape.K))
    *batch, teacher_h = _room(rooms, (block.bits, block.words), lengths, block.bits)
    key = blocks.cipher_keys(member.keys.examples, block)
    keys = *key, cipher.word_numbers(block.bits), np.empty_like(key[0]), np.empty_like(key[0])
    sizes = shape.N, shape.K, shape.M, shape.output_degree, shape.proposals
    compiled.trainer(kind)(
        first,
        stop,
        setting.refresh,
        (sizes, (shape.d, shape.first_hidden, block.words)),
        addresses(orders, len(orders), begin),
        addresses(*setting.tables),
        addresses(*setting.teacher, teacher_h),
        addresses(member.w, member.v),
        addresses(*batch),
        addresses(*keys),
        addresses(*member.heat),
        addresses(member.valid, accepted),
    )


def _wrong(setting: Setting, member: Members, rooms: dict, key: Any, label: int, examples: Array) -> Array:
    """Wrong outputs (students,) on fresh batches, `examples` (students,) large, under a key with a label."""
    shape, block = setting.shape, member.block
    bits = max(32, block.bits)
    here = students_in(bits)
    words = -(-int(examples.max()) // bits)
    kind = compiled.kind_of(shape, bits, 1, False)._replace(far=False)
    lengths = tuple(rows * here for rows in (shape.N, shape.K, shape.M, shape.K, shape.M))
    room = _room(rooms, (bits, 0), lengths, bits)
    sizes = shape.N, shape.K, shape.M, shape.output_degree, shape.d
    keys, numbers = blocks.cipher_keys(key, block), cipher.word_numbers(bits)
    folded = np.empty(cipher.CIPHERS, np.uint32), np.empty(cipher.CIPHERS, np.uint32)
    total = np.zeros(len(block.lanes), np.int64)
    for group, start in enumerate(range(0, len(block.lanes), here)):
        part = slice(group * cipher.CIPHERS, (group + 1) * cipher.CIPHERS)
        valid = blocks.valid_examples(examples[start : start + here], words, bits)
        compiled.examiner(kind)(
            label,
            (sizes, (words, len(block.lanes), start)),
            addresses(*setting.tables),
            addresses(*setting.teacher),
            addresses(member.w, member.v),
            addresses(keys[0][part], keys[1][part], numbers, *folded),
            addresses(*room),
            addresses(valid, total[start : start + here]),
        )
    return total


def _agreement(setting: Setting, member: Members) -> Array:
    shape, result = setting.shape, np.zeros(len(member.block.lanes), np.int64)
    sizes = shape.K, shape.d, shape.output_links, len(result)
    units = np.zeros(shape.K * len(result), np.int32)
    arrays = addresses(setting.tables[1], member.w, member.v, *setting.teacher, units, result)
    networks.path_agreement(*sizes, *arrays)
    return result
