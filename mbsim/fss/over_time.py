"""m_c against the length of the run: the estimate at every measured time, and whether it has come to rest.

    m_c(t) = the estimator of m_c, of the order parameter at the measured time t
    trend  = d m_c / d log10 t over the last decade, t_last / 10 ≤ t ≤ t_last, and over the last half of it

Both are of `drift`, where all times are resampled with the same teachers and replicas: what moves all of them
together is in neither interval. Intervals are those of chance and of the grid's resolution; what a definition leaves
open moves all times alike.

Students that start at random leave a metastable state later the nearer they are to where it loses its
stability, so that m_c read off them moves with log t long after every other sign of a run has come to rest.
Such a value is the limit of metastability (spinodal) at the time of the run, not a property of the stationary
state.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from mbsim.errors import DatasetError
from mbsim.fss import names
from mbsim.fss.critical import Critical
from mbsim.fss.design import SAMPLES, Design, Samples, levels, need_dataset, need_name
from mbsim.fss.door import coordinate
from mbsim.fss.drift import FEWEST_TIMES, Drift, drift, late
from mbsim.fss.estimates import estimates_of
from mbsim.fss.estimators import Study
from mbsim.fss.interval import UNKNOWN, Interval, Label
from mbsim.fss.midpoint import midpoints
from mbsim.fss.names import MIDPOINT
from mbsim.fss.reasons import Reason, because
from mbsim.fss.records import Record, Records
from mbsim.fss.samples import means_as_samples, order_parameter_of

Array = NDArray[np.float64]

LINEAR = {"output_overlap": "generalization_error"}
"""What is not kept over time, and what it is a linear function of that is."""


def _none() -> Array:
    return np.zeros(0)


@dataclass(frozen=True, repr=False)
class OverTime(Record):
    """m_c at every measured time, for one combination of labels and one estimator.

    labels, estimator, order_parameter: as in `Critical`. unit: of the times, "sweep" or "step".
    times: those measured, without zero, shape (time,). m_c, low, high: m_c(t) with its 95 % interval, without a
        systematic part, shape (time,); NaN where there is none.
    trend: the change of m_c per factor of ten in time over the last decade, with its 95 % interval.
    at_end: the same over the last half of that decade, t_last / √10 ≤ t ≤ t_last; less where the drift slows down.
    because: why there is no trend, or that m_c is still moving: key "still_moving", or "spinodal" where phases are
        known to coexist; and how many of the measured times were read off, if not all.
    """

    labels: dict[str, Label]
    estimator: str
    order_parameter: str = ""
    unit: str = ""
    times: Array = field(default_factory=_none)
    m_c: Array = field(default_factory=_none)
    low: Array = field(default_factory=_none)
    high: Array = field(default_factory=_none)
    trend: Interval = UNKNOWN
    because: tuple[Reason, ...] = ()
    at_end: Interval = UNKNOWN

    keys: ClassVar[tuple[str, ...]] = ("estimator",)

    @property
    def title(self) -> str:
        """How m_c was read off, in words."""
        return names.title_of(self.estimator, self.order_parameter)

    @property
    def moving(self) -> bool:
        """Whether m_c still moves at the end of the run, by more than its own error in a factor of ten."""
        return any(one.key in ("still_moving", "spinodal") for one in self.because)

    @property
    def notes(self) -> tuple[Reason, ...]:
        """What to mind besides whether m_c moves: how many times were read off."""
        return tuple(one for one in self.because if one.key == "times_left_out")

    def as_spinodal(self) -> "OverTime":
        """The same, where phases are known to coexist: if m_c still moves it is the limit of a metastable state."""
        return replace(self, because=tuple(map(_spinodal, self.because)))

    def fields(self) -> dict[str, Any]:
        """The estimator, the last m_c and the trend."""
        return {"estimator": self.title, "m_c": self._at(-1), "trend": self.trend, "at_end": self.at_end}

    def row(self) -> dict[str, Any]:
        """Labels, estimator by its key, the last m_c, and the trend, of the last half-decade too."""
        return super().row() | {"estimator": self.estimator, "order_parameter": self.order_parameter}

    def summary(self) -> str:
        """The first and the last m_c that are known, and the trend."""
        known = np.flatnonzero(np.isfinite(self.m_c))
        ends = [f"m_c({self.times[at]:g}) = {self._at(at)}" for at in known[[0, -1]]] if len(known) else []
        trend = f"{self.trend} per factor of ten" if self.trend.known else "no trend"
        return ", ".join([*ends, trend]) + (f" ({self.reason})" if self.because else "")

    def _at(self, at: int) -> Interval:
        if not len(self.m_c):
            return UNKNOWN
        return Interval(float(self.m_c[at]), float(self.low[at]), float(self.high[at]))


def over_time(
    ds: xr.Dataset,
    order_parameter: str | None = None,
    *,
    size: str = "N",
    control: str = "m",
    samples: Samples = SAMPLES,
    time: str = "time",
    estimator: str = MIDPOINT,
    bootstrap: int = 1000,
    seed: int = 0,
    error: str | None = None,
) -> Records[OverTime]:
    """m_c(t) at every measured time, for every combination of labels.

    Args:
        ds: a dataset with the order parameter over `time`, control, samples and any labels.
        order_parameter: a variable that has the dimension `time`; by default that of which the dataset's
            order parameter is the mean, as `overlap` is of `overlap_mean`, or follows by a linear law, as
            `output_overlap` from `generalization_error`, which has the same m_c.
        size: the dimension of system sizes.
        control: the dimension along which the transition is sought.
        samples: the quenched disorder, then the replicas within it; either may be absent.
        time: the dimension of measured times.
        estimator: a key of `ESTIMATORS` that gives a record for each combination of labels.
        bootstrap: the number of resamples.
        seed: of the resamples.
        error: where there are no samples, the variable of the errors of the means, their covariance or their
            draws, over `time` too; errors of two times are taken for independent. See `mbsim.fss.given`.

    Raises:
        DatasetError: `ds` is no dataset; an unknown estimator; the variable or a dimension is not there.

    >>> import numpy as np, xarray as xr
    >>> from mbsim import fss
    >>> ds = fss.planted([64])  # m_c falls by 2 in each factor of ten of the time
    >>> late = [ds.q.assign_coords(m=ds.m - 2 * np.log10(t / 10)).interp(m=ds.m[4:-3]) for t in (10, 30, 100)]
    >>> moved = xr.concat(late, xr.Variable("time", [10, 30, 100])).to_dataset(name="q")
    >>> [found] = fss.over_time(moved, "q", bootstrap=100)
    >>> found.m_c.round().tolist(), round(found.trend.value), found.moving
    ([18.0, 17.0, 16.0], -2, True)
    """
    design = Design(size, control, levels(samples), bootstrap, seed, error)
    need_name("time", time)
    return times_of(ds, timed_variable(need_dataset(ds), order_parameter, time), design, time, estimator)


def timed_variable(ds: xr.Dataset, order_parameter: str | None, time: str = "time") -> str:
    """The order parameter that is measured over time: itself, or the one of which it is the mean.

    Raises:
        DatasetError: neither is.
    """
    name = order_parameter_of(ds, order_parameter)
    stem = name.removesuffix("_mean")
    for candidate in (name, stem, LINEAR.get(stem, "")):
        if candidate in ds and time in ds[candidate].dims:
            return candidate
    held = ", ".join(sorted(str(key) for key, one in ds.data_vars.items() if time in one.dims)) or "none"
    raise DatasetError(f"order parameter {name!r} has no dimension {time!r}: allowed are {held}")


def times_of(
    ds: xr.Dataset,
    order_parameter: str,
    design: Design,
    time: str = "time",
    estimator: str = MIDPOINT,
    most: int | None = None,
) -> Records[OverTime]:
    """What `over_time` gives; with `most`, at so many times at most: half of them in the last decade, which has the
    trend, half before it, evenly spaced in log t, the first and the last among them.
    """
    ds, design = means_as_samples(ds, order_parameter, design)
    whole = ds[[order_parameter]]
    coordinate(ds[order_parameter], time)
    times = np.asarray(ds[time].to_numpy(), float)
    wanted = _spread(times, most)
    at_time: list[dict[tuple[Any, ...], Critical]] = []
    for at in wanted:
        study = Study(whole.isel({time: at}, drop=True), order_parameter, design)
        found = _records(study, estimator)
        at_time.append({tuple(one.labels.items()): one for one in found})
    unit = str(ds[time].attrs.get("units", ""))
    keys = list(dict.fromkeys(key for found in at_time for key in found))
    measured = int((times > 0).sum())
    notes = (because("times_left_out", count=len(wanted), of=measured),) if len(wanted) < measured else ()
    return Records(
        _one(dict(key), estimator, order_parameter, unit, times[wanted], [one[key] for one in at_time], notes)
        for key in keys
    )


def _records(study: Study, estimator: str) -> Sequence[Critical]:
    if estimator == MIDPOINT:  # far faster without its systematic part
        return midpoints(study.ds, study.order_parameter, study.design, systematic=False)
    return estimates_of(study, [estimator])


def _spread(times: Array, most: int | None) -> NDArray[np.int64]:
    """Places of positive times, at most so many, those of the last decade and those before it evenly in log t."""
    positive = np.flatnonzero(times > 0)
    if most is None or len(positive) <= most:
        return positive
    end = late(times[positive])
    places = [_evenly(times, positive[part], most // 2) for part in (~end, end)]
    return np.concatenate(places)


def _evenly(times: Array, places: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    if len(places) <= most:
        return places
    logs = np.log(times[places])
    nearest = np.abs(np.linspace(logs[0], logs[-1], most)[:, None] - logs).argmin(axis=1)
    return places[np.unique(nearest)]


def _one(
    labels: dict[str, Label],
    estimator: str,
    order_parameter: str,
    unit: str,
    times: Array,
    found: Sequence[Critical],
    notes: tuple[Reason, ...],
) -> OverTime:
    m_c = np.array([one.m_c for one in found])
    low, high = np.array([one.of_chance for one in found]).reshape(-1, 2).T
    moved, why = _drift(times, found)
    return OverTime(
        labels,
        estimator,
        order_parameter,
        unit,
        times,
        m_c,
        low,
        high,
        moved.mean,
        (*why, *notes),
        moved.at_end,
    )


def _spinodal(reason: Reason) -> Reason:
    return because("spinodal", **reason.values) if reason.key == "still_moving" else reason


def _drift(times: Array, found: Sequence[Critical]) -> tuple[Drift, tuple[Reason, ...]]:
    """The drift over the last decade and its last half, and what is to be said of it."""
    moved = drift(times, np.array([one.m_c for one in found]), [one.draws for one in found])
    last = times[late(times) & [bool(np.isfinite(one.m_c)) for one in found]]
    if not moved.mean.known:
        span = float(last[-1] / last[0]) if len(last) else 0.0
        return Drift(), (because("few_times", count=len(last), needed=FEWEST_TIMES, factor=span),)
    error = float(np.ptp(next(one for one in reversed(found) if np.isfinite(one.m_c)).of_chance)) / 2
    slopes = [one for one in moved if one.known]
    clear = all(one.low > 0 or one.high < 0 for one in slopes)
    if not clear or abs(moved.mean.value) <= error:
        return moved, ()
    since, until = float(last[0]), float(last[-1])
    return moved, (because("still_moving", trend=moved.mean, at_end=moved.at_end, since=since, until=until),)
