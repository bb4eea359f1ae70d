"""How m_c drifts with the logarithm of time: the line and the parabola through m_c(t) of the same students.

    u = log10(t / t_last),   m_c(u) = a + b u   or   a + b u + c u²

over the last decade, each time weighted by the share of u that it stands for, so that times measured densely at the
end do not outweigh the rest. b of the line is the mean slope of the decade; b of the parabola that at its end, and c
tells whether they differ. All times are of the same students: coefficients are taken of every resample, which has all
times of it, so that what moves them together is not in the errors.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mbsim.fss.interval import UNKNOWN, Interval

Array = NDArray[np.float64]

FEWEST_TO_BEND = 5
"""Times that a parabola needs to be told from a line."""


class Drift(NamedTuple):
    """Changes of m_c per factor of ten in time.

    mean: of the straight line. at_end: at the last time, by the parabola where it bends beyond its error, else
    that of the line.
    """

    mean: Interval = UNKNOWN
    at_end: Interval = UNKNOWN


def drift(times: Array, m_c: Array, draws: Sequence[Array | None]) -> Drift:
    """The drift of m_c (time,) with its resamples, (sample,) for each time; None where one has none."""
    u = np.log10(times / times[-1])
    whole = None if any(one is None for one in draws) else np.stack([one for one in draws if one is not None])
    line = _slope(u, 1, m_c, whole)
    if len(u) < FEWEST_TO_BEND or whole is None:
        return Drift(line[0], line[0])
    at_end, bend = _slope(u, 2, m_c, whole)
    bends = bend.low > 0 or bend.high < 0
    return Drift(line[0], at_end if bends else line[0])


def _slope(u: Array, power: int, m_c: Array, draws: Array | None) -> list[Interval]:
    """The coefficients of u, ..., u^power, with intervals where there are draws, (time, sample)."""
    root = np.sqrt(np.gradient(u))[:, None]
    arms = (np.linalg.pinv(root * u[:, None] ** np.arange(power + 1)) * root.T)[1:]
    values = arms @ m_c
    found = np.full((2, power), np.nan)
    if draws is not None:
        drawn = arms @ draws[:, np.isfinite(draws).all(axis=0)]
        if drawn.shape[1] > 1:
            found = np.quantile(drawn - drawn.mean(axis=1, keepdims=True), [0.025, 0.975], axis=1)
    return [
        Interval(float(value), float(value + low), float(value + high))
        for value, low, high in zip(values, *found, strict=True)
    ]
