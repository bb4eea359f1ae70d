"""From what an engine measured to the variables of the dataset: derived series, moments, success.

Series have shape (students, times), results (students,).
"""

from collections.abc import Mapping

import numpy as np

from mbsim.config import Config
from mbsim.data.variables import MOMENTS, contents_of
from mbsim.engines import Trained
from mbsim.physics.observables import Observable
from mbsim.plan.tasks import task_of
from mbsim.plan.units import Unit

TAIL = 0.75  # moments are taken over measured times later than this part of the run
FINISHED, DIVERGED = 1, 2  # of `status`
GUESS = {"binary": 0.5, "real": 1.0}  # the error of a guess


def variables(unit: Unit, config: Config, trained: Trained) -> dict[str, np.ndarray]:
    """The unit's arrays, as `variables.unit_arrays` takes them: shape (axes, m, replica[, time]).

    A student of real weights has learned when its error is at most the threshold, and not once it has diverged.
    Moments of its error are those of min(error, 1), 1 being that of the best constant answer: what explodes or
    diverges has failed, and by how much must not weigh on a mean.
    """
    contents, times = contents_of(unit), task_of(unit, config).times
    guess = GUESS[contents.rule.weights]
    series = with_derived(trained.series, contents.series, guess)
    tail_of = dict(series)
    if contents.rule.weights == "real":
        error = np.minimum(series["generalization_error"], 1)
        tail_of["generalization_error"] = np.where(trained.diverged, 1, error)
    tail_of = with_derived(tail_of, contents.tails, guess)
    found = series | moments(tail_of, contents.tails, times) | success(unit, config, trained, times)
    result = {}
    for name, variable in contents.variables().items():
        values, over_time = found[name], "time" in variable.dims
        shape = (*unit.shape, len(times)) if over_time else unit.shape
        result[name] = (values.astype(variable.dtype) if over_time else values).reshape(shape)
    return result


def with_derived(
    series: Mapping[str, np.ndarray], wanted: tuple[Observable, ...], guess: float
) -> dict[str, np.ndarray]:
    """The series with those that `wanted` derive from them."""
    found = dict(series)
    for one in wanted:
        if one.derive is not None:
            found[one.name] = one.derive(*(found[name] for name in one.needs), guess=guess)
    return found


def moments(
    series: Mapping[str, np.ndarray], tails: tuple[Observable, ...], times: np.ndarray
) -> dict[str, np.ndarray]:
    """Mean, second and fourth moment over the measured times of the last quarter, for each student."""
    tail = times > TAIL * times[-1]
    return {
        f"{one.name}_{moment}": (series[one.name][:, tail] ** power).mean(axis=1)
        for one in tails
        for moment, (_, power) in MOMENTS.items()
    }


def learned(unit: Unit, config: Config, trained: Trained) -> np.ndarray:
    """Whether each student has learned at each time: ±1 weights and a vector output, an overlap of exactly one,
    the same function up to gauge; a scalar output, no error on the test; real weights, an error at most
    `success_threshold`.
    """
    if config.model.real:
        below = trained.series["generalization_error"] <= config.measure.success_threshold
        return below & ~trained.diverged
    return trained.series["generalization_error"] == 0 if unit.M == 1 else trained.series["overlap"] == 1


def success(unit: Unit, config: Config, trained: Trained, times: np.ndarray) -> dict[str, np.ndarray]:
    """Whether a student has learned at the end, when it first had, and how it ended."""
    right = learned(unit, config, trained)
    first = np.where(right.any(axis=1), times[right.argmax(axis=1)].astype(float), np.nan)
    return {
        "success": right[:, -1].astype(np.int8),
        "success_time": first,
        "status": np.where(trained.diverged[:, -1], DIVERGED, FINISHED).astype(np.int8),
    }
