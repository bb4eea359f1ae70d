"""What must hold between the tables of a configuration, once each of them is right by itself.

Sums of ±1 terms must never be zero: the number of terms, d and (scalar output) K, must be odd. A unit reads d
different units of the layer below: d cannot exceed N, nor, with vector output, K.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mbsim.config_errors import Problem
from mbsim.config_tables import LARGEST, NOT_YET, Grid, Model, RelativeM

if TYPE_CHECKING:
    from mbsim.config import Config

SHARED = ("init_overlap", "temperature")  # lists of them go in [grid], a single value in [dynamics]


def relation_problems(config: "Config") -> list[Problem]:
    """Everything that is wrong between the tables; empty if the configuration can be run."""
    if real := list(_real_weights(config.model)):
        return real
    return [
        *_zero_sums(config.model, config.grid),
        *_too_many_links(config.model, config.grid),
        *_large_m(config),
        *_given_twice(config),
    ]


def _real_weights(model: Model) -> Iterator[Problem]:
    if model.weights == "real":
        yield Problem("model.weights", model.weights, f'must be "binary": {NOT_YET}')
    if model.student == "dense":
        yield Problem("model.student", model.student, f'must be "sparse": {NOT_YET}')


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
