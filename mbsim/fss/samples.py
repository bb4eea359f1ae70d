"""Variables of a dataset, checked and in the order of dimensions that the analysis works in."""

import itertools
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from mbsim.errors import DatasetError
from mbsim.fss.copies import Copies, copies, without
from mbsim.fss.design import SAMPLES, UNNAMED, Design, need_dataset
from mbsim.fss.door import coordinate, label_of, powers, real_numbers
from mbsim.fss.given import as_samples
from mbsim.fss.interval import Label
from mbsim.fss.reasons import Reason, because

Array = NDArray[np.float64]


def order_parameter_of(ds: xr.Dataset, name: str | None = None) -> str:
    """Name of the variable that tells the phases of a dataset apart.

    `name` if given; or what the dataset itself says (attribute `order_parameter`, which runs of mbsim have);
    or `overlap_mean`, the bulk overlap in the last quarter of the run. `success` is that of runs alone which measure
    nothing else, and tables then say so: with ±1 weights the m at which every weight is right grows like log N, where
    the bulk does not move.

    Raises:
        DatasetError: the dataset does not hold it.

    >>> from mbsim import fss
    >>> fss.order_parameter_of(fss.planted())  # whose attributes say so
    'q'
    """
    need_dataset(ds)
    if name is not None and not isinstance(name, str):
        raise DatasetError(f"order_parameter = {name!r}: must be the name of a variable")
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
    asked = () if samples == SAMPLES else tuple(one for one in samples if one not in UNNAMED)
    if asked and not set(asked) & set(values.dims) and design.error_of(name) is None:
        held = ", ".join(map(str, values.dims))
        raise DatasetError(f"samples = {asked!r}: none is a dimension of {name}, which has {held}")
    real_numbers(values, name)
    powers(values, name)
    coordinate(values, control)
    for dim in values.dims:
        numbers, counts = np.unique(values[dim].to_numpy(), return_counts=True)
        if dim not in samples and (counts > 1).any():
            twice = numbers[counts > 1][0]
            raise DatasetError(f"{dim} = {twice} occurs twice in {name}: each value of {dim} must occur once")
    values = values.sortby(control)
    error = design.error_of(name)
    if error is not None:
        if error not in ds:
            held = ", ".join(sorted(map(str, ds.data_vars)))
            raise DatasetError(f"error = {error!r} is not in the dataset, which holds {held}")
        if already := [one for one in samples if one in values.dims]:
            raise DatasetError(
                f"error = {error!r}: {name} has samples already, over {', '.join(already)}; either these or errors"
            )
        return as_samples(values, ds[error], samples, control)
    first, second = samples
    if first not in values.dims and first not in values.coords and second in values.dims:
        # Runs without a disorder that they share are independent, each its own sample of the disorder.
        values = values.drop_vars(second, errors="ignore").rename({second: first})
    absent = [sample for sample in samples if sample not in values.dims]
    dropped = [sample for sample in absent if sample in values.coords]
    return values.drop_vars(dropped).expand_dims(absent).transpose(..., *samples, control)


class Ensemble(NamedTuple):
    """The students of one size and one value of every other label.

    labels: all of them, the size among them. size: its number.
    m: the values of the control that count, shape (point,).
    fields: variables there, by name, each (teacher, replica, point), NaN where a student did not run.
    because: what was left out, or must be known of its students.
    """

    labels: dict[str, Label]
    size: float
    m: Array
    fields: dict[str, Array]
    because: tuple[Reason, ...] = ()

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
    whole = {
        name: samples_of(with_size(ds, name, size, design.error_of(name)), name, design) for name in names
    }
    first = whole[names[0]]
    coordinate(first, size, positive=True)
    dims = [str(dim) for dim in first.dims if dim not in (*design.samples, control)]
    m = first[control].to_numpy().astype(float)
    found = []
    for index in itertools.product(*(range(first.sizes[dim]) for dim in dims)):
        at = dict(zip(dims, index, strict=True))
        labels: dict[str, Label] = {dim: label_of(first, dim, at[dim]) for dim in dims}
        raw = {name: values.isel(at).to_numpy().astype(float) for name, values in whole.items()}
        of = counted(raw[names[0]])
        fields = {name: without(values, of.left_out)[..., of.points] for name, values in raw.items()}
        notes = notes_of(m, raw[names[0]], control, of)
        found.append(Ensemble(labels, float(labels[size]), m[of.points], fields, notes))
    return found


