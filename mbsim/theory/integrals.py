"""Gaussian averages over the local fields of two-layer networks, in closed form.

Local fields h are jointly normal with mean 0 and covariance C, an array (..., n, n) whose leading axes are
independent cases. Indices a, b, c, d are integers or integer arrays, broadcast against each other; they may
coincide. The averages, with an index meaning the field of that number, are

    I2(a, b)       = <g_a g_b>
    I3(a, b, c)    = <g'_a h_b g_c>
    I4(a, b, c, d) = <g'_a g'_b g_c g_d>
    J2(a, b)       = <g'_a g'_b>

For g(z) = erf(z / sqrt 2), g'(z) = sqrt(2/pi) exp(-z^2 / 2) is itself Gaussian. A factor g'_a g'_b therefore
multiplies the average of what remains by (2/pi) det(1 + C_S)^(-1/2), S = (a, b), and tilts the covariance to

    C~ = C - C_(.S) (1 + C_S)^(-1) C_(S.)

so that I3 and I4 are averages <h_b g_c> and I2 under C~. Written out they are the formulas of the reference.

Reference: D. Saad and S. A. Solla, On-line learning in soft committee machines, Phys. Rev. E 52, 4225 (1995).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Indices = Any  # an integer, or an array of them


class Averages(NamedTuple):
    """The averages of one activation, each a function of (C, indices...) -> array (..., shape of indices)."""

    I2: Callable[..., np.ndarray]
    I3: Callable[..., np.ndarray]
    I4: Callable[..., np.ndarray]
    J2: Callable[..., np.ndarray]


def _aligned(*indices: Indices) -> list[np.ndarray]:
    """The indices with equally many axes, so that C[..., a, a] and C[..., a, b] broadcast after C's axes."""
    arrays = [np.asarray(index) for index in indices]
    axes = max(array.ndim for array in arrays)
    return [array.reshape((1,) * (axes - array.ndim) + array.shape) for array in arrays]


def _arcsine_law(covariance: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """<erf erf> of two fields, given their covariance and one plus the variance of each."""
    # Rounding alone can take the ratio past 1, and only where a variance is beyond 1e15.
    return 2 / np.pi * np.arcsin(np.clip(covariance / np.sqrt(one * other), -1.0, 1.0))


def erf_I2(C: np.ndarray, a: Indices, b: Indices) -> np.ndarray:
    """<g_a g_b> of g(z) = erf(z / sqrt 2): (2/pi) asin(C_ab / sqrt((1 + C_aa)(1 + C_bb))).

    >>> round(float(erf_I2(np.ones((2, 2)), 0, 1)), 4)  # 1/3
    0.3333
    """
    a, b = _aligned(a, b)
    return _arcsine_law(C[..., a, b], 1 + C[..., a, a], 1 + C[..., b, b])


def erf_I3(C: np.ndarray, a: Indices, b: Indices, c: Indices) -> np.ndarray:
    """<g'_a h_b g_c> of g(z) = erf(z / sqrt 2).

    >>> float(erf_I3(np.eye(3), 0, 1, 2))  # independent fields of mean zero
    0.0
    """
    a, b, c = _aligned(a, b, c)
    one = 1 + C[..., a, a]
    tilted_bc = C[..., b, c] - C[..., a, b] * C[..., a, c] / one
    tilted_cc = C[..., c, c] - C[..., a, c] ** 2 / one
    return 2 / np.pi * tilted_bc / np.sqrt(one * (1 + tilted_cc))


def erf_I4(C: np.ndarray, a: Indices, b: Indices, c: Indices, d: Indices) -> np.ndarray:
    """<g'_a g'_b g_c g_d> of g(z) = erf(z / sqrt 2).

    >>> C = np.eye(4)
    >>> bool(np.isclose(erf_I4(C, 0, 1, 2, 2), erf_J2(C, 0, 1) * erf_I2(C, 2, 2)))  # independent fields
    True
    """
    a, b, c, d = _aligned(a, b, c, d)
    determinant = (1 + C[..., a, a]) * (1 + C[..., b, b]) - C[..., a, b] ** 2

    def tilted(i: Indices, j: Indices) -> np.ndarray:
        aligned = (1 + C[..., b, b]) * C[..., a, i] * C[..., a, j]
        aligned = aligned + (1 + C[..., a, a]) * C[..., b, i] * C[..., b, j]
        crossed = C[..., a, b] * (C[..., a, i] * C[..., b, j] + C[..., b, i] * C[..., a, j])
        return C[..., i, j] - (aligned - crossed) / determinant

    return erf_J2(C, a, b) * _arcsine_law(tilted(c, d), 1 + tilted(c, c), 1 + tilted(d, d))


def erf_J2(C: np.ndarray, a: Indices, b: Indices) -> np.ndarray:
    """<g'_a g'_b> of g(z) = erf(z / sqrt 2): (2/pi) ((1 + C_aa)(1 + C_bb) - C_ab^2)^(-1/2).

    >>> round(float(erf_J2(np.eye(2), 0, 1)), 4)  # 1/pi
    0.3183
    """
    a, b = _aligned(a, b)
    return 2 / np.pi / np.sqrt((1 + C[..., a, a]) * (1 + C[..., b, b]) - C[..., a, b] ** 2)


def linear_I2(C: np.ndarray, a: Indices, b: Indices) -> np.ndarray:
    """<h_a h_b>, the covariance itself.

    >>> float(linear_I2(np.eye(2), 0, 0))
    1.0
    """
    return C[..., a, b]


def linear_I3(C: np.ndarray, a: Indices, b: Indices, c: Indices) -> np.ndarray:
    """<h_b h_c>: the slope is one.

    >>> float(linear_I3(np.eye(2), 0, 1, 1))
    1.0
    """
    a, b, c = _aligned(a, b, c)
    return C[..., b, c] + np.zeros(a.shape)


def linear_I4(C: np.ndarray, a: Indices, b: Indices, c: Indices, d: Indices) -> np.ndarray:
    """<h_c h_d>: the slopes are one.

    >>> float(linear_I4(np.eye(2), 0, 0, 0, 1))
    0.0
    """
    a, b, c, d = _aligned(a, b, c, d)
    return C[..., c, d] + np.zeros(np.broadcast_shapes(a.shape, b.shape))


def linear_J2(C: np.ndarray, a: Indices, b: Indices) -> np.ndarray:
    """<1 * 1> = 1: the slopes are one.

    >>> float(linear_J2(np.eye(2), 0, 1))
    1.0
    """
    return np.ones_like(C[..., a, b])


AVERAGES = {
    "erf": Averages(erf_I2, erf_I3, erf_I4, erf_J2),
    "linear": Averages(linear_I2, linear_I3, linear_I4, linear_J2),
}
