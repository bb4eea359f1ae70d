"""Many students of one teacher by gradient descent: launches over the devices, and the loop over time.

A lane is one student: a learning rate, a mini-batch size m and a replica. Lanes are grouped by the width of
their batches (`sgd.width_of`), a program for each, so that a small m never pays for a large one. Lanes that
do not fill the last launch are padded with copies of its first and dropped at the end.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import Array
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from mbsim.engines.batched import memory as sgd_memory
from mbsim.engines.batched import networks as real_networks
from mbsim.engines.batched.inputs import Inputs
from mbsim.engines.batched.networks import RealShape
from mbsim.engines.batched.programs import SgdPrograms, programs
from mbsim.engines.batched.sgd import Lane, SgdKeys, SgdObservation, SgdSetting, width_of
from mbsim.engines.networks import Teacher
from mbsim.engines.xla.programs import lane_mesh
from mbsim.physics.optimisers import LrScaling, Optimizer, mup_multiplier, scaled_rate
from mbsim.sampling.example_sets import Sampling, example_set
from mbsim.sampling.streams import Purpose, fold, folded


class SgdLabels(NamedTuple):
    """Host arrays (lanes,): what distinguishes the lanes of one teacher."""

    m: np.ndarray
    replica: np.ndarray
    lr: np.ndarray


class Sgd(NamedTuple):
    """How students are trained.

    noise: standard deviation of what is added to the labels. mup: whether layers have the learning-rate
    multipliers of `optimizers.mup_multiplier`. examples: size of the training set, None for fresh examples;
    `sampling` then says how batches are drawn from it.
    """

    optimizer: Optimizer = Optimizer()
    lr_scaling: LrScaling = "constant"
    mup: bool = False
    inputs: Inputs = "sign"
    noise: float = 0.0
    examples: int | None = None
    sampling: Sampling = "epochs"


class SgdRecords(NamedTuple):
    """What was measured, (lanes, times) float64, and bool `diverged`: the fields of `SgdObservation`."""

    overlap: np.ndarray
    generalization_error: np.ndarray
    training_error: np.ndarray
    loss: np.ndarray
    diverged: np.ndarray


class FinalWeights(NamedTuple):
    """Final weights, float32: w (lanes, N, K') and v (lanes, K', M) of dense students, (lanes, K, d) and
    (lanes, M, d) of sparse ones, v (lanes, K', 1) with a single output; v None in a committee.
    """

    w: np.ndarray
    v: np.ndarray | None


def shape_of(
    teacher: Teacher,
    N: int,
    *,
    dense: bool,
    train_output: bool,
    activation: str,
    ntk: bool = False,
    student_hidden: int | None = None,
) -> RealShape:
    """The shape of a teacher and its students; `student_hidden` None for as many units as the teacher."""
    K, d = teacher.hidden_sources.shape
    M, readers = len(teacher.output_sources), real_networks.most_readers(teacher, dense)
    hidden = K if student_hidden is None else student_hidden
    return RealShape(N, K, M, d, hidden, dense, train_output, activation, ntk, readers)


def setting_of(shape: RealShape, dynamics: Sgd, m: int, test_size: int) -> SgdSetting:
    """The setting of the launches that train at mini-batch size m."""
    sampling = None if dynamics.examples is None else dynamics.sampling
    return SgdSetting(
        shape, width_of(m), dynamics.inputs, dynamics.optimizer, test_size, sampling, dynamics.noise > 0
    )


def lanes_of(labels: SgdLabels, dynamics: Sgd, shape: RealShape, *, seed: int, teacher_label: int) -> Lane:
    """The lanes with these labels, on the host; every array (lanes,)."""
    key = folded(seed, shape.N, shape.d, labels.m, teacher_label, labels.replica)
    purposes = Purpose.WEIGHTS, Purpose.EXAMPLES, Purpose.TEST, Purpose.CHOICE, Purpose.NOISE
    rate = scaled_rate(np.asarray(labels.lr, float), labels.m, dynamics.lr_scaling)
    multipliers = [
        mup_multiplier(dynamics.optimizer, "ntk" if shape.ntk else "standard", *fans) if dynamics.mup else 1.0
        for fans in zip(shape.fan_in, shape.fan_out, strict=True)
    ]
    size = example_set(1 if dynamics.examples is None else dynamics.examples)

    def each(value: float | np.ndarray, dtype: type) -> np.ndarray:
        return np.broadcast_to(value, labels.m.shape).astype(dtype)

    return Lane(
        each(labels.m, np.int32),
        each(rate * multipliers[0], np.float32),
        each(rate * multipliers[1], np.float32),
        each(dynamics.noise, np.float32),
        SgdKeys(*(fold(key, purpose) for purpose in purposes)),
        type(size)(*(each(number, np.uint32) for number in size)),
    )


def train(
    teacher: Teacher,
    shape: RealShape,
    labels: SgdLabels,
    times: np.ndarray,
    dynamics: Sgd,
    *,
    seed: int,
    teacher_label: int,
    test_size: int = 256,
    mesh: Mesh | None = None,
    lanes_per_device: int | None = None,
    progress: Callable[[int], None] = lambda steps: None,
) -> tuple[SgdRecords, FinalWeights]:
    """Train the students of one teacher by gradient descent and measure them at the given times.

    Args:
        teacher: the graph and weights to learn (`real_networks.draw_real_teacher`).
        shape: of teacher and students (`shape_of`).
        labels: the lanes; arrays of shape (lanes,).
        times: increasing steps at which to measure, from 0 on; the last is the length of the run.
        dynamics: optimiser, inputs, training set.
        seed: of all random numbers; with N, d, m, teacher_label and the replica it labels a lane's. Lanes
            that differ in the learning rate only share their random numbers.
        teacher_label: number of the teacher.
        test_size: fresh examples at each measurement, at least 2.
        mesh: devices to use; all of the process by default.
        lanes_per_device: lanes of one device in one launch; by default what fits.
        progress: called now and then with the number of steps, all lanes together, done since the last call.
            What it raises ends the training.

    Returns:
        Records and final weights with a row for each lane, in the order of `labels`.

    Raises:
        ValueError: a batch is larger than the training set.
    """
    if dynamics.examples is not None and int(labels.m.max()) > dynamics.examples:
        raise ValueError(f"m = {labels.m.max()}: the training set has {dynamics.examples} examples")
    mesh = lane_mesh() if mesh is None else mesh
    everywhere = NamedSharding(mesh, P())
    tables = jax.device_put(real_networks.tables_of(teacher, shape), everywhere)
    one = jax.device_put(np.int32(1), everywhere)
    widths = np.array([width_of(int(m)) for m in labels.m])
    order, parts = [], []
    for width in np.unique(widths):
        members = np.flatnonzero(widths == width)
        setting = setting_of(shape, dynamics, int(width), test_size)
        each = lanes_per_device or sgd_memory.lanes_per_device(setting, len(members), mesh)
        size = each * mesh.devices.size
        compiled = programs(setting, each, mesh)
        most = sgd_memory.steps_per_call(setting, each, mesh.devices.flat[0])
        for begin in range(0, len(members), size):
            index = members[begin : begin + size]
            padded = np.concatenate([index, np.repeat(index[:1], size - len(index))])
            chosen = SgdLabels(*(np.asarray(column)[padded] for column in labels))
            lanes = lanes_of(chosen, dynamics, shape, seed=seed, teacher_label=teacher_label)
            lanes = jax.device_put(lanes, NamedSharding(mesh, P("lane")))
            columns = _run(compiled, tables, lanes, one, times, most, len(index), progress)
            parts.append([None if column is None else column[: len(index)] for column in columns])
            order.append(index)
    back = np.argsort(np.concatenate(order))
    *series, w, v = (  # v None in a committee
        None if column[0] is None else np.concatenate(column)[back] for column in zip(*parts, strict=True)
    )
    return SgdRecords(*series), FinalWeights(w, v)  # type: ignore[arg-type]


def _run(
    compiled: SgdPrograms,
    tables: real_networks.RealTables,
    lanes: Lane,
    one: Array,
    times: np.ndarray,
    most: int,
    used: int,
    progress: Callable[[int], None],
) -> list[Any]:
    """One launch through all measured times, `most` steps in a call: columns of SgdRecords, then weights."""
    state = compiled.init(lanes)
    seen: list[SgdObservation] = []
    pending: deque[tuple[Array, int]] = deque()

    def settle(left: int) -> None:
        # One call runs while the next is prepared, so that reports are honest and interrupts prompt. What is
        # waited for must not be consumed by the next call: a copy of one flag for each lane.
        while len(pending) > left:
            flag, done = pending.popleft()
            flag.block_until_ready()
            progress(done)

    step = 0
    for time in times.tolist():
        while step < time:
            stop = min(time, step - step % most + most)
            state = compiled.advance(state, tables, lanes, np.int32(step), np.int32(stop), one)
            pending.append((state.diverged.copy(), (stop - step) * used))
            settle(1)
            step = stop
        seen.append(compiled.observe(state, tables, lanes, np.int32(time), one))
    settle(0)
    columns = [np.stack([np.asarray(part) for part in series], axis=1) for series in zip(*seen, strict=True)]
    series = [column if column.dtype == bool else column.astype(np.float64) for column in columns]
    w, v = state.weights
    return [*series, np.asarray(w), None if v is None else np.asarray(v)]
