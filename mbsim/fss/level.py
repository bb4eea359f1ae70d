"""The control at which the order parameter passes a fixed level: for order parameters with a natural scale.

An overlap runs from 0, a student that knows nothing of its teacher, to 1, the teacher itself; so does the overlap
of the outputs, 1 - e / e_guess, which is the generalisation error on its natural scale. Half-way between is a
level that no plateau of the data enters. Where a dataset's variable has the attribute `natural_scale`, two numbers,
these are its scale; a variable without a natural scale has no such m_c.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from mbsim.errors import DatasetError
from mbsim.fss.critical import Critical
from mbsim.fss.estimators import Study
from mbsim.fss.reasons import because, extend
from mbsim.fss.request import number
from mbsim.fss.window import RESAMPLES, excess, falls

Array = NDArray[np.float64]

SCALES = {"overlap": (0.0, 1.0), "output_overlap": (0.0, 1.0), "success": (0.0, 1.0)}
"""Scales of the variables of mbsim, by name without "_mean"."""
FEWEST_POINTS = 2
PLACES = 400


class Level:
    """m_c where ⟨q⟩(m_c) = level, by straight lines between the points; level = half-way up q's natural scale.

    Args:
        value: a level of your own, in units of the order parameter; for any order parameter.
        key, short: of the estimator, where you register another level beside the built-in one.

    >>> from mbsim import fss
    >>> fss.register(fss.Level(0.4, key="level_04", short="q = 0.4"))
    >>> fss.estimates(fss.planted([64]), ["level_04"], bootstrap=100)
    [<Critical N = 64: m_c = 16.86 (16.55 to 17.13), fixed level of q>]
    >>> fss.unregister("level_04")
    """

    title = "fixed level of {order_parameter}"
    needs: tuple[str, ...] = ()

    def __init__(self, value: float | None = None, key: str = "level", short: str = "fixed level") -> None:
        if value is not None:
            value = number("level", value)
        self.value, self.key, self.short = value, key, short

    def records(self, study: Study) -> Iterator[Critical]:
        """One for each combination of labels; none where the order parameter has no natural scale."""
        level = self.value if self.value is not None else natural_level(study.ds, study.order_parameter)
        if level is None:
            return
        control = study.design.control
        for one in study.curves:
            labels, m = one.ensemble.labels, one.ensemble.m
            if len(m) < FEWEST_POINTS:
                why = because("few_points", count=len(m), control=control, needed=FEWEST_POINTS)
                yield study.unknown(labels, why)
                continue
            mean = one.quantities["mean"]
            sign = -1.0 if falls(mean.estimate) else 1.0
            y = sign * (mean.estimate - level)
            if not (y[0] < 0 < y.max()):
                advice = extend(control, float(m[0]), float(m[-1]), below=y[0] >= 0, above=y.max() <= 0)
                yield study.unknown(labels, because("no_level", level=level, advice=advice))
                continue
            if mean.shape[0] < 2:
                yield study.unknown(labels, because("one_teacher"))
                continue
            from scipy.interpolate import PchipInterpolator  # slow to import

            rise = mean.map(partial(_above, level=level, sign=sign))
            place = rise.map(partial(_crossing, m))
            few = np.concatenate([rise.estimate[None], rise.both[:RESAMPLES]])
            fine = np.linspace(m[0], m[-1], PLACES)
            smooth = np.asarray(PchipInterpolator(m, few, axis=-1)(fine))
            down, up = excess([_crossing(fine, smooth) - _crossing(m, few)])
            below, above = _gap(m, y, float(place.estimate))
            yield study.record(labels, place, (m[0], m[-1]), 0.0, (max(down, below), max(up, above)))


def natural_level(ds: xr.Dataset, order_parameter: str) -> float | None:
    """Half-way up the natural scale of the order parameter, or None where it has none.

    Raises:
        DatasetError: the attribute `natural_scale` is not two different numbers.
    """
    name = order_parameter.removesuffix("_mean")
    given = ds[order_parameter].attrs.get("natural_scale", SCALES.get(name))
    if given is None:
        return None
    try:
        ends = np.asarray(given, float).ravel()
    except (TypeError, ValueError):
        ends = np.empty(0)
    if len(ends) != 2 or not np.isfinite(ends).all() or ends[0] == ends[1]:
        raise DatasetError(f"natural_scale = {given!r} of {order_parameter}: must be two different numbers")
    return float(ends.mean())


def _above(batch: Array, level: float, sign: float) -> Array:
    return sign * (batch - level)


def _crossing(x: Array, batch: Array) -> Array:
    """Where each curve of the batch passes zero, shape (batch,), NaN where it does not.

    Noise makes several passages: half-way between the first and the last before the curve's maximum.
    """
    points = np.arange(len(x))
    upward = (batch[:, :-1] < 0) & (batch[:, 1:] >= 0) & (points[:-1] < np.argmax(batch, axis=-1)[:, None])
    found = upward.any(axis=-1)
    first = np.argmax(upward, axis=-1)
    last = len(x) - 2 - np.argmax(upward[:, ::-1], axis=-1)
    rows = np.arange(len(batch))

    def place(at: NDArray[np.int64]) -> Array:
        low, high = batch[rows, at], batch[rows, at + 1]
        return np.asarray(x[at] - low * (x[at + 1] - x[at]) / np.where(high > low, high - low, 1.0))

    return np.where(found, (place(first) + place(last)) / 2, np.nan)


def _gap(x: Array, y: Array, place: float) -> tuple[float, float]:
    """How far (down, up) the passage may be off because the grid steps over the rise.

    Between two points that hold a quarter of the rise or less a straight line will do; where they hold half of
    it or more nothing tells where between them the level is passed.
    """
    at = int(np.clip(np.searchsorted(x, place), 1, len(x) - 1))
    part = np.clip(4 * (y[at] - y[at - 1]) / np.ptp(y) - 1, 0, 1)
    return float(part * (place - x[at - 1])), float(part * (x[at] - place))
