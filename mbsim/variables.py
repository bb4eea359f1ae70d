"""What a dataset of mbsim holds: its dimensions and variables, their types, long names and units.

A unit of work is a block of the whole: the same dimensions, in the order of `DIMS`, with fewer labels.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from mbsim.grid import Unit

COORDINATES = {  # in the order of the dimensions: long name, units, type
    "N": ("number of inputs", "1", np.int64),
    "d": ("in-degree, links into each unit", "1", np.int64),
    "init_overlap": ("overlap of student and teacher before training", "1", np.float64),
    "temperature": ("temperature of the Metropolis dynamics", "1", np.float64),
    "m": ("mini-batch size", "1", np.int64),
    "teacher": ("teacher, the quenched disorder", "1", np.int64),
    "replica": ("student of that teacher", "1", np.int64),
    "time": ("time", "sweep", np.int64),
}
DIMS = tuple(COORDINATES)


class Variable(NamedTuple):
    """How one variable is kept; `empty` stands where a combination was not asked for or has not run."""

    dims: tuple[str, ...]
    dtype: type
    empty: float
    long_name: str
    units: str = "1"


def _variables() -> dict[str, Variable]:
    lane = DIMS[:-1]
    series = {
        "generalization_error": "generalisation error, on fresh examples",
        "training_error": "training error, on the mini-batch before it is used",
        "overlap": "overlap of student and teacher",
        "acceptance": "accepted fraction of the proposals since the last time",
    }
    moments = {
        f"{name}_{moment}": Variable(
            lane, np.float64, np.nan, f"{words} of the {of} in the last quarter of the run"
        )
        for name, of in (("overlap", "overlap"), ("generalization_error", "generalisation error"))
        for moment, words in (("mean", "mean"), ("second", "second moment"), ("fourth", "fourth moment"))
    }
    return {
        **{name: Variable(DIMS, np.float32, np.nan, text) for name, text in series.items()},
        "success": Variable(lane, np.float64, np.nan, "whether training succeeded: 1 yes, 0 no"),
        "success_time": Variable(lane, np.float64, np.nan, "first time of success, NaN if never", "sweep"),
        "status": Variable(lane, np.int8, 0, "status: 0 not run, 1 finished, 2 diverged"),
        **moments,
    }


VARIABLES = _variables()


def unit_labels(unit: Unit, times: np.ndarray) -> dict[str, np.ndarray]:
    """The unit's values of each dimension, in the order of `DIMS`."""
    single = ([unit.N], [unit.d], unit.init_overlap, unit.temperature, unit.m, [unit.teacher])
    values = (*single, range(unit.replicas), times)
    return {dim: np.array(value, COORDINATES[dim][2]) for dim, value in zip(DIMS, values, strict=True)}


def unit_arrays(unit: Unit, result: Mapping[str, Any], times: np.ndarray) -> dict[str, np.ndarray]:
    """The unit's result as a block of the dataset: dimensions `DIMS`, types of `VARIABLES`.

    Args:
        unit: what was computed.
        result: for each of `VARIABLES` an array, shape (init_overlap, temperature, m, replica[, time]).
        times: the measured times, in sweeps.

    Raises:
        ValueError: when a variable is missing, unknown or of another shape: a fault of the caller.
    """
    if result.keys() != VARIABLES.keys():
        wrong = sorted(result.keys() ^ VARIABLES.keys())
        raise ValueError(f"missing or unknown variables in the result of {unit.stem}: {', '.join(wrong)}")
    sizes = {dim: len(values) for dim, values in unit_labels(unit, times).items()}
    arrays: dict[str, np.ndarray] = {}
    for name, variable in VARIABLES.items():
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
    """Arrays with dimensions `DIMS` as a dataset whose every variable has a long name and units."""
    coords = {
        dim: (dim, labels[dim], {"long_name": long_name, "units": units})
        for dim, (long_name, units, _) in COORDINATES.items()
    }
    variables = {
        name: (variable.dims, arrays[name], {"long_name": variable.long_name, "units": variable.units})
        for name, variable in VARIABLES.items()
        if name in arrays  # what an older mbsim wrote may lack some
    }
    return xr.Dataset(variables, coords, dict(attrs))
