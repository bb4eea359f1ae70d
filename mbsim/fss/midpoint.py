"""First estimate of m_c: the midpoint of the order parameter against m, for each (N, d) on its own.

m_c is where a smooth curve through the mean order parameter (`curve`) lies half-way between the branch before
the transition and the branch after it, fitted to the points about the transition (`window`). The statistical
part of the interval comes from resampled teachers and replicas (`resample`), and is never narrower than the
grid resolves. The systematic part is how far m_c moves with what the data do not settle: which points are
fitted, and whether a branch is flat. Where a branch is no plateau the midpoint takes its slope to go on under
the transition, which no data show: the reason says so, and the systematic part holds what a flat one gives::

    low = m_c - √((m_c - low_statistical)² + down²),    high = m_c + √((high_statistical - m_c)² + up²)

Sizes are not compared here, nor is the order of the transition judged.

Conventions
-----------
* An order parameter that falls with the control has its sign changed; how large it is plays no part.
* A transition is reported only if both its branches are seen; if not, order "none" and a reason that says
  what to do. With one teacher the order is "undecided", and there is no number: only the reason.
* The interval of a record follows from `seed` and its own labels, whatever else the dataset holds.
"""

import itertools
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from mbsim.errors import DatasetError
from mbsim.fss import curve, resample, window
from mbsim.fss.critical import Critical
from mbsim.fss.design import SAMPLES, Design, Samples, levels, need_dataset
from mbsim.fss.door import label_of
from mbsim.fss.estimators import Study
from mbsim.fss.interval import Label, Order
from mbsim.fss.names import MIDPOINT
from mbsim.fss.reasons import Reason, because, extend
from mbsim.fss.records import Records
from mbsim.fss.request import number
from mbsim.fss.resample import generator
from mbsim.fss.resampled import Resampled
from mbsim.fss.samples import (
    all_equal,
    counted,
    notes_of,
    order_parameter_of,
    samples_of,
    teachers_and_replicas,
    used,
)
from mbsim.fss.summaries import Summary

Array = NDArray[np.float64]

FEWEST_POINTS = 4
SIGNIFICANCE = 3.0
"""A rise, or a fall, counts if it is larger than this many standard errors."""
GAIN = 36.0
"""A step counts if it lowers the squares about a constant by so many squared standard errors."""
FALL = 0.25
"""The order parameter falls again if it loses this share of its range."""
TENTH_TO_NINE_TENTHS = 2 * np.log(9)
"""Length of that part of a logistic step of width 1."""


def midpoint(
    ds: xr.Dataset,
    order_parameter: str | None = None,
    *,
    control: str = "m",
    samples: Samples = SAMPLES,
    scale: Literal["linear", "log"] = "linear",
    minimum_rise: float = 0.0,
    bootstrap: int = 1000,
    seed: int = 0,
    error: str | None = None,
) -> Records[Critical]:
    """m_c for every combination of the dimensions that are neither `control` nor `samples`, in their order.

    Args:
        ds: any dataset that holds the order parameter.
        order_parameter: a variable over `control`, `samples` and any labels; NaN where a student did not run.
            By default what `order_parameter_of` says.
        control: the dimension along which the transition is sought.
        samples: the quenched disorder, then the replicas within it; either may be absent from the variable.
        scale: "log" to fit in the logarithm of the control, for a geometric grid.
        minimum_rise: in units of the order parameter, the step below which there is no transition. By default
            any step counts that stands out of its errors.
        bootstrap: the number of resamples.
        seed: of the resamples.
        error: where there are no samples, the variable of the errors of the means, their covariance or draws.

    A value of m counts if at least half of the teachers have it. Where the order parameter falls again at
    larger m (by more than a quarter of its range and three standard errors), only m before the fall is used.
    With one teacher there is neither m_c nor an interval: nothing is known of other teachers.

    Raises:
        DatasetError: `ds` is no dataset, the variable or the control is not there, or the scale does not suit
            it.

    >>> from mbsim import fss
    >>> fss.midpoint(fss.planted([64]), bootstrap=100)
    [<Critical N = 64: m_c = 17.98 (17.67 to 18.26), midpoint of q>]
    """
    design = Design(control=control, samples=levels(samples), bootstrap=bootstrap, seed=seed, error=error)
    number("minimum_rise", minimum_rise)
    return midpoints(ds, order_parameter, design, scale, minimum_rise)


