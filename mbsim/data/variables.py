"""What a dataset of mbsim holds: its dimensions and variables, their types, long names and units.

A work unit is a block of the whole: the same dimensions, in the order of `dims`, with fewer labels. The axes
between d and m are those of the rule. Variables follow from the observables that are measured (`Contents`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from mbsim.physics.observables import OBSERVABLES, Observable
from mbsim.physics.rules import RULES, Rule, axes
from mbsim.plan.units import Unit

FIRST = {
    "N": ("number of inputs", "1", np.int64),
    "d": ("in-degree, links into each unit", "1", np.int64),
}
LAST = {
    "m": ("mini-batch size", "1", np.int64),
    "teacher": ("teacher, the quenched disorder", "1", np.int64),
    "replica": ("student of that teacher", "1", np.int64),
    "time": ("time", "", np.int64),  # units: those of the rule
}
MOMENTS = {"mean": ("mean", 1), "second": ("second moment", 2), "fourth": ("fourth moment", 4)}
GAP = "generalization_gap"  # where the training set is finite


class Variable(NamedTuple):
    """How one variable is kept; `empty` stands where a combination was not asked for or has not run."""

    dims: tuple[str, ...]
    dtype: type
    empty: float
    long_name: str
    units: str = "1"


@dataclass(frozen=True)
class Contents:
    """What a run leaves: its rule, the axes of its grid, and the observables that it measures.

    finite: whether the training set is.
    """

    rule: Rule
    axes: tuple[str, ...]
    observables: tuple[Observable, ...]
    finite: bool

    @property
    def series(self) -> tuple[Observable, ...]:
        """What is kept over time."""
        gap = [OBSERVABLES[GAP]] if self.finite and OBSERVABLES[GAP] not in self.observables else []
        return (*self.observables, *gap)

    @property
    def tails(self) -> tuple[Observable, ...]:
        """What moments over the last quarter of the run are kept of."""
        names = {one.name for one in self.observables}
        derived = [one for one in OBSERVABLES.values() if not one.series and names.issuperset(one.needs)]
        return tuple(one for one in (*self.observables, *derived) if one.tail)

    @property
    def dims(self) -> tuple[str, ...]:
        """The dimensions, in order."""
        return dims(self.axes)

    def variables(self) -> dict[str, Variable]:
        """Every variable, by name."""
        whole, each = self.dims, self.dims[:-1]
        moments = {
            f"{one.name}_{moment}": Variable(
                each,
                np.float64,
                np.nan,
                f"{words} of the {one.tail_name} in the last quarter of the run",
                one.units,
            )
            for one in self.tails
            for moment, (words, _) in MOMENTS.items()
        }
        time = self.rule.time.one
        return {
            **{
                one.name: Variable(whole, np.float32, np.nan, one.long_name, one.units) for one in self.series
            },
            "success": Variable(each, np.float64, np.nan, "whether training succeeded: 1 yes, 0 no"),
            "success_time": Variable(each, np.float64, np.nan, "first time of success, NaN if never", time),
            "status": Variable(each, np.int8, 0, "status: 0 not run, 1 finished, 2 diverged"),
            **moments,
        }


def contents_of(unit: Unit, described: Mapping[str, Observable] | None = None) -> Contents:
    """What a unit holds; `described` has the observables that a run folder tells of and no script registers."""
    known = {**OBSERVABLES, **(described or {})}  # the folder is right about its own
    observables = tuple(known[name] for name in unit.observables)
    return Contents(RULES[unit.rule], tuple(unit.axes), observables, unit.examples is not None)


def coordinates() -> dict[str, tuple[str, str, type]]:
    """Long name, units and type of each dimension, in order."""
    own = {name: (key.axis.long_name, key.axis.units, np.float64) for name, key in axes().items() if key.axis}
    return {**FIRST, **own, **LAST}


def dims(names: tuple[str, ...]) -> tuple[str, ...]:
    """The dimensions of a dataset with these axes, in order."""
    own = axes()
    return tuple(dim for dim in coordinates() if dim not in own or dim in names)


def unit_labels(unit: Unit, times: np.ndarray) -> dict[str, np.ndarray]:
    """The unit's values of each of its dimensions, in order."""
    values: dict[str, Any] = {
        **{"N": [unit.N], "d": [unit.d], **unit.axes, "m": unit.m},
        "teacher": unit.first_teacher + np.arange(unit.teachers),
        "replica": unit.first_replica + np.arange(unit.replicas),
        "time": times,
    }
    known, own = coordinates(), axes()
    wanted = (dim for dim in known if dim not in own or dim in unit.axes)
    return {dim: np.array(values[dim], known[dim][2]) for dim in wanted}


def unit_arrays(
    unit: Unit, result: Mapping[str, Any], times: np.ndarray, contents: Contents | None = None
) -> dict[str, np.ndarray]:
    """The unit's result as a block of the dataset: its dimensions, and the types of its variables.

    Args:
        unit: what was computed.
        result: for each of its variables an array, shape (axes, m, teacher, replica[, time]).
        times: the measured times.
        contents: of the run; by default what follows from the unit.

    Raises:
        ValueError: when a variable is missing, unknown or of another shape: a fault of the caller.
    """
    variables = (contents or contents_of(unit)).variables()
    if result.keys() != variables.keys():
        wrong = sorted(result.keys() ^ variables.keys())
        raise ValueError(f"missing or unknown variables in the result of {unit}: {', '.join(wrong)}")
    sizes = {dim: len(values) for dim, values in unit_labels(unit, times).items()}
    arrays: dict[str, np.ndarray] = {}
    for name, variable in variables.items():
        array = np.asarray(result[name])
        shape = tuple(sizes[dim] for dim in variable.dims if dim not in ("N", "d"))
        if array.shape != shape:
            raise ValueError(f"{name} of {unit} has shape {array.shape}, not {shape}")
        block = tuple(sizes[dim] for dim in variable.dims)
        arrays[name] = array.astype(variable.dtype, casting="same_kind").reshape(block)
    return arrays


def labelled(
    arrays: Mapping[str, np.ndarray], labels: Mapping[str, Any], attrs: Mapping[str, Any], contents: Contents
) -> xr.Dataset:
    """Arrays with the dimensions of `labels` as a dataset whose every variable has a long name and units."""
    units = {"time": contents.rule.time.one}
    known = coordinates()
    coords = {
        dim: (dim, values, {"long_name": known[dim][0], "units": units.get(dim, known[dim][1])})
        for dim, values in labels.items()
    }
    variables = {
        name: (variable.dims, arrays[name], {"long_name": variable.long_name, "units": variable.units})
        for name, variable in contents.variables().items()
        if name in arrays  # what an older mbsim wrote may lack some
    }
    return xr.Dataset(variables, coords, dict(attrs))
