"""The student `sparse`: real weights on the teacher's links.

    h_k = φ( s Σ_b w_kb x_in(k,b) ),   y_o = t Σ_a v_oa h_in(o,a)

s, t and how weights start: `real.py`.
"""

import numpy as np

from mbsim.lazy import Array
from mbsim.physics.activations import ACTIVATIONS
from mbsim.physics.problem import Weights
from mbsim.physics.students.links import TeachersLinks
from mbsim.physics.students.protocol import output_weights
from mbsim.physics.students.real import RealStudent, factors, normal_layer
from mbsim.physics.teachers import linked
from mbsim.physics.world import World


class Sparse(TeachersLinks, RealStudent):
    """Real weights on the teacher's links."""

    name: str = "sparse"
    title: str = "sparse network with real weights"
    equation: str = "h_k = φ( s Σ_b w_kb x_in(k,b) ),  y_o = t Σ_a v_oa h_in(o,a)"

    def init(self, world: World) -> Weights:
        """Normal weights."""
        problem = world.problem
        w = normal_layer(world, 0, problem.K, problem.d)
        v = normal_layer(world, 1, problem.M, problem.output_degree) if problem.train_output else None
        return Weights(w, v)

    def outputs(self, world: World, weights: Weights, x: Array) -> Array:
        """The answers y = t v · φ( s w · x )."""
        s, t = map(np.float32, factors(world.problem))
        activation = ACTIVATIONS[world.problem.activation].value
        hidden = activation(s * linked(weights.w, x, world.teacher.hidden_sources))
        return t * linked(output_weights(world, weights), hidden, world.teacher.output_sources)
