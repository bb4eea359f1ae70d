"""The errors of the parameters of a collapse, to first order in those of the data.

The deviations d of the teachers of a size (`Resampled.deviations`) have the covariance of its points, dᵀ d, in
which replicas are counted once. With independent normal numbers g, A + g d is drawn with this covariance, and
the parameters move by the response of the minimum of χ² to it (`master.response`). The interval of a parameter
has the length 2 t σ, where σ² is the sum over sizes of Σ (what each teacher moves)², and t the quantile of
Student's law with as many degrees of freedom as Welch and Satterthwaite give such a sum::

    ν = (Σ v)² / Σ v² / (T - 1),  v the part of a size with T teachers

Errors that are given, in place of samples, have hundreds of degrees of freedom: there t = 1.96.

Reference: F. E. Satterthwaite, Biometrics Bull. 2, 110 (1946); B. L. Welch, Biometrika 34, 28 (1947).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from mbsim.fss import master
from mbsim.fss.interval import Interval
from mbsim.fss.search import Fit

Array = NDArray[np.float64]

TAIL = 0.975
MANY = 1e9
"""Degrees of freedom of what is fixed."""


class Spread(NamedTuple):
    """Values (number,), draws about them (sample, number), errors (number,), degrees of freedom (number,)."""

    value: Array
    draws: Array
    error: Array
    freedom: Array

    def of(self, at: int) -> Interval:
        """One number with its interval: percentiles of the draws, stretched to 2 t σ."""
        draws = self.stretched(at)
        low, high = np.quantile(draws, [1 - TAIL, TAIL])
        return Interval(float(self.value[at]), float(low), float(high))

    def stretched(self, at: int) -> Array:
        """Draws of one number whose percentiles are its interval, (sample,)."""
        centred = self.draws[:, at] - self.draws[:, at].mean()
        length = float(np.ptp(np.quantile(centred, [1 - TAIL, TAIL])))
        reach = 2 * float(stdtrit(self.freedom[at], TAIL)) * self.error[at]
        return np.asarray(self.value[at] + (reach / length if length > 0 else 0.0) * centred)


def spread(fit: Fit, numbers: Callable[[Array], Array], bootstrap: int, rng: np.random.Generator) -> Spread:
    """The spread of `numbers` of theta, which takes (batch, parameter) and gives (batch, number)."""
    response = master.response(fit.points, fit.theta, fit.data.value, fit.bounds)
    value = numbers(fit.theta[None])[0]
    drawn = np.broadcast_to(fit.theta, (bootstrap, len(fit.theta))).copy()
    total, squares = np.zeros(len(value)), np.zeros(len(value))
    for block in fit.data.blocks:
        moves = block.deviations @ response[block.places]
        part = np.square(numbers(fit.theta + moves) - value).sum(axis=0)
        total += part
        squares += part**2 / block.freedom
        drawn += rng.normal(size=(bootstrap, len(moves))) @ moves
    freedom = np.where(squares > 0, total**2 / np.where(squares > 0, squares, 1.0), MANY)
    return Spread(value, numbers(drawn), np.sqrt(total), freedom)
