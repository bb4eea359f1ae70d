"""What must hold between the tables of a configuration, once each of them is right by itself.

The weights decide what trains them: ±1 by Metropolis, real ones by SGD; keys of the other are refused. Sums
of ±1 terms must never be zero: the number of terms, d and (scalar output) K, must be odd. A unit reads d
different units of the layer below: d cannot exceed N, nor, with vector output, K.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mbsim.config.problems import Problem
from mbsim.config.tables import (
    LARGEST,
    LARGEST_COUNT,
    REAL_WEIGHTS,
    Dynamics,
    Grid,
    Model,
    RelativeM,
    SgdDynamics,
)

if TYPE_CHECKING:
    from mbsim.config.configuration import Config

SHARED = ("init_overlap", "temperature", "lr")  # lists of them go in [grid], a single value in [dynamics]
FEWEST_TEST_EXAMPLES = 64  # with real weights: the variance of the teacher's answers is taken over them
ONLY_REAL = 'is for real weights trained by SGD: set model.weights = "real", or remove it'
ONLY_BINARY = 'is for ±1 weights trained by Metropolis: set model.weights = "binary", or remove it'


def relation_problems(config: "Config") -> list[Problem]:
    """Everything that is wrong between the tables; empty if the configuration can be run."""
    model, grid = config.model, config.grid
    return [
        *(_real_weights(config) if model.real else _binary_weights(config)),
        *_too_many_links(model, grid),
        *_large_m(config),
        *_small_training_set(config),
        *_given_twice(config),
    ]


def dynamics_table(model: Model | None, value: Any) -> type[Dynamics] | type[SgdDynamics]:
    """Which table `[dynamics]` is: the weights tell, and where the model is wrong, the keys."""
    if model is not None:
        return SgdDynamics if model.real else Dynamics
    keys = value.keys() if isinstance(value, dict) else ()
    return SgdDynamics if {"steps", "lr", "optimizer"} & set(keys) else Dynamics


def foreign_dynamics_keys(
    table: type[Dynamics] | type[SgdDynamics], values: Mapping[str, Any]
) -> list[Problem]:
    """Keys that belong to the other way of training."""
    other = SgdDynamics if table is Dynamics else Dynamics
    text = ONLY_REAL if table is Dynamics else ONLY_BINARY
    asked = values.get("algorithm")
    if asked in ("sgd", "metropolis") and (asked == "sgd") != (table is SgdDynamics):
        return [Problem("algorithm", asked, text)]
    foreign = other.model_fields.keys() - table.model_fields.keys()
    return [Problem(key, value, text) for key, value in values.items() if key in foreign]


def _binary_weights(config: "Config") -> Iterator[Problem]:
    model = config.model
    if model.student == "dense":
        text = 'must be "sparse" with ±1 weights; a dense student needs model.weights = "real"'
        yield Problem("model.student", model.student, text)
    for name in (*REAL_WEIGHTS, "student_hidden"):
        if (value := getattr(model, name)) is not None:
            yield Problem(f"model.{name}", value, ONLY_REAL)
    if config.grid.lr is not None:
        yield Problem("grid.lr", config.grid.lr, ONLY_REAL)
    yield from _zero_sums(model, config.grid)


def _real_weights(config: "Config") -> Iterator[Problem]:
    model, dynamics = config.model, config.dynamics
    for name in ("init_overlap", "temperature"):
        if (value := getattr(config.grid, name)) is not None:
            yield Problem(f"grid.{name}", value, ONLY_BINARY)
    if model.student_hidden is not None and model.student == "sparse":
        text = "goes with a dense student; a sparse one has the teacher's hidden units"
        yield Problem("model.student_hidden", model.student_hidden, text)
    if model.student == "dense" and model.output == "vector" and not model.train_output:
        text = "must be true with a dense student and vector output: fixed outputs would all be the same"
        yield Problem("model.train_output", False, text)
    assert isinstance(dynamics, SgdDynamics)
    if dynamics.momentum and dynamics.optimizer == "adam":
        yield Problem("dynamics.momentum", dynamics.momentum, 'goes with optimizer = "sgd"; adam has its own')
    size = config.measure.test_size
    if size is not None and size < FEWEST_TEST_EXAMPLES:
        text = f"must be at least {FEWEST_TEST_EXAMPLES} with real weights, whose error is over a variance"
        yield Problem("measure.test_size", size, text)


def _small_training_set(config: "Config") -> Iterator[Problem]:
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


def _large_m(config: "Config") -> Iterator[Problem]:
    if not isinstance(config.grid.m, RelativeM):
        return
    for N in config.grid.N:
        for d in config.grid.d:
            if config.m_values(N, d)[-1] > LARGEST:
                text = f"gives m above {LARGEST}, the largest allowed, at N = {N}, d = {d}"
                yield Problem("grid.m.values", config.grid.m.values[-1], text)
                return


def _given_twice(config: "Config") -> Iterator[Problem]:
    for name in SHARED:
        listed = getattr(config.grid, name)
        if listed is not None and name in config.dynamics.model_fields_set:
            text = f"is given by dynamics.{name} too; keep one of the two"
            yield Problem(f"grid.{name}", listed, text)
