"""Where the curves of two sizes cross: the larger one below before, above after.

Far from a transition curves of all sizes agree, and their difference is noise about zero; so the crossing is
sought between a point where the larger size lies below and one where it lies above, each by three standard
errors and by a fiftieth of the range of the curves (on their plateaus they differ by what saturates, not by
what is critical). There the difference is smoothed (`smooth`), and the crossing is at the share of the way on
which the larger size lies below: the crossing, or the middle of several that noise makes. It counts only
within the rise of both sizes: where the larger one has not left its plateau, or the smaller one has arrived
at its own, curves of sizes that drift apart cross as well, and that is no critical point. Where the order
parameter falls with the control the difference has its sign changed.
"""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mbsim.fss.critical import Critical
from mbsim.fss.estimators import Study
from mbsim.fss.interval import Label
from mbsim.fss.reasons import Reason, because
from mbsim.fss.resampled import Resampled
from mbsim.fss.smooth import smoother
from mbsim.fss.summaries import SUCCESS, Summary, grouped
from mbsim.fss.window import falls

Array = NDArray[np.float64]

FEWEST_POINTS = 5
SIGNIFICANCE = 3.0
CLEAR = 0.02
RISE = 0.05
"""The rise of a size is where its order parameter is further than this share of its range from both ends."""
PLACES = 2001


class Crossing(NamedTuple):
    """The crossing with resamples, or None, and `because` says why."""

    place: Resampled | None
    because: tuple[Reason, ...] = ()


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

    `rises` are curves of the two sizes, over the same points, that rise or fall through the transition.
    """
    x, difference = _difference(x_small, small, x_large, large)
    if len(x) < FEWEST_POINTS:
        few = because("few_common_points", small=names[0], large=names[1], count=len(x), control=control)
        return Crossing(None, (few,))
    if min(small.shape[0], large.shape[0]) < 2:
        return Crossing(None, (because("one_teacher"),))
    if falls(rises[1]):
        difference = difference.map(np.negative)
    error = difference.both.std(axis=0)
    z = np.where(error > 0, difference.estimate / np.where(error > 0, error, 1), 0.0)
    least = CLEAR * max(np.ptp(small.estimate), np.ptp(large.estimate))
    z = np.where(np.abs(difference.estimate) >= least, z, 0.0)
    below, above = z <= -SIGNIFICANCE, z >= SIGNIFICANCE
    pairs = np.minimum(np.maximum(-z, 0)[:, None], np.maximum(z, 0)[None, :])
    pairs = np.where(np.tri(len(x), k=-1).T > 0, pairs, 0.0)  # below comes before above
    first, last = np.unravel_index(np.argmax(pairs), pairs.shape)
    if pairs[first, last] < SIGNIFICANCE:
        return Crossing(None, (_why(names, below, above, control),))
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
        return Crossing(None, (because("drift_apart", sizes=tuple(outside)),))
    return Crossing(place)


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


def _why(names: tuple[str, str], below: NDArray[np.bool_], above: NDArray[np.bool_], control: str) -> Reason:
    small, large = names
    if not below.any() and not above.any():
        return because("no_difference", small=small, large=large, errors=SIGNIFICANCE)
    if below.any() and above.any():
        return because("falls_later", small=small, large=large)
    side = "below" if below.any() else "above"
    return because("one_sided", small=small, large=large, side=side, control=control)


class BinderCrossing:
    """m_c where U4(m; N) = U4(m; N'), U4 = 1 - ⟨q⁴⟩ / (3 ⟨q²⟩²), of consecutive sizes N < N'."""

    key = "binder_crossing"
    title = "crossing of the Binder cumulant of {order_parameter}"
    short = "U4 crossing"
    needs: tuple[str, ...] = ()

    def records(self, study: Study) -> Iterator[Critical]:
        """One for each pair of consecutive sizes, N and N_next."""
        return _crossings(study, "binder", rising="mean")


class SuccessCrossing:
    """m_c where P(m; N) = P(m; N'), P the share of students that succeed, of consecutive sizes N < N'."""

    key = "success_crossing"
    title = "crossing of the success probability"
    short = "success crossing"
    needs = (SUCCESS,)

    def records(self, study: Study) -> Iterator[Critical]:
        """One for each pair of consecutive sizes, N and N_next."""
        return (replace(one, order_parameter=SUCCESS) for one in _crossings(study, SUCCESS, rising=SUCCESS))


def _crossings(study: Study, quantity: str, rising: str) -> Iterator[Critical]:
    """Crossings of consecutive sizes; `rising` is the quantity that rises through the transition."""
    size, control = study.design.size, study.design.control
    for labels, group in grouped(study.curves, size):
        if len(group) < 2:
            here = {size: group[0].ensemble.labels[size], **labels}
            yield study.unknown(here, because("one_size"))
        for small, large in itertools.pairwise(group):
            here = _pair_labels(small, large, size)
            curve = [one.quantities.get(quantity) for one in (small, large)]
            if curve[0] is None or curve[1] is None:
                yield study.unknown(here, because("no_data", control=control))
                continue
            names = (f"{size} = {small.ensemble.size:g}", f"{size} = {large.ensemble.size:g}")
            x, z = small.ensemble.m, large.ensemble.m
            # A table of one quantity has no other that rises.
            rises = (
                small.quantities.get(rising, curve[0]).estimate,
                large.quantities.get(rising, curve[1]).estimate,
            )
            found = crossing(x, curve[0], z, curve[1], rises, control, names)
            if found.place is None:
                yield study.unknown(here, *found.because)
            else:
                yield study.record(here, found.place, (max(x[0], z[0]), min(x[-1], z[-1])))


def _pair_labels(small: Summary, large: Summary, size: str) -> dict[str, Label]:
    labels: dict[str, Label] = {}
    for name, value in small.ensemble.labels.items():
        labels[name] = value
        if name == size:
            labels[f"{size}_next"] = large.ensemble.labels[size]
    return labels
