"""What the analysis is told of a dataset: which dimensions are what, and how often to resample."""

import operator
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import xarray as xr

from mbsim.errors import DatasetError

SAMPLES = ("teacher", "replica")
"""The levels of chance: the quenched disorder, then the replicas within it."""
UNNAMED = ("_first", "_second")
"""What stands for levels that a dataset does not have."""
Samples = str | Sequence[str] | None
Errors = str | Mapping[str, tuple[str, str]] | None
FEWEST_RESAMPLES, MOST_RESAMPLES = (
    2,
    100_000,
)  # with more, memory goes before the error of an interval's ends does
T = TypeVar("T")


@dataclass(frozen=True)
class Design:
    """Dimensions and resamples of an analysis, checked.

    size: the dimension of system sizes. control: the one along which the transition is sought.
    samples: the quenched disorder, then the replicas within it; either may be absent from the dataset. One
        dimension alone, or the second alone, holds independent runs; none where there are errors.
    bootstrap: the number of resamples. seed: of the resamples.
    error: the variable of the errors of means without samples (`given`), or of several quantities
        {quantity: (variable, its error)}.

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
    error: Errors = None

    def __post_init__(self) -> None:
        for key in ("size", "control"):
            need_name(key, getattr(self, key))
        samples = levels(self.samples)
        for one in samples:
            need_name("samples", one)
        if samples[0] == samples[1]:
            raise DatasetError(f"samples = {samples!r}: must be two different dimensions")
        for key in ("size", "control"):
            if getattr(self, key) in samples:
                raise DatasetError(
                    f"{key} = {getattr(self, key)!r}: must not be one of samples = {samples!r}"
                )
        object.__setattr__(self, "samples", samples)
        object.__setattr__(
            self, "bootstrap", _whole("bootstrap", self.bootstrap, FEWEST_RESAMPLES, MOST_RESAMPLES)
        )
        object.__setattr__(self, "seed", _whole("seed", self.seed, 0))
        if self.error is not None and not isinstance(self.error, str):
            object.__setattr__(self, "error", _pairs(self.error))

    def error_of(self, name: str) -> str | None:
        """The variable of the errors of a variable, None where there are samples."""
        if isinstance(self.error, Mapping):
            return next((error for variable, error in self.error.values() if variable == name), None)
        return self.error


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
    records = records if isinstance(records, Sequence) else list(records)
    if other := [one for one in records if not hasattr(one, "labels")]:
        raise DatasetError(f"{argument} holds {other[0]!r}: must be records, as {source} gives them")
    return records


def need_each_once(records: Any, argument: str, source: str) -> Any:
    """The records themselves, where no two are the same thing: a law would take them for independent.

    Raises:
        DatasetError: two are of one estimator and order parameter at the same labels, or `need_records`.
    """
    seen = set()
    for one in need_records(records, argument, source):
        key = type(one), one.estimator, one.order_parameter, frozenset(one.labels.items())
        if key in seen:
            where = ", ".join(f"{name} = {value}" for name, value in one.labels.items()) or one.estimator
            raise DatasetError(
                f"{argument}: {where} occurs twice: each combination of labels must occur once"
            )
        seen.add(key)
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


def levels(samples: Any) -> tuple[str, str]:
    """Both levels of chance; of one dimension the runs are independent, and of none there is one run."""
    if samples is None:
        samples = ()
    names = (samples,) if isinstance(samples, str) else samples
    if not isinstance(names, (tuple, list)) or len(names) > len(SAMPLES):
        raise DatasetError(f"samples = {samples!r}: must be at most two dimensions, such as {SAMPLES!r}")
    first, second = (*names, *UNNAMED)[:2] if names else UNNAMED
    return first, second


def _pairs(error: Any) -> Mapping[str, tuple[str, str]]:
    allowed = "mean, binder, susceptibility, success"
    if not isinstance(error, Mapping) or not error:
        raise DatasetError(f"error = {error!r}: must be a variable, or {{quantity: (variable, its error)}}")
    for quantity, pair in error.items():
        if quantity not in allowed.split(", "):
            raise DatasetError(f"error of {quantity!r}: allowed are {allowed}")
        if isinstance(pair, str) or not hasattr(pair, "__len__") or len(pair) != 2:
            raise DatasetError(f"error[{quantity!r}] = {pair!r}: must be (variable, its error)")
    return {str(quantity): (str(pair[0]), str(pair[1])) for quantity, pair in error.items()}


def need_name(key: str, value: Any) -> None:
    """Refuse what cannot be the name of a dimension.

    Raises:
        DatasetError: it cannot.
    """
    if not (isinstance(value, str) and value):
        raise DatasetError(f"{key} = {value!r}: must be the name of a dimension")


def _whole(key: str, value: Any, least: int, most: int | None = None) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if isinstance(value, bool) or number < least:
        raise DatasetError(f"{key} = {value!r}: must be an integer, {least} or more")
    if most is not None and number > most:
        raise DatasetError(f"{key} = {value!r}: must be an integer, {most} or less")
    return number
