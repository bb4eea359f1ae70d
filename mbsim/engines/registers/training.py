"""Training on CPU cores: a queue of blocks of students, of any teachers, from which every core takes the next.

A run is cut into *stretches* of sweeps, so that a block takes a second of a core at most and an interrupt is not
kept waiting, and so that the orders of proposals of a stretch fit in memory. In each stretch all blocks are done,
in the order of their teachers: whoever takes a teacher's first block draws its order for all.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import NamedTuple

import numpy as np

from mbsim.engines.registers import blocks, compiled, cores, decisions, students, unit_sweeps
from mbsim.engines.registers.blocks import Block
from mbsim.engines.registers.cores import Orders, Room
from mbsim.engines.registers.orders import random_orders
from mbsim.engines.registers.sizes import readers_of
from mbsim.engines.registers.students import Shared, Students
from mbsim.engines.task import Columns, ReportProgress, Task
from mbsim.physics import order as physics
from mbsim.sampling.streams import keys_of_students, order_key

STRETCH_WORK = 1e9
"""Proposals times words of a register, of one block in one stretch: about a second of a core."""
ORDER_ENTRIES = 2**22
"""Proposals of one teacher whose order is drawn at a time."""
NOTHING = np.zeros(0, np.int32)


class Piece(NamedTuple):
    """A teacher's place in the task, and a block of its students."""

    teacher: int
    block: Block


class Stretch(NamedTuple):
    """Sweeps begin to stop, and what is measured on the way: places in the list of times."""

    begin: int
    stop: int
    measured: tuple[int, ...]


def stretches(times: np.ndarray, most: int) -> list[Stretch]:
    """A run cut into at most `most` sweeps each, what is measured at its beginning being the first's.

    >>> stretches(np.array([0, 2, 5]), 3)
    [Stretch(begin=0, stop=3, measured=(0, 1)), Stretch(begin=3, stop=5, measured=(2,))]
    """
    end, found = int(times[-1]), []
    for begin in range(0, max(1, end), most):
        stop = min(begin + most, end)
        inside = (times > begin) & (times <= stop)
        if begin == 0:
            inside |= times == 0
        found.append(Stretch(begin, stop, tuple(np.flatnonzero(inside).tolist())))
    return found


class _Orders:
    """The orders of proposals of all teachers in one stretch: drawn when first asked for, and dropped when the last
    block of the teacher is done.
    """

    def __init__(self, task: Task, by_units: bool, pieces: list[Piece]):
        self.task, self.by_units = task, by_units
        self.left = np.bincount([piece.teacher for piece in pieces], minlength=len(task.numbers))
        self.locks = [Lock() for _ in self.left]
        self.drawn: dict[int, Orders] = {}

    @contextmanager
    def of(self, teacher: int, stretch: Stretch) -> Iterator[Orders]:
        with self.locks[teacher]:
            if teacher not in self.drawn:
                self.drawn[teacher] = self._draw(teacher, stretch)
        yield self.drawn[teacher]
        with self.locks[teacher]:
            self.left[teacher] -= 1
            if self.left[teacher] == 0:
                del self.drawn[teacher]

    def _draw(self, teacher: int, stretch: Stretch) -> Orders:
        task, shape = self.task, self.task.shape
        if task.dynamics.order == "random":
            key = order_key(task.seed, shape.N, shape.d, int(task.numbers[teacher]))
            return Orders(random_orders(key, stretch.begin, stretch.stop, shape.proposals), stretch.begin, NOTHING)
        graph = task.teachers.output_sources[teacher], shape.d, shape.K, shape.train_output
        if self.by_units:
            positions = physics.hidden_positions(*graph)
            return Orders(physics.unit_order(positions, shape.d)[None], 0, positions)
        return Orders(physics.sequential_order(*graph)[None], 0, NOTHING)


