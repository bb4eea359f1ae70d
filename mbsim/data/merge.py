"""Several datasets of one kind of run as one: parts of a grid that were computed apart."""

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
import xarray as xr

from mbsim.config import Config, stored_config
from mbsim.config.tables import RelativeM
from mbsim.data import provenance as prov
from mbsim.data.configs import differences
from mbsim.data.given import config_of, with_all_dims
from mbsim.data.registered import ATTRIBUTE
from mbsim.data.variables import dims
from mbsim.errors import ConfigError, DatasetError
from mbsim.plan.boxes import without_grid


def concat(datasets: Sequence[xr.Dataset]) -> xr.Dataset:
    """The outer join of datasets of `mbsim`, of one configuration but for their grids.

    The grid is the union of theirs, dimension by dimension; `status` is 0 and numbers are NaN where none has a
    combination. Of a student that several have, the numbers must be the same, as they are when mbsim computed them.

    Args:
        datasets: what `open_run` or `run` gave, two or more.

    Returns:
        The dataset of the union, with the configuration of the union in its attributes.

    Raises:
        DatasetError: a dataset is none of mbsim's, or does not say where its numbers belong; the configurations
        differ in more than the grid, or numbers differ.

    >>> one = {"model": "sparse-vector", "grid": {"N": [5], "d": [3], "m": [2], "teachers": 1, "replicas": 2}}
    >>> parts = [mbsim.run(one, overrides=[f"grid.m=[{m}]", "dynamics.sweeps=40"]) for m in (2, 4)]
    >>> mbsim.concat(parts).m.values
    array([2, 4])
    """
    try:
        some = list(datasets)
    except TypeError:
        raise DatasetError(f"datasets: must be a list of datasets, not {type(datasets).__name__}") from None
    if len(some) < 2:
        raise DatasetError(f"datasets: must be two or more, not {len(some)}")
    configs = []
    for place, one in enumerate(some, 1):
        if not isinstance(one, xr.Dataset) or "config" not in one.attrs or "status" not in one:
            raise DatasetError(f"dataset {place}: must be one that mbsim.open_run or mbsim.run gave")
        configs.append(config_of(one, f"dataset {place}"))
    whole = union(configs)
    parts = [
        with_all_dims(one, config, f"dataset {place}")
        for place, (one, config) in enumerate(zip(some, configs, strict=True), 1)
    ]
    _need_the_same(parts)
    names = [dim for dim in dims(tuple(whole.axes)) if dim in parts[0].dims]
    labels = {dim: np.unique(np.concatenate([one[dim].values for one in parts])) for dim in names}
    joined = reduce(_filled, (_spread(one, labels) for one in parts))
    single = [dim for dim in whole.axes if getattr(whole.grid, dim) is None]
    found = prov.joined([{field: str(one.attrs.get(field, "")) for field in prov.FIELDS} for one in some])
    attrs = prov.of_config(whole, whole.hash) | found
    own = [{ATTRIBUTE: one.attrs[ATTRIBUTE]} for one in some if ATTRIBUTE in one.attrs]
    return joined.squeeze(single).assign_attrs({**some[0].attrs, **attrs, **(own[0] if own else {})})


def union(configs: Sequence[Config]) -> Config:
    """The configuration whose grid contains those of all.

    Raises:
        DatasetError: they differ in something else.
    """
    first = configs[0]
    for other in configs[1:]:
        if without_grid(other) != without_grid(first):
            told = [line for line in differences(first, other) if not line.startswith("grid.")]
            raise DatasetError("these are different runs: " + "; ".join(told))
    grids = [config.grid for config in configs]
    values = first.resolved()
    values["grid"] |= {
        name: sorted({v for grid in grids for v in getattr(grid, name)}) for name in ("N", "d")
    }
    values["grid"] |= {name: max(getattr(grid, name) for grid in grids) for name in ("teachers", "replicas")}
    values["grid"]["m"] = _union_of_m([grid.m for grid in grids])
    for name in first.axes:
        found = sorted({value for config in configs for value in config.axes[name]})
        if len(found) > 1 or any(getattr(grid, name) is not None for grid in grids):
            values["dynamics"].pop(name, None)
            values["grid"][name] = found
    try:
        return stored_config(values)
    except ConfigError as error:
        raise DatasetError(
            *(f"the union of these grids is no configuration: {line}" for line in error.lines)
        ) from None


def _union_of_m(some: Sequence[Any]) -> Any:
    if all(isinstance(m, RelativeM) for m in some) and len({m.unit for m in some}) == 1:
        return {"unit": some[0].unit, "values": sorted({value for m in some for value in m.values})}
    if any(isinstance(m, RelativeM) for m in some):
        raise DatasetError(
            "grid.m: is in other units in one of these runs: give all of them lists, or one unit"
        )
    return sorted({value for m in some for value in m})


def _need_the_same(parts: Sequence[xr.Dataset]) -> None:
    """Refuse datasets of other variables, dimensions or random streams, or whose functions of a user's own differ."""
    first = parts[0]
    for place, other in enumerate(parts[1:], 2):
        if differing := ", ".join(sorted(map(str, set(first) ^ set(other)))):
            raise DatasetError(f"only some of these datasets have {differing}")
        for name in first:
            if set(first[name].dims) != set(other[name].dims):
                raise DatasetError(
                    f"dataset {place}: {name}: must have the dimensions that it has in dataset 1"
                )
        drawn = [one.attrs.get("prng", "") for one in (first, other)]
        if all(drawn) and drawn[0] != drawn[1]:
            raise DatasetError(
                f"dataset {place}: was drawn with {drawn[1]!r}, and dataset 1 with {drawn[0]!r}"
            )
        own = [one.attrs[ATTRIBUTE] for one in (first, other) if ATTRIBUTE in one.attrs]
        if own[1:] and own[0] != own[1]:  # what an older mbsim wrote has none
            raise DatasetError(
                f"dataset {place}: an observable, activation or optimizer was registered otherwise than in dataset 1"
            )


def _spread(dataset: xr.Dataset, labels: dict[str, np.ndarray]) -> xr.Dataset:
    """The dataset on more labels, not run where it has none."""
    empty = {name: (0 if name == "status" else np.nan) for name in dataset}
    return dataset.reindex(labels, fill_value=empty).transpose(*labels)


def _filled(one: xr.Dataset, other: xr.Dataset) -> xr.Dataset:
    """What the first has, and where it has not run what the other has."""
    both = (one.status != 0) & (other.status != 0)
    for name in one:
        same = (one[name] == other[name]) | (one[name].isnull() & other[name].isnull())
        if bool((both & ~same).any()):
            raise DatasetError(f"{name} of the same students differs between these datasets")
    mine = one.status != 0
    return one.map(lambda values: values.where(mine, other[values.name]), keep_attrs=True)
