"""Many students of one teacher, trained and measured together.

A student is a value of (init_overlap, temperature, m) and a replica. Three ways to train them give
the same bits: the programs of XLA on any device (`launches`); on CPU, where those are slow, compiled loops over
registers of students ("native"); and, where it is asked for, one kernel a sweep on accelerators ("pallas").
"""

from typing import NamedTuple

import numpy as np
from jax.sharding import Mesh

from mbsim.engines import networks
from mbsim.engines.mesh import student_mesh
from mbsim.engines.task import Dynamics, ReportProgress, StudentLabels, Task
from mbsim.engines.xla import launches
from mbsim.physics.problem import Teacher


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
    """Final ±1 weights, int8: w (students, K, d) and v (students, M, D)."""

    w: np.ndarray
    v: np.ndarray


def train(
    teacher: Teacher,
    labels: StudentLabels,
    times: np.ndarray,
    *,
    seed: int,
    N: int,
    teacher_label: int,
    train_output: bool,
    dynamics: Dynamics = Dynamics(),  # noqa: B008 (immutable)
    test_size: int = 256,
    mesh: Mesh | None = None,
    lanes_per_device: int | None = None,
    engine: str | None = None,
    progress: ReportProgress = lambda proposals: None,
) -> tuple[Records, Weights]:
    """Train the students of one teacher and measure them at the given times.

    Args:
        teacher: the graph and weights to learn (`teachers.draw_teacher`).
        labels: the students; arrays of shape (students,).
        times: increasing sweeps at which to measure, from 0 on; the last is the length of the run.
        seed: of all random numbers; with the next two, d, m and the replica it labels a student's.
        N: number of inputs.
        teacher_label: number of the teacher.
        train_output: whether output weights are trained too.
        dynamics: order of the proposals, refresh of the batches, training set.
        test_size: fresh examples at each measurement.
        mesh: devices to use; all of the process by default.
        lanes_per_device: students of one device in one launch of XLA; by default what fits.
        engine: "xla", "native" or "pallas"; by default what is fastest on the devices, and "xla" for a finite
            training set, which the native engine has not. On CPU each device is one thread of the native engine.
        progress: called now and then with the number of proposals done since the last call. What it raises
            ends the training.

    Returns:
        Records and final weights with a row for each student, in the order of `labels`.
    """
    mesh = student_mesh() if mesh is None else mesh
    shape = networks.shape_of(teacher, N, train_output)
    if dynamics.training is not None and int(labels.m.max()) > dynamics.training.size:
        raise ValueError(f"m = {labels.m.max()}: the training set has {dynamics.training.size} examples")
    if shape.M * max(test_size, int(labels.m.max())) >= 2**31:
        raise ValueError(
            "M times the examples of a batch or test must stay below 2^31, to be counted exactly"
        )
    task = Task(teacher, shape, labels, times, seed, teacher_label, dynamics, test_size)
    # The native engine draws fresh examples only.
    engine = engine or ("xla" if dynamics.training else engine_for(mesh))
    if engine == "native":
        if dynamics.training is not None:
            raise ValueError('engine = "native": a finite training set needs "xla"')
        from mbsim.engines.registers import training  # numba is needed, and slow to import, only here

        columns = training.train(task, mesh.devices.size, progress)
    elif engine == "pallas":
        from mbsim.engines.pallas import training as kernels  # Pallas is slow to import

        columns = kernels.train(task, mesh, progress)
    else:
        columns = launches.train(task, mesh, lanes_per_device, progress)
    records = Records(
        columns.agreement,
        columns.test_wrong,
        columns.batch_wrong,
        columns.accepted,
        shape.output_links * shape.d,
        shape.M * test_size,
        shape.proposals,
    )
    w, v = columns.w.reshape(-1, *teacher.w.shape), columns.v.reshape(-1, *teacher.v.shape)
    return records, Weights(w, v)


def engine_for(mesh: Mesh) -> str:
    """Which way to train is the fastest: "native" on CPU, "xla" elsewhere."""
    return "native" if mesh.devices.flat[0].platform == "cpu" else "xla"
