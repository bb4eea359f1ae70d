"""Tasks for tests of the Pallas engine, and what the engine for CPUs makes of them."""

from typing import NamedTuple

import jax
import numpy as np
from students import SEED, drawn, labels

from mbsim.engines import ensemble, networks
from mbsim.engines.mesh import student_mesh
from mbsim.engines.pallas import training
from mbsim.engines.pallas.targets import Target
from mbsim.engines.task import Dynamics, Task

GPU, TPU = Target("gpu", interpret=jax.default_backend() != "gpu"), Target("tpu", interpret=True)
INTERPRETED = Target("gpu", interpret=True)
WARM = (0.0, 0.6, 1.5)
VECTOR = (12, 12, 12, 3)


class Case(NamedTuple):
    """Sizes (N, K, M, d), values of m, three replicas each with temperatures, and how they are trained."""

    sizes: tuple[int, int, int, int]
    m: tuple[int, ...]
    target: Target = GPU
    temperatures: tuple[float, float, float] = (0.0, 0.0, 0.0)
    train_output: bool = True
    init_overlap: float = 0.0
    dynamics: Dynamics = Dynamics()
    times: tuple[int, ...] = (0, 1, 3)
    teachers: int = 1


WARM = (0.0, 0.6, 1.5)
VECTOR = (12, 12, 12, 3)


# Two teachers, two students in a word; units differ in their readers; batches end within sweeps.
IRREGULAR = Case(
    (11, 9, 13, 3), (6,), temperatures=WARM, dynamics=Dynamics("sequential", 20), times=(0, 1), teachers=2
)


def task_of(case: Case) -> Task:
    N, K, M, d = case.sizes
    numbers = np.arange(case.teachers)
    taught = drawn((N, K, M, d, case.train_output), numbers)
    temperatures = np.tile(case.temperatures, len(case.m))
    students = labels(case.m, 3, case.init_overlap, temperatures, case.teachers)
    shape = networks.shape_of(taught, N, case.train_output)
    return Task(taught, numbers, shape, students, np.array(case.times), SEED, case.dynamics, 100)


def many(replicas: int) -> Task:
    """Students of four a word; a program of a kernel has 128."""
    small = Case(VECTOR, (5, 8), times=(0, 2))
    return task_of(small)._replace(labels=labels((5, 8), replicas), test_size=32)


def expected(task: Task) -> list[np.ndarray]:
    """What the engine for CPUs makes of a task."""
    records, weights = ensemble.train(
        task.teachers,
        task.numbers,
        task.labels,
        task.times,
        seed=task.seed,
        N=task.shape.N,
        train_output=task.shape.train_output,
        dynamics=task.dynamics,
        test_size=task.test_size,
        engine="registers",
    )
    counts = records.agreement, records.test_wrong, records.batch_wrong, records.accepted
    return [*counts, *(layer.reshape(len(layer), -1) for layer in weights)]


def trained(task: Task, target: Target, devices: int = 1, most: int | None = None):
    found = jax.devices("cpu" if target.interpret else None)[:devices]
    return training.train(task, student_mesh(found), lambda done: None, target, most)
