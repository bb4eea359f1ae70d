"""Local quadratic regression as a matrix: a smooth curve through points, for thousands of resamples at once.

At each place z the smoother fits a parabola to the points, weighted by (1 - |x - z|³ / h³)³, and takes its
value there, which is linear in the data: `smoother(x, z, h) @ y`. It is exact for parabolas, so that neither
the place nor the height of a peak is moved by its curvature.

Reference: W. S. Cleveland, J. Am. Stat. Assoc. 74, 829 (1979).
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NEIGHBOURS = 5
"""Each parabola goes through at least so many points."""


def smoother(x: Array, z: Array, reach: float) -> Array:
    """The matrix, shape (place, point), for points x (increasing, four or more) and places z.

    `reach` is h; it is widened where fewer than five points (or all, of four) lie within.
    """
    return _coefficient(x, z, reach, 0)


def slopes(x: Array, z: Array, reach: float) -> Array:
    """The matrix that gives the slopes of the parabolas at the places z, as `smoother` gives their values."""
    return _coefficient(x, z, reach, 1)


def _coefficient(x: Array, z: Array, reach: float, power: int) -> Array:
    distance = np.abs(z[:, None] - x)
    nearest = np.sort(distance, axis=1)
    needed = nearest[:, min(NEIGHBOURS, len(x)) - 1]
    h = np.maximum(reach, 1.2 * needed)[:, None]
    weights = np.clip(1 - (distance / h) ** 3, 0, None) ** 3
    u = (x - z[:, None]) / h
    powers = np.stack([np.ones_like(u), u, u**2], axis=-1)
    normal = np.einsum("zpi,zp,zpj->zij", powers, weights, powers)
    target = np.zeros((len(z), 3, 1))
    target[:, power] = 1
    row = np.linalg.solve(normal, target)[..., 0]
    return np.asarray(np.einsum("zi,zpi,zp->zp", row, powers, weights) / h**power)


def refined(x: Array, per_step: int = 40) -> Array:
    """The places between the points, `per_step` to each step, the points among them."""
    at = np.linspace(0, len(x) - 1, per_step * (len(x) - 1) + 1)
    return np.interp(at, np.arange(len(x)), x)
