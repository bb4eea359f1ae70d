"""The teachers of a task."""

import numpy as np

from mbsim.engines.networks import stacked
from mbsim.physics.problem import Problem, Teacher
from mbsim.physics.teachers import TEACHERS


def teachers_of(problem: Problem, seed: int, numbers: np.ndarray) -> Teacher:
    """The teachers with these numbers (teachers,), arrays (teachers, ...) each."""
    return stacked([TEACHERS[problem.teacher].draw(problem, seed, int(number)) for number in numbers])
