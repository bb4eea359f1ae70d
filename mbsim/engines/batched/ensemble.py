"""Students of any teachers by gradient descent, in launches over the devices (`engines/launching.py`).

A student is a teacher, a learning rate, a mini-batch size m and a replica. Students are grouped by the width of their
batches (`setting.width_of`), a program for each, so that a small m never pays for a large one.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import Array
from jax.sharding import Mesh, NamedSharding

from mbsim.engines import launching
from mbsim.engines.batched import memory
from mbsim.engines.batched.inputs import Inputs
from mbsim.engines.batched.programs import SgdPrograms, programs
from mbsim.engines.batched.setting import RealShape, RealTables, SgdSetting, most_readers, tables_of, width_of
from mbsim.engines.batched.sgd import SgdKeys, SgdObservation, SgdState, Student
from mbsim.engines.launching import Advanced, Measured
from mbsim.engines.mesh import EVERYWHERE, SPLIT, student_mesh
from mbsim.physics.optimisers import LrScaling, Optimizer, mup_multiplier, scaled_rate
from mbsim.physics.problem import Teacher
from mbsim.sampling.example_sets import Sampling, example_set
from mbsim.sampling.streams import Purpose, fold, folded


class SgdLabels(NamedTuple):
    """Host arrays (students,): the place of a student's teacher among those given; m, replica, learning rate."""

    teacher: np.ndarray
    m: np.ndarray
    replica: np.ndarray
    lr: np.ndarray


