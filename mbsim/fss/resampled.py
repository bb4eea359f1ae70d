"""A quantity, its resamples, and its interval: what every estimator of this package is computed from.

A statistic is a function of a batch of curves, shape (batch, ...). Applied alike to the estimate and to its
resamples, with and without redrawn teachers, it carries both levels of chance along (`resample`).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mbsim.fss import resample
from mbsim.fss.interval import Interval
from mbsim.fss.samples import teachers_and_replicas

Array = NDArray[np.float64]

FOUND = 0.95
"""A number is stated only if this share of the resamples has it."""


class Resampled(NamedTuple):
    """Estimate of shape (...), resamples of shape (sample, ...), and (teachers, replicas) behind them.

    curved: no mean, and nothing linear in one: see `resample.interval`.
    left_out: the quantity without each teacher in turn, shape (teacher, ...); None where nobody needs it.
    """

    estimate: Array
    both: Array
    kept: Array
    shape: tuple[int, int]
    curved: bool = False
    left_out: Array | None = None

    @classmethod
    def means(cls, values: Array, samples: int, rng: np.random.Generator) -> "Resampled":
        """Means over replicas, then teachers, of values (teacher, replica, point)."""
        both = resample.bootstrap_means(values, samples, rng)
        kept = resample.bootstrap_means(values, samples, rng, redraw_teachers=False)
        left_out = resample.left_out_means(values)
        return cls(resample.mean(values), both, kept, teachers_and_replicas(values), left_out=left_out)

    def map(self, statistic: Callable[[Array], Array]) -> "Resampled":
        """The statistic of each curve; it takes and gives a batch."""
        return self._replace(
            estimate=statistic(self.estimate[None])[0],
            both=statistic(self.both),
            kept=statistic(self.kept),
            left_out=None if self.left_out is None else statistic(self.left_out),
        )

    def part(self, *index: slice | int) -> "Resampled":
        """A part of the quantity, indexed as `estimate` is."""
        return self._replace(
            estimate=np.asarray(self.estimate[index]),
            both=self.both[(slice(None), *index)],
            kept=self.kept[(slice(None), *index)],
            left_out=None if self.left_out is None else self.left_out[(slice(None), *index)],
        )

    def deviations(self) -> Array:
        """How much each teacher moves the estimate, (teacher, ...), so that the covariance is dᵀ d.

        By the jackknife over teachers, d = √((T - 1) / T) (without the teacher - the mean of these): of a mean
        it is (teacher's mean - mean) / √(T (T - 1)), whose scatter holds the chance of the replicas, once.

        Raises:
            ValueError: nothing was left out, or there is one teacher.
        """
        if self.left_out is None or len(self.left_out) < 2:
            raise ValueError("the error of a quantity needs two teachers or more")
        without = self.left_out
        shrink = np.sqrt((len(without) - 1) / len(without))
        return np.asarray(shrink * (without - without.mean(axis=0)))

    @property
    def share(self) -> float:
        """The share of the resamples that have a value; for scalars."""
        return float(np.isfinite(self.both).mean())

    def interval(self) -> Interval:
        """The value of a scalar with its interval; unknown if it, or too many resamples, have none."""
        if not np.isfinite(self.estimate) or self.share < FOUND:
            return Interval()
        both, kept = self.both[np.isfinite(self.both)], self.kept[np.isfinite(self.kept)]
        if len(kept) < FOUND * len(self.kept):
            return Interval()
        low, high = resample.interval(float(self.estimate), both, kept, self.shape, curved=self.curved)
        return Interval(float(self.estimate), float(low), float(high))

    def intervals(self) -> tuple[Array, Array]:
        """Low and high of every entry, NaN where it is unknown."""
        flat = self.estimate.reshape(-1)
        both, kept = self.both.reshape(len(self.both), -1), self.kept.reshape(len(self.kept), -1)
        whole = np.isfinite(both).all(axis=0) & np.isfinite(kept).all(axis=0) & np.isfinite(flat)
        low, high = np.full(flat.shape, np.nan), np.full(flat.shape, np.nan)
        low[whole], high[whole] = resample.interval(
            flat[whole], both[:, whole], kept[:, whole], self.shape, curved=self.curved
        )
        for at in np.flatnonzero(~whole):
            _, low[at], high[at] = Resampled(
                flat[at], both[:, at], kept[:, at], self.shape, self.curved
            ).interval()
        return low.reshape(self.estimate.shape), high.reshape(self.estimate.shape)

    def deviates(self) -> Array:
        """Resamples about the estimate, stretched to the length of the interval, (sample,); for scalars."""
        value, low, high = self.interval()
        finite = self.both[np.isfinite(self.both)]
        if not np.isfinite(high - low) or not len(finite):
            return np.full(len(self.both), np.nan)
        ends = np.quantile(finite, [0.025, 0.975])
        stretch = (high - low) / (ends[1] - ends[0]) if ends[1] > ends[0] else 1.0
        return value + stretch * (self.both - finite.mean())


def logarithm(batch: Array, floor: float = 0.0) -> Array:
    """The natural logarithm, NaN where the batch does not exceed the floor (0 or more)."""
    return np.log(batch, where=batch > floor, out=np.full(np.shape(batch), np.nan))
