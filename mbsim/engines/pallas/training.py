"""The loop over time: parts of sweeps, measurements, launches that memory and the values of m ask for.

A part of a sweep has one batch: proposal g of a run (g = n sweep + place) belongs to batch g // refresh, and a part
ends where a batch, a sweep or the time until a measurement does. A batch that goes on in a later part is drawn
again, from the same labels.
"""

import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence

import jax
import numpy as np
from jax import Array
from jax.sharding import Mesh, NamedSharding

from mbsim.engines.networks import tables_of
from mbsim.engines.pallas import memory, programs, tables, targets
from mbsim.engines.pallas.blocks import Blocks, cut
from mbsim.engines.pallas.heat import limits, rows_of
from mbsim.engines.pallas.kernels import Size, Tables
from mbsim.engines.pallas.layout import unpacked
from mbsim.engines.pallas.programs import Plan, Students, Teachers, specs
from mbsim.engines.pallas.refusals import Refused, refuses
from mbsim.engines.pallas.targets import Target
from mbsim.engines.registers.decisions import RESOLUTION
from mbsim.engines.registers.orders import colours_of, sequential_orders
from mbsim.engines.task import Columns, ReportProgress, Task
from mbsim.physics.problem import Teacher
from mbsim.sampling.streams import Leaf, keys_of_students, order_key

