"""How fast students are trained by gradient descent on this machine: those cases of `mbsim bench`.

What is timed is `batched.ensemble.train` from call to results: drawing weights and examples, the steps, one
measurement at the end. Plain descent, tanh, both layers, a fresh mini-batch at every step.
"""

from time import perf_counter, process_time
from typing import NamedTuple

import numpy as np
from jax.sharding import Mesh

from mbsim.engines.batched import ensemble, memory
from mbsim.engines.mesh import student_mesh
from mbsim.engines.networks import stacked
from mbsim.physics import teachers
from mbsim.physics.problem import Teacher
from mbsim.running.timings import Measurement, Prepared, Timing, seconds_of_a_device, seconds_of_each

SEED, DEGREE, RATE = 1, 3, 0.05
STUDENTS = {"cpu": 64}  # on one core; elsewhere:
MANY_STUDENTS = 4096
TEST_SIZE = 256
FEWEST_STEPS, MOST_STEPS = 128, 2**16  # whole chunks of the narrowest batches; with fewer the start dominates


class Case(NamedTuple):
    """A line of the table: a "dense" student, or a "sparse" one with its teacher's links; N inputs, hidden units and
    outputs; m examples in a batch.
    """

    kind: str
    N: int
    m: int

    def __str__(self) -> str:
        return f"SGD {self.kind} N={self.N} d={DEGREE} m={self.m}"


CASES = (Case("dense", 64, 8), Case("dense", 64, 64), Case("sparse", 64, 8))


def prepare(case: Case, mesh: Mesh | None = None) -> Prepared:
    """Draw the teacher and compile; compiling is what the first run takes longer than the second."""
    mesh = student_mesh() if mesh is None else mesh
    platform = mesh.devices.flat[0].platform
    teacher = teachers.draw_real_teacher(case.N, case.N, case.N, DEGREE, True, False, SEED, 0)
    each = STUDENTS.get(platform, MANY_STUDENTS)
    setting = ensemble.setting_of(_shape(case, teacher), ensemble.Sgd(), case.m, TEST_SIZE)
    needed = memory.launch_bytes(setting, each, platform)
    prepared = Prepared(case, teacher, mesh, "batched", each, 0.0, needed)
    first, second = (seconds_of_a_device(prepared, run(prepared, 1)) for _ in range(2))
    return prepared._replace(compile_seconds=max(0.0, first - second))


def _shape(case: Case, teacher: Teacher):
    dense = case.kind == "dense"
    return ensemble.shape_of(stacked([teacher]), case.N, dense=dense, train_output=True, activation="tanh")


def run(prepared: Prepared, steps: int) -> Timing:
    """Train every student for a number of steps (0: start and measure), and time it."""
    case, count = prepared.case, prepared.students * prepared.mesh.devices.size
    labels = ensemble.SgdLabels(
        np.zeros(count, int), np.full(count, case.m), np.arange(count), np.full(count, RATE)
    )
    wall, cpu = perf_counter(), process_time()
    ensemble.train(
        stacked([prepared.teacher]),
        np.zeros(1, int),
        _shape(case, prepared.teacher),
        labels,
        np.array([steps]),
        ensemble.Sgd(),
        seed=SEED,
        test_size=TEST_SIZE,
        mesh=prepared.mesh,
    )
    return Timing(steps, steps * count, None, perf_counter() - wall, process_time() - cpu)


def measure(case: Case, seconds: float, mesh: Mesh | None = None) -> Measurement:
    """Compile and time a case, for as many steps as keep each device busy for about `seconds`."""
    prepared = prepare(case, mesh)
    trial, start = run(prepared, FEWEST_STEPS), run(prepared, 0)
    longer = seconds / max(seconds_of_each(prepared, trial) - seconds_of_each(prepared, start), 1e-3)
    steps = round(max(FEWEST_STEPS, min(MOST_STEPS, FEWEST_STEPS * longer)))
    return Measurement(prepared, run(prepared, steps), start)
