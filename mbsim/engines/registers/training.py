"""Training on CPU cores: a queue of blocks of students, of any teachers, from which every core takes the next.

A run is cut into *stretches* of sweeps, so that a block takes a second of a core at most and an interrupt is not
kept waiting, and so that the orders of proposals of a stretch fit in memory. In each stretch all blocks are done,
*bunch* by bunch of teachers, so many that Python, which only one core runs at a time, has little to say: whoever
takes a bunch's first blocks draws its orders for all.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from threading import Lock
from typing import NamedTuple

import numpy as np

from mbsim.engines.registers import compiled, decisions, networks, records, rows, unit_sweeps, work
from mbsim.engines.registers.calls import address_of
from mbsim.engines.registers.groups import Group, Shared, groups_of
from mbsim.engines.registers.loading import address
from mbsim.engines.registers.orders import random_orders
from mbsim.engines.registers.rooms import Room
from mbsim.engines.task import Columns, ReportProgress, Task
from mbsim.sampling.streams import order_key

STRETCH_WORK = 1e9
"""Proposals times words of a register, of one job in one stretch: about a second of a core."""
ORDER_ENTRIES = 2**22
"""Proposals whose order is drawn at a time."""
JOBS = 32
"""For each core, at least, where there are so many blocks: the last ones keep it waiting least."""
LINKS = rows.place_of("training", records.Order, "links")
ORDER = slice(LINKS, rows.place_of("training", records.Order, "positions") + 1)


class Stretch(NamedTuple):
    """Sweeps begin to stop, and what is measured on the way: the first, and how many of the list of times."""

    begin: int
    stop: int
    first: int
    measured: int


def stretches(times: np.ndarray, most: int) -> list[Stretch]:
    """A run cut into at most `most` sweeps each; what is measured when one ends and the next begins is the first's.

    >>> stretches(np.array([0, 2, 5]), 3)
    [Stretch(begin=0, stop=3, first=0, measured=2), Stretch(begin=3, stop=5, first=2, measured=1)]
    """
    end, found, first = int(times[-1]), [], 0
    for begin in range(0, max(1, end), most):
        stop = min(begin + most, end)
        after = int(np.searchsorted(times, stop, side="right"))
        found.append(Stretch(begin, stop, first, after - first))
        first = after
    return found


class Job(NamedTuple):
    """Blocks first to last of a group, all of one bunch of teachers."""

    group: int
    first: int
    last: int
    bunch: int


class Limits(NamedTuple):
    """The most sweeps of a stretch, teachers of a bunch and blocks of a job."""

    sweeps: int
    bunch: int
    blocks: int


def limits(task: Task, blocks: int, words: int, random: bool, workers: int) -> Limits:
    """For so many blocks in all, each with up to so many words: a job for every core at least `JOBS` times, if there
    are so many blocks, and no job or order larger than `STRETCH_WORK` and `ORDER_ENTRIES`.
    """
    n, each = task.shape.proposals, max(1, blocks // (JOBS * workers))
    most = min(int(STRETCH_WORK) // (words * each), ORDER_ENTRIES if random else int(STRETCH_WORK))
    sweeps = max(1, most // n)
    bunch = len(task.numbers) * each // blocks
    if random:
        bunch = min(bunch, ORDER_ENTRIES // (n * max(1, min(sweeps, int(task.times[-1])))))
    return Limits(sweeps, max(1, bunch), each)


def jobs_of(groups: list[Group], most: Limits) -> list[Job]:
    """All blocks, bunch by bunch."""
    jobs = []
    for number, group in enumerate(groups):
        bunch = group.teacher // most.bunch
        begins = np.flatnonzero(np.diff(bunch, prepend=-1))
        for begin, end in zip(begins.tolist(), [*begins[1:].tolist(), len(bunch)], strict=True):
            for first in range(begin, end, most.blocks):
                jobs.append(Job(number, first, min(end, first + most.blocks), int(bunch[begin])))
    return sorted(jobs, key=lambda job: job.bunch)


class _Orders:
    """The random orders of all teachers in one stretch: those of a bunch are drawn when first asked for, and dropped
    when the last of its jobs is done.
    """

    def __init__(self, training: "Training", stretch: Stretch):
        task = training.task
        self.stretch, self.size, self.proposals = stretch, training.most.bunch, task.shape.proposals
        self.keys = order_key(task.seed, task.shape.N, task.shape.d, task.numbers)
        self.left = np.bincount([job.bunch for job in training.jobs])
        self.locks = [Lock() for _ in self.left]
        self.drawn: dict[int, np.ndarray] = {}
        for group in training.groups:  # where among those of the bunch the order of a block's teacher begins
            sweeps = stretch.stop - stretch.begin
            group.training[:, LINKS] = group.teacher % self.size * (4 * sweeps * self.proposals)

    @contextmanager
    def of(self, bunch: int) -> Iterator[records.Order]:
        begin, stop = self.stretch.begin, self.stretch.stop
        with self.locks[bunch]:
            if bunch not in self.drawn:
                keys = self.keys[bunch * self.size : (bunch + 1) * self.size]
                self.drawn[bunch] = random_orders(keys, begin, stop, self.proposals)
        yield records.Order(address(self.drawn[bunch]), stop - begin, begin, 0)
        with self.locks[bunch]:
            self.left[bunch] -= 1
            if self.left[bunch] == 0:
                del self.drawn[bunch]


class _Counts:
    """What is counted of a group: agreement, test_wrong, batch_wrong, accepted, (4, blocks, times, B) int64."""

    def __init__(self, group: Group, times: int):
        blocks, students = group.members.shape
        self.counts = np.zeros((4, blocks, times, students), np.int64)

    def record(self, first: int) -> records.Results:
        _, _, times, students = self.counts.shape
        agreement, test_wrong, batch_wrong, accepted = (address(counts) for counts in self.counts)
        return records.Results(agreement, test_wrong, batch_wrong, accepted, times, first, students)


class Functions(NamedTuple):
    """Addresses of what is compiled for a group."""

    train: int
    test: int
    examine: int
    agree: int
    draw: int


def functions_of(group: Group) -> Functions:
    """Compile what a group needs, or load it."""
    test, batch = group.examiner, group.examiner._replace(sampling=group.kind.sampling)
    return Functions(
        address_of(compiled.trainer(group.kind), 3),
        address_of(compiled.examiner(test), 2),
        address_of(compiled.examiner(batch), 2),
        address_of(networks.path_agreement, 1),
        address_of(compiled.initial_weights, 1),
    )


class Training:
    """The students of a task on the cores of this machine."""

    def __init__(self, task: Task, workers: int):
        self.task, self.times = task, np.asarray(task.times, np.int64)
        self.shared = shared_of(task)
        self.groups = list(groups_of(task, self.shared))
        self.functions = [functions_of(group) for group in self.groups]
        self.counts = [_Counts(group, len(self.times)) for group in self.groups]
        blocks, words = sum(len(group.teacher) for group in self.groups), max(g.words for g in self.groups)
        self.most = limits(task, blocks, words, self.shared.random, workers)
        self.jobs = jobs_of(self.groups, self.most)
        self.rooms = [Room(self.groups) for _ in range(workers)]
        # The next mini-batch at each measured time.
        self.numbers = -(-self.times * task.shape.proposals // task.refresh)

    def stretches(self) -> list[Stretch]:
        """The run in parts."""
        return stretches(self.times, self.most.sweeps)

    def do(self, job: Job, stretch: Stretch, told: list[np.ndarray], orders: _Orders | None) -> int:
        """Take the blocks of a job through a stretch, in which groups do what is `told`; returns how many proposals
        their students have made.
        """
        room = self.rooms.pop()
        row = np.concatenate((told[job.group], room.told[job.group]))
        begin, stop = stretch.begin, stretch.stop
        try:
            if orders is None:
                work.do(job.first, job.last, begin, stop, address(row))
            else:
                with orders.of(job.bunch) as order:
                    room.training[job.group][ORDER] = order
                    work.do(job.first, job.last, begin, stop, address(row))
        finally:
            self.rooms.append(room)
        students = int(self.groups[job.group].used[job.first : job.last].sum())
        return (stretch.stop - stretch.begin) * self.task.shape.proposals * students

    def told(self, number: int, stretch: Stretch) -> np.ndarray:
        """The row of what is done with a group in a stretch, up to the room of the thread that does it."""
        group, of = self.groups[number], self.functions[number]
        doing = records.Work(
            training=address(group.training),
            tests=address(group.tests),
            batches=address(group.batches),
            agreements=address(group.agreements),
            drawings=address(group.drawings),
            parts=group.parts,
            layers=group.drawings.shape[1],
            train=of.train,
            test=of.test,
            examine=of.examine,
            agree=of.agree,
            draw=of.draw,
            measured=stretch.measured,
            times=address(self.times) + stretch.first * self.times.itemsize,
            numbers=address(self.numbers) + stretch.first * self.numbers.itemsize,
        )
        return rows.row_of(doing, self.counts[number].record(stretch.first))

    def columns(self) -> Columns:
        """What was counted, and the weights at the end, students in the order of the task."""
        students, times = len(self.task.labels.m), len(self.times)
        shape = self.task.shape
        counts = np.empty((4, students, times), np.int64)
        kept = students if self.task.final_weights else 0
        w, v = (np.empty((kept, links), np.int8) for links in (shape.hidden_links, shape.output_links))
        for group, counted in zip(self.groups, self.counts, strict=True):
            real = np.arange(group.members.shape[1]) < group.used[:, None]
            mine = group.members[real]
            counts[:, mine] = counted.counts.swapaxes(2, 3)[:, real]
            if kept:
                w[mine], v[mine] = (layer[real] for layer in group.weights())
        agreement, test_wrong, batch_wrong, accepted = counts
        return Columns(agreement, test_wrong, batch_wrong, accepted, w, v)


def shared_of(task: Task) -> Shared:
    """What the students of a task share."""
    shape, law = task.shape, task.dynamics.rule
    # A fresh batch within a sweep would come between the links of a unit.
    by_units = (
        task.dynamics.order == "sequential"
        and not shape.scalar
        and task.refresh % shape.proposals == 0
        and shape.d <= unit_sweeps.TOTAL
    )
    chance = decisions.chance_of(law, task.labels.temperature)
    random = task.dynamics.order == "random"
    return Shared(shape, task.refresh, task.test_size, law, chance, by_units, task.dynamics.training, random)


def train(task: Task, workers: int, progress: ReportProgress) -> Columns:
    """Train the students of a task on `workers` cores."""
    training = Training(task, workers)
    pool = ThreadPoolExecutor(workers) if workers > 1 else None
    try:
        for stretch in training.stretches():
            told = [training.told(number, stretch) for number in range(len(training.groups))]
            orders = _Orders(training, stretch) if training.shared.random else None
            one = partial(training.do, stretch=stretch, told=told, orders=orders)
            mapped: Callable[..., Iterator[int]] = map if pool is None else pool.map
            for done in mapped(one, training.jobs):
                progress(done)
    finally:
        if pool is not None:
            pool.shutdown(cancel_futures=True)
    return training.columns()
