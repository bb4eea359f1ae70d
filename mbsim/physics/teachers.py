"""Teachers: what a student has to learn. A kind of teacher draws its disorder and answers inputs.

    sparse   h_k = φ( s Σ_b w_kb x_in(k,b) ),   y_o = ψ( t Σ_a v_oa h_in(o,a) )
    parity   h_k = Π_b w_kb x_in(k,b),          y_o = t Σ_a v_oa h_in(o,a)

Hidden unit k reads d of N inputs, output o reads d of K hidden units, a single output all of them. With ±1
weights φ = ψ = sign and s = t = 1; with real ones φ is the teacher's activation, ψ is linear, and s, t are
1/sqrt(in-degree). At d = 2 parity is XOR.

Reference: R. Marino, F. Ricci-Tersenghi, arXiv:2305.06435; for parity, M. Glasgow, arXiv:2309.15111.
"""

from typing import Protocol

import numpy as np

from mbsim.lazy import Array, jnp
from mbsim.physics.activations import ACTIVATIONS
from mbsim.physics.graphs import random_sources
from mbsim.physics.problem import Problem, Teacher
from mbsim.physics.registry import Registry


class TeacherKind(Protocol):
    """A law by which teachers are drawn and answer.

    students: the kinds of students (`students.STUDENTS`) that can learn from it. title: for the report;
    equation: what it answers, for the report too, if it has one. activated: whether hidden units have an activation.
    """

    name: str
    title: str
    students: tuple[str, ...]
    activated: bool

    def draw(self, problem: Problem, seed: int, label: int) -> Teacher:
        """The teacher with labels (seed, N, d, label), on the host."""

    def outputs(self, problem: Problem, teacher: Teacher, x: Array) -> Array:
        """Answers (examples, M) to inputs (examples, N)."""


TEACHERS: Registry[TeacherKind] = Registry("teacher")


def draw_teacher(N: int, K: int, M: int, d: int, train_output: bool, seed: int, teacher: int) -> Teacher:
    """The teacher with labels (seed, N, d, teacher): graph, then ±1 weights; output weights are +1 unless
    trained.
    """
    rng = np.random.default_rng([seed, N, d, teacher])
    hidden = random_sources(N, K, d, rng)
    outputs = np.arange(K, dtype=np.int32)[None, :] if M == 1 else random_sources(K, M, d, rng)
    w = 1 - 2 * rng.integers(0, 2, hidden.shape, dtype=np.int8)
    v = 1 - 2 * rng.integers(0, 2, outputs.shape, dtype=np.int8)
    return Teacher(hidden, outputs, w, v if train_output else np.ones_like(v))


def draw_real_teacher(
    N: int, K: int, M: int, d: int, train_output: bool, normal_weights: bool, seed: int, teacher: int
) -> Teacher:
    """The graph of the ±1 teacher with the same labels, and its weights or standard normal ones, float32."""
    drawn = draw_teacher(N, K, M, d, train_output, seed, teacher)
    w, v = drawn.w.astype(np.float32), drawn.v.astype(np.float32)
    if normal_weights:
        rng = np.random.default_rng([seed, N, d, teacher, 1])
        w = rng.standard_normal(w.shape, np.float32)
        v = rng.standard_normal(v.shape, np.float32) if train_output else v
    return drawn._replace(w=w, v=v)


def linked(weights: Array, values: Array, sources: Array) -> Array:
    """Σ_b weights[k, b] values[:, sources[k, b]]: (examples, units) of values (examples, units below)."""
    return (weights[:, :, None] * values.T[sources]).sum(axis=1).T  # whole rows are gathered faster


class Sparse:
    """The teacher of the paper: sparse random layers."""

    name: str = "sparse"
    title: str = "a sparse random network"
    equation: str = "h_k = φ( s Σ_b w_kb x_in(k,b) ),  y_o = ψ( t Σ_a v_oa h_in(o,a) )"
    students: tuple[str, ...] = ("binary", "sparse", "dense")
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


class Parity:
    """Hidden units that multiply: no single input, nor any d - 1 of them, tells anything of the answer."""

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


TEACHERS.add("sparse", Sparse(), built_in=True)
TEACHERS.add("parity", Parity(), built_in=True)
