"""What a kind of student is: the interface between networks and everything that uses them."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from mbsim.lazy import Array, jnp
from mbsim.physics.keys import Key
from mbsim.physics.problem import Problem, Weights
from mbsim.physics.world import World
from mbsim.registry import Registry
from mbsim.sampling.streams import threefry


class StudentKind(Protocol):
    """A kind of network: how its weights start, what it answers, and when it has learned.

    name: key of the registry. title, equation: for the report, what it is in words and what it answers. weights:
    "binary" or "real", which says what rules can train it. keys: of `[model]` that it has. guess: the error of a
    student that knows nothing and answers as well as it can.
    """

    name: str
    title: str
    equation: str
    weights: str
    keys: tuple[Key, ...]
    guess: float

    def fan_in(self, problem: Problem) -> tuple[int, int]:
        """In-degrees of hidden units and of outputs."""

    def fan_out(self, problem: Problem) -> tuple[int, int]:
        """Links out of an input and out of a hidden unit."""

    def init(self, world: World) -> Weights:
        """Weights at time 0."""

    def outputs(self, world: World, weights: Weights, x: Array) -> Array:
        """Answers (examples, M) to inputs (examples, N)."""

    def learned(self, problem: Problem, series: Mapping[str, np.ndarray], threshold: float) -> np.ndarray:
        """Which students have learned, at each time.

        A student that has diverged has not, whatever is found here.

        Args:
            problem: sizes and kinds.
            series: (students, times) of `overlap` and `generalization_error`.
            threshold: `[measure] success_threshold`.

        Returns:
            (students, times) bool.
        """

    def success(self, scalar: bool, threshold: float) -> str:
        """What `learned` asks, as a clause for the report."""


STUDENTS: Registry[StudentKind] = Registry("student")


def fan_in(problem: Problem) -> tuple[int, int]:
    """In-degrees of the student's hidden units and outputs."""
    return STUDENTS[problem.student].fan_in(problem)


def fan_out(problem: Problem) -> tuple[int, int]:
    """Links out of an input and out of a hidden unit of the student."""
    return STUDENTS[problem.student].fan_out(problem)


def output_weights(world: World, weights: Weights) -> Array:
    """V (M, D): the trained output weights, or ones."""
    if weights.v is not None:
        return weights.v
    return jnp.ones((world.problem.M, fan_in(world.problem)[1]), weights.w.dtype)


def words_of_layer(world: World, layer: int, links: int) -> Array:
    """The random words (links,) from which the weights of a layer start: word i has the counter (layer, i)."""
    link = jnp.arange(links, dtype=jnp.uint32)
    return threefry(world.labels.keys.weights, jnp.full_like(link, layer), link)[0]
