"""What a midpoint rests on besides the students: which points are fitted, and what the branches are taken for.

Conventions
-----------
* The order parameter rises: one that falls has its sign changed first (`falls`).
* The window holds the points within `REACH` widths of the centre of the fitted curve, and at least `SIDE` on
  either side of it. What lies further out does not move m_c: the branch before a transition may curve, and a
  line through all of it would place the centre.
* The systematic part of the error is how far m_c moves, down and up, when what the data do not settle is
  settled otherwise: both branches flat; the slope of the one before it free; the branch after it sloping in
  place of the one before; the outer third of either branch left out; the whole grid in place of the window. Of
  each move only what exceeds its own noise counts, by the variance of the same move over resamples.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mbsim.fss import curve

Array = NDArray[np.float64]

REACH, SIDE = 6.0, 6
OUTER = 0.1
"""Each end of the grid must lie in the outer tenth of the fitted transition."""
PLATEAU = 0.2
"""A branch is a plateau where its slope is below this share of the steepest slope of the rise."""
RESAMPLES = 100
"""Resamples that tell the noise of a move of m_c."""
PASSED_OVER = 0.25
FALL_IS_LARGER = 2.0
PASSES = 4
ROUNDING = 1e-12


class Plateaus(NamedTuple):
    """Whether a plateau is seen before the transition, and after it."""

    before: bool
    after: bool


def falls(y: Array) -> bool:
    """Whether the order parameter y, over increasing control, falls: by more than twice what it ever rises."""
    if not len(y):
        return False
    rise = (y - np.minimum.accumulate(y)).max()
    fall = (np.maximum.accumulate(y) - y).max()
    return bool(fall > FALL_IS_LARGER * rise)


def constant(y: Array) -> bool:
    """Whether y is the same everywhere, to the precision of numbers."""
    return bool(np.ptp(y) <= ROUNDING * np.abs(y).max())


def around(x: Array, y: Array) -> slice:
    """The window of the points of a rise."""
    window = slice(0, len(x))
    for _ in range(PASSES):
        fitted = curve.fit(x[window], y[None, window])
        centre, reach = fitted.centre[0], REACH * fitted.width[0]
        at = int(np.searchsorted(x, centre))
        first = min(int(np.searchsorted(x, centre - reach)), max(at - SIDE, 0))
        last = max(int(np.searchsorted(x, centre + reach, "right")), min(at + SIDE, len(x)))
        if slice(first, last) == window:
            break
        window = slice(first, last)
    return window


def branches_seen(x: Array, fitted: curve.Curve) -> tuple[bool, bool]:
    """Whether the branches before and after are seen: two points of each, the outer one clear of the rise."""
    share, centre = fitted.share(x)[0], fitted.centre[0]
    margin = 1e-6 * (x[-1] - x[0])
    before = share[0] < OUTER and centre > x[1] + margin
    after = share[-1] > 1 - OUTER and centre < x[-2] - margin
    return bool(before), bool(after)


def plateaus_seen(x: Array, y: Array, fitted: curve.Curve) -> Plateaus:
    """Whether the branches are plateaus, by the slope of a straight line through the points of each."""
    share = fitted.share(x)[0]
    steepest = fitted.height[0] / (4 * fitted.width[0])

    def level(points: NDArray[np.bool_]) -> bool:
        if points.sum() < 2:
            return False
        slope = np.polyfit(x[points], y[points], 1)[0]
        return bool(abs(slope) < PLATEAU * steepest)

    return Plateaus(level(share < OUTER), level(share > 1 - OUTER))


def systematic(
    x: Array, y: Array, window: slice, resamples: Array, centre: Array, statistical: float
) -> tuple[float, float]:
    """How far m_c moves down and up by what the data do not settle, both 0 or more.

    x (point,), y (point,) and resamples (sample, point) are those of the whole grid; `centre` (1 + sample,) are
    m_c of y and of each of the resamples, within the window. Moves below a quarter of the statistical error are
    passed over: they lengthen an interval by 3 % at most, and their noise takes long to find.
    """
    few = resamples[:RESAMPLES]
    moves = []
    for other in _otherwise(x, y, window):
        move = other(y[None]) - centre[:1]
        if abs(move[0]) > PASSED_OVER * statistical:
            moves.append(np.append(move, other(few) - centre[1 : len(few) + 1]))
    return excess(moves)


def excess(moves: list[Array]) -> tuple[float, float]:
    """How far down and up the largest moves go beyond their own noise.

    Each of `moves`, shape (1 + sample,), is that of m_c, and the same of resamples; NaN where there is none.
    """
    down = up = 0.0
    for move in moves:
        if np.isfinite(move[0]):
            beyond = np.sqrt(max(0.0, move[0] ** 2 - np.nanvar(move[1:])))
            down, up = (max(down, beyond), up) if move[0] < 0 else (down, max(up, beyond))
    return float(down), float(up)


def _otherwise(x: Array, y: Array, window: slice) -> Iterator[Callable[[Array], Array]]:
    """Every other choice, as a function from curves (curve, point) over x to their centres."""
    every = np.arange(len(x))
    inner = every[window]
    yield partial(_centre, x, inner, curve.FLAT)
    yield partial(_centre, x, inner, curve.FREE)
    yield lambda values: -_centre(-x[::-1], len(x) - 1 - inner[::-1], curve.SLOPE_PENALTY, -values[:, ::-1])
    share = curve.fit(x[inner], y[None, inner]).share(x[inner])[0]
    before, after = np.flatnonzero(share < OUTER), np.flatnonzero(share > 1 - OUTER)
    for points, outer in (
        (before, before[: len(before) // 3]),
        (after, after[len(after) - len(after) // 3 :]),
    ):
        if len(outer) and len(points) - len(outer) >= 2:
            yield partial(_centre, x, np.delete(inner, outer), curve.SLOPE_PENALTY)
    if len(inner) < len(x):
        yield partial(_centre, x, every, curve.SLOPE_PENALTY)


def _centre(x: Array, points: NDArray[np.int64], penalty: float, values: Array) -> Array:
    return curve.fit(x[points], values[:, points], penalty).centre
