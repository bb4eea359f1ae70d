"""The smooth curve drawn through an order parameter against the control, for thousands of resamples at once.

The curve passes from a branch before the transition, which may slope, to a flat branch after it::

    f(x) = (before + slope u) (1 - s) + after s,    s = 1 / (1 + exp(-(x - centre) / width)),

x = m or log m, u = (x - x_0) / (x_last - x_0). At the centre f lies half-way between the two branches, both taken there. The branch
before the transition needs its slope: a student that fails still remembers more of its teacher the larger m is.

Conventions
-----------
* Arrays end in (point,): a batch of curves is (curve, point), all on the same `x`, increasing, no NaN.
* Least squares with equal weights: along the branches the errors of the mean are far smaller than what any simple
  curve can follow, so weights 1 / error^2 would let the branches, not the rise, place the centre.
* Two weak penalties, in units of the range of the data, keep the fit well posed: on the slope, where few points lie
  before the transition; on log(width / step), where the whole rise falls between two points (the centre then comes
  to lie midway). The width is bounded by a twentieth of the smallest step and a quarter of the grid.
* The centre stays between the second point and the last but one: one point does not show a branch.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SLOPE_PENALTY = 1e-2
WIDTH_PENALTY = 1e-4
ITERATIONS = 12


class Curve(NamedTuple):
    """Parameters of fitted curves, each of shape (curve,); see the module for the equation."""

    before: Array
    slope: Array
    after: Array
    centre: Array
    log_width: Array

    def __call__(self, x: Array) -> Array:
        """f at the points of the fit, shape (curve, point)."""
        return _evaluate(np.stack(self, axis=-1), _Grid.of(x))[0]

    def step(self, x: Array) -> Array:
        """s at each x, the share of the way through the transition, shape (curve, point)."""
        return _logistic((x - self.centre[:, None]) / np.exp(self.log_width)[:, None])

    def height(self, x: Array) -> Array:
        """after - before at the centre, shape (curve,): negative where the order parameter falls."""
        return self.after - self.before - self.slope * _Grid.of(x).share(self.centre)


def fit(x: Array, y: Array) -> Curve:
    """Least-squares curves through y, shape (curve, point): a global search over nodes, then Levenberg-Marquardt.

    `x`, shape (point,), needs at least four points. Every curve is fitted on its own: the result for one does not
    depend on the others. Variable projection (Golub and Pereyra 1973) at the nodes: before, slope and after are
    linear, so that only (centre, width) is searched, and no start value can lead astray.
    """
    grid = _Grid.of(x)
    offset = y.mean(axis=-1, keepdims=True)
    scale = np.maximum(np.ptp(y, axis=-1, keepdims=True), 1e-300)
    unit = (y - offset) / scale
    theta = _refine(grid, unit, _search(grid, unit))
    theta[:, :3] *= scale
    theta[:, [0, 2]] += offset
    return Curve(*theta.T)


class _Grid(NamedTuple):
    x: Array
    u: Array
    step: float
    lowest: Array
    highest: Array

    @classmethod
    def of(cls, x: Array) -> "_Grid":
        steps, length = np.diff(x), x[-1] - x[0]
        lowest = np.array([-np.inf] * 3 + [x[1], np.log(steps.min() / 20)])
        highest = np.array([np.inf] * 3 + [x[-2], np.log(length / 4)])
        return cls(x, (x - x[0]) / length, float(np.median(steps)), lowest, highest)

    def share(self, x: Array) -> Array:
        return (x - self.x[0]) / (self.x[-1] - self.x[0])


def _logistic(z: Array) -> Array:
    return 0.5 + 0.5 * np.tanh(0.5 * z)


def _evaluate(theta: Array, grid: _Grid) -> tuple[Array, Array, Array]:
    """f, s and z = (x - centre) / width at the points of the grid, each (curve, point)."""
    before, slope, after, centre, log_width = (column[:, None] for column in theta.T)
    z = (grid.x - centre) / np.exp(log_width)
    s = _logistic(z)
    return (before + slope * grid.u) * (1 - s) + after * s, s, z


def _search(grid: _Grid, y: Array) -> Array:
    """The best of a grid of nodes for each curve: parameters (curve, 5)."""
    fine = np.interp(np.linspace(1, len(grid.x) - 2, 4 * (len(grid.x) - 3) + 1), np.arange(len(grid.x)), grid.x)
    widths = np.linspace(grid.lowest[4], grid.highest[4], 9)
    nodes = np.stack([axis.ravel() for axis in np.meshgrid(fine, widths)], axis=-1)
    s = _logistic((grid.x - nodes[:, :1]) / np.exp(nodes[:, 1:]))
    design = np.stack([1 - s, (1 - s) * grid.u, s], axis=-1)
    ridge = np.broadcast_to([[0, np.sqrt(SLOPE_PENALTY), 0]], (len(nodes), 1, 3))
    q, r = np.linalg.qr(np.concatenate([design, ridge], axis=1))
    q = q[:, :-1].swapaxes(1, 2)
    explained = np.square(q.reshape(-1, len(grid.x)) @ y.T).reshape(len(nodes), 3, len(y)).sum(axis=1)
    penalty = WIDTH_PENALTY * np.square(nodes[:, 1] - np.log(grid.step))
    best = np.argmax(explained - penalty[:, None], axis=0)
    linear = np.linalg.solve(r[best], q[best] @ y[:, :, None])[..., 0]
    return np.concatenate([linear, nodes[best]], axis=-1)


def _refine(grid: _Grid, y: Array, theta: Array) -> Array:
    """Levenberg-Marquardt with the bounds of the grid, every curve with its own damping."""
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
    """Residuals (curve, point + 2), the last two the penalties, and their derivatives (curve, point + 2, 5)."""
    f, s, z = _evaluate(theta, grid)
    before, slope, after, _, log_width = (column[:, None] for column in theta.T)
    rise = (after - before - slope * grid.u) * s * (1 - s)
    by_centre = -rise / np.exp(log_width)
    by_log_width = -rise * z
    jacobian = np.zeros((len(y), y.shape[1] + 2, 5))
    jacobian[:, :-2] = np.stack([1 - s, (1 - s) * grid.u, s, by_centre, by_log_width], axis=-1)
    jacobian[:, -2, 1] = np.sqrt(SLOPE_PENALTY)
    jacobian[:, -1, 4] = np.sqrt(WIDTH_PENALTY)
    penalties = [np.sqrt(SLOPE_PENALTY) * slope, np.sqrt(WIDTH_PENALTY) * (log_width - np.log(grid.step))]
    return np.concatenate([f - y, *penalties], axis=1), jacobian
