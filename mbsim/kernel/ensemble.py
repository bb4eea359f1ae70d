"""Many lanes on many devices: compiled programs, launches that fit, and the loop over time.

A lane is one student: a value of (init_overlap, temperature, m) and a replica of one teacher. The lanes of a launch share one compiled
program; they are spread over the devices of the process along the one mesh axis "lane" (`jax.shard_map`) and never speak to
each other, so that a lane gives the same bits alone, among thousands, or on any number of devices. Lanes that do not fill the last launch
are padded with copies of the first and dropped at the end.
"""

import functools
import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from mbsim.kernel import bits, metropolis, networks
from mbsim.kernel import order as orders
from mbsim.kernel.blocks import State
from mbsim.kernel.metropolis import Lanes, Observation, Setting
from mbsim.kernel.networks import Tables, Teacher
from mbsim.kernel.order import Schedule
from mbsim.kernel.streams import lane_keys, order_key

WIDE_BLOCK = 64  # the same on an accelerator, where each step costs a launch
ROW_BYTES = 2048  # lanes on one CPU device at a time: as many as make a row of this size, so that rows stay in cache
LANE_MULTIPLE = 16  # lanes on a device come in multiples of this, for whole vectors
SCHEDULE_ENTRIES = 2**24  # resources looked up while a schedule is made, all sweeps together: bounds its memory
MOST_SWEEPS = 64  # sweeps scheduled at a time


class LaneLabels(NamedTuple):
    """Host arrays (lanes,): what distinguishes the lanes of one teacher."""

    m: np.ndarray
    replica: np.ndarray
    init_overlap: np.ndarray
    temperature: np.ndarray


class Dynamics(NamedTuple):
    """How students are trained: "random" or "sequential" order, proposals between fresh batches (None: one sweep)."""

    order: str = "random"
    refresh: int | None = None


class Records(NamedTuple):
    """Counts at each measured time: agreement, test_wrong, batch_wrong, accepted, each (lanes, times) int64.

    accepted counts since the time before. `paths`, `test_outputs` and `proposals` (per sweep) turn them into fractions; batch
    fractions divide by m * M.
    """

    agreement: np.ndarray
    test_wrong: np.ndarray
    batch_wrong: np.ndarray
    accepted: np.ndarray
    paths: int
    test_outputs: int
    proposals: int


class Programs(NamedTuple):
    """The compiled functions of one setting on one set of devices."""

    init: Callable[[Tables, Lanes], State]
    advance: Callable[..., tuple[State, Array]]
    observe: Callable[..., Observation]
    schedule: Callable[..., Schedule]


def lane_mesh(devices: Sequence[jax.Device] | None = None) -> Mesh:
    """The one-axis mesh over the given devices, or over all of this process."""
    return Mesh(np.array(jax.local_devices() if devices is None else devices), ("lane",))


def _specs(tree_of_ranks):
    """PartitionSpecs that split the last axis: lanes are innermost everywhere."""
    return jax.tree.map(lambda rank: P(*[None] * (rank - 1), "lane"), tree_of_ranks)


def _stop_fusing(mesh: Mesh) -> bool:
    """Whether the backend needs `staged`'s loop: CPU drops optimisation barriers."""
    return mesh.devices.flat[0].platform == "cpu"