def midpoints(
    ds: xr.Dataset,
    order_parameter: str | None,
    design: Design,
    scale: Literal["linear", "log"] = "linear",
    minimum_rise: float = 0.0,
    systematic: bool = True,
    means: Iterable[Summary] = (),
) -> Records[Critical]:
    """What `midpoint` gives; the size of the design plays no part. Without `systematic` that part is zero.

    `means`: summaries that hold the resampled means already; those of other labels are resampled here.
    """
    order_parameter = order_parameter_of(need_dataset(ds), order_parameter)
    values = samples_of(ds, order_parameter, design)
    control = values[design.control]
    _check_scale(control, scale)
    names = [str(name) for name in values.dims if name not in (*design.samples, design.control)]
    m = control.to_numpy().astype(float)
    ready = {_key(one.ensemble.labels): one.quantities.get("mean") for one in means}
    records = Records[Critical]()
    for index in itertools.product(*(range(values.sizes[name]) for name in names)):
        at = dict(zip(names, index, strict=True))
        labels: dict[str, Label] = {name: label_of(values, name, at[name]) for name in names}
        students = values.isel(at).to_numpy().astype(float)
        of = counted(students)
        points = _Points(*used(m, students, of))
        fit = _Fit(
            order_parameter, design.control, scale == "log", minimum_rise, design.bootstrap, systematic
        )
        found = _analyse(points, fit, generator(design.seed, labels), ready.get(_key(labels)))
        notes = notes_of(m, students, design.control, of)
        if all_equal(notes):
            unknown = (np.nan, np.nan)
            found = found._replace(
                low=np.nan, high=np.nan, draws=None, statistical=unknown, systematic=unknown
            )
        found = found._replace(because=(*found.because, *notes))
        # Of one teacher both branches are there, and of few points nothing is known: it is not that none is seen.
        seen = np.isfinite(found.m_c) or any(
            one.key in ("one_teacher", "few_points") for one in found.because
        )
        order: Order = "undecided" if seen else "none"
        records.append(
            Critical(
                labels=labels,
                order=order,
                estimator=MIDPOINT,
                order_parameter=order_parameter,
                **found._asdict(),
            )
        )
    return records


class Midpoint:
    """m_c = the centre of f(x) = (before + slope u)(1 - s) + after s, s = 1/(1 + exp(-(x - m_c)/width)).

    f is the smooth curve through the mean order parameter: half-way between both branches (`curve`), within
    six widths of m_c (`window`).
    """

    key = MIDPOINT
    title = "midpoint of {order_parameter}"
    short = "midpoint"
    needs: tuple[str, ...] = ()

    def records(self, study: Study) -> Records[Critical]:
        """One for each combination of labels."""
        means = study.curves if "curves" in vars(study) else ()
        return midpoints(study.ds, study.order_parameter, study.design, means=means)


def _key(labels: Mapping[str, Label]) -> frozenset[tuple[str, Label]]:
    return frozenset(labels.items())


class _Points(NamedTuple):
    """Values of the control, (point,), and of the order parameter there, (teacher, replica, point)."""

    m: Array
    values: Array


class _Found(NamedTuple):
    m_c: float = np.nan
    low: float = np.nan
    high: float = np.nan
    value: float = np.nan
    width: float = np.nan
    because: tuple[Reason, ...] = ()
    draws: Array | None = None
    statistical: tuple[float, float] = (np.nan, np.nan)
    systematic: tuple[float, float] = (np.nan, np.nan)


class _Fit(NamedTuple):
    """How to look for the midpoint: names for the reasons, the scale, the least rise, the resamples, and whether
    the systematic part of the error is wanted.
    """

    name: str
    control: str
    log: bool
    minimum_rise: float
    bootstrap: int
    systematic: bool


