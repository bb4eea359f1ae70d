"""From what an engine measured to the variables of the dataset: derived series, moments, success.

Series have shape (students, times), results (students,).
"""

from collections.abc import Mapping

import numpy as np

from mbsim.config import Config
from mbsim.data.variables import MOMENTS, contents_of
from mbsim.engines import Trained
from mbsim.physics.observables import Observable
from mbsim.physics.students import STUDENTS
from mbsim.plan.problems import problem_of
from mbsim.plan.times import measurement_times
from mbsim.plan.units import Unit

TAIL = 0.75  # moments are taken over measured times later than this part of the run
FINISHED, DIVERGED = 1, 2  # of `status`


def variables(unit: Unit, config: Config, trained: Trained) -> dict[str, np.ndarray]:
    """The unit's arrays, as `variables.unit_arrays` takes them: shape (axes, m, teacher, replica[, time]).

    Whether a student has learned, its kind says; none has that has diverged. Moments of its error are those of
    min(error, 1), 1 being that of the best constant answer: what explodes or diverges has failed, and by how much
    must not weigh on a mean.
    """
    contents, times = (
        contents_of(unit),
        measurement_times(config.dynamics.length, config.measure.measurements),
    )
    kind = STUDENTS[config.model.student_kind]
    series = with_derived(trained.series, contents.series, kind.guess)
    error = np.where(trained.diverged, 1, np.minimum(series["generalization_error"], 1))
    tail_of = with_derived(series | {"generalization_error": error}, contents.tails, kind.guess)
    problem = problem_of(config, unit.N, unit.d)
    learned = kind.learned(problem, trained.series, config.measure.success_threshold) & ~trained.diverged
    found = series | moments(tail_of, contents.tails, times) | success(learned, trained.diverged, times)
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
        f"{one.name}_{moment}": _raised(series[one.name][:, tail], power).mean(axis=1)
        for one in tails
        for moment, (_, power) in MOMENTS.items()
    }


def _raised(values: np.ndarray, power: int) -> np.ndarray:
    """values^power, 1, 2 or 4, by products: they round alike on every processor, and pow(x, 4) does not."""
    return values if power == 1 else np.square(_raised(values, power // 2))


def success(learned: np.ndarray, diverged: np.ndarray, times: np.ndarray) -> dict[str, np.ndarray]:
    """Whether a student has learned at the end, when it first had, and how it ended."""
    first = np.where(learned.any(axis=1), times[learned.argmax(axis=1)].astype(float), np.nan)
    return {
        "success": learned[:, -1].astype(np.int8),
        "success_time": first,
        "status": np.where(diverged[:, -1], DIVERGED, FINISHED).astype(np.int8),
    }
