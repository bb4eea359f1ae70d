"""The teacher `sparse`, that of the paper: hidden units that sum over the links of a sparse random graph.

    h_k = φ( s Σ_b w_kb x_in(k,b) ),   y_o = ψ( t Σ_a v_oa h_in(o,a) )

With ±1 weights φ = ψ = sign and s = t = 1; with real ones φ is the teacher's activation, ψ is linear, and s, t are
1/sqrt(in-degree).

Reference: R. Marino, F. Ricci-Tersenghi, arXiv:2305.06435.
"""

import numpy as np

from mbsim.lazy import Array, jnp
from mbsim.physics.activations import ACTIVATIONS
from mbsim.physics.problem import Problem, Teacher
from mbsim.physics.teachers.drawing import draw_real_teacher, draw_teacher, linked


class Sparse:
    """Sparse random layers."""

    name: str = "sparse"
    title: str = "a sparse random network"
    equation: str = "h_k = φ( s Σ_b w_kb x_in(k,b) ),  y_o = ψ( t Σ_a v_oa h_in(o,a) )"
    students: tuple[str, ...] = ()
    activated: bool = True

    def draw(self, problem: Problem, seed: int, label: int) -> Teacher:
        """Random regular graphs where layers are equally wide, and ±1 or normal weights."""
        sizes = problem.N, problem.K, problem.M, problem.d, problem.train_output
        if problem.binary:
            return draw_teacher(*sizes, seed, label)
        return draw_real_teacher(*sizes, problem.teacher_weights == "normal", seed, label)

    def outputs(self, problem: Problem, teacher: Teacher, x: Array) -> Array:
        """The answers y = ψ( t v · φ( s w · x ) )."""
        if problem.binary:
            hidden = jnp.sign(linked(teacher.w, x, teacher.hidden_sources))
            return jnp.sign(linked(teacher.v, hidden, teacher.output_sources))
        s, t = np.float32(problem.d**-0.5), np.float32(problem.output_degree**-0.5)
        hidden = ACTIVATIONS[problem.teacher_activation].value(
            s * linked(teacher.w, x, teacher.hidden_sources)
        )
        return t * linked(teacher.v, hidden, teacher.output_sources)
