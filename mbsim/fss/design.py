"""What the analysis is told of a dataset: which dimensions are what, and how often to resample."""

import operator
import os
from dataclasses import dataclass
from typing import Any, TypeVar

import xarray as xr

from mbsim.errors import DatasetError

SAMPLES = ("teacher", "replica")
"""The levels of chance: the quenched disorder, then the replicas within it."""
FEWEST_RESAMPLES = 2
T = TypeVar("T")


@dataclass(frozen=True)
class Design:
    """Dimensions and resamples of an analysis, checked.

    size: the dimension of system sizes. control: the one along which the transition is sought.
    samples: the quenched disorder, then the replicas within it; either may be absent from the dataset.
    bootstrap: the number of resamples. seed: of the resamples.

    Raises:
        DatasetError: a name is no text, the two samples or the control are one dimension, or a number is no
            integer or too small.

    >>> Design(control="temperature", bootstrap=200).samples
    ('teacher', 'replica')
    """

    size: str = "N"
    control: str = "m"
    samples: tuple[str, str] = SAMPLES
    bootstrap: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        for key in ("size", "control"):
            _need_name(key, getattr(self, key))
        samples = self.samples
        if isinstance(samples, str) or not hasattr(samples, "__len__") or len(samples) != 2:
            raise DatasetError(f"samples = {samples!r}: must be two dimensions, such as {SAMPLES!r}")
        for one in samples:
            _need_name("samples", one)
        if samples[0] == samples[1]:
            raise DatasetError(f"samples = {tuple(samples)!r}: must be two different dimensions")
        if self.control in samples:
            raise DatasetError(f"control = {self.control!r}: must not be one of samples = {tuple(samples)!r}")
        object.__setattr__(self, "samples", tuple(samples))
        for key, least in (("bootstrap", FEWEST_RESAMPLES), ("seed", 0)):
            object.__setattr__(self, key, _whole(key, getattr(self, key), least))


def need_dataset(ds: Any, argument: str = "ds") -> xr.Dataset:
    """The dataset itself, or one line that says how to get one.

    Raises:
        DatasetError: it is a path, an array or anything else.
    """
    if isinstance(ds, xr.Dataset):
        return ds
    if isinstance(ds, (str, os.PathLike)):
        path = os.fspath(ds)
        raise DatasetError(
            f"{argument} = {path!r}: must be a dataset; mbsim.open_run({path!r}) opens a run folder"
        )
    if isinstance(ds, xr.DataArray):
        named = repr(ds.name) if ds.name else "..."
        raise DatasetError(
            f"{argument} is a DataArray: must be a dataset; .to_dataset(name={named}) makes it one"
        )
    if ds is None:
        raise DatasetError(f"{argument} = None: must be a dataset; mbsim.open_run(path) opens a run folder")
    raise DatasetError(
        f"{argument} is a {type(ds).__name__}: must be an xarray.Dataset, as mbsim.open_run(path) gives"
    )


def need_records(records: Any, argument: str, source: str) -> Any:
    """The records themselves, where they are a list of records.

    Raises:
        DatasetError: it is a dataset, a path or anything else that holds none; `source` says what gives them.
    """
    if isinstance(records, (str, os.PathLike, xr.Dataset, xr.DataArray)) or not hasattr(records, "__iter__"):
        kind = (
            f" = {records!r}" if isinstance(records, (str, type(None))) else f" is a {type(records).__name__}"
        )
        raise DatasetError(f"{argument}{kind}: must be records, as {source} gives them")
    return records


def need_record(record: Any, kind: type[T], argument: str, source: str) -> T:
    """The record itself, where it is of that kind.

    Raises:
        DatasetError: it is something else; `source` says what gives them.
    """
    if isinstance(record, kind):
        return record
    raise DatasetError(
        f"{argument} is a {type(record).__name__}: must be a {kind.__name__}, one of those {source} gives"
    )


def _need_name(key: str, value: Any) -> None:
    if not (isinstance(value, str) and value):
        raise DatasetError(f"{key} = {value!r}: must be the name of a dimension")


def _whole(key: str, value: Any, least: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if isinstance(value, bool) or number < least:
        raise DatasetError(f"{key} = {value!r}: must be an integer, {least} or more")
    return number