def _analyse(points: _Points, fit: _Fit, rng: np.random.Generator, ready: Resampled | None = None) -> _Found:
    """The midpoint of one curve, or why there is none; `ready` are its resampled means if they are there."""
    m, values = points
    control, log, least, samples = fit.control, fit.log, fit.minimum_rise, fit.bootstrap
    if len(m) < FEWEST_POINTS:
        return _Found(because=(because("few_points", count=len(m), control=control, needed=FEWEST_POINTS),))
    y, error = resample.mean(values), np.nan_to_num(resample.standard_error(values))
    span: dict[str, Any] = {"name": fit.name, "low": float(y.min()), "high": float(y.max())}
    span |= {"control": control, "first": float(m[0]), "last": float(m[-1])}
    sign = -1.0 if window.falls(y) else 1.0
    values, y = sign * values, sign * y
    end = _end_of_rise(y, error)
    caution = (because("falls_again", control=control, at=float(m[end])),) if end < len(m) else ()
    m, values, y, error = m[:end], values[..., :end], y[:end], error[:end]
    if len(m) < FEWEST_POINTS or np.ptp(y) < least or window.constant(y):
        return _Found(because=(because("no_rise", **span), *caution))

    x = np.log(m) if log else m
    near = window.around(x, y)
    fitted = curve.fit(x[near], y[None, near])
    if ready is not None:
        both, replicas_only = (sign * one[:, :end] for one in (ready.both, ready.kept))
    else:
        both = resample.bootstrap_means(values, samples, rng)
        replicas_only = resample.bootstrap_means(values, samples, rng, redraw_teachers=False)
    resampled = curve.fit(x[near], np.concatenate([both, replicas_only])[:, near])
    rise, noise = float(fitted.height[0]), float(resampled.height[:samples].std())
    if rise < least:
        return _Found(because=(because("no_step", least=least, **span),))
    if rise < SIGNIFICANCE * noise or _gain(x[near], y[near], fitted) < GAIN * np.square(error[near]).mean():
        return _Found(because=(because("noisy_step", rise=rise, noise=noise, **span),))
    before, after = window.branches_seen(x[near], fitted)
    if not (before and after):
        advice = extend(control, float(m[0]), float(m[-1]), below=not before, above=not after)
        return _Found(because=(because("part_of_rise", advice=advice, **span),))
    if len(values) < 2:
        return _Found(because=(because("one_teacher"),))

    centre, half_width = fitted.centre[0], fitted.width[0] * TENTH_TO_NINE_TENTHS / 2
    shape = teachers_and_replicas(values)
    centres = Resampled(np.asarray(centre), resampled.centre[:samples], resampled.centre[samples:], shape)
    _, low, high = centres.interval()
    half_gap = _resolution(x[near], fitted)
    low, high = min(low, centre - half_gap), max(high, centre + half_gap)
    down = up = 0.0
    if fit.systematic:
        every = np.append(centre, resampled.centre[:samples])
        down, up = window.systematic(x, y, near, both, every, (high - low) / 2)
    ends = centre - np.hypot(centre - low, down), centre + np.hypot(high - centre, up)
    numbers = np.array([centre, low, high, *ends, centre - down, centre + up])
    numbers = np.append(np.clip(numbers, x[0], x[-1]), [centre - half_width, centre + half_width])
    m_c, low, high, least_m, most_m, lower, upper, begin, finish = (
        np.exp(numbers) if log else numbers
    ).tolist()
    draws = np.exp(centres.deviates()) if log else centres.deviates()
    value = sign * float(fitted.after[0] - rise / 2)
    seen = window.plateaus_seen(x[near], y[near], fitted)
    sides = tuple(side for side, one in zip(("before", "after"), seen, strict=True) if not one)
    plateaus = (because("no_plateau", sides=sides),) if sides else ()
    return _Found(
        m_c, least_m, most_m, value, finish - begin, (*plateaus, *caution), draws,
        (low, high), (m_c - lower, upper - m_c),
    )  # fmt: skip


def _gain(x: Array, y: Array, fitted: curve.Curve) -> float:
    """By how much the curve lowers the sum of squares about a constant."""
    share, u = fitted.share(x)[0], (x - x[0]) / (x[-1] - x[0])
    smooth = (fitted.before + fitted.slope * u) * (1 - share) + fitted.after * share
    return float(np.square(y - y.mean()).sum() - np.square(y - smooth).sum())


def _end_of_rise(y: Array, error: Array) -> int:
    """Number of leading points before the order parameter falls clearly below what it had reached."""
    peak = np.maximum.accumulate(y)
    peak_error = error[np.maximum.accumulate(np.where(y == peak, np.arange(len(y)), 0))]
    fallen = peak - y > np.maximum(FALL * np.ptp(y), SIGNIFICANCE * np.hypot(error, peak_error))
    return int(np.argmax(fallen)) if fallen.any() else len(y)


def _resolution(x: Array, fitted: curve.Curve) -> float:
    """How far the centre may be off, either way, because the grid steps over the rise.

    I = Σ 4 s (1 - s) over the grid tells how many points lie in the rise. With I ≤ 1/2 it is half of the gap
    between the neighbouring points, as the centre then rests on the form of the curve, which cannot be seen
    between two points; from there to I = 3/2 it shrinks to nothing.
    """
    share, centre = fitted.share(x)[0], fitted.centre[0]
    right = int(np.clip(np.searchsorted(x, centre), 1, len(x) - 1))
    part = np.clip(1.5 - (4 * share * (1 - share)).sum(), 0, 1)
    return float(part * (x[right] - x[right - 1]) / 2)


def _check_scale(control: xr.DataArray, scale: str) -> None:
    if not (isinstance(scale, str) and scale in ("linear", "log")):
        raise DatasetError(f"scale = {scale!r}: allowed are 'linear' and 'log'")
    if scale == "log" and not bool((control > 0).all()):
        raise DatasetError(
            f"scale = 'log' needs a positive control: {control.name} has {control.min().item():g}"
        )
