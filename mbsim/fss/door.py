"""What is checked of a dataset, once, before anything is computed: numbers that are numbers, each value once."""

import math

import numpy as np
import xarray as xr

from mbsim.errors import DatasetError
from mbsim.fss.interval import Label

ALIKE = 1e-9
"""Values of a control closer than this share of its range are one value, told apart by rounding."""
LARGEST = 1e70
"""Values of an order parameter that are larger have no fourth power."""


def real_numbers(values: xr.DataArray, name: str) -> None:
    """Refuse what holds text, complex numbers, dates or objects.

    Raises:
        DatasetError: it does.
    """
    if values.dtype.kind not in "fiub":
        kinds = {"c": "complex numbers", "U": "text", "S": "text", "M": "dates", "m": "durations"}
        kind = kinds.get(values.dtype.kind, "objects")
        advice = (
            f"; ds.assign_coords({name}=ds[{name!r}].astype(float)) makes them so" if kind == "text" else ""
        )
        such = "".join(f", such as {one!r}" for one in values.to_numpy().ravel()[:1].tolist())
        raise DatasetError(f"{name} holds {kind}{such}: must be real numbers{advice}")


def label_of(values: xr.DataArray, dim: str, place: int) -> Label:
    """The label at a place of a dimension. A missing one is the same NaN each time, so that equal labels are equal
    keys.
    """
    label: Label = values[dim][place].item()
    return math.nan if label != label else label


def powers(values: xr.DataArray, name: str) -> None:
    """Refuse an order parameter whose fourth power is no number of the machine.

    Raises:
        DatasetError: it is such.
    """
    largest = np.abs(values.to_numpy().astype(float))
    largest = largest[np.isfinite(largest)].max(initial=0.0)
    if largest > LARGEST:
        raise DatasetError(
            f"{name} holds {largest:g}: must be at most {LARGEST:g}, its fourth power is needed"
        )


def coordinate(values: xr.DataArray, dim: str, positive: bool = False) -> None:
    """Refuse a control or size without values, or whose values are no finite, distinct, real numbers.

    Raises:
        DatasetError: it is such.
    """
    if dim not in values.coords:
        raise DatasetError(f"{dim} has no values: ds.assign_coords({dim}=[...]) gives them")
    real_numbers(values[dim], dim)
    numbers = np.sort(values[dim].to_numpy().astype(float).ravel())
    if not len(numbers):
        raise DatasetError(f"{dim} has no values at all")
    if not np.isfinite(numbers).all():
        raise DatasetError(f"{dim} holds {numbers[~np.isfinite(numbers)][0]:g}: must be finite numbers")
    if positive and not (numbers > 0).all():
        raise DatasetError(f"size {dim!r} must be positive numbers: it has {values[dim].to_numpy().tolist()}")
    close = np.flatnonzero(np.diff(numbers) <= ALIKE * max(float(np.ptp(numbers)), np.finfo(float).tiny))
    if len(close):
        one, other = numbers[close[0] : close[0] + 2].tolist()
        same = (
            f"{one:g} occurs twice"
            if one == other
            else f"{one!r} and {other!r} are one value but for rounding"
        )
        raise DatasetError(f"{dim} = {same} in {values.name}: each value of {dim} must occur once")
