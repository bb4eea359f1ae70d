"""The teachers of a task: those of `physics/teachers/`, bit for bit, the usual ones drawn by compiled code."""

import os

import numpy as np

from mbsim.engines.networks import stacked
from mbsim.physics.problem import Problem, Teacher
from mbsim.physics.teachers import TEACHERS

DEEPEST = 31
"""Up to this in-degree, counting the keys below one is faster than sorting them (`graphs`)."""


def compiles() -> bool:
    """Whether numba compiles: a setting of the shell makes it run everything as Python."""
    return os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")


def draws(problem: Problem) -> bool:
    """Whether compiled code draws these teachers; others are left to `physics/teachers/`."""
    N, d = problem.N, problem.d
    square = problem.K == N and problem.M in (1, N) and N > 1
    return (
        compiles()
        and problem.binary
        and problem.teacher == "sparse"
        and square
        and d <= DEEPEST
        and 2 * d <= N
    )


def teachers_of(problem: Problem, seed: int, numbers: np.ndarray) -> Teacher:
    """The teachers with these numbers (teachers,), arrays (teachers, ...) each."""
    if draws(problem):
        from mbsim.engines.drawing import graphs  # numba is slow to import

        return graphs.teachers_of(problem, seed, numbers)
    kind = TEACHERS[problem.teacher]
    return stacked([kind.draw(problem, seed, int(number)) for number in numbers])
