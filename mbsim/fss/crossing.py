"""Where the curves of two sizes cross: the larger one below before, above after.

Far from a transition curves of all sizes agree, and their difference is noise about zero; so the crossing is
sought between a point where the larger size lies below and one where it lies above, each by three standard
errors and by a fiftieth of the range of the curves (on their plateaus they differ by what saturates, not by
what is critical). There the difference is smoothed (`smooth`), and the crossing is at the share of the way on
which the larger size lies below: the crossing, or the middle of several that noise makes. It counts only
within the rise of both sizes: where the larger one has not left its plateau, or the smaller one has arrived
at its own, curves of sizes that drift apart cross as well, and that is no critical point.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mbsim.fss.lanes import ONE_TEACHER
from mbsim.fss.resampled import Resampled
from mbsim.fss.smooth import smoother

Array = NDArray[np.float64]

FEWEST_POINTS = 5
SIGNIFICANCE = 3.0
CLEAR = 0.02
RISE = 0.05
"""The rise of a size is where its order parameter is further than this share of its range from both ends."""
PLACES = 2001


class Crossing(NamedTuple):
    """The crossing with resamples, or None with a `reason`."""

    place: Resampled | None
    reason: str


def crossing(
    x_small: Array,
    small: Resampled,
    x_large: Array,
    large: Resampled,
    rises: tuple[Array, Array],
    control: str,
    names: tuple[str, str],
) -> Crossing:
    """The crossing of two resampled curves, each over its own points; `names` say which they are.

    `rises` are curves of the two sizes, over the same points, that rise through the transition.
    """
    x, difference = _difference(x_small, small, x_large, large)
    if len(x) < FEWEST_POINTS:
        return Crossing(None, f"{names[0]} and {names[1]} share {len(x)} values of {control}: too few")
    if min(small.shape[0], large.shape[0]) < 2:
        return Crossing(None, ONE_TEACHER)
    error = difference.both.std(axis=0)
    z = np.where(error > 0, difference.estimate / np.where(error > 0, error, 1), 0.0)
    least = CLEAR * max(np.ptp(small.estimate), np.ptp(large.estimate))
    z = np.where(np.abs(difference.estimate) >= least, z, 0.0)
    below, above = z <= -SIGNIFICANCE, z >= SIGNIFICANCE
    pairs = np.minimum(np.maximum(-z, 0)[:, None], np.maximum(z, 0)[None, :])
    pairs = np.where(np.tri(len(x), k=-1).T > 0, pairs, 0.0)  # below comes before above
    first, last = np.unravel_index(np.argmax(pairs), pairs.shape)
    if pairs[first, last] < SIGNIFICANCE:
        return Crossing(None, _why(names, below, above, control))
    low, high = int(first), int(last)
    low = low + int(np.flatnonzero(below[low:high])[-1])
    high = low + int(np.flatnonzero(above[low : high + 1])[0])
    places = np.linspace(x[low], x[high], PLACES)
    matrix = smoother(x, places, 2.5 * float(np.median(np.diff(x))))
    share = difference.map(lambda batch: (batch @ matrix.T < 0).mean(axis=-1))
    place = share.map(lambda part: places[0] + part * (places[-1] - places[0]))
    outside = [
        name
        for name, x_own, rise in zip(names, (x_small, x_large), rises, strict=True)
        if not _in_rise(float(place.estimate), x_own, rise)
    ]
    if outside:
        why = f"the curves cross outside the rise of {' and of '.join(outside)}"
        return Crossing(None, f"{why}: the sizes drift apart, no crossing")
    return Crossing(place, "")


def _in_rise(place: float, x: Array, rise: Array) -> bool:
    share = (np.interp(place, x, rise) - rise.min()) / max(np.ptp(rise), np.finfo(float).tiny)
    return bool(RISE < share < 1 - RISE)


def _difference(
    x_small: Array, small: Resampled, x_large: Array, large: Resampled
) -> tuple[Array, Resampled]:
    """The difference where both have data: at common points, or interpolated where few are common."""
    x = np.intersect1d(x_small, x_large)
    if 2 * len(x) < min(len(x_small), len(x_large)):
        x = np.union1d(x_small, x_large)
        x = x[(x >= max(x_small[0], x_large[0])) & (x <= min(x_small[-1], x_large[-1]))]
    here, there = _interpolation(x_small, x), _interpolation(x_large, x)
    shape = min(small.shape[0], large.shape[0]), min(small.shape[1], large.shape[1])
    return x, Resampled(
        large.estimate @ there.T - small.estimate @ here.T,
        large.both @ there.T - small.both @ here.T,
        large.kept @ there.T - small.kept @ here.T,
        shape,
        small.curved or large.curved,
    )


def _interpolation(x: Array, z: Array) -> Array:
    """Linear interpolation as a matrix, shape (place, point)."""
    return np.stack([np.interp(z, x, unit) for unit in np.eye(len(x))], axis=-1).reshape(len(z), len(x))


def _why(names: tuple[str, str], below: NDArray[np.bool_], above: NDArray[np.bool_], control: str) -> str:
    small, large = names
    if not below.any() and not above.any():
        return (
            f"{large} and {small} differ by less than {SIGNIFICANCE:g} standard errors: no crossing is seen"
        )
    if below.any() and above.any():
        return f"{large} lies above {small} before it lies below: it falls later, no crossing of a rise"
    word = "below" if below.any() else "above"
    return f"where they differ, {large} lies {word} {small}: no crossing on this grid of {control}"