class Sgd(NamedTuple):
    """How students are trained.

    noise: standard deviation of what is added to the labels. mup: whether layers have the learning-rate
    multipliers of `optimisers.mup_multiplier`. examples: size of the training set, None for fresh examples;
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
    """What was measured, (students, times) float64, and bool `diverged`: the fields of `SgdObservation`."""

    overlap: np.ndarray
    generalization_error: np.ndarray
    training_error: np.ndarray
    loss: np.ndarray
    diverged: np.ndarray


class FinalWeights(NamedTuple):
    """Final weights, float32: w (students, N, K') and v (students, K', M) of dense students, (students, K,
    d) and (students, M, d) of sparse ones, v (students, K', 1) with a single output; v None in a committee.
    """

    w: np.ndarray
    v: np.ndarray | None


def shape_of(
    teachers: Teacher,
    N: int,
    *,
    dense: bool,
    train_output: bool,
    activation: str,
    ntk: bool = False,
    student_hidden: int | None = None,
) -> RealShape:
    """The shape of teachers and their students; `student_hidden` None for as many units as the teacher."""
    _, K, d = teachers.hidden_sources.shape
    M, readers = teachers.output_sources.shape[1], most_readers(teachers, dense)
    hidden = K if student_hidden is None else student_hidden
    return RealShape(N, K, M, d, hidden, dense, train_output, activation, ntk, readers)


def setting_of(shape: RealShape, dynamics: Sgd, m: int, test_size: int) -> SgdSetting:
    """The setting of the launches that train at mini-batch size m."""
    sampling = None if dynamics.examples is None else dynamics.sampling
    return SgdSetting(
        shape, width_of(m), dynamics.inputs, dynamics.optimizer, test_size, sampling, dynamics.noise > 0
    )


def students_of(
    labels: SgdLabels, dynamics: Sgd, shape: RealShape, *, seed: int, numbers: np.ndarray
) -> Student:
    """The students with these labels, on the host; every array (students,). numbers (teachers,): as of `train`."""
    key = folded(seed, shape.N, shape.d, labels.m, numbers[labels.teacher], labels.replica)
    purposes = Purpose.WEIGHTS, Purpose.EXAMPLES, Purpose.TEST, Purpose.CHOICE, Purpose.NOISE
    rate = scaled_rate(np.asarray(labels.lr, float), labels.m, dynamics.lr_scaling)
    multipliers = [
        mup_multiplier(dynamics.optimizer, "ntk" if shape.ntk else "standard", *fans) if dynamics.mup else 1.0
        for fans in zip(shape.fan_in, shape.fan_out, strict=True)
    ]
    size = example_set(1 if dynamics.examples is None else dynamics.examples)

    def each(value: float | np.ndarray, dtype: type) -> np.ndarray:
        return np.broadcast_to(value, labels.m.shape).astype(dtype)

    return Student(
        each(labels.teacher, np.int32),
        each(labels.m, np.int32),
        each(rate * multipliers[0], np.float32),
        each(rate * multipliers[1], np.float32),
        each(dynamics.noise, np.float32),
        SgdKeys(*(fold(key, purpose) for purpose in purposes)),
        type(size)(*(each(number, np.uint32) for number in size)),
    )


class _Launch(NamedTuple):
    """`launching.Launch`, `most` steps in a call."""

    compiled: SgdPrograms
    tables: RealTables
    students: Student
    one: Array
    most: int

    def init(self) -> SgdState:
        return self.compiled.init(self.students)

    def advance(self, state: SgdState, time: int, goal: int) -> Advanced:
        stop = min(goal, time - time % self.most + self.most)
        steps = np.int32(time), np.int32(stop)
        state = self.compiled.advance(state, self.tables, self.students, *steps, self.one)
        return Advanced(state, stop, state.diverged.copy())  # the next call consumes the state

    def observe(self, state: SgdState, time: int) -> SgdObservation:
        return self.compiled.observe(state, self.tables, self.students, np.int32(time), self.one)


def train(
    teachers: Teacher,
    numbers: np.ndarray,
    shape: RealShape,
    labels: SgdLabels,
    times: np.ndarray,
    dynamics: Sgd,
    *,
    seed: int,
    test_size: int = 256,
    mesh: Mesh | None = None,
    students_per_device: int | None = None,
    progress: Callable[[int], None] = lambda steps: None,
    final_weights: bool = True,
) -> tuple[SgdRecords, FinalWeights]:
    """Train students by gradient descent and measure them at the given times.

    Args:
        teachers: graphs and weights to learn, (teachers, ...) each (`networks.stacked`).
        numbers: of the teachers, (teachers,).
        shape: of teachers and students (`shape_of`).
        labels: the students; arrays of shape (students,).
        times: increasing steps at which to measure, from 0 on; the last is the length of the run.
        dynamics: optimiser, inputs, training set.
        seed: of all random numbers; with N, d, m, the teacher's number and the replica it labels a student's.
            Students that differ in the learning rate only share their random numbers.
        test_size: fresh examples at each measurement, at least 2.
        mesh: devices to use; all of the process by default.
        students_per_device: students of one device in one launch; by default what fits.
        progress: called now and then with the number of steps, all students together, done since the last
            call. What it raises ends the training.
        final_weights: whether the weights at the end are wanted; if not, they are of no students.

    Returns:
        Records and final weights with a row for each student, in the order of `labels`.

    Raises:
        ValueError: a batch is larger than the training set.
    """
    if dynamics.examples is not None and int(labels.m.max()) > dynamics.examples:
        raise ValueError(f"m = {labels.m.max()}: the training set has {dynamics.examples} examples")
    mesh = student_mesh() if mesh is None else mesh
    count, tables = _tables(teachers, shape)
    known, one = jax.device_put((tables, np.int32(1)), NamedSharding(mesh, EVERYWHERE))
    widths = np.array([width_of(int(m)) for m in labels.m])
    trained, parts = [], []
    for width in np.unique(widths):
        alike = np.flatnonzero(widths == width)
        setting = setting_of(shape, dynamics, int(width), test_size)
        each = students_per_device or memory.students_per_device(setting, len(alike), mesh)
        compiled = programs(setting, count, each, mesh)
        most = memory.steps_per_call(setting, each, mesh.devices.flat[0])
        for used, places in launching.launches(alike, each * mesh.devices.size):
            chosen = SgdLabels(*(np.asarray(column)[places] for column in labels))
            given = students_of(chosen, dynamics, shape, seed=seed, numbers=np.asarray(numbers))
            students = jax.device_put(given, NamedSharding(mesh, SPLIT))
            run = launching.run(_Launch(compiled, known, students, one, most), times, used, progress)
            parts.append(([column[:used] for column in _columns(run)], _weights(run, used, final_weights)))
            trained.append(places[:used])
    back = np.argsort(np.concatenate(trained))
    columns, layers = zip(*parts, strict=True)
    series = [np.concatenate(column)[back] for column in zip(*columns, strict=True)]
    kept = back if final_weights else back[:0]
    w, v = (
        None if layer[0] is None else np.concatenate(layer)[kept] for layer in zip(*layers, strict=True)
    )  # v None in a committee
    return SgdRecords(*series), FinalWeights(w, v)  # type: ignore[arg-type]


def _tables(teachers: Teacher, shape: RealShape) -> tuple[int, RealTables]:
    """Tables of teachers, and of how many: a power of two, so that runs of a few share programs."""
    count = 1 << (len(teachers.w) - 1).bit_length()
    filled = np.minimum(np.arange(count), len(teachers.w) - 1)
    return count, tables_of(Teacher(*(part[filled] for part in teachers)), shape)


def _columns(run: Measured) -> list[Any]:
    """The fields of `SgdRecords`; students first."""
    columns = [
        np.stack([np.asarray(part) for part in series], axis=1) for series in zip(*run.seen, strict=True)
    ]
    return [column if column.dtype == bool else column.astype(np.float64) for column in columns]


def _weights(run: Measured, used: int, wanted: bool) -> list[np.ndarray | None]:
    """Both layers of the students, or of none of them."""
    kept = used if wanted else 0
    return [None if layer is None else np.asarray(layer[:kept]) for layer in run.state.weights]
