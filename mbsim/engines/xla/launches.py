"""Launches over the devices: the programs of XLA fed with the lanes of one teacher, and the loop over time.

Lanes that do not fill the last launch are padded with copies of its first and dropped at the end.
"""

from collections import deque

import jax
import numpy as np
from jax import Array
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from mbsim.engines import networks
from mbsim.engines.networks import Tables, Teacher
from mbsim.engines.task import Columns, Dynamics, LaneLabels, ReportProgress, Task
from mbsim.engines.xla import memory
from mbsim.engines.xla import order as orders
from mbsim.engines.xla.metropolis import Lanes, Observation, Setting
from mbsim.engines.xla.order import Schedule, UnitPlan
from mbsim.engines.xla.programs import LANES, Launch, Programs, programs
from mbsim.sampling.streams import lane_keys, order_key


class _Schedules:
    """Schedules of a teacher, a chunk of sweeps at a time; one that never changes is made once."""

    def __init__(
        self,
        compiled: Programs,
        launch: Launch,
        source: np.ndarray | UnitPlan,
        refresh: int,
        tables: Tables,
        one: Array,
    ):
        self.compiled, self.launch, self.source = compiled, launch, source
        self.refresh, self.tables, self.one = refresh, tables, one
        n = launch.setting.shape.proposals
        self.constant = not launch.random_order and n % refresh == 0
        self.first: int | None = None
        self.schedule: Schedule | UnitPlan | None = None

    def at(self, sweep: int) -> tuple[int, int, Schedule | UnitPlan]:
        """(first, end, schedule): the chunk that holds a sweep, and the sweeps that it covers."""
        first = 0 if self.constant else sweep - sweep % self.launch.sweeps
        if self.first != first or self.schedule is None:
            self.first, self.schedule = first, self._make(first)
        return first, np.iinfo(np.int64).max if self.constant else first + self.launch.sweeps, self.schedule

    def _make(self, first: int) -> Schedule | UnitPlan:
        if isinstance(self.source, UnitPlan):
            return jax.device_put(self.source, self.one.sharding)
        assert self.compiled.schedule is not None
        n = self.launch.setting.shape.proposals
        phase = np.array([(s * n) % self.refresh for s in range(first, first + self.launch.sweeps)], np.int32)
        numbers = np.int32(first), phase, np.int32(self.refresh)
        return self.compiled.schedule(self.source, *numbers, self.tables.readers, self.one)


def launch_of(
    setting: Setting, lanes: int, teacher: Teacher, dynamics: Dynamics, key: np.ndarray
) -> tuple[Launch, np.ndarray | UnitPlan, int]:
    """The launch, the source of its order, and the proposals between fresh batches."""
    shape = setting.shape
    refresh = shape.proposals if dynamics.refresh is None else dynamics.refresh
    sweeps = memory.schedule_sweeps(shape)
    if dynamics.order == "random":
        return Launch(setting, lanes, sweeps, True), key, refresh
    graph = teacher.output_sources, shape.d, shape.K, shape.train_output
    if refresh == shape.proposals and not shape.scalar and shape.regular:
        return (
            Launch(setting, lanes, 1, False, by_units=True),
            orders.unit_plan(*graph, setting.block),
            refresh,
        )
    constant = shape.proposals % refresh == 0
    return Launch(setting, lanes, 1 if constant else sweeps, False), orders.sequential_order(*graph), refresh


def train(task: Task, mesh: Mesh, lanes_per_device: int | None, progress: ReportProgress) -> Columns:
    """Train the lanes of a task in as many launches as the memory of the devices asks for."""
    teacher, labels, shape = task.teacher, task.labels, task.shape
    thermal = bool((labels.temperature > 0).any())
    platform = mesh.devices.flat[0].platform
    setting = memory.setting_of(shape, int(labels.m.max()), task.test_size, thermal, platform)
    setting = setting._replace(training=task.dynamics.training)
    total = len(labels.m)
    each = memory.lanes_per_device(setting, total, mesh) if lanes_per_device is None else lanes_per_device
    size = each * mesh.devices.size

    key = order_key(task.seed, shape.N, shape.d, task.teacher_label)
    launch, source, refresh = launch_of(setting, each, teacher, task.dynamics, key)
    compiled = programs(launch, mesh)

    everywhere = NamedSharding(mesh, P())
    tables = jax.device_put(networks.tables_of(teacher, shape), everywhere)
    one = jax.device_put(np.int32(1), everywhere)
    schedules = _Schedules(compiled, launch, source, refresh, tables, one)
    parts = []
    for begin in range(0, total, size):
        index = np.arange(begin, begin + size)
        used = min(size, total - begin)
        part = LaneLabels(*(np.asarray(column)[np.where(index < total, index, begin)] for column in labels))
        lanes = _placed(part, task, mesh)
        columns = _run(compiled, schedules, tables, lanes, task.times, shape.proposals * used, progress)
        parts.append([column[:used] for column in columns])
    return Columns(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _placed(labels: LaneLabels, task: Task, mesh: Mesh) -> Lanes:
    """The lanes of one launch, spread over the devices."""
    identity = task.seed, task.shape.N, task.shape.d, task.teacher_label
    lanes = Lanes(
        m=labels.m.astype(np.int32),
        init_overlap=labels.init_overlap.astype(np.float32),
        temperature=labels.temperature.astype(np.float32),
        keys=lane_keys(*identity, labels.m, labels.replica),
    )
    return jax.device_put(lanes, jax.tree.map(lambda spec: NamedSharding(mesh, spec), LANES))


def _run(
    compiled: Programs,
    schedules: _Schedules,
    tables: Tables,
    lanes: Lanes,
    times: np.ndarray,
    proposals: int,
    progress: ReportProgress,
) -> list[np.ndarray]:
    """One launch through all measured times: columns of Records, then weights, lanes first. `proposals`: in a
    sweep of all lanes.
    """
    state = compiled.init(tables, lanes)
    seen: list[Observation] = []
    flips: list[list[Array]] = []
    pending: deque[tuple[Array, int]] = deque()

    def settle(most: int) -> None:
        # One step runs while the next is prepared; waiting for the one before keeps reports honest and
        # interrupts prompt.
        while len(pending) > most:
            array, done = pending.popleft()
            array.block_until_ready()
            progress(done)

    sweep = 0
    for time in times.tolist():
        flips.append([])
        while sweep < time:
            first, end, schedule = schedules.at(sweep)
            stop = min(time, end, sweep + memory.MOST_SWEEPS)  # a signal waits for what was handed out
            rows = np.int32(first), np.int32(sweep - first), np.int32(stop - first)
            state, accepted = compiled.advance(state, tables, lanes, schedule, *rows, schedules.one)
            flips[-1].append(accepted)
            pending.append((accepted, (stop - sweep) * proposals))
            settle(1)
            sweep = stop
        seen.append(compiled.observe(state, tables, lanes, np.int32(time), schedules.one))
    settle(0)
    columns = [
        np.stack([np.asarray(o[i], np.int64) for o in seen], axis=1) for i in range(len(Observation._fields))
    ]
    none = np.zeros(lanes.m.shape, np.int64)
    accepted_since = np.stack([sum((np.asarray(f, np.int64) for f in some), none) for some in flips], axis=1)
    signs = [1 - 2 * (np.asarray(weights) != 0).astype(np.int8).T for weights in (state.w, state.v)]
    return [*columns, accepted_since, *signs]
