"""What a dataset of mbsim holds: its dimensions and variables, their types, long names and units.

A unit of work is a block of the whole: the same dimensions, in the order of `DIMS`, with fewer labels. The
axes between d and m are those of the unit's dynamics (`rules`); the others are not there.
"""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from mbsim.plan.units import Unit
from mbsim.running.rules import RULES, rule_with

_AXES = {name: (*words, np.float64) for rule in RULES.values() for name, words in rule.AXES.items()}
COORDINATES = {  # in the order of the dimensions: long name, units, type
    "N": ("number of inputs", "1", np.int64),
    "d": ("in-degree, links into each unit", "1", np.int64),
    **_AXES,
    "m": ("mini-batch size", "1", np.int64),
    "teacher": ("teacher, the quenched disorder", "1", np.int64),
    "replica": ("student of that teacher", "1", np.int64),
    "time": ("time", "", np.int64),  # units: those of the dynamics
}
DIMS = tuple(COORDINATES)
SERIES = {
    "generalization_error": "generalisation error, on fresh examples",
    "training_error": "training error, on the mini-batch before it is used",
    "overlap": "overlap of student and teacher",
}
TAILS = {
    "overlap": "overlap",
    "output_overlap": "overlap of the outputs",  # 0 for a guess, 1 for the teacher
    "generalization_error": "generalisation error",
}
GAP = "generalization_gap"  # where the training set is finite


class Variable(NamedTuple):
    """How one variable is kept; `empty` stands where a combination was not asked for or has not run."""

    dims: tuple[str, ...]
    dtype: type
    empty: float
    long_name: str
    units: str = "1"


def dims_with(axes: Collection[str]) -> tuple[str, ...]:
    """The dimensions of a dataset with these axes, in order."""
    return tuple(dim for dim in DIMS if dim not in _AXES or dim in axes)


def variables_with(axes: Collection[str], finite: bool = False) -> dict[str, Variable]:
    """The variables of a dataset whose dynamics has these axes; `finite`: the training set is."""
    rule, dims = rule_with(axes), dims_with(axes)
    lane = dims[:-1]
    series = SERIES | rule.SERIES
    if finite:
        series |= {GAP: "generalisation error minus training error"}
    moments = {
        f"{name}_{moment}": Variable(
            lane, np.float64, np.nan, f"{words} of the {of} in the last quarter of the run"
        )
        for name, of in TAILS.items()
        for moment, words in (("mean", "mean"), ("second", "second moment"), ("fourth", "fourth moment"))
    }
    time = rule.TIME[0]
    return {
        **{name: Variable(dims, np.float32, np.nan, text) for name, text in series.items()},
        "success": Variable(lane, np.float64, np.nan, "whether training succeeded: 1 yes, 0 no"),
        "success_time": Variable(lane, np.float64, np.nan, "first time of success, NaN if never", time),
        "status": Variable(lane, np.int8, 0, "status: 0 not run, 1 finished, 2 diverged"),
        **moments,
    }


def variables_of(unit: Unit) -> dict[str, Variable]:
    """The variables that a unit holds."""
    return variables_with(unit.axes, unit.examples is not None)


def unit_labels(unit: Unit, times: np.ndarray) -> dict[str, np.ndarray]:
    """The unit's values of each of its dimensions, in order."""
    single = {"N": [unit.N], "d": [unit.d], **unit.axes, "m": unit.m, "teacher": [unit.teacher]}
    values: dict[str, Any] = {**single, "replica": range(unit.replicas), "time": times}
    return {dim: np.array(values[dim], COORDINATES[dim][2]) for dim in dims_with(unit.axes)}


def unit_arrays(unit: Unit, result: Mapping[str, Any], times: np.ndarray) -> dict[str, np.ndarray]:
    """The unit's result as a block of the dataset: its dimensions, and the types of its variables.

    Args:
        unit: what was computed.
        result: for each of `variables_of` an array, shape (axes, m, replica[, time]).
        times: the measured times.

    Raises:
        ValueError: when a variable is missing, unknown or of another shape: a fault of the caller.
    """
    variables = variables_of(unit)
    if result.keys() != variables.keys():
        wrong = sorted(result.keys() ^ variables.keys())
        raise ValueError(f"missing or unknown variables in the result of {unit.stem}: {', '.join(wrong)}")
    sizes = {dim: len(values) for dim, values in unit_labels(unit, times).items()}
    arrays: dict[str, np.ndarray] = {}
    for name, variable in variables.items():
        array = np.asarray(result[name])
        shape = tuple(sizes[dim] for dim in variable.dims if dim not in ("N", "d", "teacher"))
        if array.shape != shape:
            raise ValueError(f"{name} of {unit.stem} has shape {array.shape}, not {shape}")
        block = tuple(sizes[dim] for dim in variable.dims)
        arrays[name] = array.astype(variable.dtype, casting="same_kind").reshape(block)
    return arrays


def labelled(
    arrays: Mapping[str, np.ndarray], labels: Mapping[str, Any], attrs: Mapping[str, Any]
) -> xr.Dataset:
    """Arrays with the dimensions of `labels` as a dataset whose every variable has a long name and units."""
    time_units = {"time": rule_with(labels).TIME[0]}
    coords = {
        dim: (
            dim,
            values,
            {"long_name": COORDINATES[dim][0], "units": time_units.get(dim, COORDINATES[dim][1])},
        )
        for dim, values in labels.items()
    }
    variables = {
        name: (variable.dims, arrays[name], {"long_name": variable.long_name, "units": variable.units})
        for name, variable in variables_with(labels, finite=True).items()
        if name in arrays  # what an older mbsim wrote may lack some
    }
    return xr.Dataset(variables, coords, dict(attrs))
