"""The loop over time: parts of sweeps, measurements, launches that memory and the values of m ask for.

A part of a sweep has one batch: proposal g of a run (g = n sweep + place) belongs to batch g // refresh, and a part
ends where a batch, a sweep or the time until a measurement does. A batch that goes on in a later part is drawn
again, from the same labels.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax
import numpy as np
from jax import Array
from jax.sharding import Mesh, NamedSharding

from mbsim.engines.pallas import layout, memory, tables, targets
from mbsim.engines.pallas.kernels import Size, Tables
from mbsim.engines.pallas.layout import Layout
from mbsim.engines.pallas.programs import Plan, Students, Teachers, program, specs
from mbsim.engines.pallas.refusals import refuses
from mbsim.engines.pallas.targets import Target
from mbsim.engines.registers.decisions import RESOLUTION, limits_of
from mbsim.engines.task import Columns, ReportProgress, Task
from mbsim.physics.order import sequential_order
from mbsim.physics.problem import Teacher
from mbsim.sampling.streams import keys_of_students, order_key

PARTS = 8  # parts of sweeps that one call of a program does, where so many are left
HEAT_STEP = 8  # limits are padded to a multiple, so that temperatures share programs


class Group(NamedTuple):
    """Students of one teacher with one layout: their places in the task."""

    layout: Layout
    places: np.ndarray


def heat_rows(task: Task) -> int:
    """Rows of limits that a student needs: 0 where all are greedy."""
    labels = task.labels
    if not (labels.temperature > 0).any():
        return 0
    rows = len(_limits(task, np.unique(labels.temperature)))
    return -(-rows // HEAT_STEP) * HEAT_STEP


def _limits(task: Task, temperatures: np.ndarray) -> np.ndarray:
    """limits_of for 1, 2, ... more errors (rows, temperatures)."""
    readers = 1 if task.shape.scalar else task.shape.readers
    return limits_of(temperatures, int(task.labels.m.max()) * readers)[1:]


def groups_of(task: Task, target: Target, devices: int, heat: int) -> list[Group]:
    """The students of a task by teacher and layout."""
    shape, m = task.shape, task.labels.m
    readers = 1 if shape.scalar else shape.readers
    widths = np.array([(layout.fields_for(k, readers), layout.words_for(k)) for k in m.tolist()])
    kinds = np.concatenate([task.labels.teacher[:, None], widths], axis=1)
    groups = []
    for kind in np.unique(kinds, axis=0):
        index = np.flatnonzero((kinds == kind).all(axis=1))
        of = layout.layout_for(target, shape, int(m[index].max()), -(-len(index) // devices), heat)
        assert of is not None, "refused"
        groups.append(Group(of, index))
    return groups


def parts_of(first: int, stop: int, n: int, refresh: int) -> Iterator[tuple[int, int, int, int]]:
    """(sweep, batch, begin, end) of the parts from the start of sweep `first` to that of sweep `stop`."""
    at = first * n
    while at < stop * n:
        sweep, batch = at // n, at // refresh
        end = min((sweep + 1) * n, (batch + 1) * refresh)
        yield sweep, batch, at - sweep * n, end - sweep * n
        at = end


def train(
    task: Task, mesh: Mesh, progress: ReportProgress, target: Target | None = None, most: int | None = None
) -> Columns:
    """Train the students of a task on the devices of a mesh.

    Args:
        task: what to train.
        mesh: devices along one axis.
        progress: called with the number of proposals done since the last call.
        target: what the kernels are made for; by default what the devices are.
        most: programs of a kernel on one device; by default what memory allows.

    Raises:
        ValueError: this engine refuses the task.
    """
    target = targets.target_of(mesh.devices.flat[0]) if target is None else target
    heat = heat_rows(task)
    reason = refuses(task, target, heat)
    if reason:
        raise ValueError(reason)
    total, times = len(task.labels.m), len(task.times)
    shape, devices = task.shape, mesh.devices.size
    counts = [np.zeros((total, times), np.int64) for _ in range(4)]
    w, v = (np.zeros((total, links), np.int8) for links in (shape.hidden_links, shape.output_links))
    for group in groups_of(task, target, devices, heat):
        of = group.layout
        room = memory.most_programs(shape, of, heat, mesh) if most is None else most
        left = group.places
        while len(left):
            launches = -(-len(left) // (of.students * devices * room))
            each = -(-len(left) // (launches * devices * of.students))
            some = left[: each * devices * of.students]
            size = Size(target, shape, of, heat, each, each)
            try:
                columns, weights = _Launch(task, size, mesh, some).run(progress)
            except jax.errors.JaxRuntimeError as error:
                if "RESOURCE_EXHAUSTED" not in str(error) or each == 1:
                    raise
                room = each // 2  # the launch is halved and begins anew
                continue
            for column, more in zip(counts, columns, strict=True):
                column[some] = more
            w[some], v[some] = weights
            left = left[len(some) :]
    agreement, test_wrong, batch_wrong, accepted = counts
    return Columns(agreement, test_wrong, batch_wrong, accepted, w, v)


class _Launch:
    """Students that are trained at once: programs, arguments, the loop over time."""

    def __init__(self, task: Task, size: Size, mesh: Mesh, index: np.ndarray):
        self.task, self.size, self.mesh, self.index = task, size, mesh, index
        self.refresh, place = task.refresh, int(task.labels.teacher[index[0]])
        self.teacher = Teacher(*(part[place] for part in task.teachers))
        self.number = int(task.numbers[place])
        of = size.layout
        self.single = of.fields, *of.many(of.single, size.programs * mesh.devices.size)
        # Places that no student has are filled with copies of the first.
        count = int(np.prod(self.single))
        self.places = np.concatenate([index, np.repeat(index[:1], count - len(index))])
        rows, teachers = (NamedSharding(mesh, spec) for spec in specs(self._plan(1), mesh.axis_names[0]))
        self.students = jax.device_put(self._students(), rows)
        self.teachers = jax.device_put(self._teachers(), teachers)

    def _plan(self, parts: int) -> Plan:
        task = self.task
        random = task.dynamics.order == "random"
        return Plan(self.size, task.test_size, task.dynamics.training, random, 1, parts)

    def _program(self, name: str, parts: int = 1) -> Callable[..., tuple[Array, ...]]:
        return program(self._plan(parts), self.mesh, name)

    def _shaped(self, values: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(values.reshape(*values.shape[:-1], *self.single))

    def _students(self) -> Students:
        task, labels = self.task, self.task.labels
        m = labels.m[self.places]
        keys = keys_of_students(
            task.seed, task.shape.N, task.shape.d, self.number, m, labels.replica[self.places]
        )
        chance = (1 + labels.init_overlap[self.places].astype(np.float32)) / np.float32(2)
        below = np.ceil(chance.astype(np.float64) * RESOLUTION).astype(np.uint32)
        return Students(
            self._shaped(m.astype(np.int32)),
            self._shaped(below),
            jax.tree.map(self._shaped, keys),
            self._limits() if self.size.heat else None,
        )

    def _limits(self) -> np.ndarray:
        values, which = np.unique(self.task.labels.temperature, return_inverse=True)
        table = _limits(self.task, values)
        padded = np.zeros((self.size.heat, len(values)), np.int32)
        padded[: len(table)] = table
        rows = self._shaped(padded[:, which[self.places]])  # (heat, F, *single)
        return np.moveaxis(rows, 1, 0).reshape(-1, *self.single[1:])

    def _teachers(self) -> Teachers:
        task, shape, words = self.task, self.task.shape, self.size.layout.words
        teacher = self.teacher
        if task.dynamics.order == "random":
            order = order_key(task.seed, shape.N, shape.d, self.number)
        else:
            order = sequential_order(teacher.output_sources, shape.d, shape.K, shape.train_output)
        kernel = Tables(
            tables.sources(teacher, shape, words)[None], tables.readers(teacher, shape, words)[None]
        )
        w, v = ((weights < 0).astype(np.int32) for weights in (teacher.w, teacher.v))
        given = Teachers(kernel, teacher.output_sources, w, v, order)
        return jax.tree.map(lambda array: array[None], given)

    def run(self, progress: ReportProgress) -> tuple[list[np.ndarray], tuple[np.ndarray, np.ndarray]]:
        """Columns (students, times) and weights (students, links)."""
        n, given = self.task.shape.proposals, (self.students, self.teachers)
        w, v = self._program("init")(*given)
        pending: deque[tuple[Array, int]] = deque()

        def settle(most: int) -> None:
            # One call runs while the next is prepared; waiting for the one before keeps reports honest.
            while len(pending) > most:
                array, done = pending.popleft()
                array.block_until_ready()
                progress(done)

        seen, accepted, sweep = [], [], 0
        for time in self.task.times.tolist():
            flips: list[Array] = []
            todo = list(parts_of(sweep, time, n, self.refresh))
            while todo:
                count = PARTS if len(todo) >= PARTS else 1
                now, todo = todo[:count], todo[count:]
                parts = np.array(now, np.int32)
                w, v, more = self._program("advance", count)(*given, w, v, parts)
                flips.append(more)
                pending.append((more, len(self.index) * sum(end - begin for _, _, begin, end in now)))
                settle(1)
            sweep = time
            accepted.append(sum((self._of_students(more) for more in flips), np.int64(0)))
            numbers = np.array([time, -(-time * n // self.refresh)], np.int32)
            seen.append(self._program("observe")(*given, w, v, numbers))
        settle(0)
        columns = [np.stack([self._of_students(o[i]) for o in seen], axis=1) for i in range(3)]
        zeros = np.zeros(len(self.index), np.int64)
        columns.append(np.stack([zeros + some for some in accepted], axis=1))
        return columns, self._weights(w, v)

    def _of_students(self, counts: Array) -> np.ndarray:
        return np.asarray(counts, np.int64).ravel()[: len(self.index)]

    def _weights(self, w: Array, v: Array) -> tuple[np.ndarray, np.ndarray]:
        """±1 weights (students, links), int8."""
        shape = self.task.shape
        layers = (w, shape.K, shape.d), (v, shape.M, shape.output_degree)
        signs = []
        for trained, (rows, units, degree) in zip((True, shape.train_output), layers, strict=True):
            if trained:
                signs.append(self._unpacked(np.asarray(rows), units, degree))
            else:
                signs.append(np.ones((len(self.index), units * degree), np.int8))
        return signs[0], signs[1]

    def _unpacked(self, rows: np.ndarray, units: int, degree: int) -> np.ndarray:
        of = self.size.layout
        rows = rows[:, :1] if of.inner > 1 else rows
        rows = rows.reshape(units, -1, int(np.prod(rows.shape[1:])))
        result = np.empty((units, degree, of.fields, rows.shape[2]), np.int8)
        for b in range(degree):
            for f in range(of.fields):
                bit = rows[:, b // of.bits] >> (f * of.bits + b % of.bits)
                result[:, b, f] = 1 - 2 * (bit & 1)
        return result.reshape(units * degree, -1).T[: len(self.index)]
