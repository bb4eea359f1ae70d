"""The straight line through a quantity against ln N, with the interval of its slope from resamples."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mbsim.fss.interval import Interval
from mbsim.fss.resampled import Resampled

Array = NDArray[np.float64]


def slope(sizes: Sequence[float], quantities: Sequence[Resampled], least_error: float = 0.0) -> Interval:
    """Slope of the quantities, scalars of sizes that share no students, against ln N.

    Weighted least squares; `least_error` is the error below which none is believed. Unknown with fewer than
    two sizes, without an interval where a quantity has none (one teacher).
    """
    if len(sizes) < 2:
        return Interval()
    values = np.array([float(one.estimate) for one in quantities])
    draws = np.stack([one.deviates() for one in quantities], axis=-1)
    x = np.log(np.asarray(sizes, float))
    known = np.isfinite(draws).all()
    weights = 1 / np.maximum(draws.var(axis=0), max(least_error, 1e-9) ** 2) if known else np.ones(len(x))
    centred = x - np.average(x, weights=weights)
    arm = weights * centred / (weights * centred**2).sum()
    value = float(values @ arm)
    if not known:
        return Interval(value)
    low, high = np.quantile((draws - draws.mean(axis=0)) @ arm, [0.025, 0.975])
    least = 1.96 * least_error * float(np.linalg.norm(arm))
    return Interval(value, value + min(float(low), -least), value + max(float(high), least))
