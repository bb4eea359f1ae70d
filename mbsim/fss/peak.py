"""The peak of the susceptibility: where it is, how high, and whether the grid resolves it.

The peak is that of a local quadratic regression (`smooth`) whose reach is the width at half of the maximum.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mbsim.fss.critical import Critical
from mbsim.fss.estimators import Study
from mbsim.fss.reasons import Reason, because, extend
from mbsim.fss.resampled import Resampled
from mbsim.fss.smooth import refined, smoother

Array = NDArray[np.float64]

FEWEST_POINTS = 5
FALLS_TO = 0.7
"""A peak is seen whole if the susceptibility falls to this share of it on both sides."""
RESOLVED = 3
"""The height is known if so many points lie above half of it."""


class Peak(NamedTuple):
    """place and height, with resamples; None, and `because` says why, where there is no peak.

    half_gap: how far the place may be off because the grid steps over the peak; 0 where it is resolved.
    resolved: whether the height is that of the peak, and not of the point that happens to be next to it. systematic:
    none is known.
    """

    place: Resampled | None
    height: Resampled | None
    half_gap: float
    resolved: bool
    because: tuple[Reason, ...] = ()
    systematic: tuple[float, float] = (0.0, 0.0)


def peak(x: Array, curve: Resampled, control: str) -> Peak:
    """The peak of a resampled curve over the points x."""
    if len(x) < FEWEST_POINTS:
        return _none(because("few_points", count=len(x), control=control, needed=FEWEST_POINTS))
    y = curve.estimate
    top = int(np.argmax(y))
    if not y[top] > 0:
        return _none(because("no_fluctuation"))
    before, after = _falls(y[:top], y[top]), _falls(y[top + 1 :], y[top])
    if not (before and after):
        advice = extend(control, float(x[0]), float(x[-1]), below=not before, above=not after)
        return _none(because("no_whole_peak", advice=advice))
    if curve.shape[0] < 2:
        return _none(because("one_teacher"))
    noise = curve.both[:, top].std()
    ground = max(y[:top].min(), y[top + 1 :].min())
    if y[top] - ground < 3 * noise:
        return _none(because("noisy_peak"))

    first, last = _run(y > y[top] / 2, top)
    resolved = last - first + 1 >= RESOLVED
    if not resolved:
        first, last = max(first - 1, 0), min(last + 1, len(x) - 1)
    # Between the points that stand above half: another peak elsewhere is another peak.
    places = refined(x[first : last + 1])
    matrix = smoother(x, places, 0.6 * (x[last] - x[first]))
    smooth = curve.map(lambda batch: batch @ matrix.T)
    place = smooth.map(lambda batch: places[np.argmax(batch, axis=-1)])
    height = smooth.map(lambda batch: batch.max(axis=-1))
    half_gap = 0.0 if resolved else float(np.diff(x)[max(top - 1, 0) : top + 1].max()) / 2
    return Peak(place, height, half_gap, resolved)


class Susceptibility:
    """m_c = argmax χ(m), χ = N (⟨q²⟩ - ⟨q⟩²), of a local quadratic regression through the points."""

    key = "susceptibility"
    title = "peak of the susceptibility of {order_parameter}"
    short = "peak of χ"
    needs: tuple[str, ...] = ()

    def records(self, study: Study) -> Iterator[Critical]:
        """One for each combination of labels."""
        return study.on_curves("susceptibility", peak)


def _none(reason: Reason) -> Peak:
    return Peak(None, None, 0.0, False, (reason,))


def _falls(side: Array, top: float) -> bool:
    return len(side) > 0 and bool(side.min() < FALLS_TO * top)


def _run(flags: NDArray[np.bool_], at: int) -> tuple[int, int]:
    """First and last index of the run of true flags that holds `at`."""
    first = last = at
    while first > 0 and flags[first - 1]:
        first -= 1
    while last < len(flags) - 1 and flags[last + 1]:
        last += 1
    return first, last
