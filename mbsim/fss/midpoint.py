"""First estimate of m_c: the midpoint of the order parameter against m, for each (N, d) on its own.

m_c is where a smooth curve through the mean order parameter (`curve`) lies half-way between the branch before
the transition and the branch after it. The interval comes from resampled teachers and replicas (`resample`),
and is never narrower than the grid resolves; it holds chance and resolution, not the choice of the curve.
Sizes are not compared here, nor is the order of the transition judged.

Conventions
-----------
* The order parameter rises with the control.
* A transition is reported only if both its branches are seen; if not, order "none" and a `reason` that says
  what to do. With one teacher the order is "undecided", and there is no number: only the reason.
* The interval of a record follows from `seed` and its own labels, whatever else the dataset holds.
"""

import itertools
from typing import Literal, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from mbsim.errors import DatasetError
from mbsim.fss import curve, resample
from mbsim.fss.lanes import (
    ONE_TEACHER,
    SAMPLES,
    extend,
    generator,
    lanes,
    order_parameter_of,
    teachers_and_replicas,
    used,
)
from mbsim.fss.resampled import Resampled
from mbsim.fss.table import Critical, Label

Array = NDArray[np.float64]

FEWEST_POINTS = 4
SIGNIFICANCE = 3.0
"""A rise, or a fall, counts if it is larger than this many standard errors."""
FALL = 0.25
"""The order parameter falls again if it loses this share of its range."""
OUTER = 0.1
"""Each end of the grid must lie in the outer tenth of the fitted transition."""
TENTH_TO_NINE_TENTHS = 2 * np.log(9)
"""Length of that part of a logistic step of width 1."""


def midpoint(
    ds: xr.Dataset,
    order_parameter: str | None = None,
    *,
    control: str = "m",
    samples: tuple[str, str] = SAMPLES,
    scale: Literal["linear", "log"] = "linear",
    minimum_rise: float = 0.2,
    bootstrap: int = 1000,
    seed: int = 0,
) -> list[Critical]:
    """m_c for every combination of the dimensions that are neither `control` nor `samples`, in their order.

    Args:
        ds: any dataset that holds the order parameter.
        order_parameter: a variable over `control`, `samples` and any labels; NaN where a lane did not run. By
        default
            what `order_parameter_of` says.
        control: the dimension along which the transition is sought.
        samples: the quenched disorder, then the replicas within it; either may be absent from the variable.
        scale: "log" to fit in the logarithm of the control, for a geometric grid.
        minimum_rise: in units of the order parameter, the step below which there is no transition.
        bootstrap: the number of resamples.
        seed: of the resamples.

    A value of m counts if at least half of the teachers have it. Where the order parameter falls again at
    larger m (by more than a quarter of its range and three standard errors), only m before the fall is used.
    With one teacher there is neither m_c nor an interval: nothing is known of other teachers.

    Raises:
        DatasetError: the variable or the control is not there, or the scale does not suit it.
    """
    order_parameter = order_parameter_of(ds, order_parameter)
    values = lanes(ds, order_parameter, control, samples)
    _check_scale(values[control], scale)
    names = [str(name) for name in values.dims if name not in (*samples, control)]
    m = values[control].to_numpy().astype(float)
    records = []
    for index in itertools.product(*(range(values.sizes[name]) for name in names)):
        at = dict(zip(names, index, strict=True))
        labels: dict[str, Label] = {name: values[name][at[name]].item() for name in names}
        rng = generator(seed, labels)
        points = _Points(*used(m, values.isel(at).to_numpy().astype(float)))
        found = _analyse(points, order_parameter, control, scale == "log", minimum_rise, bootstrap, rng)
        records.append(
            Critical(
                labels=labels,
                order="undecided" if np.isfinite(found.m_c) or found.reason == ONE_TEACHER else "none",
                estimator=f"midpoint of {order_parameter}",
                **found._asdict(),
            )
        )
    return records


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
    reason: str = ""
    draws: Array | None = None


