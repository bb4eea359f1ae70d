"""Observables: what is measured of a student, at log-spaced times, each one registration.

    value(student, teacher, examples) -> one number        for ONE student, in jax.numpy

    student   `Measured`: weights w (K, d) and v (M, D), ±1 or real (a dense student: w (K', N), v (M, K'));
              its answers to the test and to the next mini-batch
    teacher   `Teacher`: hidden_sources (K, d), output_sources (M, D), w and v of these shapes
    examples  `Examples`: the test's inputs x (T, N) and the teacher's answers y (T, M); the next mini-batch

The integers of ±1 weights are given as a `Ratio`, which is divided on the host, exactly. What a user registers
with `mbsim.observable` is measured, stored and analysed like what is built in.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from mbsim.lazy import Array, jnp
from mbsim.physics.problem import Problem, Teacher
from mbsim.physics.rules import axes
from mbsim.registry import RegistrationError, Registry, needs_function

ERROR_CEILING = 1e9  # an error above it, or one that overflows, is given as this


class Ratio(NamedTuple):
    """An exact fraction: integers of 32 bits, divided as float64 on the host."""

    count: Any
    of: Any


class Measured(NamedTuple):
    """A student at the moment of a measurement.

    w, v: its weights. answers (T, M) and batch_answers (slots, M): its outputs. m: examples of a mini-batch.
    problem: sizes and kinds.
    """

    w: Array
    v: Array
    answers: Array
    batch_answers: Array
    m: Array
    problem: Problem


class Examples(NamedTuple):
    """Fresh examples x (T, N) with the teacher's answers y (T, M), and the next mini-batch (slots, ...), of
    which the examples in `batch_used` count.
    """

    x: Array
    y: Array
    batch_x: Array
    batch_y: Array
    batch_used: Array


Value = Callable[[Measured, Teacher, Examples], Any]


@dataclass(frozen=True)
class Observable:
    """One observable.

    value: as above; None for one that `derive` makes of the series of others, on the host.
    long_name, units: of the variable. tail: whether mean, second and fourth moment over the last quarter of the
    run are kept, under the name `tail_name` in their long names. series: whether it is kept over time.
    weights: the kinds of weights that have it. needs: the series that `derive` takes, observables or what a
    rule counts. default: whether it is measured where the configuration does not say.
    """

    name: str
    value: Value | None
    long_name: str
    units: str = "1"
    tail: bool = False
    tail_name: str = ""
    series: bool = True
    weights: tuple[str, ...] = ("binary", "real")
    default: bool = True
    needs: tuple[str, ...] = ()
    derive: Callable[..., np.ndarray] | None = None


OBSERVABLES: Registry[Observable] = Registry("observable")


def observable(name: str, *, long_name: str, units: str = "1", tail: bool = True) -> Callable[[Value], Value]:
    """Register a function of (student, teacher, examples) as an observable, `[measure] observables = ["NAME"]`.

    Args:
        name: of the variable in the dataset: lower-case letters, digits and _.
        long_name: for axes and tables.
        units: of the value, "1" for pure numbers.
        tail: whether its mean, second and fourth moment over the last quarter of the run are kept as NAME_mean,
            NAME_second, NAME_fourth, which the analysis reads (`mbsim analyze --order-parameter NAME`).

    The function is for ONE student, in jax.numpy, and gives one real number, float32 (). It is given

        student   w (K, d), v (M, D), ±1 or real (a dense student: w (K', N), v (M, K')); answers (T, M) to the test
                  and batch_answers (slots, M) to the next mini-batch; m; problem, with sizes and kinds
        teacher   w, v of the same shapes; hidden_sources (K, d), output_sources (M, D): the unit behind each link
        examples  x (T, N), y (T, M) of the test; batch_x, batch_y of the next mini-batch, where batch_used

    A function that gives anything else is refused before anything is trained.

    Raises:
        RegistrationError: the name is taken, by an observable or by another part of the dataset; or what is
            registered is no function.

    >>> import mbsim
    >>> @mbsim.observable("magnetization", long_name="mean of the hidden weights")
    ... def magnetization(student, teacher, examples):
    ...     return student.w.mean()
    """

    def register(value: Value) -> Value:
        needs_function("observable", name, value)
        if not isinstance(long_name, str) or not isinstance(units, str):
            raise RegistrationError(f"observable {name!r}: long_name and units must be text")
        if isinstance(name, str) and (why := reserved(name)):
            raise RegistrationError(f"observable {name!r}: this name is {why}; choose another")
        one = Observable(name, value, long_name, units, tail=tail, tail_name=long_name, default=False)
        OBSERVABLES.add(name, one)
        return value

    return register


def reserved(name: str) -> str:
    """What a name stands for in a dataset besides an observable; empty if nothing."""
    if name in ("N", "d", "m", "teacher", "replica", "time", *axes()):
        return "that of a dimension"
    if name in ("success", "success_time", "status") or name.endswith(("_mean", "_second", "_fourth")):
        return "that of another variable, or ends like the moments of one"
    if name in ("accepted", "work"):
        return "that of what rules count"
    return "no name of a variable, which has no hyphen" if "-" in name else ""


def overlap(student: Measured, teacher: Teacher, examples: Examples) -> Any:
    """How much of the teacher's weights a student has.

    ±1, vector output: the path overlap, the mean over output links (o,a → k) and hidden links (k,b) of
    (v v*)(w w*), blind to the sign gauge of the hidden units; scalar output: the same, which for fixed v is the
    mean of w w*. Real: the mean over the teacher's hidden units of the best |cosine| with one of the student.
    """
    if not student.problem.binary:
        return best_matches(student, teacher)
    of_unit = (student.w * teacher.w).sum(axis=1).astype(jnp.int32)
    paths = (student.v * teacher.v).astype(jnp.int32) * of_unit[teacher.output_sources]
    return Ratio(paths.sum(), teacher.output_sources.size * student.problem.d)


def best_matches(student: Measured, teacher: Teacher) -> Array:
    """Mean over the teacher's hidden units of the largest |cosine| with a hidden unit of the student; a unit
    without weights matches nothing.
    """
    problem = student.problem
    unit = jnp.arange(problem.K, dtype=jnp.int32)[:, None]

    def spread(weights: Array) -> Array:
        return jnp.zeros((problem.K, problem.N)).at[unit, teacher.hidden_sources].set(weights)

    own = student.w if student.w.shape[1] == problem.N else spread(student.w)
    own = own / jnp.maximum(jnp.abs(own).max(axis=1, keepdims=True), 1e-30)  # squares then cannot overflow
    true = spread(teacher.w)
    lengths = jnp.sqrt((own * own).sum(axis=1)), jnp.sqrt((true * true).sum(axis=1))
    cosines = (
        jnp.abs(true @ own.T) / jnp.maximum(lengths[1], 1e-30)[:, None] / jnp.maximum(lengths[0], 1e-30)[None]
    )
    return cosines.max(axis=1).mean()


def bounded(error: Array) -> Array:
    """The error, or `ERROR_CEILING` where it is above that or no number."""
    return jnp.where(error < ERROR_CEILING, error, jnp.float32(ERROR_CEILING))


def variance(examples: Examples) -> Array:
    """Of the teacher's answers to the test, mean over outputs."""
    return examples.y.var(axis=0, ddof=1).mean()


