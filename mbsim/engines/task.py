"""What is asked of an ensemble, and what it answers: the words that all ways to train share."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mbsim.engines.networks import Shape
from mbsim.physics.problem import Teacher
from mbsim.sampling.example_sets import Sampling

ReportProgress = Callable[[int], None]


class StudentLabels(NamedTuple):
    """Host arrays (students,): the place of a student's teacher among those of the task; m, replica, start, heat."""

    teacher: np.ndarray
    m: np.ndarray
    replica: np.ndarray
    init_overlap: np.ndarray
    temperature: np.ndarray


class TrainingSet(NamedTuple):
    """A finite training set: how many examples, and how batches are drawn from it (`example_sets`)."""

    size: int
    sampling: Sampling


class Dynamics(NamedTuple):
    """How students are trained: "random" or "sequential" order, proposals between fresh batches (None: one
    sweep), the training set (None: every example is fresh), and the rule by which flips are accepted.
    """

    order: str = "random"
    refresh: int | None = None
    training: TrainingSet | None = None
    rule: str = "metropolis"


class Task(NamedTuple):
    """Students to train, and when (sweeps, increasing, from 0 on) to measure them on `test_size` fresh examples.

    teachers: arrays with a first axis of teachers, whose numbers (teachers,) are `numbers`. With d and N of the
    shape, m and replica of the student, and the seed, these are the labels of all random numbers. final_weights:
    whether the weights at the end are wanted.
    """

    teachers: Teacher
    numbers: np.ndarray
    shape: Shape
    labels: StudentLabels
    times: np.ndarray
    seed: int
    dynamics: Dynamics
    test_size: int
    final_weights: bool = True

    @property
    def refresh(self) -> int:
        """Proposals between fresh batches."""
        return self.shape.proposals if self.dynamics.refresh is None else self.dynamics.refresh

    @property
    def student_numbers(self) -> np.ndarray:
        """The number (students,) of each student's teacher."""
        return self.numbers[self.labels.teacher]


class Columns(NamedTuple):
    """Counts at each measured time (students, times), int64, as in `ensemble.Records`, and the final ±1 weights
    (students, links), int8; of no students where they are not wanted.
    """

    agreement: np.ndarray
    test_wrong: np.ndarray
    batch_wrong: np.ndarray
    accepted: np.ndarray
    w: np.ndarray
    v: np.ndarray
