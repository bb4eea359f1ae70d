"""What sharpens with the size: the peak of the susceptibility, and the steepest slope of the order parameter.

Both grow as powers of the size N, with q = N^(-β/ν) f((m - m_c) N^(1/ν))::

    χ_max ~ N^x,  x = 1 - 2β/ν;      max |dq/dm| ~ N^s,  s = 1/ν - β/ν

so that β/ν = (1 - x) / 2 and 1/ν = s + (1 - x) / 2. A crossover has x = s = 0: the curves of all sizes coincide.
Two phases that coexist give x = 1 and s = 1, for their weights change over as exp(N (m - m_c)): 1/ν → 1 and
β/ν → 0. Exponents refer to N as the dataset gives it.

Three slopes of ln χ_max and ln max |dq/dm| against ln N are told apart: over all sizes, over the largest (those
within a factor of `SPAN` of the largest size), and over the last pair alone.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mbsim.fss.interval import UNKNOWN, Interval
from mbsim.fss.resampled import Resampled, logarithm
from mbsim.fss.trend import slope

SPAN = 4.0
"""Sizes within this factor of the largest are the largest sizes."""
FEWEST_SIZES = 3
STILL = 0.1
"""What grows with an exponent below this does not grow."""
JUMP_NU, JUMP_BETA = 0.75, 0.125
"""Coexistence: 1/ν above the one and |β/ν| below the other, each with its whole interval."""


class Growth(NamedTuple):
    """How a quantity grows: its exponent over all sizes, over the largest, and over the last pair."""

    sizes: tuple[float, ...]
    overall: Interval = UNKNOWN
    largest: Interval = UNKNOWN
    pair: Interval = UNKNOWN

    @property
    def known(self) -> bool:
        """Whether three sizes or more have it."""
        return len(self.sizes) >= FEWEST_SIZES and self.overall.known

    @property
    def grows(self) -> bool:
        """Whether it grows from the last size but one to the last beyond the error of that growth."""
        return self.pair.low > 0

    @property
    def still(self) -> bool:
        """Whether over the largest sizes it does not grow, whatever lies within the error."""
        return self.largest.high < STILL

    @property
    def missing_factor(self) -> float:
        """How many times the largest size a next one must be for as many students to tell growth from none.

        The pair of the largest size and that one has a lever so much longer that the error of its exponent is
        `STILL`, if logarithms have the same errors there.
        """
        reach = (self.pair.high - self.pair.low) / 2
        if not np.isfinite(reach) or len(self.sizes) < 2:
            return np.nan
        return float((self.sizes[-1] / self.sizes[-2]) ** max(1.0, reach / STILL))


def growth(sizes: Sequence[float], quantities: Sequence[Resampled]) -> Growth:
    """The growth of positive scalars, one for each size, sizes increasing and of different students."""
    if len(sizes) < 2:
        return Growth(tuple(sizes))
    logarithms = [one.map(logarithm) for one in quantities]
    first = next(at for at, size in enumerate(sizes) if size * SPAN >= sizes[-1])
    first = min(first, len(sizes) - 2)
    return Growth(
        tuple(sizes),
        slope(sizes, logarithms),
        slope(sizes[first:], logarithms[first:]),
        slope(sizes[-2:], logarithms[-2:]),
    )


class Exponents(NamedTuple):
    """1/ν and β/ν that follow from how peak and slope grow over all sizes that have both.

    of_pair: the same of the last two of these sizes alone.
    """

    inverse_nu: Interval = UNKNOWN
    beta_over_nu: Interval = UNKNOWN
    of_pair: "Exponents | None" = None

    @property
    def of_coexistence(self) -> bool:
        """Whether they are those of two phases that coexist, 1/ν → 1 and β/ν → 0, to the last pair of sizes.

        Where the correlation length is finite they are so at the small sizes, and no longer at the last.
        """
        near = self.inverse_nu.low > JUMP_NU and -JUMP_BETA < self.beta_over_nu.low
        near = near and self.beta_over_nu.high < JUMP_BETA
        return near and (self.of_pair is None or self.of_pair.of_coexistence)


def exponents(sizes: Sequence[float], peaks: Sequence[Resampled], slopes: Sequence[Resampled]) -> Exponents:
    """Exponents of the sizes that have both; unknown with fewer than three."""
    if len(sizes) < FEWEST_SIZES:
        return Exponents()
    pair = _exponents(sizes[-2:], peaks[-2:], slopes[-2:])
    return _exponents(sizes, peaks, slopes)._replace(of_pair=pair)


def _exponents(sizes: Sequence[float], peaks: Sequence[Resampled], slopes: Sequence[Resampled]) -> Exponents:
    heights = [one.map(logarithm) for one in peaks]
    steep = [one.map(logarithm) for one in slopes]
    x, s = slope(sizes, heights), slope(sizes, steep)
    if not (np.isfinite(x.high - x.low) and np.isfinite(s.high - s.low)):
        return Exponents()
    beta = Interval((1 - x.value) / 2, (1 - x.high) / 2, (1 - x.low) / 2)
    # Peak and slope come from the same students, but their errors hardly depend on each other.
    nu = s.value + beta.value
    down = float(np.hypot(s.value - s.low, beta.value - beta.low))
    up = float(np.hypot(s.high - s.value, beta.high - beta.value))
    return Exponents(Interval(nu, nu - down, nu + up), beta)
