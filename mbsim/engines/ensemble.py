"""Students of ±1 weights with given teachers, trained and measured together.

A student is a teacher, a value of (init_overlap, temperature, m) and a replica. Two engines train them, to the
same bits: on CPU compiled loops over registers of students ("registers"), on accelerators one kernel a sweep
("pallas").
"""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mbsim.engines import networks
from mbsim.engines.devices import cores
from mbsim.engines.task import Dynamics, ReportProgress, StudentLabels, Task
from mbsim.physics.problem import Teacher

if TYPE_CHECKING:
    from jax.sharding import Mesh


class Records(NamedTuple):
    """Exact counts at each measured time: agreement, test_wrong, batch_wrong, accepted, each (students, times)
    int64.

    agreement / paths is the path overlap; test_wrong / test_outputs and batch_wrong / (m * M) are fractions
    of wrong outputs; accepted counts since the time before, out of `proposals` a sweep.
    """

    agreement: np.ndarray
    test_wrong: np.ndarray
    batch_wrong: np.ndarray
    accepted: np.ndarray
    paths: int
    test_outputs: int
    proposals: int


class Weights(NamedTuple):
    """Final ±1 weights, int8: w (students, K, d) and v (students, M, D); of no students where not wanted."""

    w: np.ndarray
    v: np.ndarray


def task_of(
    teachers: Teacher,
    numbers: np.ndarray,
    labels: StudentLabels,
    times: np.ndarray,
    *,
    seed: int,
    N: int,
    train_output: bool,
    dynamics: Dynamics = Dynamics(),  # noqa: B008 (immutable)
    test_size: int = 256,
    final_weights: bool = True,
) -> Task:
    """What is to be done, in the words of the engines; arguments and errors as `train`."""
    shape = networks.shape_of(teachers, N, train_output)
    if dynamics.training is not None and int(labels.m.max()) > dynamics.training.size:
        raise ValueError(f"m = {labels.m.max()}: the training set has {dynamics.training.size} examples")
    if shape.M * max(test_size, int(labels.m.max())) >= 2**31:
        raise ValueError(
            "M times the examples of a batch or test must stay below 2^31, to be counted exactly"
        )
    return Task(teachers, np.asarray(numbers), shape, labels, times, seed, dynamics, test_size, final_weights)


def train(
    teachers: Teacher,
    numbers: np.ndarray,
    labels: StudentLabels,
    times: np.ndarray,
    *,
    engine: str = "registers",
    workers: int | None = None,
    mesh: "Mesh | None" = None,
    progress: ReportProgress = lambda proposals: None,
    **asked: Any,
) -> tuple[Records, Weights]:
    """Train students and measure them at the given times.

    Args:
        teachers: graphs and weights to learn, (teachers, ...) each (`networks.stacked`).
        numbers: of the teachers, (teachers,).
        labels: the students; arrays of shape (students,).
        times: increasing sweeps at which to measure, from 0 on; the last is the length of the run.
        engine: "registers" or "pallas".
        workers: cores of the register engine; by default all that this process may use.
        mesh: devices of the Pallas engine; by default all of the process.
        progress: called now and then with the number of proposals done since the last call. What it raises
            ends the training.
        asked: of `task_of`: seed of all random numbers, which N, d, m, the teacher's number and the replica label
            as a student's; N inputs; train_output, whether output weights are trained too; dynamics, the order of
            the proposals, refresh of the batches and training set; test_size, fresh examples at each measurement;
            final_weights, whether the weights at the end are wanted.

    Returns:
        Records and final weights with a row for each student, in the order of `labels`.

    Raises:
        ValueError: a training set is smaller than a batch, counts exceed integers, or sizes exceed an engine.
    """
    task = task_of(teachers, numbers, labels, times, **asked)
    if engine == "pallas":
        from mbsim.engines.mesh import student_mesh
        from mbsim.engines.pallas import training as kernels  # Pallas is slow to import

        columns = kernels.train(task, student_mesh() if mesh is None else mesh, progress)
    else:
        from mbsim.engines.registers import training  # numba is slow to import

        columns = training.train(task, workers or cores(), progress)
    shape = task.shape
    records = Records(
        columns.agreement,
        columns.test_wrong,
        columns.batch_wrong,
        columns.accepted,
        shape.output_links * shape.d,
        shape.M * task.test_size,
        shape.proposals,
    )
    w, v = columns.w.reshape(-1, *teachers.w.shape[1:]), columns.v.reshape(-1, *teachers.v.shape[1:])
    return records, Weights(w, v)
