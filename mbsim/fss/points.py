"""The points of a data collapse, their errors, and how these hang together.

The error of a point is the standard error of a mean over teachers: s / √T, s² the variance of the T teachers'
means, which holds the chance of the replicas too (of what is no mean, the jackknife over teachers gives the
same). Points of one size share its teachers, so that their errors are correlated; points of two sizes are not.

Few teachers tell s badly, and 1 / s² is larger on average than one over the variance. Hence:

* with fewer than `MANY` degrees of freedom, log s² is averaged over the neighbours in m with (1, 2, 3, 2, 1)/9;
* errors are enlarged so that the square of a deviation over its error is one on average: for a variance that
  is known with ν degrees of freedom by √(ν / (ν - 2)), the spread of Student's law;
* where all students agree s is zero, which one more student might not bear out: there, and only there, the
  error is the range of the quantity over the number of students.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma

from mbsim.fss.reasons import Reason, because
from mbsim.fss.resampled import Resampled
from mbsim.fss.summaries import Summary

Array = NDArray[np.float64]

FEWEST_PER_SIZE = 4
FEWEST_IN_RISE = 3
"""Of the points of a size, so many must lie between 5 and 95 % of the range of its whole curve."""
MANY = 64
"""Degrees of freedom from which on every point has an error of its own."""
FEW = 3.0
"""Of a variance known with fewer degrees of freedom no error can be made: so many are taken."""
KERNEL = np.array([1, 2, 3, 2, 1]) / 9


class Part(NamedTuple):
    """One quantity at one size: control, value, error and what squares over errors are on average, (point,).

    deviations: as `Resampled` has them. whole: least and largest value of the size, within the window or not.
    """

    quantity: str
    size: float
    m: Array
    value: Array
    error: Array
    expected: Array
    deviations: Array
    whole: tuple[float, float]


class Block(NamedTuple):
    """Points whose errors are correlated: their places, and the deviations there, (teacher, point)."""

    places: NDArray[np.int64]
    deviations: Array

    @property
    def freedom(self) -> int:
        """Degrees of freedom of the variances."""
        return len(self.deviations) - 1


class Data(NamedTuple):
    """All points, those of the first quantity first, as `Part` has them, and blocks."""

    m: Array
    size: Array
    value: Array
    error: Array
    expected: Array
    counts: tuple[int, ...]
    blocks: tuple[Block, ...]

    def within(self, inside: NDArray[np.bool_]) -> "Data":
        """Some of the points, of those sizes that keep four of a quantity."""
        quantity = np.repeat(np.arange(len(self.counts)), self.counts)
        for which in range(len(self.counts)):
            for size in np.unique(self.size):
                here = (quantity == which) & (self.size == size)
                if (inside & here).sum() < FEWEST_PER_SIZE:
                    inside = inside & ~here
        new = np.cumsum(inside) - 1
        blocks = [
            Block(new[block.places[at]], block.deviations[:, at])
            for block in self.blocks
            if (at := inside[block.places]).any()
        ]
        counts = tuple(int((inside & (quantity == which)).sum()) for which in range(len(self.counts)))
        m, size, value, error, expected = (one[inside] for one in self[:5])
        return Data(m, size, value, error, expected, counts, tuple(blocks))


def part_of(one: Summary, quantity: str, window: tuple[float, float] | None) -> Part | None:
    """The points of one quantity at one size; None if there are fewer than four, or one teacher."""
    resampled = one.quantities.get(quantity)
    if resampled is None or one.ensemble.shape[0] < 2:
        return None
    m = one.ensemble.m
    deviations = resampled.deviations()
    known = np.isfinite(resampled.estimate) & np.isfinite(deviations).all(axis=0)
    inside = known
    if window is not None:
        inside = known & (m >= window[0]) & (m <= window[1])
    if inside.sum() < FEWEST_PER_SIZE or not np.ptp(resampled.estimate[inside]) > 0:
        return None
    value, deviations = resampled.estimate[inside], deviations[:, inside]
    error, expected = errors(resampled._replace(estimate=value), deviations)
    whole = float(resampled.estimate[known].min()), float(resampled.estimate[known].max())
    return Part(quantity, one.ensemble.size, m[inside], value, error, expected, deviations, whole)


def errors(quantity: Resampled, deviations: Array) -> tuple[Array, Array]:
    """The errors of points in order of m, and what squares of deviations over them are on average, (point,).

    Averaged over neighbours, errors are too small where the variance peaks and too large beside it. A point
    with its own variance s² of ν degrees of freedom, that has the weight w in the average behind its error,
    has on average a square of s² / (1 - 2 w / ν) over that of the error: s² and its error are not independent.
    """
    variance = np.square(deviations).sum(axis=0)
    # Rounding leaves a trace where all students agree.
    varies = variance > (1e-12 * np.abs(quantity.estimate).max()) ** 2
    freedom = len(deviations) - 1
    found = np.full(
        len(variance), np.ptp(quantity.estimate) / (quantity.shape[0] * max(1, quantity.shape[1]))
    )
    expected = np.zeros(len(variance))
    if not varies.any():
        return found, expected
    weights = _weights(int(varies.sum())) if freedom < MANY else np.eye(int(varies.sum()))
    # The variance of a weighted mean of variances, over that of one of them: Σ w w' ρ².
    own = float(np.square(weights).sum(axis=1).mean())
    correlated = squared_correlation(deviations[:, varies])
    shared = weights @ correlated * weights
    pooled = max(FEW, freedom / float(np.clip(shared.sum(axis=1).mean(), own, 1)))
    bias = _bias(max(freedom, 1)) - _bias(pooled) - np.log1p(-2 / pooled)
    found[varies] = np.exp((weights @ np.log(variance[varies]) + bias) / 2)
    weight = np.clip((weights * correlated).sum(axis=1), 0, 1)
    expected[varies] = variance[varies] / found[varies] ** 2 / (1 - 2 * weight / max(FEW, freedom))
    return found, expected


def _bias(freedom: float) -> float:
    """The mean of -log(χ²/ν) for ν degrees of freedom."""
    return float(np.log(freedom / 2) - digamma(freedom / 2))


def _weights(count: int) -> Array:
    """The kernel about each of `count` points, cut off at the ends: (point, point)."""
    distance = np.arange(count)[:, None] - np.arange(count) + len(KERNEL) // 2
    inside = (distance >= 0) & (distance < len(KERNEL))
    weights = np.where(inside, KERNEL[np.clip(distance, 0, len(KERNEL) - 1)], 0.0)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def squared_correlation(deviations: Array) -> Array:
    """ρ² of the points, (point, point), without what chance adds to it with few teachers, so that it may be < 0.

    Of points that are not correlated ρ² is 1/ν on average. With two teachers nothing is known: one.
    """
    freedom = len(deviations) - 1
    rho = correlation(deviations)
    if freedom < 2:
        return np.ones_like(rho)
    squared = (freedom * np.square(rho) - 1) / (freedom - 1)
    np.fill_diagonal(squared, 1.0)
    return np.asarray(squared)


def correlation(deviations: Array) -> Array:
    """Of the points, (point, point); zero, on the diagonal too, where all teachers agree."""
    length = np.sqrt(np.square(deviations).sum(axis=0))
    unit = deviations / np.where(length > 0, length, 1.0)
    return np.asarray(unit.T @ unit)


def joined(parts: Sequence[Part], quantities: Sequence[str]) -> Data:
    """All parts as one, quantity by quantity; a block holds those of one size."""
    ordered = [part for name in quantities for part in parts if part.quantity == name]
    ends = np.cumsum([len(part.m) for part in ordered])
    places = [np.arange(end - len(part.m), end) for part, end in zip(ordered, ends, strict=True)]
    blocks = []
    for size in dict.fromkeys(part.size for part in ordered):
        own = [at for at, part in enumerate(ordered) if part.size == size]
        blocks.append(
            Block(
                np.concatenate([places[at] for at in own]),
                np.concatenate([ordered[at].deviations for at in own], axis=1),
            )
        )
    return Data(
        np.concatenate([part.m for part in ordered]),
        np.concatenate([np.full(len(part.m), part.size) for part in ordered]),
        np.concatenate([part.value for part in ordered]),
        np.concatenate([part.error for part in ordered]),
        np.concatenate([part.expected for part in ordered]),
        tuple(sum(len(part.m) for part in ordered if part.quantity == name) for name in quantities),
        tuple(blocks),
    )


def unresolved(parts: Sequence[Part]) -> list[float]:
    """Sizes whose grid steps over the rise, or the peak, of their own curve. A window in the middle of a rise has
    all of its points in it.
    """
    found = []
    for part in parts:
        low, high = part.whole
        share = (part.value - low) / (high - low)
        if (np.abs(share - 0.5) < 0.45).sum() < FEWEST_IN_RISE:
            found.append(part.size)
    return list(dict.fromkeys(found))


def sizes_lost(
    summaries: Sequence[Summary], parts: Sequence[Part], size: str, control: str
) -> Iterator[Reason]:
    """The sizes that no part is of."""
    kept = {part.size for part in parts}
    lost = tuple(one.ensemble.size for one in summaries if one.ensemble.size not in kept)
    if lost:
        yield because("sizes_left_out", size=size, sizes=lost, needed=FEWEST_PER_SIZE, control=control)
