"""The teachers of a task: those of `physics/teachers.py`, bit for bit, the usual ones drawn by compiled code."""

import numpy as np

from mbsim.engines.networks import stacked
from mbsim.physics.problem import Problem, Teacher
from mbsim.physics.teachers import TEACHERS


def teachers_of(problem: Problem, seed: int, numbers: np.ndarray) -> Teacher:
    """The teachers with these numbers (teachers,), arrays (teachers, ...) each."""
    from mbsim.engines.drawing import graphs  # numba is slow to import

    if graphs.draws(problem):
        return graphs.teachers_of(problem, seed, numbers)
    kind = TEACHERS[problem.teacher]
    return stacked([kind.draw(problem, seed, int(number)) for number in numbers])
