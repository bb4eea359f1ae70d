"""Datasets that users hand back, perhaps after a selection: what run they are of, and where each number belongs.

Nothing is guessed: a value of a dimension that was selected away counts where a scalar coordinate tells it, or where
the configuration has no other.
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from mbsim.config import Config, stored_config
from mbsim.data.registered import ATTRIBUTE, as_json, described, sound, unknown_to
from mbsim.data.variables import Contents, contents_of, coordinates, dims
from mbsim.errors import DatasetError, MbsimError
from mbsim.plan.times import measurement_times
from mbsim.plan.units import foremost

MOST_VALUES = 6  # of a dimension, to name one by one


def config_of(dataset: xr.Dataset, label: str) -> Config:
    """The configuration in the attribute config; `label` names the dataset in errors.

    Raises:
        DatasetError: the attribute is damaged.
    """
    try:
        values = json.loads(dataset.attrs["config"])
        if not isinstance(values, dict):  # a text would be taken for the path of a file
            raise ValueError(f"must be a table, not {type(values).__name__}")
        return stored_config(values)
    except (TypeError, ValueError, RecursionError, MbsimError) as error:
        told = error.lines[0] if isinstance(error, MbsimError) else error
        raise DatasetError(f"{label}: attribute config is no configuration of mbsim: {told}") from None


def registered_of(dataset: xr.Dataset, config: Config, label: str) -> bytes:
    """What the run uses of a user's own, as `registered.json` has it; empty if nothing.

    Raises:
        DatasetError: neither the dataset nor this process knows one of its observables.
    """
    content = str(dataset.attrs.get(ATTRIBUTE, "")).encode() or as_json(config)
    if not sound(content):
        raise DatasetError(f"{label}: attribute {ATTRIBUTE} is damaged: it must be what mbsim.open_run gave")
    if unknown := unknown_to(content, config):
        raise DatasetError(
            f"{label}: observable {json.dumps(unknown[0])} is not registered here, and the dataset does not describe "
            "it: register it, or open the run folder again"
        )
    return content


def contents_in(config: Config, registered: bytes) -> Contents:
    """What the variables of the run are."""
    return contents_of(next(foremost(config)), described(registered))


def with_all_dims(dataset: xr.Dataset, config: Config, label: str) -> xr.Dataset:
    """The dataset with every dimension of its run, each with labels of the run, of which none repeats; time where
    it has it.

    Raises:
        DatasetError: a label is missing that nothing tells, repeats, or a label or dimension is none of the run's.
    """
    names = dims(tuple(config.axes))
    if strangers := [str(dim) for dim in dataset.dims if dim not in names]:
        raise DatasetError(f"{label}: dimension {strangers[0]}: must be one of {', '.join(names)}")
    for dim in names:
        if dim not in dataset.dims and dim != "time":
            dataset = _with_dim(dataset, dim, config, label)
        if dim in dataset.dims:
            _need_labels(dataset, dim, config, label)
        elif dim in dataset.coords:  # moments have no time: nothing says what of the rest is where
            raise DatasetError(f"{label}: time: must be a dimension, as isel(time=[-1]) leaves it")
    return dataset


def need_variables(dataset: xr.Dataset, contents: Contents, label: str) -> None:
    """Refuse a dataset that lacks a variable of its run, or has it over other dimensions or in another type."""
    variables = contents.variables()
    if lacking := [name for name in variables if name not in dataset.data_vars]:
        raise DatasetError(f"{label}: the dataset lacks {', '.join(lacking)} of its configuration")
    for name, kept in variables.items():
        found, wanted = dataset[name], np.dtype(kept.dtype)
        if set(found.dims) != set(kept.dims):
            raise DatasetError(
                f"{label}: {name}: must be over {', '.join(kept.dims)}, not {', '.join(map(str, found.dims))}"
            )
        # The bytes may be in any order, but numbers that were rounded are not those of the run.
        if (found.dtype.kind, found.dtype.itemsize) != (wanted.kind, wanted.itemsize):
            raise DatasetError(f"{label}: {name}: must be {wanted}, as in the run, not {found.dtype}")


def _need_labels(dataset: xr.Dataset, dim: str, config: Config, label: str) -> None:
    if dim not in dataset.indexes or dataset[dim].dtype.kind not in "iuf":
        raise DatasetError(f"{label}: {dim}: its values must be there, as the coordinate {dim} of numbers")
    index = dataset.indexes[dim]
    if not index.is_unique:
        twice = index[index.duplicated()][0]
        raise DatasetError(f"{label}: {dim}: must have each value once, and has {twice} more often")
    known = _values(config, dim)
    if not (strange := index[~index.isin(list(known))]).empty:
        raise DatasetError(
            f"{label}: {dim}: must be among {_some(known)}, as in its run, and has {strange[0]}"
        )


def _with_dim(dataset: xr.Dataset, dim: str, config: Config, label: str) -> xr.Dataset:
    """The dataset with a dimension of length one, whose label is a scalar coordinate or the only one there is."""
    if dim in dataset.coords and dataset[dim].ndim == 0:
        return dataset.expand_dims(dim)
    values = _values(config, dim)
    if len(values) > 1:
        raise DatasetError(
            f"{label}: {dim}: the dataset does not say which of {_some(values)} it is of: keep it, as "
            f"sel({dim}=[...]) does"
        )
    return dataset.assign_coords({dim: coordinates()[dim][2](values[0])}).expand_dims(dim)


def _some(values: Sequence[Any]) -> str:
    return ", ".join(map(str, values[:MOST_VALUES])) + (", ..." if len(values) > MOST_VALUES else "")


def _values(config: Config, dim: str) -> Sequence[Any]:
    """What a dimension runs over."""
    if dim == "time":
        return measurement_times(config.dynamics.length, config.measure.measurements).tolist()
    if dim in ("teacher", "replica"):
        return range(getattr(config.grid, f"{dim}s"))
    if dim == "m":
        return sorted({m for unit in foremost(config) for m in unit.m})
    return config.axes[dim] if dim in config.axes else getattr(config.grid, dim)
