"""Master curves of a data collapse: least squares of cubic splines, for many trial exponents at once.

Data A at control m and size s (relative to the geometric mean of the sizes) follow a master curve f where::

    A = s^-b [ f(x) + u(s) g(x) ],  x = (m - m_c) s^a,  a = 1/ν,  b = β/ν

f and g are cubic splines with the same knots. The term with u = (s^-ω - 1) / ω is the correction to scaling,
left out where none is asked for: it is f + s^-ω g written such that f is the curve at the mean size, and that
ω → 0 is no singular place. For given (m_c, a, ω, b) the splines are linear in their coefficients, which are
solved for (variable projection), so that χ² is a smooth function of these four alone. Knots sit at quantiles
of x and move with it. Several quantities share m_c, a and ω; each has a master curve and a b of its own.

Conventions
-----------
* theta (batch, 3 + quantity) holds m_c, a, ω, and b of each quantity; `Points` are of one quantity, and data
  (batch or 1, point) those of all quantities, one after the other.
* Errors belong to A, not to the scaled A s^b, so that no exponent is preferred for the errors it makes small.

Reference: G. H. Golub and V. Pereyra, SIAM J. Numer. Anal. 10, 413 (1973).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

DEGREE = 3
ITERATIONS = 25
LEAST_CURVATURE = 0.1
"""Of that of Gauss and Newton; where χ² is flatter still the response is not known to first order."""
M_C, RATE, OMEGA, HEIGHT = range(4)
"""Places in theta: of m_c, 1/ν, ω, and of β/ν of the first quantity."""


class Points(NamedTuple):
    """Control, relative size and error, (point,); functions of a spline; whether there is a correction."""

    m: Array
    s: Array
    error: Array
    functions: int
    corrected: bool = False


class Bounds(NamedTuple):
    """Lowest and highest theta, (parameter,), and which of them are free; beta (quantity,), NaN where free."""

    low: Array
    high: Array
    free: NDArray[np.bool_]
    beta: Array

    def full(self, theta: Array) -> Array:
        """Theta with b = beta a where beta is given."""
        given = np.isfinite(self.beta)
        if not given.any():
            return theta
        heights = np.where(given, np.where(given, self.beta, 0.0) * theta[:, RATE, None], theta[:, HEIGHT:])
        return np.concatenate([theta[:, :HEIGHT], heights], axis=1)

    def holding(self, *places: int) -> "Bounds":
        """The same with these places no longer free."""
        free = self.free.copy()
        free[list(places)] = False
        return self._replace(free=free)

    @property
    def steps(self) -> Array:
        """Steps for differences, (parameter,), zero where not free."""
        return np.where(self.free, 1e-5 * np.where(self.free, self.high - self.low, 0.0), 0.0)


def of_quantity(theta: Array, which: int) -> Array:
    """(m_c, a, ω, b) of one quantity, (batch, 4)."""
    return theta[:, [M_C, RATE, OMEGA, HEIGHT + which]]


def scaled(points: Points, theta: Array) -> Array:
    """The abscissa of every point, shape (batch, point)."""
    return (points.m - theta[:, M_C, None]) * points.s ** theta[:, RATE, None]


def departure(s: Array, omega: Array) -> Array:
    """U(s) = (s^-ω - 1) / ω, -log s at ω = 0."""
    near = np.abs(omega) < 1e-9
    omega = np.where(near, 1e-9, omega)
    return np.asarray(np.expm1(-omega * np.log(s)) / omega)


def knots(x: Array, functions: int) -> Array:
    """Knots at quantiles of x, the ends repeated: (batch, functions + 4)."""
    at = np.linspace(0, x.shape[-1] - 1, functions - DEGREE + 1)
    below, part = np.divmod(at, 1)
    places, ordered = below.astype(int), np.sort(x, axis=-1)
    above = np.minimum(places + 1, x.shape[-1] - 1)
    inner = (1 - part) * ordered[:, places] + part * ordered[:, above]
    # Ties among x would make empty intervals: a little of the even spacing keeps knots apart.
    even = x.min(-1, keepdims=True) + np.ptp(x, axis=-1, keepdims=True) * np.linspace(0, 1, inner.shape[1])
    inner = 0.9 * inner + 0.1 * even
    first, last = inner[:, :1].repeat(DEGREE, axis=1), inner[:, -1:].repeat(DEGREE, axis=1)
    return np.concatenate([first, inner, last], axis=1)


def basis(x: Array, t: Array) -> Array:
    """Cubic B-splines, shape (batch, point, function), of which four at a point are not zero.

    By the triangular scheme of L. Piegl and W. Tiller, The NURBS Book (1997), algorithm A2.2.
    """
    functions = t.shape[1] - DEGREE - 1
    interval = DEGREE + (x[..., None] >= t[:, None, DEGREE + 1 : functions]).sum(axis=-1)

    flat, first = t.ravel(), interval + np.arange(len(t))[:, None] * t.shape[1]

    def knot(offset: int) -> Array:
        return np.asarray(flat[first + offset])

    left = [x - knot(1 - at) for at in range(1, DEGREE + 1)]
    right = [knot(at) - x for at in range(1, DEGREE + 1)]
    values = [np.ones_like(x)]
    for degree in range(DEGREE):
        above = np.zeros_like(x)
        raised = []
        for at, value in enumerate(values):
            part = value / (right[at] + left[degree - at])
            raised.append(above + right[at] * part)
            above = left[degree - at] * part
        values = [*raised, above]
    columns = np.zeros(x.size * functions)
    place = np.arange(x.size) * functions + interval.ravel() - DEGREE
    for at, value in enumerate(values):
        columns[place + at] = value.ravel()
    return columns.reshape(*x.shape, functions)


def design(points: Points, theta: Array) -> Array:
    """What the coefficients multiply, divided by the errors: (batch, point, function); theta (batch, 4)."""
    x = scaled(points, theta)
    columns = basis(x, knots(x, points.functions))
    if points.corrected:
        u = departure(points.s, theta[:, OMEGA, None])
        columns = np.concatenate([columns, u[..., None] * columns], axis=-1)
    return columns * (points.s ** -theta[:, HEIGHT, None] / points.error)[..., None]


def solve(points: Points, theta: Array, data: Array) -> tuple[Array, Array]:
    """Coefficients (batch, function) and residuals over errors (batch, point) of one quantity."""
    columns = design(points, theta)
    target = np.broadcast_to(data / points.error, columns.shape[:2])
    turned = columns.swapaxes(1, 2)
    normal = turned @ columns
    size = normal.shape[-1]
    normal += 1e-10 * np.einsum("bii->b", normal)[:, None, None] / size * np.eye(size)
    coefficients = np.linalg.solve(normal, turned @ target[..., None])
    residual: Array = target - (columns @ coefficients)[..., 0]
    return np.asarray(coefficients[..., 0], float), residual


def split(points: Sequence[Points], data: Array) -> list[Array]:
    """The data of each quantity."""
    return np.split(data, np.cumsum([len(one.m) for one in points])[:-1], axis=-1)


def residuals(points: Sequence[Points], theta: Array, data: Array) -> Array:
    """Residuals over errors of all quantities, (batch, point)."""
    parts = [
        solve(one, of_quantity(theta, at), part)[1]
        for at, (one, part) in enumerate(zip(points, split(points, data), strict=True))
    ]
    return np.concatenate(parts, axis=-1)


def jacobian(points: Sequence[Points], theta: Array, data: Array, bounds: Bounds, residual: Array) -> Array:
    """Derivatives of the residuals by the free parameters, (batch, point, free); `residual` at theta."""
    steps, count = bounds.steps, len(bounds.free)
    slopes = [
        (residuals(points, bounds.full(theta + steps * (np.arange(count) == one)), data) - residual)
        / steps[one]
        for one in np.flatnonzero(bounds.free)
    ]
    return np.stack(slopes, axis=-1)


def minimise(
    points: Sequence[Points], theta: Array, data: Array, bounds: Bounds, iterations: int = ITERATIONS
) -> tuple[Array, Array]:
    """Levenberg-Marquardt from each theta, data (1 or batch, point): best theta and its χ², (batch,)."""
    theta = bounds.full(np.clip(theta, bounds.low, bounds.high))
    residual = residuals(points, theta, data)
    cost = np.square(residual).sum(axis=-1)
    free = np.flatnonzero(bounds.free)
    if not len(free):
        return theta, cost
    damping = np.full(len(theta), 1e-3)
    for _ in range(iterations):
        slopes = jacobian(points, theta, data, bounds, residual)
        normal = slopes.swapaxes(1, 2) @ slopes
        gradient = slopes.swapaxes(1, 2) @ residual[..., None]
        # In units in which each slope has length one: m_c is told in the user's, large or small.
        length = np.sqrt(np.einsum("bii->bi", normal))
        length = np.where(length > 0, length, 1.0)
        normal = normal / (length[:, :, None] * length[:, None, :]) + damping[:, None, None] * np.eye(
            len(free)
        )
        move = np.zeros_like(theta)
        move[:, free] = np.linalg.solve(normal, gradient / length[..., None])[..., 0] / length
        trial = bounds.full(np.clip(theta - move, bounds.low, bounds.high))
        trial_residual = residuals(points, trial, data)
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


def response(points: Sequence[Points], theta: Array, data: Array, bounds: Bounds) -> Array:
    """How theta, (parameter,), moves with the data, (point,), where χ² is least: (point, parameter).

    At one theta the residual is linear in the data, r = R(theta) A / error, and so is its derivative D = R' A /
    error. At the minimum Dᵀ r = 0, so that to first order, with the Hessian of Gauss and Newton::

        dtheta = -(Dᵀ D)⁻¹ [Dᵀ R + rᵀ R'] dA / error
    """
    free, steps, count = np.flatnonzero(bounds.free), bounds.steps, len(theta)
    found = np.zeros((len(data), count))
    if not len(free):
        return found
    error = np.concatenate([one.error for one in points])
    middle = residual_matrix(points, theta)
    moved, slopes = [], []
    for one in free:
        ends = [
            residual_matrix(points, bounds.full((theta + sign * steps * (np.arange(count) == one))[None])[0])
            for sign in (1, -1)
        ]
        slope = (ends[0] - ends[1]) / (2 * steps[one])
        slopes.append(slope @ (data / error))
        moved.append(slopes[-1] @ middle + (middle @ (data / error)) @ slope)
    derivative = np.stack(slopes, axis=-1)
    normal = _hessian(points, theta, data, bounds, derivative.T @ derivative)
    found[:, free] = -np.linalg.solve(normal, np.stack(moved)).T / error[:, None]
    given = np.isfinite(bounds.beta)
    found[:, HEIGHT:][:, given] = found[:, RATE, None] * bounds.beta[given]
    return found


def _hessian(points: Sequence[Points], theta: Array, data: Array, bounds: Bounds, normal: Array) -> Array:
    """Half the second derivatives of χ² by the free parameters, over steps of about one error.

    `normal` is that of Gauss and Newton, in which the noise of the data counts as if it were a curve that
    tells the parameters: it only sets the steps.
    """
    free = np.flatnonzero(bounds.free)
    normal = normal + 1e-12 * np.diag(np.diag(normal))
    axes = np.linalg.inv(np.linalg.cholesky(normal))  # rows: steps that change χ² by one
    pairs = [(i, j) for i in range(len(free)) for j in range(i + 1)]
    steps = np.array([axes[i] if i == j else (axes[i] + axes[j]) / np.sqrt(2) for i, j in pairs])
    # No further than an eighth of what is searched: there χ² need not be a parabola, or a number.
    reach = (bounds.high - bounds.low)[free] / 8
    scale = np.minimum(1.0, (reach / np.maximum(np.abs(steps), np.finfo(float).tiny)).min(axis=1))
    steps = steps * scale[:, None]
    places = np.tile(theta, (2 * len(steps), 1))
    places[:, free] += np.concatenate([steps, -steps])
    costs = np.square(residuals(points, bounds.full(np.concatenate([theta[None], places])), data[None])).sum(
        -1
    )
    rises = ((costs[1 : len(steps) + 1] + costs[len(steps) + 1 :]) / 2 - costs[0]) / scale**2
    curvature = np.eye(len(free))
    for (i, j), rise in zip(pairs, rises, strict=True):
        curvature[i, j] = curvature[j, i] = rise
    for i, j in pairs:
        if i != j:
            curvature[i, j] = curvature[j, i] = curvature[i, j] - (curvature[i, i] + curvature[j, j]) / 2
    value, vector = np.linalg.eigh(curvature)
    curvature = vector * np.clip(value, LEAST_CURVATURE, 1.0) @ vector.T
    back = np.linalg.inv(axes)
    return np.asarray(back @ curvature @ back.T)


def residual_matrix(points: Sequence[Points], theta: Array) -> Array:
    """The projection of data over errors onto what no master curve follows, shape (point, point)."""
    from scipy.linalg import block_diag  # slow to import

    parts = []
    for at, one in enumerate(points):
        columns = design(one, of_quantity(theta[None], at))[0]
        orthogonal, _ = np.linalg.qr(columns)
        parts.append(np.eye(len(columns)) - orthogonal @ orthogonal.T)
    return np.asarray(block_diag(*parts))
