"""Mini-batch SGD of committees that learn a committee: differential equations for the order parameters.

Convention: fields, outputs f and y, order parameters Q, R, T and s are those of `order_parameters`. A step
draws m fresh examples and moves the first layer down the slope of the loss (f - y)^2 / 2 averaged over them,

    w_i <- w_i - (eta / sqrt N) (1/m) sum_mu delta_i^mu x^mu,    delta_i = v_i g'(lambda_i) (f - y)

while the output weights stay. Time is alpha = steps / N.

Equations. With F_ib = <delta_i h_b> and G_ik = <delta_i delta_k>,

    F_ib = v_i sum_c s_c I3(i, b, c)
    G_ik = v_i v_k [ sum_ab s_a s_b I4(i, k, a, b) + sigma^2 J2(i, k) ]

    dR_in / d alpha = -eta F_in
    dQ_ik / d alpha = -eta (F_ik + F_ki) + (eta^2 / m) G_ik + eta^2 (1 - 1/m) / N (F C^-1 F^T)_ik

The last term is the square of the mean step, <delta_i x> . <delta_k x> = (F C^-1 F^T)_ik. It vanishes as
N -> infinity at fixed m, and matters where m is of order N. These right-hand sides r are N times the mean
change in one step. Steps are not continuous time: what passes through the points C + r / N, one a step, obeys
dC / d alpha = r - r' r / (2N) up to order 1/N^2, and that is integrated where N is finite. For m of order N
all terms of order 1/N are then there. For smaller m the fluctuations of a run, of order 1/sqrt(N m), add to
its mean others of order 1/(N m), which are left out.

How the learning rate and weights of other normalisations translate: `mbsim.theory.scaling`.

References: D. Saad and S. A. Solla, Phys. Rev. E 52, 4225 (1995), m = 1; M. Biehl and H. Schwarze, J. Phys. A
28, 643 (1995), K = 1; S. Goldt et al., NeurIPS 32 (2019), output weights and noise; R. Veiga et al., NeurIPS
35 (2022), where the terms of finite steps and batches matter; E. Hairer, C. Lubich, G. Wanner, Geometric
Numerical Integration, chapter IX, the equation that steps obey.
"""

import math

import numpy as np
import xarray as xr
from scipy.integrate import solve_ivp

from mbsim.theory import checks
from mbsim.theory.integrals import AVERAGES
from mbsim.theory.order_parameters import (
    Committee,
    OrderParameters,
    covariance,
    mean_squared_error,
    signed_outputs,
    teacher_variance,
)

TOLERANCE = 1e-10  # of the integration, relative; a hundredth of it absolute
DIVERGED = 1e30  # order parameters beyond it are on their way to infinity
DIFFERENCE = 1e-5  # of order parameters over the largest of them, to differentiate the rates
RESOLUTION = 1e-8  # least error, over the variance of y, that overlaps of order one still tell


