"""All students of a teacher on the cores of this machine: train, observe, weights.

Blocks of students (`blocks.py`) are independent, so each core takes the next as soon as it is free. What a
student does follows from its labels alone, and is the same, bit for bit, as what the other engines compute.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from mbsim.engines.registers import compiled, networks, records
from mbsim.engines.registers.loading import address
from mbsim.engines.registers.sizes import BYTES, students_in
from mbsim.engines.registers.students import Questions, Shared, Students

Array = np.ndarray


class Observation(NamedTuple):
    """Exact counts (students,) int64: agreement is the sum of (v v*)(w w*) over the paths (output link, hidden
    link); test_wrong and batch_wrong are wrong outputs on the test examples and on the next mini-batch, before
    it is used.
    """

    agreement: Array
    test_wrong: Array
    batch_wrong: Array


class Orders(NamedTuple):
    """The order of proposals of some sweeps: links and positions (int32) as in `records.Order`, and the sweep
    of the first row.
    """

    links: Array
    first: int
    positions: Array


class Room:
    """Memory that one thread works in: as much as its largest block needs, handed out anew to each."""

    def __init__(self) -> None:
        self.memory = np.zeros(0, np.uint8)

    def of(self, words: int, rows: tuple[int, ...]) -> tuple[int, ...]:
        """Addresses of arrays with so many rows of `words` registers; what was handed out before is void."""
        ends = np.cumsum(rows) * words * BYTES
        if self.memory.size < ends[-1] + BYTES:
            self.memory = np.zeros(ends[-1] + BYTES, np.uint8)
        start = -(-address(self.memory) // BYTES) * BYTES  # registers that lie in one cache line load faster
        return tuple(int(start + end) for end in (0, *ends[:-1]))


class Ensemble:
    """The students of a task and the threads that train them.

    Args:
        shared: what they share.
        blocks: from `students.init`.
        workers: how many cores to use.
    """

    def __init__(self, shared: Shared, blocks: list[Students], workers: int):
        self.shared, self.blocks = shared, blocks
        for students in blocks:  # before several threads ask for one kind at the same time
            compiled.trainer(students.kind)
            compiled.examiner(students.examiner)
        self.count = sum(students.block.used for students in blocks)
        self.pool = ThreadPoolExecutor(workers) if workers > 1 else None
        self.rooms = [Room() for _ in range(workers)]

    def _for_each(self, work: Callable[[Students, Room], Array], dtype: type) -> Array:
        """work(students, room) -> (B, ...) of every block, in the order of the task."""

        def one(students: Students) -> Array:
            room = self.rooms.pop()
            try:
                return work(students, room)
            finally:
                self.rooms.append(room)

        results = [*(map if self.pool is None else self.pool.map)(one, self.blocks)]
        gathered = np.empty((self.count, *results[0].shape[1:]), dtype)
        for students, result in zip(self.blocks, results, strict=True):
            used = students.block.used
            gathered[students.block.members[:used]] = result[:used]
        return gathered

    def train(self, first: int, stop: int, orders: Orders) -> Array:
        """Train through sweeps first to stop; returns accepted proposals (students,)."""
        shape = self.shared.shape
        order = records.Order(
            address(orders.links), len(orders.links), orders.first, address(orders.positions)
        )

        def work(students: Students, room: Room) -> Array:
            kind, words = students.kind, students.block.words
            counters = shape.K * kind.planes[0], shape.M * (kind.output_planes[0] + 1)
            batch = room.of(words, (shape.N, *counters, 1 + kind.effects, shape.K))
            students.accepted[:] = 0
            compiled.trainer(kind)(
                first,
                stop,
                self.shared.refresh,
                self.shared.sizes(words),
                order,
                self.shared.tables,
                self.shared.teacher,
                students.weights,
                records.Batch(*batch),
                students.keys,
                students.heat,
                students.tally,
            )
            return students.accepted

        return self._for_each(work, np.int64)

    def observe(self, time: int) -> Observation:
        """Count agreements with the teacher, and errors on fresh test examples and on the next mini-batch."""
        number = -(-time * self.shared.shape.proposals // self.shared.refresh)

        def work(students: Students, room: Room) -> Array:
            agreement = self._agreement(students)
            test = self._wrong(students, room, [part.test for part in students.parts], time)
            batch = self._wrong(students, room, [part.batch for part in students.parts], number)
            return np.stack([agreement, test, batch], axis=1)

        return Observation(*self._for_each(work, np.int64).T)

    def weights(self) -> tuple[Array, Array]:
        """±1 weights (students, links) of both layers, int8."""

        def of_layer(name: str) -> Array:
            def work(students: Students, room: Room) -> Array:
                negative = np.unpackbits(getattr(students, name), bitorder="little")
                return 1 - 2 * negative.reshape(-1, len(students.block.members)).T.astype(np.int8)

            return self._for_each(work, np.int8)

        return of_layer("w"), of_layer("v")

    def close(self) -> None:
        """End the threads."""
        if self.pool is not None:
            self.pool.shutdown()

    def _wrong(self, students: Students, room: Room, asked: list[Questions], label: int) -> Array:
        """Wrong outputs (B,) on fresh batches under keys with a label."""
        shape, wrong = self.shared.shape, students.wrong
        exam = records.Exam(*room.of(1, (shape.N, shape.K, shape.M, shape.K, shape.M)))
        wrong[:] = 0
        for part, questions in zip(students.parts, asked, strict=True):
            compiled.examiner(students.examiner)(
                label,
                self.shared.sizes(questions.words),
                records.Seats(len(wrong), part.begin),
                self.shared.tables,
                self.shared.teacher,
                students.weights,
                questions.keys,
                exam,
                records.Tally(questions.valid, address(wrong) + part.begin * wrong.itemsize),
            )
        return wrong.copy()

    def _agreement(self, students: Students) -> Array:
        """Agreeing paths minus disagreeing ones (B,)."""
        shared, count = self.shared, len(students.wrong)
        of_units = np.empty(shared.shape.K * students_in(networks.WIDE), np.uint64)
        result = np.empty(count, np.uint64)
        graph = shared.tables.output_sources
        paths = records.Agreement(
            graph, *students.weights, *shared.teacher, address(of_units), address(result)
        )
        networks.path_agreement(shared.sizes(1), count, paths)
        return result.view(np.int64)
