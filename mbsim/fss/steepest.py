"""The control at which the order parameter changes fastest: an estimator of m_c that needs no plateau.

A cubic is fitted to the mean order parameter about its steepest rise, with the weights (1 - |x - z|³ / h³)³ of
`smooth`; m_c is its inflection, q''(m_c) = 0. The reach h is `REACH` times the width of the slope's peak at half of
its maximum, and holds at least `NEIGHBOURS` points. Nothing beyond that reach plays a part, so that m_c does not
depend on where the grid begins and ends, as long as it holds the whole peak. The steepest slope against m is not
that against log m: a definition by slope belongs to the control that it is taken in.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mbsim.fss.critical import Critical
from mbsim.fss.estimators import Study
from mbsim.fss.names import STEEPEST
from mbsim.fss.reasons import Reason, because, extend
from mbsim.fss.resampled import Resampled
from mbsim.fss.smooth import refined, slopes
from mbsim.fss.window import RESAMPLES, constant, excess, falls

Array = NDArray[np.float64]

FEWEST_POINTS = 5
FALLS_TO = 0.7
"""The steepest slope is seen if the slope falls to this share of it on both sides."""
RESOLVED = 3
"""The place is known better than the grid if so many points lie where the slope is above half."""
SIGNIFICANCE = 3.0
REACH, NEIGHBOURS = 0.8, 6
"""Of the cubic, in widths of the peak of the slope at half of its maximum; and the fewest points in it."""
WIDENED = 1.5
"""The height is known where the reach, so as to hold enough points, is hardly longer than it should be."""
PASSES = 3
OTHER_REACHES = (0.7, 1.4)
"""The systematic part of the error is what the reach, so many times as long, moves."""


class Slope:
    """The steepest slope of one resampled curve over points x, or `because` says why there is none.

    place, height: where it is and how steep, with resamples. systematic: how far the place moves (down, up) with
    the reach. half_gap: how far it may be off because the grid steps over the rise. resolved: whether the height is
    that of the curve, and not of the points that happen to lie next to the rise.
    """

    def __init__(self, x: Array, curve: Resampled, control: str) -> None:
        self.place: Resampled | None = None
        self.height: Resampled | None = None
        self.systematic = (0.0, 0.0)
        self.half_gap = 0.0
        self.resolved = False
        self.because = self._find(x, curve, control)

    def _find(self, x: Array, curve: Resampled, control: str) -> tuple[Reason, ...]:
        if len(x) < FEWEST_POINTS:
            return (because("few_points", count=len(x), control=control, needed=FEWEST_POINTS),)
        if falls(curve.estimate):
            curve = curve.map(np.negative)
        places = refined(x, 20)
        first = slopes(x, places, 0.0)
        slope = first @ curve.estimate
        top = int(np.argmax(slope))
        noise = (curve.both @ first[top]).std()
        if constant(curve.estimate) or not slope[top] > SIGNIFICANCE * noise:
            return (because("no_slope", control=control),)
        low = np.flatnonzero(slope[:top] < slope[top] / 2)
        high = np.flatnonzero(slope[top:] < slope[top] / 2)
        seen = [bool((side < FALLS_TO * slope[top]).any()) for side in (slope[:top], slope[top:])]
        if not all(seen):
            advice = extend(control, float(x[0]), float(x[-1]), below=not seen[0], above=not seen[1])
            return (because("no_whole_slope", advice=advice),)
        if curve.shape[0] < 2:
            return (because("one_teacher"),)
        left = places[int(low[-1])] if len(low) else x[0]
        right = places[top + int(high[0])] if len(high) else x[-1]
        centre, reach = float(places[top]), REACH * (right - left)
        for _ in range(PASSES):  # the kernel is to lie about the inflection, as far as the points allow
            centre = float(_inflection(_cubic(x, centre, reach), curve.estimate[None], left, right)[0, 0])

        # Where it had to be widened to hold enough points, other reaches are compared with that one.
        taken = _cubic(x, centre, reach).h

        def found(batch: Array, times: float = 1.0) -> Array:
            return _inflection(_cubic(x, centre, times * taken), batch, left, right)

        both = curve.map(found)
        self.place, self.height = both.part(0), both.part(1)
        few = np.concatenate([curve.estimate[None], curve.both[:RESAMPLES]])
        self.systematic = excess([found(few, times)[:, 0] - found(few)[:, 0] for times in OTHER_REACHES])
        self.resolved = taken < WIDENED * reach
        if ((x >= left) & (x <= right)).sum() < RESOLVED:
            at = int(np.clip(np.searchsorted(x, places[top]), 1, len(x) - 1))
            self.half_gap = float(x[at] - x[at - 1]) / 2
        return ()


class _Cubic(NamedTuple):
    """c_0 + c_1 u + c_2 u² + c_3 u³ with u = (x - centre) / h: the matrix (4, point) that gives c, and h."""

    centre: float
    h: float
    matrix: Array


def _cubic(x: Array, centre: float, reach: float) -> _Cubic:
    distance = np.abs(x - centre)
    h = max(reach, 1.1 * np.sort(distance)[min(NEIGHBOURS, len(x)) - 1])
    root = np.clip(1 - (distance / h) ** 3, 0, None) ** 1.5
    powers = ((x - centre) / h)[:, None] ** np.arange(4)
    return _Cubic(centre, h, np.linalg.pinv(root[:, None] * powers) * root)


def _inflection(cubic: _Cubic, batch: Array, left: float, right: float) -> Array:
    """Place of the steepest slope between left and right, and the slope there: (batch, 2)."""
    _, first, second, third = cubic.matrix @ batch.T
    u = np.where(third < 0, -second / np.where(third < 0, 3 * third, 1.0), 0.0)
    u = np.clip(u, (left - cubic.centre) / cubic.h, (right - cubic.centre) / cubic.h)
    slope = (first + 2 * second * u + 3 * third * u**2) / cubic.h
    return np.stack([cubic.centre + cubic.h * u, slope], axis=-1)


class SteepestSlope:
    """m_c = argmax d⟨q⟩/dm, the inflection of a local cubic regression; of -⟨q⟩ where q falls with m."""

    key = STEEPEST
    title = "steepest slope of {order_parameter}"
    short = "steepest slope"
    needs: tuple[str, ...] = ()

    def records(self, study: Study) -> Iterator[Critical]:
        """One for each combination of labels."""
        return study.on_curves("mean", Slope)