def square(answers: Array, batch_y: Array, used: Array) -> Array:
    """Σ |y − y*|² over a mini-batch."""
    return (jnp.where(used[:, None], answers - batch_y, 0) ** 2).sum()


def generalization_error(student: Measured, teacher: Teacher, examples: Examples) -> Any:
    """±1: the fraction of wrong outputs on fresh examples. Real: ⟨|y − y*|²⟩ over the variance of y*."""
    if student.problem.binary:
        return Ratio((student.answers != examples.y).sum(dtype=jnp.int32), examples.y.size)
    return bounded(((student.answers - examples.y) ** 2).mean() / variance(examples))


def training_error(student: Measured, teacher: Teacher, examples: Examples) -> Any:
    """The same on the next mini-batch, before it is used, with the noise of its labels."""
    y, used, M = examples.batch_y, examples.batch_used, student.problem.M
    if student.problem.binary:
        wrong = (student.batch_answers != y) & used[:, None]
        return Ratio(wrong.sum(dtype=jnp.int32), student.m * M)
    mean = square(student.batch_answers, y, used) / student.m.astype(jnp.float32)
    return bounded(mean / (M * variance(examples)))


def acceptance(accepted: np.ndarray, work: np.ndarray, *, guess: float) -> np.ndarray:
    """Accepted proposals over all since the measurement before; nothing at time 0."""
    with np.errstate(invalid="ignore"):
        return accepted / work


