"""Students: networks of the teacher's form whose weights are trained.

    binary   h_k = sign( Σ_b w_kb x_in(k,b) ),  y_o = sign( Σ_a v_oa h_in(o,a) ),   w, v = ±1, the teacher's links
    sparse   h_k = φ( s Σ_b w_kb x_in(k,b) ),   y_o = t Σ_a v_oa h_in(o,a),         real, the teacher's links
    dense    h_k = φ( s Σ_n w_kn x_n ),         y_o = t Σ_k v_ok h_k,               real, every link

±1 weights start as the teacher's with probability (1 + q0)/2 each, q0 the initial overlap. Real ones start
N(0, 1/n) with s = t = 1 (`scaling = "standard"`), or N(0, 1) with s, t = 1/sqrt(n) ("ntk"), n the in-degree.
Fixed output weights are one; a committee of real weights then has the teacher's t, so that it can be the
teacher. All functions are for one student; shapes as in `problem`.

Reference: R. Marino, F. Ricci-Tersenghi, arXiv:2305.06435; for the scalings, A. Jacot, F. Gabriel, C. Hongler,
arXiv:1806.07572.
"""

from typing import Protocol

import numpy as np

from mbsim.lazy import Array, jnp
from mbsim.physics.activations import ACTIVATIONS
from mbsim.physics.keys import LARGEST, Key, OneOf, Real, Whole
from mbsim.physics.problem import Problem, Weights
from mbsim.physics.registry import Registry
from mbsim.physics.teachers import linked
from mbsim.physics.world import World
from mbsim.sampling.streams import normal, threefry, uniform

REAL_KEYS = (
    Key("activation", OneOf(lambda: tuple(ACTIVATIONS)), "tanh", help='"erf", "relu", "linear"'),
    Key(
        "teacher_activation",
        OneOf(lambda: tuple(ACTIVATIONS)),
        help="the teacher's, if another than the student's",
    ),
    Key("inputs", OneOf(("sign", "normal")), "sign", help='or "normal"'),
    Key("scaling", OneOf(("standard", "ntk")), "standard", help='or "ntk"'),
    Key("teacher_weights", OneOf(("sign", "normal")), "sign", help='or "normal"'),
    Key(
        "noise",
        Real(least=0),
        0.0,
        words="a number not below 0, the standard deviation of the noise that is added to labels",
        help="added to labels, its standard deviation",
    ),
)
STUDENT_HIDDEN = Key(
    "student_hidden",
    Whole(1, LARGEST),
    words=f"an integer from 1 to {LARGEST}; leave it out for as many as the teacher has",
    help="hidden units of the student, instead of the teacher's",
)


class StudentKind(Protocol):
    """A kind of network: how its weights start, and what it answers.

    name: key of the registry. title: for the report; equation: what it answers, for the report too, if it has one.
    keys: of `[model]` that it has.
    """

    name: str
    title: str
    keys: tuple[Key, ...]

    def init(self, world: World) -> Weights:
        """Weights at time 0."""

    def outputs(self, world: World, weights: Weights, x: Array) -> Array:
        """Answers (examples, M) to inputs (examples, N)."""


STUDENTS: Registry[StudentKind] = Registry("student")


def output_weights(world: World, weights: Weights) -> Array:
    """V (M, D): the trained output weights, or ones."""
    problem = world.problem
    if weights.v is not None:
        return weights.v
    width = problem.student_hidden if problem.student == "dense" or problem.scalar else problem.d
    return jnp.ones((problem.M, width), weights.w.dtype)


def words_of_layer(world: World, layer: int, links: int) -> Array:
    """The random words (links,) from which the weights of a layer start: word i has the counter (layer, i)."""
    link = jnp.arange(links, dtype=jnp.uint32)
    return threefry(world.labels.keys.weights, jnp.full_like(link, layer), link)[0]


class Binary:
    """±1 weights on the teacher's links, float32."""

    name: str = "binary"
    title: str = "sparse network with ±1 weights"
    equation: str = "h_k = sign( Σ_b w_kb x_in(k,b) ),  y_o = sign( Σ_a v_oa h_in(o,a) )"
    keys: tuple[Key, ...] = ()

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


def factors(problem: Problem) -> tuple[float, float]:
    """The factors s and t of a student with real weights."""
    inner, outer = (n**-0.5 if problem.scaling == "ntk" else 1.0 for n in fan_in(problem))
    return inner, outer if problem.train_output else problem.output_degree**-0.5


def fan_in(problem: Problem) -> tuple[int, int]:
    """In-degrees of the student's hidden units and outputs."""
    if problem.student == "dense":
        return problem.N, problem.student_hidden
    return problem.d, problem.output_degree


def fan_out(problem: Problem) -> tuple[int, int]:
    """Links out of an input and out of a hidden unit of the student, in the mean rounded up."""
    if problem.student == "dense":
        return problem.student_hidden, problem.M
    return -(-problem.K * problem.d // problem.N), -(-problem.M * problem.output_degree // problem.K)


def normal_layer(world: World, layer: int, rows: int, columns: int) -> Array:
    """Normal weights (rows, columns) of variance 1/in-degree, 1 with "ntk"."""
    problem = world.problem
    values = normal(words_of_layer(world, layer, rows * columns)).reshape(rows, columns)
    return values if problem.scaling == "ntk" else values * np.float32(fan_in(problem)[layer] ** -0.5)


class Sparse:
    """Real weights on the teacher's links."""

    name: str = "sparse"
    title: str = "sparse network with real weights"
    equation: str = "h_k = φ( s Σ_b w_kb x_in(k,b) ),  y_o = t Σ_a v_oa h_in(o,a)"
    keys: tuple[Key, ...] = REAL_KEYS

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


class Dense:
    """Real weights on every link."""

    name: str = "dense"
    title: str = "dense network with real weights"
    equation: str = "h_k = φ( s Σ_n w_kn x_n ),  y_o = t Σ_k v_ok h_k"
    keys: tuple[Key, ...] = (STUDENT_HIDDEN, *REAL_KEYS)

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


STUDENTS.add("binary", Binary(), built_in=True)
STUDENTS.add("sparse", Sparse(), built_in=True)
STUDENTS.add("dense", Dense(), built_in=True)