class Counted(NamedTuple):
    """Which students count. `copies` do once; `left_out` are those and, as if they were copies, teachers without any
    data, which tell nothing; `points`: the values of the control that at least half of the others have.
    """

    copies: Copies
    left_out: Copies
    points: NDArray[np.bool_]


def counted(values: Array) -> Counted:
    """Which students (teacher, replica, point) count."""
    has = np.asarray(np.isfinite(values).any(axis=1))
    found = copies(values)
    none = np.asarray(found.teachers | ~has.any(axis=1))
    points = has[~none].sum(axis=0) * 2 >= max(1, int((~none).sum()))
    return Counted(found, found._replace(teachers=none), points)


def notes_of(m: Array, values: Array, control: str, of: Counted) -> tuple[Reason, ...]:
    """What must be known of students (teacher, replica, point), of which those of `of` count, beside the numbers that
    follow from them.
    """
    notes = []
    found = of.copies
    twice, again = int(found.teachers.sum()), int(found.students.sum())
    if twice:
        notes.append(because("equal_students", count=twice, of=len(values)))
    if again:
        students = int(np.isfinite(values[~found.teachers]).any(axis=-1).sum())
        notes.append(because("equal_replicas", count=again, of=students))
    dropped = int(np.isfinite(values).any(axis=(0, 1)).sum()) - int(of.points.sum())
    if dropped:
        notes.append(because("points_left_out", count=dropped, control=control))
    infinite = np.isinf(values)
    if infinite.any():
        at = tuple(m[infinite.any(axis=(0, 1))].tolist())
        notes.append(because("infinite", count=int(infinite.sum()), control=control, at=at))
    return tuple(notes)


def used(m: Array, values: Array, of: Counted) -> tuple[Array, Array]:
    """The control, and the order parameter there, of the teachers and points that count.

    Where all teachers are copies of one they stay: their mean is known, though no error of it.
    """
    found, points = of.left_out, of.points
    if (~found.teachers).sum() == 1:
        found = found._replace(teachers=np.logical_not(np.isfinite(values).any(axis=(1, 2))))
    return m[points], without(values, found)[..., points]


def all_equal(notes: Iterable[Reason]) -> bool:
    """Whether notes say that all teachers are copies of one, so that no error is known."""
    return any(note.key == "equal_students" and note["count"] == note["of"] - 1 for note in notes)


def teachers_and_replicas(values: Array) -> tuple[int, int]:
    """Teachers, and replicas of each: the median where they differ."""
    replicas = np.isfinite(values).sum(axis=1)
    return len(values), int(np.median(replicas[replicas > 0])) if (replicas > 0).any() else 0


def means_as_samples(ds: xr.Dataset, name: str, design: Design) -> tuple[xr.Dataset, Design]:
    """A dataset of artificial samples in place of means with errors, and the design without errors.

    Each combination of labels, starts and times among them, has samples of its own: their errors are taken for
    independent. Where there are samples already both stay as they are.
    """
    if design.error is None:
        return ds, design
    made = samples_of(ds, name, design).to_dataset(name=name)
    made[name].attrs.update(ds[name].attrs)
    return made.assign_attrs(ds.attrs), replace(design, error=None)


def with_size(ds: xr.Dataset, name: str, size: str, error: str | None = None) -> xr.Dataset:
    """The variable, and that of its errors, with the size as a dimension, where it was a scalar coordinate."""
    if name not in ds or size in ds[name].dims:
        return ds
    if size not in ds.coords or ds[size].ndim:
        held = ", ".join(map(str, ds[name].dims))
        raise DatasetError(f"size {size!r} is no dimension of {name}, which has {held}")
    return ds[[one for one in (name, error) if one in ds]].expand_dims(size)
