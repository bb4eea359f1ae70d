"""What must hold between the tables of a configuration, once each of them is right by itself.

The weights decide which rules can train them; keys of the others are refused. Sums
of ±1 terms must never be zero: the number of terms, d and (scalar output) K, must be odd. A unit reads d
different units of the layer below: d cannot exceed N, nor, with vector output, K.
"""

from collections.abc import Iterator
from typing import Protocol

from mbsim.config.dynamics import DynamicsTable, only_for
from mbsim.config.problems import Problem
from mbsim.config.tables import Data, Grid, Measure, Model, RelativeM, model_keys
from mbsim.physics.keys import LARGEST, LARGEST_COUNT, listed
from mbsim.physics.observables import OBSERVABLES
from mbsim.physics.optimisers import MUP
from mbsim.physics.rules import axes
from mbsim.physics.students import STUDENTS
from mbsim.physics.teachers import TEACHERS


class Tables(Protocol):
    """The tables of a configuration, and what they say of one (N, d)."""

    model: Model
    grid: Grid
    dynamics: DynamicsTable
    data: Data | None
    measure: Measure

    def m_values(self, N: int, d: int) -> tuple[int, ...]:
        """The values of m, ascending."""

    def training_set(self, N: int, d: int) -> int | None:
        """The number of training examples; None where all are fresh."""


FEWEST_TEST_EXAMPLES = 64  # with real weights: the variance of the teacher's answers is taken over them


def relation_problems(config: Tables) -> list[Problem]:
    """Everything that is wrong between the tables; empty if the configuration can be run."""
    model, grid = config.model, config.grid
    return [
        *(_real_weights(config) if model.real else _binary_weights(config)),
        *_foreign_axes(config),
        *_teacher(model),
        *_observables(config),
        *_too_many_links(model, grid),
        *_large_m(config),
        *_small_training_set(config),
        *_given_twice(config),
    ]


def _binary_weights(config: Tables) -> Iterator[Problem]:
    model = config.model
    if model.student != "sparse":
        text = f'must be "sparse" with ±1 weights; a {model.student} student needs model.weights = "real"'
        yield Problem("model.student", model.student, text)
    real = {key.name for kind in STUDENTS.values() if kind.weights == "real" for key in kind.keys}
    for name in model_keys():
        value = getattr(model, name)
        if value is not None and name in real:
            yield Problem(f"model.{name}", value, only_for("real"))
    yield from _zero_sums(model, config.grid)


def _real_weights(config: Tables) -> Iterator[Problem]:
    model, dynamics = config.model, config.dynamics
    if model.student_hidden is not None and model.student == "sparse":
        text = "goes with a dense student; a sparse one has the teacher's hidden units"
        yield Problem("model.student_hidden", model.student_hidden, text)
    if model.student == "dense" and model.output == "vector" and not model.train_output:
        text = "must be true with a dense student and vector output: fixed outputs would all be the same"
        yield Problem("model.train_output", False, text)
    options = dynamics.options
    optimizer = options.get("optimizer", "sgd")
    if options.get("momentum") and optimizer != "sgd":
        text = f'goes with optimizer = "sgd"; {optimizer} has its own'
        yield Problem("dynamics.momentum", options["momentum"], text)
    if options.get("lr_multipliers") == "mup" and optimizer not in MUP:
        text = f'is known for {listed(MUP)} only, and dynamics.optimizer is "{optimizer}"'
        yield Problem("dynamics.lr_multipliers", "mup", text)
    size = config.measure.test_size
    if size is not None and size < FEWEST_TEST_EXAMPLES:
        text = f"must be at least {FEWEST_TEST_EXAMPLES} with real weights, whose error is over a variance"
        yield Problem("measure.test_size", size, text)


def _foreign_axes(config: Tables) -> Iterator[Problem]:
    own = {key.name for key in config.dynamics.of.keys}
    for name, key in axes().items():
        listed_values = getattr(config.grid, name)
        if listed_values is not None and name not in own:
            weights = "real" if config.dynamics.of.weights == "binary" else "binary"
            yield Problem(f"grid.{key.name}", listed_values, only_for(weights))


