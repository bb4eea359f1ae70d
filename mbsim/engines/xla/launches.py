"""Launches (`engines/launching.py`) of the programs of XLA, fed with the lanes of one teacher."""

from typing import NamedTuple

import jax
import numpy as np
from jax import Array
from jax.sharding import Mesh, NamedSharding

from mbsim.engines import launching, networks
from mbsim.engines.launching import Advanced, Measured
from mbsim.engines.mesh import EVERYWHERE
from mbsim.engines.networks import Tables
from mbsim.engines.task import Columns, Dynamics, ReportProgress, StudentLabels, Task
from mbsim.engines.xla import memory
from mbsim.engines.xla import order as orders
from mbsim.engines.xla.groups import State
from mbsim.engines.xla.metropolis import Lanes, Observation, Setting
from mbsim.engines.xla.order import Schedule, UnitPlan
from mbsim.engines.xla.programs import LANES, Launch, Programs, programs
from mbsim.physics.order import sequential_order
from mbsim.physics.problem import Teacher
from mbsim.sampling.streams import keys_of_students, order_key


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
            orders.unit_plan(*graph, setting.group),
            refresh,
        )
    constant = shape.proposals % refresh == 0
    return Launch(setting, lanes, 1 if constant else sweeps, False), sequential_order(*graph), refresh


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
    made_for, source, refresh = launch_of(setting, each, teacher, task.dynamics, key)
    compiled = programs(made_for, mesh)

    everywhere = NamedSharding(mesh, EVERYWHERE)
    tables = jax.device_put(networks.tables_of(teacher, shape), everywhere)
    one = jax.device_put(np.int32(1), everywhere)
    schedules = _Schedules(compiled, made_for, source, refresh, tables, one)
    parts = []
    for used, students in launching.launches(np.arange(total), size):
        lanes = _placed(StudentLabels(*(np.asarray(column)[students] for column in labels)), task, mesh)
        launch = _Launch(compiled, schedules, tables, lanes)
        run = launching.run(launch, task.times, shape.proposals * used, progress)
        parts.append([column[:used] for column in _columns(run)])
    return Columns(*(np.concatenate(column) for column in zip(*parts, strict=True)))


class _Launch(NamedTuple):
    """`launching.Launch`."""

    compiled: Programs
    schedules: _Schedules
    tables: Tables
    lanes: Lanes

    def init(self) -> State:
        return self.compiled.init(self.tables, self.lanes)

    def advance(self, state: State, time: int, goal: int) -> Advanced:
        first, end, schedule = self.schedules.at(time)
        stop = min(goal, end, time + memory.MOST_SWEEPS)
        rows = np.int32(first), np.int32(time - first), np.int32(stop - first)
        given = self.tables, self.lanes, schedule, *rows, self.schedules.one
        state, accepted = self.compiled.advance(state, *given)
        return Advanced(state, stop, accepted)

    def observe(self, state: State, time: int) -> Observation:
        return self.compiled.observe(state, self.tables, self.lanes, np.int32(time), self.schedules.one)


def _placed(labels: StudentLabels, task: Task, mesh: Mesh) -> Lanes:
    """The lanes of one launch, spread over the devices."""
    identity = task.seed, task.shape.N, task.shape.d, task.teacher_label
    lanes = Lanes(
        m=labels.m.astype(np.int32),
        init_overlap=labels.init_overlap.astype(np.float32),
        temperature=labels.temperature.astype(np.float32),
        keys=keys_of_students(*identity, labels.m, labels.replica),
    )
    return jax.device_put(lanes, jax.tree.map(lambda spec: NamedSharding(mesh, spec), LANES))


def _columns(run: Measured) -> list[np.ndarray]:
    """The fields of `Columns`, lanes first."""
    columns = [
        np.stack([np.asarray(part, np.int64) for part in series], axis=1)
        for series in zip(*run.seen, strict=True)
    ]
    none = np.zeros(columns[0].shape[0], np.int64)
    accepted_since = np.stack(
        [sum((np.asarray(f, np.int64) for f in some), none) for some in run.counted], axis=1
    )
    signs = [1 - 2 * (np.asarray(weights) != 0).astype(np.int8).T for weights in (run.state.w, run.state.v)]
    return [*columns, accepted_since, *signs]
