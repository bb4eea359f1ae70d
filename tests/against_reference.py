"""The same students trained by an engine and by the reference engine, which is the physics as it is written."""

import functools

import numpy as np
from students import SEED

from mbsim.engines import ENGINES, Students, Task
from mbsim.engines.protocol import Trained
from mbsim.physics.problem import Problem

MEASURED = ("overlap", "generalization_error", "training_error")


def nothing(work: int) -> None:
    """Progress is told to nobody."""


def problem_of(network, order="random", refresh="sweep", rule="metropolis", sampling=None) -> Problem:
    """±1 weights on a network (N, K, M, d, train_output)."""
    N, K, M, d, train_output = network
    options = {"order": order, "refresh": refresh}
    return Problem(N, K, M, d, K, "sparse", "binary", train_output, rule, options, sampling=sampling)


def students_of(
    m=(3, 8), temperatures=(0.0, 0.7), teachers=(1, 2, 5), replicas=2, init_overlap=0.2
) -> Students:
    """All combinations."""
    columns = np.meshgrid(np.array(teachers), temperatures, np.array(m), np.arange(replicas), indexing="ij")
    teacher, temperature, m, replica = (column.ravel() for column in columns)
    axes = {"temperature": temperature, "init_overlap": np.full(len(m), init_overlap)}
    return Students(teacher, m, replica, axes)


def task_of(problem: Problem, students: Students, times=(0, 1, 4), examples=None) -> Task:
    """The students of a problem, trained and measured."""
    return Task(problem, students, np.array(times), SEED, 40, examples, MEASURED)


def pick(task: Task, index) -> Task:
    """Some students of a task."""
    *columns, axes = task.students
    some = (np.asarray(column)[index] for column in columns)
    return task._replace(students=Students(*some, {name: value[index] for name, value in axes.items()}))


def rows(trained: Trained) -> np.ndarray:
    """All that was found of each student (students, numbers)."""
    columns = [*(trained.series[name] for name in sorted(trained.series)), trained.w]
    columns += [] if trained.v is None else [trained.v]
    return np.concatenate([column.reshape(len(column), -1) for column in columns], axis=1)


def train(engine: str, task: Task) -> np.ndarray:
    """`rows` of a task trained by an engine."""
    return rows(ENGINES[engine].train(task, nothing))


def check(task: Task, engine: str = "registers") -> None:
    """An engine gives the bits of the reference engine; students differ, so that this could fail."""
    found, expected = train(engine, task), train("reference", task)
    assert len(np.unique(expected, axis=0)) > 1, (
        "students should differ"
    )  # but those that have learned are alike
    np.testing.assert_array_equal(found, expected)


@functools.cache
def with_training_set(network, order, refresh, sampling, m) -> tuple[Task, np.ndarray]:
    """Students of two teachers with training sets of 101 examples, and what the reference engine makes of them."""
    problem = problem_of(network, order, refresh, sampling=sampling)
    task = task_of(problem, students_of(m, (0.0,), (1, 4)), examples=101, times=(0, 1, 3))
    return task, train("reference", task)