def loss(student: Measured, teacher: Teacher, examples: Examples) -> Array:
    """½|y − y*|² averaged over the next mini-batch."""
    y, used = examples.batch_y, examples.batch_used
    return bounded(0.5 * square(student.batch_answers, y, used) / student.m.astype(jnp.float32))


def output_overlap(error: np.ndarray, *, guess: float) -> np.ndarray:
    """1 − e / e_guess, e_guess = 1/2 for ±1 outputs and 1 for real ones: 0 for a guess, 1 for the teacher."""
    return 1 - error / guess


def generalization_gap(error: np.ndarray, training: np.ndarray, *, guess: float) -> np.ndarray:
    """Generalisation error minus training error."""
    return error - training


for _observable in (
    Observable(
        "generalization_error",
        generalization_error,
        "generalisation error, on fresh examples",
        tail=True,
        tail_name="generalisation error",
    ),
    Observable("training_error", training_error, "training error, on the mini-batch before it is used"),
    Observable("overlap", overlap, "overlap of student and teacher", tail=True, tail_name="overlap"),
    Observable(
        "acceptance",
        None,
        "accepted fraction of the proposals since the last time",
        weights=("binary",),
        needs=("accepted", "work"),
        derive=acceptance,
    ),
    Observable("loss", loss, "training loss, on the mini-batch before it is used", weights=("real",)),
    Observable(
        "output_overlap",
        None,
        "overlap of the outputs",
        tail=True,
        tail_name="overlap of the outputs",
        series=False,
        needs=("generalization_error",),
        derive=output_overlap,
    ),
    Observable(
        "generalization_gap",
        None,
        "generalisation error minus training error",
        default=False,
        needs=("generalization_error", "training_error"),
        derive=generalization_gap,
    ),
):
    OBSERVABLES.add(_observable.name, _observable, built_in=True)


def default_names(weights: str) -> tuple[str, ...]:
    """What is measured unless `[measure] observables` says otherwise, of "binary" or "real" weights."""
    return tuple(
        name
        for name, one in OBSERVABLES.items()
        if OBSERVABLES.built_in(name) and one.default and one.series and weights in one.weights
    )


def order_parameter(weights: str, scalar: bool, names: Collection[str]) -> str:
    """The variable that tells the phases apart, of those that follow from the observables `names`.

    ±1 weights and a vector output: the overlap of the weights. Otherwise that of the outputs, for many weights
    give the same function: a majority of three signs is (a + b + c − abc)/2, and where one output sums all hidden
    units, only the sums of weights on each input and their products in each unit count; and networks of real
    weights may agree with the teacher unit by unit or otherwise.
    """
    if weights == "binary" and not scalar and "overlap" in names:
        return "overlap_mean"
    if "generalization_error" in names:
        return "output_overlap_mean"
    return next(
        (f"{name}_mean" for name in names if name not in OBSERVABLES or OBSERVABLES[name].tail), "success"
    )
