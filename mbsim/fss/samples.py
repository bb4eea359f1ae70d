"""Variables of a dataset, checked and in the order of dimensions that the analysis works in."""

import itertools
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from mbsim.errors import DatasetError
from mbsim.fss.design import Design, need_dataset
from mbsim.fss.interval import Label

Array = NDArray[np.float64]


def order_parameter_of(ds: xr.Dataset, name: str | None = None) -> str:
    """Name of the variable that tells the phases of a dataset apart.

    `name` if given; or what the dataset itself says (attribute `order_parameter`, which runs of mbsim have);
    or `overlap_mean`, the bulk overlap in the last quarter of the run. Never `success`: with ±1 weights the m
    at which every weight is right grows like log N, where the bulk does not move.

    Raises:
        DatasetError: the dataset does not hold it.

    >>> from mbsim import fss
    >>> fss.order_parameter_of(fss.planted())  # whose attributes say so
    'q'
    """
    need_dataset(ds)
    chosen = name or str(ds.attrs.get("order_parameter", "overlap_mean"))
    if chosen not in ds:
        held = ", ".join(sorted(map(str, ds.data_vars))) or "nothing"
        raise DatasetError(f"order parameter {chosen!r} is not in the dataset, which holds {held}")
    return chosen


def samples_of(ds: xr.Dataset, name: str, design: Design) -> xr.DataArray:
    """The variable with dimensions (labels..., *samples, control), the control increasing.

    A sample dimension that the variable lacks is added, with one entry.

    Raises:
        DatasetError: the variable, or its control dimension, is not there; a control or label occurs twice.
    """
    if name not in ds:
        held = ", ".join(sorted(map(str, ds.data_vars))) or "nothing"
        raise DatasetError(f"order parameter {name!r} is not in the dataset, which holds {held}")
    values, samples, control = ds[name], design.samples, design.control
    if control not in values.dims:
        held = ", ".join(map(str, values.dims))
        raise DatasetError(f"control {control!r} is no dimension of {name}, which has {held}")
    for dim in values.dims:
        numbers, counts = np.unique(values[dim].to_numpy(), return_counts=True)
        if dim not in samples and (counts > 1).any():
            twice = numbers[counts > 1][0]
            raise DatasetError(f"{dim} = {twice} occurs twice in {name}: each value of {dim} must occur once")
    absent = [sample for sample in samples if sample not in values.dims]
    dropped = [sample for sample in absent if sample in values.coords]
    return values.drop_vars(dropped).expand_dims(absent).sortby(control).transpose(..., *samples, control)


class Ensemble(NamedTuple):
    """The students of one size and one value of every other label.

    labels: all of them, the size among them. size: its number.
    m: the values of the control that count, shape (point,).
    fields: variables there, by name, each (teacher, replica, point), NaN where a student did not run.
    """

    labels: dict[str, Label]
    size: float
    m: Array
    fields: dict[str, Array]

    @property
    def shape(self) -> tuple[int, int]:
        """Teachers, and replicas of each, of the first field."""
        return teachers_and_replicas(next(iter(self.fields.values())))

    def others(self, *without: str) -> dict[str, Label]:
        """The labels without those named."""
        return {name: value for name, value in self.labels.items() if name not in without}


def ensembles(ds: xr.Dataset, names: tuple[str, ...], design: Design) -> list[Ensemble]:
    """One for every combination of labels, in their order; the first variable decides which points count.

    Raises:
        DatasetError: a variable, its control or the size is not there, or the size is no positive number.
    """
    size, control = design.size, design.control
    if size == control:
        raise DatasetError(f"size = {size!r}: must be another dimension than the control")
    whole = {name: samples_of(with_size(ds, name, size), name, design) for name in names}
    first = whole[names[0]]
    numbers = first[size].to_numpy()
    if not (np.issubdtype(numbers.dtype, np.number) and (numbers > 0).all()):
        raise DatasetError(f"size {size!r} must be positive numbers: it has {numbers.tolist()}")
    dims = [str(dim) for dim in first.dims if dim not in (*design.samples, control)]
    m = first[control].to_numpy().astype(float)
    found = []
    for index in itertools.product(*(range(first.sizes[dim]) for dim in dims)):
        at = dict(zip(dims, index, strict=True))
        labels: dict[str, Label] = {dim: first[dim][at[dim]].item() for dim in dims}
        raw = {name: values.isel(at).to_numpy().astype(float) for name, values in whole.items()}
        teachers, points = counted(raw[names[0]])
        fields = {name: values[teachers][..., points] for name, values in raw.items()}
        found.append(Ensemble(labels, float(labels[size]), m[points], fields))
    return found


def counted(values: Array) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The teachers with any data, and the values of m that at least half of those have."""
    has = np.isfinite(values).sum(axis=1) > 0
    ran = has.sum(axis=1) > 0
    return ran, has[ran].sum(axis=0) * 2 >= max(1, int(ran.sum()))


def used(m: Array, values: Array) -> tuple[Array, Array]:
    """The control, and the order parameter there, of the teachers and points that count."""
    teachers, points = counted(values)
    return m[points], values[teachers][..., points]


def teachers_and_replicas(values: Array) -> tuple[int, int]:
    """Teachers, and replicas of each: the median where they differ."""
    replicas = np.isfinite(values).sum(axis=1)
    return len(values), int(np.median(replicas[replicas > 0])) if (replicas > 0).any() else 0


def generator(seed: int, labels: Mapping[str, Label]) -> np.random.Generator:
    """Random numbers that follow from the seed and the values of the labels alone."""
    return np.random.default_rng([seed, *(_bits(label) for label in labels.values())])


def _bits(label: Label) -> int:
    """A non-negative integer that follows from the label alone."""
    return int.from_bytes(label.encode() if isinstance(label, str) else np.float64(label).tobytes(), "little")


def with_size(ds: xr.Dataset, name: str, size: str) -> xr.Dataset:
    """The dataset with the size as a dimension of the variable, where it was a scalar coordinate."""
    if name not in ds or size in ds[name].dims:
        return ds
    if size not in ds.coords or ds[size].ndim:
        held = ", ".join(map(str, ds[name].dims))
        raise DatasetError(f"size {size!r} is no dimension of {name}, which has {held}")
    return ds[[name]].expand_dims(size)