@functools.lru_cache(maxsize=64)
def programs(setting: Setting, mesh: Mesh) -> Programs:
    """The jitted functions for a setting; asking again with the same arguments gives the same, already compiled."""
    loops = _stop_fusing(mesh)
    keys = metropolis.LaneKeys(*[metropolis.Key(1, 1)] * 4)
    lanes = _specs(Lanes(1, 1, 1, keys))
    tables = Tables(*[P()] * 5)
    state = _specs(State(2, 2, 3, 3, 3, 1))._replace(batch=P())
    plan = Schedule(*[P()] * 5)
    shape = setting.shape

    def spread(function, inputs, outputs, donate=()):
        mapped = jax.shard_map(function, mesh=mesh, in_specs=inputs, out_specs=outputs, check_vma=False)
        return jax.jit(mapped, donate_argnums=donate)

    def init(tables: Tables, lanes: Lanes) -> State:
        return metropolis.init(setting, tables, lanes)

    def advance(state, tables, lanes, schedule, first, begin, end, one):
        """Sweeps begin to end of the schedule, whose row 0 is sweep number `first`. A schedule of one row serves every sweep."""
        view = metropolis.view_of(setting, tables, lanes, one if loops else None)
        several = schedule.levels.shape[0] > 1

        def sweep(row, carry):
            state, accepted = carry
            state, more = metropolis.step(
                setting, view, lanes.keys, state, first + row, schedule, row if several else jnp.zeros((), jnp.int32)
            )
            return state, accepted + more

        nothing = jnp.zeros(lanes.m.shape, jnp.int32)
        return jax.lax.fori_loop(begin, end, sweep, (state, nothing))

    def observe(state, tables, lanes, time, one):
        view = metropolis.view_of(setting, tables, lanes, one if loops else None)
        return metropolis.observe(setting, view, lanes.keys, state, time)

    def schedule(proposals, phase, refresh, readers, one):
        return orders.schedule(
            proposals,
            phase,
            refresh,
            readers,
            one if loops else None,
            outputs=shape.M,
            output_degree=shape.output_degree,
            first_hidden=shape.first_hidden,
            hidden_degree=shape.d,
            pad=setting.block,
        )

    return Programs(
        init=spread(init, (tables, lanes), state),
        advance=spread(advance, (state, tables, lanes, plan, P(), P(), P(), P()), (state, P("lane")), donate=(0,)),
        observe=spread(observe, (state, tables, lanes, P(), P()), Observation(*[P("lane")] * 3)),
        schedule=jax.jit(schedule),
    )


@functools.partial(jax.jit, static_argnums=(2, 3))
def _draw_orders(key: Array, first: Array, sweeps: int, n: int) -> Array:
    return orders.random_order(key, first + jnp.arange(sweeps, dtype=jnp.int32), n)