class _Run:
    """A task, what its blocks share, and where their results go."""

    def __init__(self, task: Task, workers: int):
        shape, labels = task.shape, task.labels
        law = task.dynamics.rule
        # A fresh batch within a sweep would come between the links of a unit.
        by_units = (
            task.dynamics.order == "sequential"
            and not shape.scalar
            and task.refresh % shape.proposals == 0
            and shape.d <= unit_sweeps.TOTAL
        )
        chance, training = decisions.chance_of(law, labels.temperature), task.dynamics.training
        self.task, self.by_units = task, by_units
        self.shared = Shared(shape, task.refresh, task.test_size, law, chance, by_units, training)
        self.pieces = list(pieces_of(labels.teacher, labels.m, readers_of(shape)))
        self.teachers = students.Teachers(task.teachers, shape)
        numbers = task.student_numbers
        keys = keys_of_students(task.seed, shape.N, shape.d, numbers, labels.m, labels.replica)
        self.keys = students.streams_of(keys, training)
        self.rooms = [Room() for _ in range(workers)]
        self.alive: dict[int, Students] = {}
        count, times = len(labels.m), len(task.times)
        counts = (np.zeros((count, times), np.int64) for _ in range(4))
        layers = (np.empty((count, links), np.int8) for links in (shape.hidden_links, shape.output_links))
        self.columns = Columns(*counts, *layers)
        for kind, examiner in {students.kinds_of(self.shared, piece.block) for piece in self.pieces}:
            compiled.trainer(kind)  # before several threads ask for one kind at the same time
            compiled.examiner(examiner)
            compiled.examiner(examiner._replace(sampling=kind.sampling))

    def stretches(self) -> list[Stretch]:
        widest = max(piece.block.words for piece in self.pieces)
        n = self.task.shape.proposals
        most = int(STRETCH_WORK) // (n * widest)
        if self.task.dynamics.order == "random":
            most = min(most, ORDER_ENTRIES // n)
        return stretches(self.task.times, max(1, most))

    def do(self, number: int, stretch: Stretch, orders: _Orders) -> int:
        """Take a block through a stretch; returns how many proposals its students have made."""
        piece, room = self.pieces[number], self.rooms.pop()
        try:
            with orders.of(piece.teacher, stretch) as order:
                some = self._begin(number, room) if stretch.begin == 0 else self.alive[number]
                self._go(some, stretch, order, room)
            if stretch.stop == self.task.times[-1]:
                self._end(number, some)
        finally:
            self.rooms.append(room)
        return (stretch.stop - stretch.begin) * self.task.shape.proposals * piece.block.used

    def _begin(self, number: int, room: Room) -> Students:
        piece, labels = self.pieces[number], self.task.labels
        columns = labels.m, labels.init_overlap, labels.temperature
        some = students.init(self.shared, self.teachers[piece.teacher], piece.block, *columns, self.keys)
        self.alive[number] = some
        return some

    def _go(self, some: Students, stretch: Stretch, orders: Orders, room: Room) -> None:
        shared, columns, used = self.shared, self.columns, some.block.used
        mine, now = some.block.members[:used], stretch.begin
        for at in stretch.measured:
            time = int(self.task.times[at])
            if time > now:
                columns.accepted[mine, at] += cores.train(shared, some, orders, now, time, room)[:used]
                now = time
            seen = cores.observe(shared, some, time, room)
            columns.agreement[mine, at] = seen.agreement[:used]
            columns.test_wrong[mine, at] = seen.test_wrong[:used]
            columns.batch_wrong[mine, at] = seen.batch_wrong[:used]
        if now < stretch.stop:  # what is accepted counts at the next measurement
            later = int(np.searchsorted(self.task.times, stretch.stop))
            columns.accepted[mine, later] += cores.train(shared, some, orders, now, stretch.stop, room)[:used]

    def _end(self, number: int, some: Students) -> None:
        used = some.block.used
        mine, (w, v) = some.block.members[:used], cores.weights(some)
        self.columns.w[mine], self.columns.v[mine] = w[:used], v[:used]
        del self.alive[number]


def pieces_of(teacher: np.ndarray, m: np.ndarray, readers: int) -> Iterable[Piece]:
    """The blocks of the students of each teacher; arrays (students,)."""
    by_teacher = np.argsort(teacher, kind="stable")
    begins = np.flatnonzero(np.diff(teacher[by_teacher], prepend=-1))
    for mine in np.split(by_teacher, begins[1:]):
        for block in blocks.cut(m[mine], readers):
            yield Piece(int(teacher[mine[0]]), block._replace(members=mine[block.members]))


def train(task: Task, workers: int, progress: ReportProgress) -> Columns:
    """Train the students of a task on `workers` cores."""
    run = _Run(task, workers)
    pool = ThreadPoolExecutor(workers) if workers > 1 else None
    try:
        for stretch in run.stretches():
            orders = _Orders(task, run.by_units, run.pieces)

            def one(number: int, stretch: Stretch = stretch, orders: _Orders = orders) -> int:
                return run.do(number, stretch, orders)

            for done in (map if pool is None else pool.map)(one, range(len(run.pieces))):
                progress(done)
    finally:
        if pool is not None:
            pool.shutdown(cancel_futures=True)
    return run.columns
