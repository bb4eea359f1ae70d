"""All blocks of one kind, of any teachers, and the rows that tell compiled functions of them (`records`).

Arrays have a block along the first axis: B students in each, C ciphers, W words of a batch. Addresses are found once,
for all blocks together: that of an array of one block is a number of bytes behind that of the block before.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from mbsim.engines.networks import Shape, tables_of
from mbsim.engines.registers import blocks, cipher, compiled, decisions, records, rows
from mbsim.engines.registers.blocks import Block
from mbsim.engines.registers.loading import address
from mbsim.engines.registers.orders import colours_of, sequential_orders
from mbsim.engines.registers.sizes import readers_of, students_in
from mbsim.engines.task import Task, TrainingSet
from mbsim.sampling.example_sets import example_set
from mbsim.sampling.streams import Key, fold, keys_of_students

Array = np.ndarray


class Shared(NamedTuple):
    """What all students of a task share: sizes; proposals between fresh batches; test examples; the rule, and what
    of its law is compiled (`decisions`); whether sweeps go unit by unit; the training set, or None; whether orders
    are random.
    """

    shape: Shape
    refresh: int
    test_size: int
    law: str
    chance: int
    by_units: bool
    training: TrainingSet | None
    random: bool

    @property
    def sampling(self) -> str:
        """How batches are drawn from the training set; "" where examples are fresh."""
        return "" if self.training is None else self.training.sampling

    def sizes(self, words: int) -> records.Sizes:
        """For batches of so many words."""
        s = self.shape
        links = s.first_hidden, s.proposals, self.refresh, words
        return records.Sizes(s.N, s.K, s.M, s.d, s.output_degree, *links)

    def kinds(self, block: Block) -> tuple[compiled.Kind, compiled.Kind]:
        """What training and examination of a block are compiled for."""
        kind = compiled.kind_of(
            self.shape, block.bits, block.words, self.chance, self.by_units, self.sampling
        )
        examiner = compiled.kind_of(self.shape, max(32, block.bits), 1, decisions.GREEDY, by_units=False)
        return kind, examiner._replace(far=False)


class Streams(NamedTuple):
    """Keys of the students of a task, for each purpose; `choice`, of examples of a training set, stands for nothing
    where all are fresh.
    """

    weights: Key
    examples: Key
    choice: Key
    test: Key
    acceptance: Key


def streams_of(task: Task) -> Streams:
    """The keys of all that is drawn."""
    labels = task.labels.m, task.labels.replica
    keys = keys_of_students(task.seed, task.shape.N, task.shape.d, task.student_numbers, *labels)
    examples = choice = keys.examples
    if task.dynamics.training is not None:
        choice, examples = fold(keys.examples, 0), fold(keys.examples, 1)
    return Streams(keys.weights, examples, choice, keys.test, keys.acceptance)


class Teachers:
    """The teachers of a task; `records` of their tables, weights and orders have arrays (teachers,)."""

    def __init__(self, task: Task, shared: Shared):
        shape = task.shape
        made = tables_of(task.teachers, shape)
        weights = -made.w.astype(np.int8), -made.v.astype(np.int8)  # 0 and -1
        self.arrays: list[Array] = [*made[:3], *weights]
        hidden, outputs, readers, w, v = map(each, self.arrays)
        order = rows.nothing(records.Order)  # of a bunch of teachers, where it is random (`training`)
        if not shared.random:
            of = sequential_orders(shape, colours_of(shape, made.output_sources, made.readers))
            links = of.units if shared.by_units else of.proposals
            self.arrays += [links, of.positions]
            order = records.Order(each(links), 1, 0, each(of.positions))
        tables = records.Tables(hidden, outputs, readers, shape.readers)
        self.records = tables, records.TeacherWeights(w, v), order


def each(array: Array) -> Array:
    """The addresses (blocks,) of the parts of an array along its first axis; it must outlive them."""
    assert array.flags.c_contiguous
    return address(array) + np.arange(len(array)) * array.strides[0]


def moved(record: Any, distance: int, fields: tuple[str, ...]) -> dict[str, Any]:
    """Addresses of a record, so many bytes further on."""
    return {field: getattr(record, field) + distance for field in fields}


class Group:
    """Blocks of one kind.

    teacher (P,), members (P, B), used (P,): the teacher of each block, its students by their places in the task, and
    how many of them are real. w, v: bits of their weights (P, links * B / 8) uint8, which training changes. The rest
    are rows: training (P, ...), tests and batches (P, parts, ...), agreements (P, ...), drawings (P, layers, ...).
    """

    def __init__(self, task: Task, shared: Shared, teachers: Teachers, keys: Streams, some: list[Block]):
        self.shared, self.bits, self.words = shared, some[0].bits, some[0].words
        self.kind, self.examiner = shared.kinds(some[0])
        by_teacher = np.argsort(np.concatenate([block.teacher for block in some]), kind="stable")
        self.teacher, self.members, self.used = (
            np.concatenate(columns)[by_teacher]
            for columns in zip(*((one.teacher, one.members, one.used) for one in some), strict=True)
        )
        self.kept: list[Any] = [teachers]
        self.m = task.labels.m[self.members]

        def of_blocks(record: Any) -> Any:
            """The record of each block's own teacher."""
            each_one = np.broadcast_arrays(task.numbers, *record)[1:]
            return type(record)(*(part[self.teacher] for part in each_one))

        self._tables, self._taught, self._order = map(of_blocks, teachers.records)
        B, shape = self.members.shape[1], shared.shape
        self.w = np.empty((len(self.teacher), shape.hidden_links * B // 8), np.uint8)
        self.v = np.zeros((len(self.teacher), shape.output_links * B // 8), np.uint8)
        self._own = records.StudentWeights(each(self.w), each(self.v))
        self.drawings = self._drawings(task.labels.init_overlap, keys)
        self.training = self._training(task, keys)
        self.parts = max(1, B // students_in(max(32, self.bits)))
        everything = np.full(self.members.shape, shared.test_size)
        self.tests = self._exams(keys.test, None, everything, None)
        self.batches = self._exams(keys.examples, keys.choice, self.m, shared.training)
        self.agreements = self._agreements()

    def _keep(self, *arrays: Array) -> list[Array]:
        """Addresses of each block's part; the arrays are kept alive."""
        lying = [np.ascontiguousarray(array) for array in arrays]  # what is picked from an array need not be
        self.kept.extend(lying)
        return [each(array) for array in lying]

    def _one(self, array: Array) -> int:
        """The address of what all blocks share."""
        self.kept.append(array)
        return address(array)

    def _filled(self) -> Array:
        """Members (P, C), filled up to whole registers of ciphers."""
        B = self.members.shape[1]
        return self.members[:, np.arange(max(cipher.CIPHERS, B)) % B]

    def _of_ciphers(self, key: Key) -> tuple[Array, Array]:
        """Keys (P, C)."""
        first, second = (cipher.ciphers_of(half[self.members], self.bits) for half in key)
        return first, second

    def _keys(self, key: tuple[Array, Array], bits: int) -> records.Keys:
        numbers = self._one(cipher.word_numbers(bits))
        first, second, folded_first, folded_second = self._keep(*key, *(np.empty_like(half) for half in key))
        return records.Keys(first, second, numbers, folded_first, folded_second)

    def _sets(self, training: TrainingSet | None, key: Key | None) -> records.Sets:
        """The room is the thread's."""
        if training is None or key is None:
            return rows.nothing(records.Sets)
        m = cipher.ciphers_of(self.m, self.bits).astype(np.uint32)
        first, second, counts, begin = self._keep(*self._of_ciphers(key), m, np.empty_like(m))
        size, lines, columns = map(int, example_set(training.size))
        return records.Sets(size, lines, columns, first, second, counts, begin, 0)

    def _drawings(self, init_overlap: Array, keys: Streams) -> Array:
        shape, B = self.shared.shape, self.members.shape[1]
        members = self._filled()
        chance = (1 + init_overlap[members].astype(np.float32)) / np.float32(2)
        below = np.ceil(chance.astype(np.float64) * decisions.RESOLUTION).astype(np.uint32)
        limits, first, second = self._keep(below, *(half[members] for half in keys.weights))
        beyond = self._one((np.arange(members.shape[1]) // B).astype(np.uint32))
        layers = (shape.hidden_links, shape.output_links)[: 1 + shape.train_output]
        told = [
            rows.row_of(
                records.Links(layer, links, B, members.shape[1]),
                records.Drawing(self._taught[layer], self._own[layer], limits, first, second, beyond),
            )
            for layer, links in enumerate(layers)
        ]
        return np.stack(told, axis=1)

    def _training(self, task: Task, keys: Streams) -> Array:
        [valid] = self._keep(blocks.valid_examples(self.m, self.words, self.bits))
        return rows.row_of(
            self.shared.sizes(self.words),
            self._tables,
            self._taught,
            self._own,
            self._order,
            rows.nothing(records.Batch),
            self._keys(self._of_ciphers(keys.examples), self.bits),
            self._sets(self.shared.training, keys.choice),
            self._heat(task, keys) if self.shared.chance else rows.nothing(records.Heat),
            records.Tally(valid, 0),
        )

    def _heat(self, task: Task, keys: Streams) -> records.Heat:
        """What decisions need to know of temperatures."""
        temperature, B = task.labels.temperature, self.members.shape[1]
        values, places = np.unique(temperature, return_inverse=True)
        most = int(task.labels.m.max()) * readers_of(self.shared.shape)
        limits = decisions.table_of(self.shared.law, values, most)
        key, P = [half[self._filled()] for half in keys.acceptance], len(self.teacher)
        room = (
            np.empty_like(key[0]),
            np.empty((P, B), f"int{self.bits}"),
            np.empty((P, B), np.int8),
        )
        arrays = self._keep(places.ravel()[self.members].astype(np.int64), *key, *room)
        return records.Heat(self._one(limits), *limits.shape, *arrays)

    def _exams(self, key: Key, choice: Key | None, examples: Array, training: TrainingSet | None) -> Array:
        """Rows (P, parts, ...): `parts` of a block are examined one after the other; examples (P, B)."""
        bits = max(32, self.bits)
        width = students_in(bits)
        drawn, sets = self._keys(self._of_ciphers(key), bits), self._sets(training, choice)
        words = -(-int(examples.max()) // bits)
        told = []
        for part in range(self.parts):
            begin, behind = part * width, part * cipher.CIPHERS * 4  # bytes of the keys of a part
            [valid] = self._keep(blocks.valid_examples(examples[:, begin : begin + width], words, bits))
            mine = records.Keys(
                *(place if name == "numbers" else place + behind for name, place in drawn._asdict().items())
            )
            own = sets
            if training is not None:
                own = sets._replace(
                    **{name: getattr(sets, name) + behind for name in ("first", "second", "m", "begin")}
                )
            told.append(
                rows.row_of(
                    self.shared.sizes(words),
                    records.Seats(self.members.shape[1], begin),
                    self._tables,
                    self._taught,
                    self._own,
                    mine,
                    own,
                    rows.nothing(records.Exam),
                    records.Tally(valid, begin * 8),  # behind where the block's totals begin
                )
            )
        return np.ascontiguousarray(np.stack(told, axis=1))

    def _agreements(self) -> Array:
        return rows.row_of(
            self.shared.sizes(1),
            records.Seats(self.members.shape[1], 0),
            records.Agreement(
                sources=self._tables.output_sources,
                w=self._own.w,
                v=self._own.v,
                teacher_w=self._taught.w,
                teacher_v=self._taught.v,
                of_units=0,
                result=0,
            ),
        )

    def weights(self) -> tuple[Array, Array]:
        """±1 weights (P, B, links) of both layers, int8."""
        B = self.members.shape[1]
        negative = (
            np.unpackbits(bits, axis=1, bitorder="little").reshape(len(bits), -1, B)
            for bits in (self.w, self.v)
        )
        w, v = (1 - 2 * layer.astype(np.int8).transpose(0, 2, 1) for layer in negative)
        return w, v


def groups_of(task: Task, shared: Shared) -> Iterator[Group]:
    """The students of a task, in blocks of each kind."""
    teachers, keys = Teachers(task, shared), streams_of(task)
    alike: dict[Any, list[Block]] = {}
    for block in blocks.cut(task.labels.teacher, task.labels.m, readers_of(shared.shape)):
        alike.setdefault((shared.kinds(block), block.words), []).append(block)
    for some in alike.values():
        yield Group(task, shared, teachers, keys, some)