class _Schedules:
    """Schedules in chunks of sweeps, made when asked for; a constant one is made once."""

    def __init__(self, programs: Programs, shape: networks.Shape, teacher: Teacher, dynamics: Dynamics, key: Array, readers, one):
        self.programs, self.shape, self.key, self.readers, self.one = programs, shape, key, readers, one
        n = shape.proposals
        self.refresh = n if dynamics.refresh is None else dynamics.refresh
        self.fixed = None
        if dynamics.order == "sequential":
            self.fixed = orders.sequential_order(teacher.output_sources, shape.d, shape.K, shape.train_output)
        constant = self.fixed is not None and self.refresh == n
        fitting = max(1, SCHEDULE_ENTRIES // (n * shape.readers))
        self.sweeps = 1 if constant else min(MOST_SWEEPS, fitting)
        self.constant = constant
        self.current: tuple[int, Schedule] | None = None

    def at(self, sweep: int) -> tuple[int, int, Schedule]:
        """(first, last + 1, schedule) of the chunk that holds a sweep."""
        first = 0 if self.constant else sweep - sweep % self.sweeps
        if self.current is None or self.current[0] != first:
            self.current = (first, self._make(first))
        return first, np.iinfo(np.int32).max if self.constant else first + self.sweeps, self.current[1]

    def _make(self, first: int) -> Schedule:
        n = self.shape.proposals
        if self.fixed is None:
            proposals = _draw_orders(self.key, jnp.int32(first), self.sweeps, n)
        else:
            proposals = jnp.broadcast_to(jnp.asarray(self.fixed)[None, :], (self.sweeps, n))
        phase = np.array([(s * n) % self.refresh for s in range(first, first + self.sweeps)], np.int32)
        return self.programs.schedule(proposals, jnp.asarray(phase), jnp.int32(self.refresh), self.readers, self.one)


def setting_of(
    shape: networks.Shape, most_m: int, test_size: int, thermal: bool, platform: str = "cpu"
) -> Setting:
    """The setting of a launch whose widest batch has `most_m` examples."""
    word = bits.word_type(most_m, narrow=platform == "cpu")
    return Setting(shape, bits.words_for(most_m, word), word.name, test_size, thermal, block_size(shape, platform))


def block_size(shape: networks.Shape, platform: str) -> int:
    """Proposals done at a time. Levels hold some N/d^2 of them: wider blocks than levels would be padding."""
    if shape.scalar:
        return 1
    if platform != "cpu":
        return WIDE_BLOCK
    width = shape.K / shape.d**2
    return 8 if width > 12 else 4 if width > 1 else 2


def lane_bytes(setting: Setting) -> int:
    """Estimated device memory of one lane in bytes: the state, and the largest temporaries of a refresh or a measurement."""
    shape, size = setting.shape, np.dtype(setting.word).itemsize
    batch_rows = shape.N + shape.M + (shape.K.bit_length() if shape.scalar else shape.K)
    weights = shape.hidden_links + shape.output_links
    state = batch_rows * setting.words * size + weights * size
    # A forward pass holds inputs, hidden states of teacher and student, and outputs of both beside the state.
    forward = (shape.N + 2 * shape.K + 2 * shape.M) * setting.words * size
    test_words = metropolis.TEST_WORDS if shape.scalar else 1
    test = ((shape.N + 2 * shape.K + 3 * shape.M) * test_words + weights + shape.K + shape.M) * 4
    block = setting.block * setting.words * (4 * size + 4)
    return state + max(forward, test) + block + 64


def available_bytes(device: jax.Device) -> int:
    """Memory that launches may take on a device: what its allocator may hand out, or half of the host's free memory."""
    stats = device.memory_stats() if device.platform != "cpu" else None
    if stats and "bytes_limit" in stats:
        return int(0.9 * (stats["bytes_limit"] - stats.get("bytes_in_use", 0)))
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES") // 2 // max(1, jax.local_device_count("cpu"))


def lanes_per_device(setting: Setting, total: int, mesh: Mesh) -> int:
    """Lanes of one launch on one device: few enough to fit, launches as equal as they can be."""
    device = mesh.devices.flat[0]
    most = max(1, available_bytes(device) // lane_bytes(setting))
    if device.platform == "cpu":
        row = setting.words * np.dtype(setting.word).itemsize
        most = min(most, max(LANE_MULTIPLE, ROW_BYTES // row))
    count = mesh.devices.size
    launches = -(-total // (most * count))
    each = -(-total // (launches * count))
    rounded = -(-each // LANE_MULTIPLE) * LANE_MULTIPLE
    return rounded if rounded <= most else each


def train(
    teacher: Teacher,
    labels: LaneLabels,
    times: np.ndarray,
    *,
    seed: int,
    N: int,
    teacher_label: int,
    train_output: bool,
    dynamics: Dynamics = Dynamics(),
    test_size: int = 256,
    mesh: Mesh | None = None,
    lanes_at_once: int | None = None,
    progress: Callable[[int], None] = lambda proposals: None,
) -> tuple[Records, dict[str, np.ndarray]]:
    """Train the students of one teacher and measure them at the given times.

    Args:
        teacher: the graph and weights to learn (`networks.draw_teacher`).
        labels: the lanes; arrays of shape (lanes,).
        times: increasing sweeps at which to measure, from 0 on; the last is the length of the run.
        seed, N, teacher_label: labels of the random numbers, besides d, m and the replica.
        train_output: whether output weights are trained too.
        dynamics: order of the proposals and refresh of the batches.
        test_size: fresh examples at each measurement.
        mesh: devices to use; all of the process by default.
        lanes_at_once: lanes of one device in one launch; by default what fits.
        progress: called now and then with the number of proposals done since the last call.

    Returns:
        Records with a row for each lane, in the order of `labels`, and the final ±1 weights {"w": (lanes, K, d), "v": (lanes, M, D)}.
    """
    mesh = lane_mesh() if mesh is None else mesh
    shape = networks.shape_of(teacher, N, train_output)
    thermal = bool((labels.temperature > 0).any())
    setting = setting_of(shape, int(labels.m.max()), test_size, thermal, mesh.devices.flat[0].platform)
    total = len(labels.m)
    each = lanes_per_device(setting, total, mesh) if lanes_at_once is None else lanes_at_once
    size = each * mesh.devices.size

    whole = NamedSharding(mesh, P())
    tables = jax.device_put(networks.tables_of(teacher, shape), whole)
    one = jax.device_put(jnp.int32(1), whole)
    compiled = programs(setting, mesh)
    first_device = mesh.devices.flat[0]
    with jax.default_device(first_device):
        schedules = _Schedules(
            compiled, shape, teacher, dynamics, order_key(seed, N, shape.d, teacher_label), jnp.asarray(tables.readers.addressable_data(0)), jnp.int32(1)
        )
    parts = []
    for begin in range(0, total, size):
        index = np.arange(begin, begin + size)
        index = np.where(index < total, index, begin)
        part = LaneLabels(*(np.asarray(column)[index] for column in labels))
        lanes = _on_devices(part, seed, N, shape.d, teacher_label, mesh)
        used = min(size, total - begin)
        parts.append(
            [
                np.asarray(array)[:used] if array.ndim < 3 else np.asarray(array)[:used]
                for array in _launch(compiled, schedules, tables, lanes, times, one, whole, shape, used, progress)
            ]
        )
    agreement, test_wrong, batch_wrong, accepted, w, v = (np.concatenate(column) for column in zip(*parts, strict=True))
    records = Records(
        agreement,
        test_wrong,
        batch_wrong,
        accepted,
        paths=shape.output_links * shape.d,
        test_outputs=shape.M * test_size,
        proposals=shape.proposals,
    )
    weights = {
        "w": w.reshape(total, *teacher.hidden_sources.shape),
        "v": v.reshape(total, *teacher.output_sources.shape),
    }
    return records, weights


def _on_devices(labels: LaneLabels, seed: int, N: int, d: int, teacher: int, mesh: Mesh) -> Lanes:
    """The lanes of one launch, spread over the devices."""
    lanes = Lanes(
        m=np.asarray(labels.m, np.int32),
        init_overlap=np.asarray(labels.init_overlap, np.float32),
        temperature=np.asarray(labels.temperature, np.float32),
        keys=lane_keys(seed, N, d, teacher, labels.m, labels.replica),
    )
    return jax.device_put(lanes, NamedSharding(mesh, P("lane")))


def _launch(compiled, schedules, tables, lanes, times, one, whole, shape, used, progress):
    """Run one launch through all measured times; yields the record columns and final weights, lanes first."""
    state = compiled.init(tables, lanes)
    sweep = 0
    seen, counts = [], []
    waiting: list[tuple[Array, int]] = []

    def settle(keep: int) -> None:
        # One step stays in flight while the next is prepared; waiting for older ones keeps the report honest.
        while len(waiting) > keep:
            array, proposals = waiting.pop(0)
            array.block_until_ready()
            progress(proposals)

    for time in times.tolist():
        accepted = np.zeros(lanes.m.shape, np.int64)
        flips = []
        while sweep < time:
            first, end, schedule = schedules.at(sweep)
            stop = min(time, end)
            plan = jax.device_put(schedule, whole)
            state, more = compiled.advance(
                state, tables, lanes, plan, jnp.int32(first), jnp.int32(sweep - first), jnp.int32(stop - first), one
            )
            flips.append(more)
            waiting.append((more, (stop - sweep) * shape.proposals * used))
            settle(1)
            sweep = stop
        seen.append(compiled.observe(state, tables, lanes, jnp.int32(time), one))
        counts.append((accepted, flips))
    settle(0)
    columns = [np.stack([np.asarray(getattr(o, f), np.int64) for o in seen], axis=1) for f in Observation._fields]
    accepted = np.stack([sum((np.asarray(f, np.int64) for f in flips), zero) for zero, flips in counts], axis=1)
    signs = [1 - 2 * (np.asarray(x) != 0).astype(np.int8).T for x in (state.w, state.v)]
    return [*columns, accepted, *signs]