def rates(
    parameters: OrderParameters,
    *,
    lr: float,
    m: float,
    N: float = math.inf,
    committee: Committee | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """(dR / d alpha (K, M), dQ / d alpha (K, K)): N times the mean change in one step.

    Args:
        parameters: Q, R, T without leading axes.
        lr: eta.
        m: examples in a batch; infinity is gradient flow on the population loss.
        N: inputs, for the term of the mean step; infinity leaves it out.
        committee: output weights, noise, activation.

    Time and memory grow as K^2 (K + M)^2: tens of hidden units at most.

    >>> start = OrderParameters(np.eye(1), 0.5 * np.eye(1), np.eye(1))
    >>> dR, dQ = rates(start, lr=0.5, m=4, committee=Committee(activation="linear"))
    >>> dR.item()  # eta (T - R)
    0.25
    """
    committee = Committee() if committee is None else committee
    K, averages = parameters.R.shape[-2], AVERAGES[committee.activation]
    s, C = signed_outputs(parameters, committee), covariance(parameters)
    v, n, i = s[:K], np.arange(len(s)), np.arange(K)
    F = v[:, None] * (averages.I3(C, i[:, None, None], n[:, None], n) @ s)
    dR, dQ = -lr * F[:, K:], -lr * (F[:, :K] + F[:, :K].T)
    if math.isfinite(m):
        G = averages.I4(C, i[:, None, None, None], i[:, None, None], n[:, None], n) @ s @ s
        G = G + committee.noise**2 * averages.J2(C, i[:, None], i)
        dQ = dQ + lr**2 / m * np.outer(v, v) * G
    if math.isfinite(N):
        # C is singular where student and teacher coincide, but F lies in its range: pinv loses nothing.
        dQ = dQ + lr**2 * (1 - 1 / m) / N * F @ np.linalg.pinv(C, rcond=1e-12, hermitian=True) @ F.T
    return dR, dQ


def trajectory(
    start: OrderParameters,
    alpha: np.ndarray,
    *,
    lr: float,
    m: float,
    N: float = math.inf,
    committee: Committee | None = None,
) -> xr.Dataset:
    """Integrate the equations from `start` at alpha = 0.

    Args:
        start: Q (K, K), R (K, M), T (M, M), as `overlaps` gives them for initial weights. Units that
            start alike stay alike: R = 0 exactly is a saddle that no run of finite size starts on.
        alpha: times at which to report (t,), ascending, not negative, the last positive.
        lr: eta, positive.
        m: examples in a batch, at least 1; math.inf is gradient flow on the population loss.
        N: inputs, for the terms of order 1/N; math.inf leaves them out.
        committee: output weights, noise, activation; one each, none, erf by default.

    Returns:
        Dataset over alpha, student_unit, other_student_unit, teacher_unit: Q, R, `epsilon_g`, half the mean
        squared error, and `generalization_error`, the mean squared error over the variance of y, as in a
        run's dataset. Both are of noiseless y, and NaN below `RESOLUTION`, where rounding decides.

    Raises:
        TheoryError: an argument is out of range, shapes do not fit, or the solution leaves every bound (a
            linear committee below its critical batch size).

    >>> start = OrderParameters(0.5 * np.eye(2), 0.1 * np.eye(2), np.eye(2))
    >>> ds = trajectory(start, np.linspace(0, 20, 11), lr=0.5, m=4)
    >>> bool(ds.generalization_error[-1] < ds.generalization_error[0])
    True

    Reference: D. Saad and S. A. Solla, Phys. Rev. E 52, 4225 (1995); the module's docstring has the
        equations.
    """
    committee = Committee() if committee is None else committee
    start = OrderParameters(*(np.asarray(x, float) for x in start))
    times = np.asarray(alpha, float)
    _check(start, times, committee, lr, m, N)
    K, M = start.R.shape

    def unpacked(y: np.ndarray) -> OrderParameters:
        y = y.T
        return OrderParameters(
            y[..., K * M :].reshape(*y.shape[:-1], K, K),
            y[..., : K * M].reshape(*y.shape[:-1], K, M),
            start.T,
        )

    def slope(_: float, y: np.ndarray) -> np.ndarray:
        dR, dQ = rates(unpacked(y), lr=lr, m=m, N=N, committee=committee)
        return np.concatenate([dR.ravel(), dQ.ravel()])

    def slope_through_steps(alpha: float, y: np.ndarray) -> np.ndarray:
        ahead = slope(alpha, y)
        ahead_in_time = DIFFERENCE * max(1.0, np.abs(y).max()) / max(1.0, np.abs(ahead).max())
        change = ahead_in_time * ahead
        curvature = (slope(alpha, y + change) - slope(alpha, y - change)) / (2 * ahead_in_time)
        return ahead - curvature / (2 * N)

    equation = slope_through_steps if math.isfinite(N) else slope
    span, y0 = (0.0, float(times[-1])), np.concatenate([start.R.ravel(), start.Q.ravel()])

    def room(_: float, y: np.ndarray) -> float:
        return DIVERGED - float(np.abs(y).max())

    room.terminal = True  # type: ignore[attr-defined]  # how solve_ivp is told to stop where it is zero
    solved = solve_ivp(equation, span, y0, "LSODA", times, events=room, rtol=TOLERANCE, atol=TOLERANCE / 100)
    if solved.status != 0:
        why = "the order parameters leave every bound" if solved.status == 1 else solved.message
        raise checks.TheoryError(f"lr = {lr}, m = {m}: {why} before alpha = {times[-1]:g}")
    return _dataset(unpacked(solved.y), times, committee, {"lr": lr, "m": m, "N": N})


def _dataset(
    parameters: OrderParameters, alpha: np.ndarray, committee: Committee, arguments: dict[str, float]
) -> xr.Dataset:
    variance = teacher_variance(parameters, committee)
    error = mean_squared_error(parameters, committee)
    error = np.where(error > RESOLUTION * variance, error, np.nan)
    Q, R, T = parameters
    variables = {
        "Q": (("alpha", "student_unit", "other_student_unit"), Q, "student-student overlap, $Q$"),
        "R": (("alpha", "student_unit", "teacher_unit"), R, "student-teacher overlap, $R$"),
        "T": (("teacher_unit", "other_teacher_unit"), T, "teacher-teacher overlap, $T$"),
        "epsilon_g": (("alpha",), error / 2, "half the mean squared error"),
        "generalization_error": (("alpha",), error / variance, "generalisation error, on fresh examples"),
    }
    return xr.Dataset(
        {
            name: (dims, values, {"long_name": words, "units": "1"})
            for name, (dims, values, words) in variables.items()
        },
        coords={"alpha": ("alpha", alpha, {"long_name": "time, steps / $N$", "units": "1"})},
        attrs={**arguments, "noise": committee.noise, "activation": committee.activation},
    )


def _check(
    start: OrderParameters, alpha: np.ndarray, committee: Committee, lr: float, m: float, N: float
) -> None:
    checks.one_of(tuple(AVERAGES), activation=committee.activation)
    checks.positive(lr=lr)
    checks.at_least_one(m=m, N=N)
    checks.not_negative(noise=committee.noise)
    if start.R.ndim != 2 or start.Q.shape != 2 * start.R.shape[:1] or start.T.shape != 2 * start.R.shape[1:]:
        shapes = ", ".join(f"{name} {x.shape}" for name, x in start._asdict().items())
        raise checks.TheoryError(f"start has {shapes}: must be Q (K, K), R (K, M), T (M, M)")
    C = covariance(start)
    lowest = np.linalg.eigvalsh(C)[0] if np.isfinite(C).all() and np.allclose(C, C.T) else -math.inf
    if lowest < -1e-9 * np.abs(C).max():
        raise checks.TheoryError(
            "start is no covariance: [[Q, R], [R^T, T]] must be symmetric and not negative"
        )
    ascending = alpha.ndim == 1 and (np.diff(alpha, prepend=-math.inf) > 0).all()
    if not ascending or not 0 < alpha.max(initial=0.0) < math.inf:
        raise checks.TheoryError("alpha must be ascending times, not negative, the last of them positive")
    if alpha[0] < 0:
        raise checks.TheoryError(f"alpha begins at {alpha[0]:g}: must not be negative")
    signed_outputs(start, committee)
    if not teacher_variance(start, committee) > 0:
        raise checks.TheoryError(
            "start has a teacher whose output is always zero: no error is relative to it"
        )
