"""The teacher `parity`: hidden units that multiply their inputs; at d = 2 this is XOR.

    h_k = Π_b w_kb x_in(k,b),   y_o = t Σ_a v_oa h_in(o,a),   t = 1/sqrt(in-degree)

No single input, nor any d - 1 of them, tells anything of the answer.

Reference: M. Glasgow, arXiv:2309.15111.
"""

import numpy as np

from mbsim.lazy import Array
from mbsim.physics.problem import Problem, Teacher
from mbsim.physics.teachers.drawing import draw_real_teacher, linked


class Parity:
    """Parities of d inputs on the graph of the sparse teacher."""

    name: str = "parity"
    title: str = "units that are parities of d inputs"
    equation: str = "h_k = Π_b w_kb x_in(k,b),  y_o = t Σ_a v_oa h_in(o,a)"
    students: tuple[str, ...] = ("dense",)
    activated: bool = False

    def draw(self, problem: Problem, seed: int, label: int) -> Teacher:
        """The graph and ±1 weights of the sparse teacher with the same labels."""
        sizes = problem.N, problem.K, problem.M, problem.d, problem.train_output
        return draw_real_teacher(*sizes, False, seed, label)

    def outputs(self, problem: Problem, teacher: Teacher, x: Array) -> Array:
        """The answers y = t v · h with h_k the product of w_kb x_in(k,b)."""
        hidden = (teacher.w[None] * x[:, teacher.hidden_sources]).prod(axis=2)
        t = np.float32(problem.output_degree**-0.5)
        return t * linked(teacher.v, hidden, teacher.output_sources)
