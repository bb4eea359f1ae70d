"""How m_c drifts with the logarithm of time: straight lines through m_c(t) of the same students.

    m_c(t) = a + b log10 t,   b the drift over the last decade, or over the last half of it, t_last / √10 ≤ t ≤ t_last

Where b of the half is less than that of the whole, the drift slows down. Each time is weighted by the share of log t
that it stands for, so that times measured densely at the end do not outweigh the rest. b is taken of every resample,
which has all times of it, so that what moves them together is not in its error.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mbsim.fss.interval import UNKNOWN, Interval

Array = NDArray[np.float64]

DECADE = 10.0
FEWEST_TIMES = 3
ENOUGH = 0.5
"""The times of a drift must span this share of the decade, or of its half."""


class Drift(NamedTuple):
    """Changes of m_c per factor of ten in time: over the last decade, and over the last half of it."""

    mean: Interval = UNKNOWN
    at_end: Interval = UNKNOWN


def drift(times: Array, m_c: Array, draws: Sequence[Array | None]) -> Drift:
    """The drift of m_c (time,) at increasing times, with resamples (sample,) of each; None where one has none."""
    return Drift(*(_slope(times, m_c, draws, span) for span in (DECADE, np.sqrt(DECADE))))


def late(times: Array, span: float = DECADE) -> NDArray[np.bool_]:
    """Which of the times are within this factor of the last."""
    return np.asarray(times * span >= times[-1])


def _slope(times: Array, m_c: Array, draws: Sequence[Array | None], span: float) -> Interval:
    at = np.flatnonzero(late(times, span) & np.isfinite(m_c))
    u = np.log10(times[at])
    if len(at) < FEWEST_TIMES or np.ptp(u) < ENOUGH * np.log10(span):
        return UNKNOWN
    weights = np.gradient(u)
    centred = u - np.average(u, weights=weights)
    arm = weights * centred / (weights * centred**2).sum()
    value = float(arm @ m_c[at])
    own = [one for place in at.tolist() if (one := draws[place]) is not None]
    drawn = np.stack(own, axis=-1) @ arm if len(own) == len(at) else np.zeros(0)
    drawn = drawn[np.isfinite(drawn)]
    if len(drawn) < 2:
        return Interval(value)
    low, high = np.quantile(drawn - drawn.mean(), [0.025, 0.975])
    return Interval(value, value + float(low), value + float(high))