AHEAD = 4  # calls that wait for the device: it stays busy, and an interrupt does not wait long
MOST_COUNTED = 2**31 - 1  # proposals of a student that are counted on the device


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
        Refused: this engine cannot do that.
    """
    target = targets.target_of(mesh.devices.flat[0]) if target is None else target
    m, temperatures = task.labels.m, task.labels.temperature
    if reason := refuses(task.shape, m, temperatures, target):
        raise Refused(reason)
    total, times = len(task.labels.m), len(task.times)
    shape, devices = task.shape, mesh.devices.size
    counts = [np.zeros((total, times), np.int64) for _ in range(4)]
    kept = total if task.final_weights else 0
    w, v = (np.zeros((kept, links), np.int8) for links in (shape.hidden_links, shape.output_links))
    todo = _plans(task, mesh, target, most)
    programs.prepare([plan for _, plan in todo], mesh, progress)
    while todo:
        blocks, plan = todo.pop(0)
        each, done = plan.size.programs, [0]

        def count(work: int, done: list[int] = done) -> None:
            done[0] += work
            progress(work)

        some, rest = blocks.launch(each * devices)
        try:
            columns, weights = _Launch(task, plan, mesh, some).run(count)
        except jax.errors.JaxRuntimeError as error:
            if "RESOURCE_EXHAUSTED" not in str(error) or each == 1:
                raise
            warnings.warn(
                f"device out of memory: a launch of {some.students} students is halved", stacklevel=2
            )
            progress(-done[0])  # it begins anew
            plan = _plan_of(task, plan.size, blocks, devices, each // 2, plan.shared)
            programs.prepare([plan], mesh, progress)
            todo.insert(0, (blocks, plan))
            continue
        if len(rest.used):
            todo.insert(0, (rest, plan))
        places = some.members[some.real]
        for column, more in zip(counts, columns, strict=True):
            column[places] = more
        if weights is not None:
            w[places], v[places] = weights
    agreement, test_wrong, batch_wrong, accepted = counts
    return Columns(agreement, test_wrong, batch_wrong, accepted, w, v)


def prepare(task: Task, mesh: Mesh, progress: ReportProgress) -> None:
    """Compile what `train` will need for this task."""
    plans = _plans(task, mesh, targets.target_of(mesh.devices.flat[0]), None)
    programs.prepare([plan for _, plan in plans], mesh, progress)


def _plans(task: Task, mesh: Mesh, target: Target, most: int | None) -> list[tuple[Blocks, Plan]]:
    """The students of a task by layout, and what is compiled for each."""
    heat = rows_of(task.shape, int(task.labels.m.max()), task.labels.temperature)
    found = []
    for blocks in cut(task, target, mesh.devices.size, heat):
        room = memory.most_programs(task.shape, blocks.layout, heat, mesh) if most is None else most
        size = Size(target, task.shape, blocks.layout, heat, 0, 0)
        found.append((blocks, _plan_of(task, size, blocks, mesh.devices.size, room, blocks.one_teacher)))
    return found


def _plan_of(task: Task, size: Size, blocks: Blocks, devices: int, room: int, shared: bool) -> Plan:
    """What is compiled to train these blocks in as few launches as have room, all of one size.

    size: the kernel's, in which `programs` and `blocks` are replaced. room: the most programs on a device. shared:
    whether all blocks have one teacher.
    """
    launches = -(-len(blocks.used) // (devices * room))
    each = -(-len(blocks.used) // (launches * devices))
    size, dynamics = size._replace(programs=each, blocks=each if shared else 1), task.dynamics
    return Plan(size, task.test_size, dynamics.training, dynamics.order == "random", shared)


def _words(numbers: Sequence[int]) -> np.ndarray:
    """Numbers below 2^32, as mini-batches have them, as words of a device."""
    return np.array(numbers, np.uint32).view(np.int32)


class _Launch:
    """Students that are trained at once: programs, arguments, the loop over time."""

    def __init__(self, task: Task, plan: Plan, mesh: Mesh, blocks: Blocks):
        self.task, self.plan, self.mesh, self.blocks = task, plan, mesh, blocks
        self.size = plan.size
        self.refresh = task.refresh
        self.places = plan.size.layout.spread(blocks.members)
        rows, teachers = (NamedSharding(mesh, spec) for spec in specs(self.plan, mesh.axis_names[0]))
        self.students = jax.device_put(self._students(), rows)
        self.teachers = jax.device_put(self._teachers(), teachers)
        self.none = jax.device_put(np.zeros(self.places.shape, np.int32), rows)

    def _program(self, name: str) -> Callable[..., tuple[Array, ...]]:
        return programs.program(self.plan, self.mesh, name)

    def _students(self) -> Students:
        task, labels, at = self.task, self.task.labels, self.places
        m, number = labels.m[at], task.student_numbers[at]
        keys = keys_of_students(task.seed, task.shape.N, task.shape.d, number, m, labels.replica[at])
        chance = (1 + labels.init_overlap[at].astype(np.float32)) / np.float32(2)
        below = np.ceil(chance.astype(np.float64) * RESOLUTION).astype(np.uint32)
        return Students(m.astype(np.int32), below, keys, self._limits() if self.size.heat else None)

    def _limits(self) -> np.ndarray:
        labels = self.task.labels
        values, which = np.unique(labels.temperature, return_inverse=True)
        table = limits(self.task.shape, int(labels.m.max()), values)
        padded = table[np.minimum(np.arange(self.size.heat), len(table) - 1)].astype(np.int32)
        rows = np.moveaxis(padded[:, which[self.places]], 1, 0)  # (F, heat, *single)
        return np.ascontiguousarray(rows).reshape(-1, *rows.shape[2:])

    def _teachers(self) -> Teachers:
        """Those of the launch: one for all blocks, or one for each."""
        where, which = np.unique(self.blocks.teacher, return_inverse=True)
        task, shape, words = self.task, self.task.shape, self.size.layout.words
        given = Teacher(*(part[where] for part in task.teachers))
        made = tables_of(given, shape)
        if self.plan.random_order:
            order = order_key(task.seed, shape.N, shape.d, task.numbers[where])
        else:
            colours = colours_of(shape, made.output_sources, made.readers)
            order = sequential_orders(shape, colours).proposals
        kernel = Tables(tables.sources(made, words)[:, None], tables.readers(made, shape, words)[:, None])
        w, v = ((weights < 0).astype(np.int32) for weights in (given.w, given.v))
        of_blocks = which[:1] if self.plan.shared else which
        return jax.tree.map(lambda part: part[of_blocks], Teachers(kernel, given.output_sources, w, v, order))

    def run(self, progress: ReportProgress) -> tuple[list[np.ndarray], tuple[np.ndarray, np.ndarray] | None]:
        """Columns (students, times), and weights (students, links) where they are wanted."""
        n, given, none = self.task.shape.proposals, (self.students, self.teachers), self.none
        w, v = self._program("init")(*given)
        advance = self._program("advance")
        pending: deque[tuple[Array, int]] = deque()

        def settle(most: int) -> None:
            # Waiting for calls before the last few keeps reports honest.
            while len(pending) > most:
                array, done = pending.popleft()
                array.block_until_ready()
                progress(done)

        seen: list[tuple[Array, ...]] = []
        accepted: list[list[Array]] = []
        sweep = 0
        for time in self.task.times.tolist():
            flips, counted = none, 0
            full: list[Array] = []
            for part in parts_of(sweep, time, n, self.refresh):
                proposals = part[3] - part[2]
                if counted + proposals > MOST_COUNTED:
                    full, flips, counted = [*full, flips], none, 0
                w, v, flips = advance(*given, w, v, flips, _words(part))
                counted += proposals
                pending.append((flips, self.blocks.students * proposals))
                settle(AHEAD)
            sweep = time
            accepted.append([*full, flips])
            numbers = _words((time, -(-time * n // self.refresh)))
            seen.append(self._program("observe")(*given, w, v, numbers))
        settle(0)
        counts = [sum(np.asarray(array, np.int64) for array in arrays) for arrays in accepted]
        columns = [self._of_students(arrays) for arrays in (*zip(*seen, strict=True), counts)]
        return columns, self._weights(w, v) if self.task.final_weights else None

    def _of_students(self, arrays: Sequence[Leaf]) -> np.ndarray:
        """Numbers (students, len(arrays)) of arrays (F, *single)."""
        stacked = np.stack([np.asarray(array) for array in arrays])
        rows = self.size.layout.gathered(stacked).reshape(len(stacked), -1)
        return rows[:, self.blocks.real.ravel()].T

    def _weights(self, w: Array, v: Array) -> tuple[np.ndarray, np.ndarray]:
        """±1 weights (students, links), int8."""
        of, shape, real = self.size.layout, self.task.shape, self.blocks.real
        hidden = unpacked(of, np.asarray(w), shape.K, shape.d)[real]
        if not shape.train_output:
            return hidden, np.ones((len(hidden), shape.output_links), np.int8)
        return hidden, unpacked(of, np.asarray(v), shape.M, shape.output_degree)[real]