def _analyse(
    points: _Points,
    name: str,
    control: str,
    log: bool,
    minimum_rise: float,
    samples: int,
    rng: np.random.Generator,
) -> _Found:
    """The midpoint of one curve, or why there is none."""
    m, values = points
    if len(m) < FEWEST_POINTS:
        return _Found(reason=f"{len(m)} values of {control} hold data, at least {FEWEST_POINTS} are needed")
    y, error = resample.mean(values), np.nan_to_num(resample.standard_error(values))
    span = f"{name} lies between {y.min():.2g} and {y.max():.2g} for {control} = {m[0]:g} to {m[-1]:g}"
    end = _end_of_rise(y, error)
    caution = [f"falls again from {control} = {m[end]:g} on, fitted below that"] if end < len(m) else []
    m, values, y, error = m[:end], values[..., :end], y[:end], error[:end]
    if len(m) < FEWEST_POINTS or np.ptp(y) < minimum_rise:
        return _Found(
            reason="; ".join([f"{span}: no rise that is a transition, extend grid.{control}", *caution])
        )

    x = np.log(m) if log else m
    fitted = curve.fit(x, y[None])
    both = resample.bootstrap_means(values, samples, rng)
    replicas_only = resample.bootstrap_means(values, samples, rng, redraw_teachers=False)
    resampled = curve.fit(x, np.concatenate([both, replicas_only]))
    rise, noise = fitted.height[0], resampled.height[:samples].std()
    if rise < minimum_rise:
        return _Found(reason=f"{span}, without a step of {minimum_rise:g} or more: extend grid.{control}")
    before, after = _branches_seen(x, fitted)
    if not (before and after):
        advice = extend(control, m[0], m[-1], below=not before, above=not after)
        return _Found(reason=f"{span}, part of a transition: {advice}")
    if rise < SIGNIFICANCE * noise:
        return _Found(reason=f"{span}: the step of {rise:.2g} ± {noise:.1g} needs more teachers or replicas")
    if len(values) < 2:
        return _Found(reason=ONE_TEACHER)

    centre, half_width = fitted.centre[0], fitted.width[0] * TENTH_TO_NINE_TENTHS / 2
    shape = teachers_and_replicas(values)
    centres = Resampled(np.asarray(centre), resampled.centre[:samples], resampled.centre[samples:], shape)
    _, low, high = centres.interval()
    half_gap = _resolution(x, fitted)
    low, high = max(min(low, centre - half_gap), x[0]), min(max(high, centre + half_gap), x[-1])
    numbers = np.array([centre, low, high, centre - half_width, centre + half_width])
    m_c, low, high, begin, finish = (np.exp(numbers) if log else numbers).tolist()
    draws = np.exp(centres.deviates()) if log else centres.deviates()
    value = float(fitted.after[0] - rise / 2)
    return _Found(m_c, low, high, value, finish - begin, "; ".join(caution), draws)


def _end_of_rise(y: Array, error: Array) -> int:
    """Number of leading points before the order parameter falls clearly below what it had reached."""
    peak = np.maximum.accumulate(y)
    peak_error = error[np.maximum.accumulate(np.where(y == peak, np.arange(len(y)), 0))]
    fallen = peak - y > np.maximum(FALL * np.ptp(y), SIGNIFICANCE * np.hypot(error, peak_error))
    return int(np.argmax(fallen)) if fallen.any() else len(y)


def _branches_seen(x: Array, fitted: curve.Curve) -> tuple[bool, bool]:
    """Whether the branches before and after are seen: two points of each, the outer one clear of the rise."""
    share, centre = fitted.share(x)[0], fitted.centre[0]
    margin = 1e-6 * (x[-1] - x[0])
    before = share[0] < OUTER and centre > x[1] + margin
    after = share[-1] > 1 - OUTER and centre < x[-2] - margin
    return bool(before), bool(after)


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
    if scale not in ("linear", "log"):
        raise DatasetError(f"scale = {scale!r}: allowed are 'linear' and 'log'")
    if scale == "log" and not bool((control > 0).all()):
        raise DatasetError(
            f"scale = 'log' needs a positive control: {control.name} has {control.min().item():g}"
        )
