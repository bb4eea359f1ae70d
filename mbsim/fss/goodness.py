"""Whether points collapse: χ² against what is expected of points that do, be their errors correlated or not.

Near the best parameters the residuals over errors are r = P e, with P the projection onto what neither master
curves nor parameters follow, and e the errors in units of those stated, with correlations C. Then::

    ⟨χ²⟩ = tr(P C),  var χ² = 2 tr(P C P C)

χ² / ⟨χ²⟩ is what is stated as χ²/dof. It scatters as χ² of h degrees of freedom over h does, with the same mean
and variance, h = 2 ⟨χ²⟩² / var χ²: points less parameters where points are not correlated, and far fewer where
they are (points of the same students at every m move together, so that there are few numbers to test, and 0.3 is
as likely as 2). It is referred to Fisher's law F(h, k), with k degrees of freedom of the errors themselves, which
few teachers tell badly.

How several quantities of a table of means and errors move together is not known. They are taken for independent, but
for h: if they all moved as one, each would repeat what the others say, and h is that of one of them.

Reference: G. E. P. Box, Ann. Math. Stat. 25, 290 (1954), on quadratic forms.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtrc

from mbsim.fss import master
from mbsim.fss.points import correlation, squared_correlation
from mbsim.fss.search import Fit

Array = NDArray[np.float64]


class Goodness(NamedTuple):
    """χ² over what is expected of it, its degrees of freedom, and the chance of so large a one of a collapse.

    expected: of χ² itself.
    """

    ratio: float
    freedom: float
    p_value: float
    expected: float


def goodness(fit: Fit, alike: int = 1) -> Goodness:
    """χ² of the fit and how likely it is; `alike` quantities may move together in a way that nobody knows."""
    blocks, count = fit.data.blocks, len(fit.data.m)
    projection = _projection(fit)
    correlations = np.zeros((count, count))
    shared = 0.0
    for block in blocks:
        at = np.ix_(block.places, block.places)
        length = np.sqrt(fit.data.expected[block.places])
        correlations[at] = correlation(block.deviations) * length[:, None] * length
        # Known errors weigh as many degrees of freedom as there are points with errors of their own.
        shared += max(float(squared_correlation(block.deviations).sum()), 1.0) / block.freedom
    mean = max(float((projection * correlations).sum()), 1e-9)
    product = projection @ correlations
    crossed = product * product.T
    square = float(crossed.sum())
    for block in blocks:
        at = np.ix_(block.places, block.places)
        own, trace = float(crossed[at].sum()), float(np.trace(product[at]))
        square += _without_chance(own, trace, block.freedom) - own
    least = mean**2 / max(1.0, count - fit.parameters)
    h = mean**2 / max(square, least) / alike
    k = count**2 / shared
    # Errors are such that squares over them are one on average: Fisher's law is k / (k - 2) on average.
    ratio = fit.cost / mean * (k / (k - 2) if k > 2 else 1.0)
    return Goodness(fit.cost / mean, h, float(fdtrc(h, k, ratio)), mean)


def _projection(fit: Fit) -> Array:
    """P, (point, point)."""
    residual = master.residuals(fit.points, fit.theta[None], fit.data.value[None])
    found = master.residual_matrix(fit.points, fit.theta)
    if not fit.bounds.free.any():
        return found
    slopes = master.jacobian(fit.points, fit.theta[None], fit.data.value[None], fit.bounds, residual)[0]
    slopes = found @ slopes
    sizes = np.sqrt(np.square(slopes).sum(axis=0))
    # Each over its length: that of m_c is told in the user's units.
    left, length, _ = np.linalg.svd(slopes / np.where(sizes > 0, sizes, 1.0), full_matrices=False)
    left = left[:, length > 1e-8 * length.max()]
    return np.asarray(found - left @ left.T)


def _without_chance(square: float, trace: float, freedom: int) -> float:
    """tr(P C P C) within a block, without what chance adds to it where C is known from few teachers.

    For Wishart's law with ν degrees of freedom ⟨tr(PĈPĈ)⟩ = (1 + 1/ν) tr(PCPC) + tr(PC)² / ν.
    """
    if freedom < 2:
        return square
    return freedom**2 / ((freedom - 1) * (freedom + 2)) * (square - trace**2 / freedom)
