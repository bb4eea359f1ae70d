"""The smooth curve through an order parameter against the control, for thousands of resamples at once.

The curve passes from a branch before the transition, which may slope, to a flat branch after it::

    f(x) = (before + slope u) (1 - s) + after s,    s = 1 / (1 + exp(-(x - centre) / width))

with u = (x - x_0) / (x_last - x_0). At the centre f lies half-way between the two branches, both taken there.
The branch before the transition needs its slope: a student that fails still learns more of its teacher the
larger m is, and a flat branch would let the centre depend on where the grid begins.

Conventions
-----------
* Arrays end in (point,): a batch of curves is (curve, point), all on the same increasing `x`, without NaN.
* Least squares with equal weights. Along the branches the errors of the mean are far smaller than the faults
  of any simple curve: weights of 1 / error² would let the branches, not the rise, place the centre.
* Two weak penalties, in units of the range of the data, keep the fit well posed: on the slope, for a branch
  of few points; on log(width / step), for a rise between two points, whose centre then comes to lie midway.
  The penalty `FLAT` makes the branch before the transition flat, `FREE` leaves its slope to the data alone.
* The centre stays between the second point and the last but one, since one point does not show a branch; the
  width between a twentieth of the smallest step and a quarter of the grid.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SLOPE_PENALTY, FREE, FLAT = 1e-3, 1e-6, 1e6
WIDTH_PENALTY = 1e-4
ITERATIONS = 12


class Curve(NamedTuple):
    """Parameters of fitted curves, each of shape (curve,): the equation is at the head of the module.

    `height` is after - before - slope u at the centre, negative where the order parameter falls.
    """

    before: Array
    slope: Array
    after: Array
    centre: Array
    width: Array
    height: Array

    def share(self, x: Array) -> Array:
        """The share s of the transition that is done at each x, shape (curve, point)."""
        return _logistic((x - self.centre[:, None]) / self.width[:, None])


def fit(x: Array, y: Array, slope_penalty: float = SLOPE_PENALTY) -> Curve:
    """Least-squares curves through y, shape (curve, point), at four or more points x, shape (point,).

    A global search over nodes, then Levenberg-Marquardt. At the nodes only (centre, width) is searched, as
    the other parameters are linear (variable projection), so that no start value can lead a fit astray.
    Every curve is fitted on its own: its result does not depend on the others; nor on the units of x, as they are
    replaced by about the median step.

    Reference: G. H. Golub and V. Pereyra, SIAM J. Numer. Anal. 10, 413 (1973).
    """
    unit_x = 2.0 ** np.round(
        np.log2(np.median(np.diff(x)))
    )  # a power of two: steps of one stay what they are
    x = x / unit_x
    grid = _Grid.of(x, slope_penalty)
    offset = y.mean(axis=-1, keepdims=True)
    rounding = np.finfo(float).eps * np.abs(y).max(axis=-1, keepdims=True)  # of the mean of equal values
    scale = np.maximum(np.ptp(y, axis=-1, keepdims=True), np.maximum(rounding, np.finfo(float).tiny))
    unit = (y - offset) / scale
    theta = _refine(grid, unit, _search(grid, unit))
    theta[:, :3] *= scale
    theta[:, [0, 2]] += offset
    before, slope, after, centre, log_width = theta.T
    height = after - before - slope * (centre - x[0]) / (x[-1] - x[0])
    return Curve(before, slope, after, centre * unit_x, np.exp(log_width) * unit_x, height)


class _Grid(NamedTuple):
    """The points, u at each, the median step, the root of the penalty on the slope, and the bounds of (before,
    slope, after, centre, log width).
    """

    x: Array
    u: Array
    step: float
    stiffness: float
    lowest: Array
    highest: Array

    @classmethod
    def of(cls, x: Array, slope_penalty: float) -> "_Grid":
        steps, length = np.diff(x), x[-1] - x[0]
        lowest = np.array([-np.inf] * 3 + [x[1], np.log(steps.min() / 20)])
        highest = np.array([np.inf] * 3 + [x[-2], np.log(length / 4)])
        return cls(x, (x - x[0]) / length, float(np.median(steps)), slope_penalty**0.5, lowest, highest)


def _logistic(z: Array) -> Array:
    return 0.5 + 0.5 * np.tanh(0.5 * z)


class _Nodes(NamedTuple):
    """Nodes (node, 2) of centre and log width, and the QR of the linear parameters at each: q (node, 3, point), r."""

    places: Array
    q: Array
    r: Array


@lru_cache(maxsize=32)
def _nodes(points: bytes, slope_penalty: float) -> _Nodes:
    """Four nodes to a step, nine widths; kept, as many fits share their points."""
    grid = _Grid.of(np.frombuffer(points), slope_penalty)
    count = len(grid.x)
    centres = np.interp(np.linspace(1, count - 2, 4 * (count - 3) + 1), np.arange(count), grid.x)
    log_widths = np.linspace(grid.lowest[4], grid.highest[4], 9)
    nodes = np.stack([axis.ravel() for axis in np.meshgrid(centres, log_widths)], axis=-1)
    s = _logistic((grid.x - nodes[:, :1]) / np.exp(nodes[:, 1:]))
    design = np.stack([1 - s, (1 - s) * grid.u, s], axis=-1)
    ridge = np.broadcast_to([[0, grid.stiffness, 0]], (len(nodes), 1, 3))
    q, r = np.linalg.qr(np.concatenate([design, ridge], axis=1))
    return _Nodes(nodes, q[:, :-1].swapaxes(1, 2), r)


def _search(grid: _Grid, y: Array) -> Array:
    """The best of the nodes for each curve: parameters (curve, 5)."""
    nodes, q, r = _nodes(np.ascontiguousarray(grid.x).tobytes(), grid.stiffness**2)
    # The sum of squares that a node leaves is |y|² minus what it explains.
    explained = np.square(q.reshape(-1, len(grid.x)) @ y.T).reshape(len(nodes), 3, len(y)).sum(axis=1)
    penalty = WIDTH_PENALTY * np.square(nodes[:, 1] - np.log(grid.step))
    best = np.argmax(explained - penalty[:, None], axis=0)
    linear = np.linalg.solve(r[best], q[best] @ y[:, :, None])[..., 0]
    return np.concatenate([linear, nodes[best]], axis=-1)


def _refine(grid: _Grid, y: Array, theta: Array) -> Array:
    """Levenberg-Marquardt within the bounds of the grid, every curve with its own damping."""
    damping = np.full(len(y), 1e-3)
    residual, jacobian = _linearise(grid, y, theta)
    cost = np.square(residual).sum(axis=-1)
    for _ in range(ITERATIONS):
        normal = jacobian.swapaxes(1, 2) @ jacobian
        gradient = jacobian.swapaxes(1, 2) @ residual[..., None]
        normal += damping[:, None, None] * (1e-6 + np.einsum("bii->bi", normal))[:, None] * np.eye(5)
        trial = np.clip(theta - np.linalg.solve(normal, gradient)[..., 0], grid.lowest, grid.highest)
        trial_residual, trial_jacobian = _linearise(grid, y, trial)
        trial_cost = np.square(trial_residual).sum(axis=-1)
        better = trial_cost < cost
        theta = np.where(better[:, None], trial, theta)
        residual = np.where(better[:, None], trial_residual, residual)
        jacobian = np.where(better[:, None, None], trial_jacobian, jacobian)
        cost = np.where(better, trial_cost, cost)
        damping = np.where(better, damping / 5, damping * 5).clip(1e-9, 1e9)
    return theta


def _linearise(grid: _Grid, y: Array, theta: Array) -> tuple[Array, Array]:
    """Residuals (curve, point + 2), the penalties last, and their derivatives (curve, point + 2, 5)."""
    before, slope, after, centre, log_width = (column[:, None] for column in theta.T)
    width = np.exp(log_width)
    z = (grid.x - centre) / width
    s = _logistic(z)
    low = before + slope * grid.u
    by_z = (after - low) * s * (1 - s)
    jacobian = np.zeros((len(y), y.shape[1] + 2, 5))
    jacobian[:, :-2] = np.stack([1 - s, (1 - s) * grid.u, s, -by_z / width, -by_z * z], axis=-1)
    jacobian[:, -2, 1] = grid.stiffness
    jacobian[:, -1, 4] = np.sqrt(WIDTH_PENALTY)
    penalties = [grid.stiffness * slope, np.sqrt(WIDTH_PENALTY) * (log_width - np.log(grid.step))]
    return np.concatenate([low * (1 - s) + after * s - y, *penalties], axis=1), jacobian
