"""The master curve of a data collapse: least squares of a cubic spline, for many trial exponents at once.

Data A at control m and size s (relative to the geometric mean of the sizes) follow a master curve f where::

    A = s^-b f(x),  x = (m - m_c) s^a,  f a cubic spline,  a = 1/ν,  b = β/ν

For given (m_c, a, b) the spline is linear in its coefficients, which are solved for (variable projection), so
that χ² is a smooth function of the three parameters alone. Knots sit at quantiles of x and move with it.

With a `correction` ω a term s^-ω g(x) is added within the brackets, g a parabola.

Conventions
-----------
* Batches: theta (batch, 3) holds (m_c, a, b); data (batch, point) or (1, point).
* Errors belong to A, not to the scaled A s^b, so that no exponent is preferred for the errors it makes small.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

DEGREE = 3
ITERATIONS = 25


class Points(NamedTuple):
    """Control, relative size and error of each point, (point,); number of spline functions; ω or None."""

    m: Array
    s: Array
    error: Array
    functions: int
    correction: float | None


class Bounds(NamedTuple):
    """Lowest and highest theta, (3,), and which of its parts are free; b = beta a where beta is given."""

    low: Array
    high: Array
    free: NDArray[np.bool_]
    beta: float | None = None

    def full(self, theta: Array) -> Array:
        """Theta with b as beta fixes it."""
        if self.beta is None:
            return theta
        return np.stack([theta[:, 0], theta[:, 1], self.beta * theta[:, 1]], axis=-1)


def scaled(points: Points, theta: Array) -> Array:
    """The abscissa of every point, shape (batch, point)."""
    return (points.m - theta[:, :1]) * points.s ** theta[:, 1:2]


def knots(x: Array, functions: int) -> Array:
    """Knots at quantiles of x, the ends repeated: (batch, functions + 4)."""
    inner = np.quantile(x, np.linspace(0, 1, functions - DEGREE + 1), axis=-1).T
    # Ties among x would make empty intervals: a little of the even spacing keeps knots apart.
    even = x.min(-1, keepdims=True) + np.ptp(x, axis=-1, keepdims=True) * np.linspace(0, 1, inner.shape[1])
    inner = 0.9 * inner + 0.1 * even
    first, last = inner[:, :1].repeat(DEGREE, axis=1), inner[:, -1:].repeat(DEGREE, axis=1)
    return np.concatenate([first, inner, last], axis=1)


def basis(x: Array, t: Array) -> Array:
    """Cubic B-splines by the recursion of Cox and de Boor, shape (batch, point, function)."""
    at = x[..., None]
    t = t[:, None]
    last = t[..., -1:]
    value = ((t[..., :-1] <= at) & ((at < t[..., 1:]) | ((at >= last) & (t[..., 1:] == last)))).astype(float)
    value *= t[..., :-1] < t[..., 1:]
    for degree in range(1, DEGREE + 1):
        span = t[..., degree:] - t[..., :-degree]
        inverse = np.where(span > 0, 1 / np.where(span > 0, span, 1.0), 0.0)
        rise = (at - t[..., : -degree - 1]) * inverse[..., :-1] * value[..., :-1]
        fall = (t[..., degree + 1 :] - at) * inverse[..., 1:] * value[..., 1:]
        value = rise + fall
    return value


def design(points: Points, theta: Array) -> Array:
    """What the coefficients multiply, divided by the errors: (batch, point, function)."""
    x = scaled(points, theta)
    columns = basis(x, knots(x, points.functions))
    if points.correction is not None:
        unit = x / np.abs(x).max(axis=-1, keepdims=True)
        powers = np.stack([np.ones_like(unit), unit, unit**2], axis=-1)
        columns = np.concatenate([columns, points.s[:, None] ** -points.correction * powers], axis=-1)
    return columns * (points.s ** -theta[:, 2:] / points.error)[..., None]


def solve(points: Points, theta: Array, data: Array) -> tuple[Array, Array]:
    """Coefficients (batch, function) and residuals over errors (batch, point)."""
    columns = design(points, theta)
    target = np.broadcast_to(data / points.error, columns.shape[:2])
    turned = columns.swapaxes(1, 2)
    normal = turned @ columns
    size = normal.shape[-1]
    normal += 1e-10 * np.einsum("bii->b", normal)[:, None, None] / size * np.eye(size)
    coefficients = np.linalg.solve(normal, turned @ target[..., None])
    residual: Array = target - (columns @ coefficients)[..., 0]
    return np.asarray(coefficients[..., 0], float), residual


def minimise(
    points: Points, theta: Array, data: Array, bounds: Bounds, iterations: int = ITERATIONS
) -> tuple[Array, Array]:
    """Levenberg-Marquardt from each theta, data (1 or batch, point): best theta and its χ², (batch,)."""
    theta = bounds.full(np.clip(theta, bounds.low, bounds.high))
    residual = solve(points, theta, data)[1]
    cost = np.square(residual).sum(axis=-1)
    free = np.flatnonzero(bounds.free)
    if not len(free):
        return theta, cost
    steps = np.where(bounds.free, 1e-5 * (bounds.high - bounds.low), 0.0)
    damping = np.full(len(theta), 1e-3)
    for _ in range(iterations):
        jacobian = np.stack(
            [
                (solve(points, bounds.full(theta + steps * (np.arange(3) == one)), data)[1] - residual)
                / steps[one]
                for one in free
            ],
            axis=-1,
        )
        normal = jacobian.swapaxes(1, 2) @ jacobian
        gradient = jacobian.swapaxes(1, 2) @ residual[..., None]
        diagonal = np.einsum("bii->bi", normal)
        normal += (damping[:, None] * (diagonal + 1e-12))[..., None] * np.eye(len(free))
        move = np.zeros_like(theta)
        move[:, free] = np.linalg.solve(normal, gradient)[..., 0]
        trial = bounds.full(np.clip(theta - move, bounds.low, bounds.high))
        trial_residual = solve(points, trial, data)[1]
        trial_cost = np.square(trial_residual).sum(axis=-1)
        better = trial_cost < cost
        theta = np.where(better[:, None], trial, theta)
        residual = np.where(better[:, None], trial_residual, residual)
        gain = np.where(better, cost - trial_cost, 0.0)
        cost = np.where(better, trial_cost, cost)
        damping = np.where(better, damping / 5, damping * 5).clip(1e-9, 1e9)
        if iterations > 5 and (gain < 1e-7 * cost).all() and better.any():
            break
    return theta, cost


def one_step(points: Points, theta: Array, batch: Array, data: Array, bounds: Bounds) -> Array:
    """Theta of resampled data, (batch, 3): one step of Gauss and Newton from that of the data.

    At one theta the residual is linear in the data, r = R(theta) A / error, and so is its derivative: the
    residuals and Jacobians of all resamples are products of matrices. Counted from the step of the data
    themselves, which is zero but for rounding.
    """
    free = np.flatnonzero(bounds.free)
    steps = np.where(bounds.free, 1e-5 * (bounds.high - bounds.low), 0.0)
    middle = _residual_matrix(points, theta)
    slopes = []
    for one in free:
        ends = [
            _residual_matrix(points, bounds.full((theta + sign * steps * (np.arange(3) == one))[None])[0])
            for sign in (1, -1)
        ]
        slopes.append((ends[0] - ends[1]) / (2 * steps[one]))

    def step(target: Array) -> Array:
        residual = target @ middle.T
        jacobian = np.stack([target @ matrix.T for matrix in slopes], axis=-1)
        normal = jacobian.swapaxes(1, 2) @ jacobian
        normal += 1e-9 * np.einsum("bii->b", normal)[:, None, None] * np.eye(len(free))
        return -np.linalg.solve(normal, jacobian.swapaxes(1, 2) @ residual[..., None])[..., 0]

    moved = np.broadcast_to(theta, (len(batch), 3)).copy()
    if len(free):
        moved[:, free] += step(batch / points.error) - step(data[None] / points.error)
    return bounds.full(np.clip(moved, bounds.low, bounds.high))


def _residual_matrix(points: Points, theta: Array) -> Array:
    """The projection of data over errors onto what no spline follows, shape (point, point)."""
    columns = design(points, theta[None])[0]
    orthogonal, _ = np.linalg.qr(columns)
    return np.eye(len(columns)) - orthogonal @ orthogonal.T