def _teacher(model: Model) -> Iterator[Problem]:
    if model.teacher is None or model.teacher not in TEACHERS:  # one that only a folder knows
        return
    learners = TEACHERS[model.teacher].students
    if learners and model.student_kind not in learners:
        kinds = " or a ".join(STUDENTS[kind].title for kind in learners)
        text = f'is learnt by a {kinds}: set model.student = "{learners[0]}" and model.weights = "real"'
        yield Problem("model.teacher", model.teacher, text)
    if model.teacher_activation is not None and not TEACHERS[model.teacher].activated:
        text = f'has no effect: a teacher "{model.teacher}" has no activation; remove it'
        yield Problem("model.teacher_activation", model.teacher_activation, text)


def _observables(config: Tables) -> Iterator[Problem]:
    names = config.measure.observables
    if names is None:
        return
    if not names:
        yield Problem("measure.observables", [], "must not be empty")
    for name in names:
        one = OBSERVABLES.get(name)
        if names.count(name) > 1:
            yield Problem("measure.observables", name, "appears more than once; give each name once")
        elif one is not None and config.model.weights not in one.weights:
            yield Problem("measure.observables", name, only_for(one.weights[0]))


def _small_training_set(config: Tables) -> Iterator[Problem]:
    if config.data is None:
        return
    for N in config.grid.N:
        for d in config.grid.d:
            size, m = config.training_set(N, d), config.m_values(N, d)[-1]
            assert size is not None
            at = f"at N = {N}, d = {d}"
            if size > LARGEST_COUNT:
                text = f"gives more than {LARGEST_COUNT} examples {at}"
            elif size < m:
                text = f"gives P = {size} examples {at}: must be at least m, and grid.m has {m}"
            else:
                continue
            yield Problem("data.examples", config.data.examples, text)
            return


def _zero_sums(model: Model, grid: Grid) -> Iterator[Problem]:
    for d in grid.d:
        if d % 2 == 0:
            yield Problem("grid.d", d, "must be odd with ±1 weights, so that no sum is zero")
    if model.output == "vector":
        return
    if model.hidden is not None:
        if model.hidden % 2 == 0:
            text = "must be odd with a scalar output of ±1 weights, so that no sum is zero"
            yield Problem("model.hidden", model.hidden, text)
        return
    for N in grid.N:
        if N % 2 == 0:
            text = "must be odd with a scalar output of ±1 weights, where K = N, so that no sum is zero"
            yield Problem("grid.N", N, f"{text}; or set model.hidden to an odd K")


def _too_many_links(model: Model, grid: Grid) -> Iterator[Problem]:
    for d in grid.d:
        if d > (N := min(grid.N)):
            text = f"must be at most N, for a hidden unit reads d of N inputs; grid.N has {N}"
            yield Problem("grid.d", d, text)
        if model.output == "vector" and model.hidden is not None and d > model.hidden:
            text = f"must be at most K, for an output reads d of K units; model.hidden = {model.hidden}"
            yield Problem("grid.d", d, text)


def _large_m(config: Tables) -> Iterator[Problem]:
    if not isinstance(config.grid.m, RelativeM):
        return
    for N in config.grid.N:
        for d in config.grid.d:
            if config.m_values(N, d)[-1] > LARGEST:
                text = f"gives m above {LARGEST}, the largest allowed, at N = {N}, d = {d}"
                yield Problem("grid.m.values", config.grid.m.values[-1], text)
                return


def _given_twice(config: Tables) -> Iterator[Problem]:
    for name in axes():
        given = getattr(config.grid, name)
        if given is not None and name in config.dynamics.model_fields_set:
            text = f"is given by dynamics.{name} too; keep one of the two"
            yield Problem(f"grid.{name}", given, text)
