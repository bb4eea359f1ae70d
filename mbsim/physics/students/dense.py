"""The student `dense`: real weights on every link.

    h_k = φ( s Σ_n w_kn x_n ),   y_o = t Σ_k v_ok h_k

s, t and how weights start: `real.py`.
"""

import numpy as np

from mbsim.lazy import Array
from mbsim.physics.activations import ACTIVATIONS
from mbsim.physics.keys import LARGEST, Key, Whole
from mbsim.physics.problem import Problem, Weights
from mbsim.physics.students.protocol import output_weights
from mbsim.physics.students.real import REAL_KEYS, RealStudent, factors, normal_layer
from mbsim.physics.world import World

STUDENT_HIDDEN = Key(
    "student_hidden",
    Whole(1, LARGEST),
    words=f"an integer from 1 to {LARGEST}; leave it out for as many as the teacher has",
    help="hidden units of the student, instead of the teacher's",
    example=128,
)


class Dense(RealStudent):
    """Real weights on every link."""

    name: str = "dense"
    title: str = "dense network with real weights"
    equation: str = "h_k = φ( s Σ_n w_kn x_n ),  y_o = t Σ_k v_ok h_k"
    keys: tuple[Key, ...] = (STUDENT_HIDDEN, *REAL_KEYS)

    def fan_in(self, problem: Problem) -> tuple[int, int]:
        """All inputs, and all hidden units."""
        return problem.N, problem.student_hidden

    def fan_out(self, problem: Problem) -> tuple[int, int]:
        """All hidden units, and all outputs."""
        return problem.student_hidden, problem.M

    def init(self, world: World) -> Weights:
        """Normal weights; drawn input by input, so number i of a layer is that of the transposed matrix."""
        problem = world.problem
        w = normal_layer(world, 0, problem.N, problem.student_hidden).T
        v = normal_layer(world, 1, problem.student_hidden, problem.M).T if problem.train_output else None
        return Weights(w, v)

    def outputs(self, world: World, weights: Weights, x: Array) -> Array:
        """The answers y = t v φ( s w x )."""
        s, t = map(np.float32, factors(world.problem))
        hidden = ACTIVATIONS[world.problem.activation].value(s * (x @ weights.w.T))
        return t * (hidden @ output_weights(world, weights).T)
