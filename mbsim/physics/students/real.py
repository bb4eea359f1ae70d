"""What all students with real weights share: keys of `[model]`, factors, normal weights, when they have learned.

Weights start N(0, 1/n) with factors s = t = 1 (`scaling = "standard"`), or N(0, 1) with s, t = 1/sqrt(n) ("ntk"), n
the in-degree. Fixed output weights are one; a committee then has the teacher's t, so that it can be the teacher.

Reference: for the scalings, A. Jacot, F. Gabriel, C. Hongler, arXiv:1806.07572.
"""

from collections.abc import Mapping

import numpy as np

from mbsim.lazy import Array
from mbsim.physics.activations import ACTIVATIONS
from mbsim.physics.keys import Key, OneOf, Real
from mbsim.physics.problem import Problem
from mbsim.physics.students.protocol import fan_in, words_of_layer
from mbsim.physics.world import World
from mbsim.sampling.streams import normal

REAL_KEYS = (
    Key("activation", OneOf(lambda: tuple(ACTIVATIONS)), "tanh"),
    Key(
        "teacher_activation",
        OneOf(lambda: tuple(ACTIVATIONS)),
        help="the teacher's, if another than the student's",
        example="relu",
    ),
    Key("inputs", OneOf(("sign", "normal")), "sign"),
    Key("scaling", OneOf(("standard", "ntk")), "standard"),
    Key("teacher_weights", OneOf(("sign", "normal")), "sign"),
    Key(
        "noise",
        Real(least=0),
        0.0,
        words="a number not below 0, the standard deviation of the noise that is added to labels",
        help="added to labels, its standard deviation",
    ),
)


class RealStudent:
    """What a student with real weights says of itself besides its network."""

    weights: str = "real"
    keys: tuple[Key, ...] = REAL_KEYS
    guess: float = 1.0  # of the best constant answer, in units of the variance of y*

    def learned(self, problem: Problem, series: Mapping[str, np.ndarray], threshold: float) -> np.ndarray:
        """⟨|y − y*|²⟩ / var(y*) ≤ `success_threshold`."""
        return series["generalization_error"] <= threshold

    def success(self, scalar: bool, threshold: float) -> str:
        """What `learned` asks."""
        return f"the error on fresh examples is at most {threshold:g}"


def factors(problem: Problem) -> tuple[float, float]:
    """The factors s and t of a student with real weights."""
    inner, outer = (n**-0.5 if problem.scaling == "ntk" else 1.0 for n in fan_in(problem))
    return inner, outer if problem.train_output else problem.output_degree**-0.5


def normal_layer(world: World, layer: int, rows: int, columns: int) -> Array:
    """Normal weights (rows, columns) of variance 1/in-degree, 1 with "ntk"."""
    problem = world.problem
    values = normal(words_of_layer(world, layer, rows * columns)).reshape(rows, columns)
    return values if problem.scaling == "ntk" else values * np.float32(fan_in(problem)[layer] ** -0.5)
