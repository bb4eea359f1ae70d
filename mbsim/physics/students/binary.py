"""The student `binary`: ±1 weights on the teacher's links.

    h_k = sign( Σ_b w_kb x_in(k,b) ),   y_o = sign( Σ_a v_oa h_in(o,a) ),   w, v = ±1

Weights start as the teacher's with probability (1 + q0)/2 each, q0 the initial overlap; fixed output weights are one.

Reference: R. Marino, F. Ricci-Tersenghi, arXiv:2305.06435.
"""

from collections.abc import Mapping

import numpy as np

from mbsim.lazy import Array, jnp
from mbsim.physics.keys import Key
from mbsim.physics.problem import Problem, Weights
from mbsim.physics.students.links import TeachersLinks
from mbsim.physics.students.protocol import output_weights, words_of_layer
from mbsim.physics.teachers import linked
from mbsim.physics.world import World
from mbsim.sampling.streams import uniform


class Binary(TeachersLinks):
    """±1 weights on the teacher's links, float32."""

    name: str = "binary"
    title: str = "sparse network with ±1 weights"
    equation: str = "h_k = sign( Σ_b w_kb x_in(k,b) ),  y_o = sign( Σ_a v_oa h_in(o,a) )"
    weights: str = "binary"
    keys: tuple[Key, ...] = ()
    guess: float = 0.5

    def init(self, world: World) -> Weights:
        """Each weight is the teacher's with probability (1 + q0)/2."""

        def layer(number: int, teacher: Array) -> Array:
            u = uniform(words_of_layer(world, number, teacher.size)).reshape(teacher.shape)
            agrees = u < (1 + world.labels.own["init_overlap"]) / 2
            return jnp.where(agrees, teacher, -teacher).astype(jnp.float32)

        v = layer(1, world.teacher.v) if world.problem.train_output else None
        return Weights(layer(0, world.teacher.w), v)

    def outputs(self, world: World, weights: Weights, x: Array) -> Array:
        """The answers y = sign( v · sign( w · x ) )."""
        hidden = jnp.sign(linked(weights.w, x, world.teacher.hidden_sources))
        return jnp.sign(linked(output_weights(world, weights), hidden, world.teacher.output_sources))

    def learned(self, problem: Problem, series: Mapping[str, np.ndarray], threshold: float) -> np.ndarray:
        """Vector output: q = 1, the teacher's function up to the gauge of the hidden units. Scalar output: no wrong
        answer on the test, for other weights can give the same majority.
        """
        return series["generalization_error"] == 0 if problem.scalar else series["overlap"] == 1

    def success(self, scalar: bool, threshold: float) -> str:
        """What `learned` asks."""
        return "no test example fails" if scalar else "every weight is right"
