"""SGD of a linear student: the critical mini-batch size in closed form, and the distance at any time.

Convention. One linear output f(x) = w . x of N inputs, teacher y = w* . x + sigma zeta, inputs independent
with mean 0 and variance 1: "sign" (uniform ±1) or "normal". A step draws m fresh examples,

    w <- w - (eta / m) sum_mu (f(x_mu) - y_mu) x_mu

so that Delta = w - w* obeys Delta <- (1 - eta A) Delta + (eta sigma / m) sum_mu zeta_mu x_mu, where
A = (1/m) sum_mu x_mu x_mu^T. Since <A> = 1 and <A^2> = [(m - 1) + kappa] / m, where <|x|^2 x x^T> = kappa,

    <|Delta|^2> <- rho <|Delta|^2> + eta^2 sigma^2 N / m,    rho = 1 - 2 eta + eta^2 (m - 1 + kappa) / m

    kappa = N for ±1 inputs,  N + 2 for normal ones

and rho < 1 where m > m_c = eta (kappa - 1) / (2 - eta). On fresh examples the mean squared error is
|Delta|^2, and over the variance of the teacher's output |Delta|^2 / |w*|^2. How a run's learning rate becomes
eta, for both scalings, any in-degree and several hidden units: `mbsim.theory.scaling.linear_learning_rate`.

Mean and typical run. The mean is carried by rare runs: log |Delta|^2 is a sum of nearly independent steps,
and a typical run follows <log>, which is lower by half the variance of a step. At m_c that variance is 4
eta^3 / m, so the typical run turns from failing to learning at

    m_typical = eta (kappa - 1 - 2 eta) / (2 - eta)

up to terms of order 1/N: below m_c by 2 eta^2 / (2 - eta), however large N. m_c / N has the same limit.

References: A. Feuer and E. Weinstein, IEEE Trans. ASSP 33, 222 (1985), m = 1 with normal inputs; S. Ma, R.
Bassily and M. Belkin, ICML (2018), arXiv:1712.06559, mini-batches.
"""

import math

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from mbsim.theory import checks

INPUTS = ("sign", "normal")


def kappa(N: int, inputs: str = "sign") -> int:
    """The kappa of <|x|^2 x x^T> = kappa: N for ±1 inputs, N + 2 for normal ones.

    >>> kappa(64), kappa(64, "normal")
    (64, 66)
    """
    checks.one_of(INPUTS, inputs=inputs)
    checks.positive(N=N)
    checks.at_least_one(N=N)
    return N if inputs == "sign" else N + 2


def critical_batch_size(lr: float, N: int, inputs: str = "sign") -> float:
    """m_c = eta (kappa - 1) / (2 - eta), above which the mean squared distance to the teacher shrinks.

    Args:
        lr: eta. The run's own learning rate with "standard" scaling and one hidden unit; see `scaling` for
            others.
        N: inputs that the student reads.
        inputs: "sign" (±1) or "normal".

    Returns:
        m_c, a real number; a batch learns if m > m_c. Infinity for eta >= 2, where no batch is large enough;
        below one where every batch learns.

    Raises:
        TheoryError: lr is not positive, N below 1, unknown inputs.

    >>> critical_batch_size(0.5, 64)
    21.0

    Reference: the module's.
    """
    checks.positive(lr=lr)
    return lr * (kappa(N, inputs) - 1) / (2 - lr) if lr < 2 else math.inf


def typical_critical_batch_size(lr: float, N: int, inputs: str = "sign") -> float:
    """Where the typical run turns: eta (kappa - 1 - 2 eta) / (2 - eta), up to terms of order 1/N.

    Arguments, infinity and errors as for `critical_batch_size`. It is meant for a run at finite N, half of
    whose replicas learn here after many steps.

    >>> round(typical_critical_batch_size(0.5, 64), 2)
    20.67
    """
    checks.positive(lr=lr)
    return lr * (kappa(N, inputs) - 1 - 2 * lr) / (2 - lr) if lr < 2 else math.inf


def multiplier(lr: float, m: float, N: int, inputs: str = "sign") -> float:
    """What a step multiplies <|Delta|^2> by: rho = 1 - 2 eta + eta^2 (m - 1 + kappa) / m.

    Args:
        lr: eta, positive.
        m: examples in a batch; math.inf is gradient descent on the population loss, (1 - eta)^2.
        N: inputs.
        inputs: "sign" or "normal".

    Raises:
        TheoryError: lr is not positive, m or N below 1, unknown inputs.

    >>> multiplier(0.5, 21, 64)  # at m_c
    1.0
    """
    checks.positive(lr=lr)
    checks.at_least_one(m=m)
    return (1 - lr) ** 2 + lr**2 * (kappa(N, inputs) - 1) / m


def trajectory(
    steps: ArrayLike,
    *,
    lr: float,
    m: float,
    N: int,
    start: float,
    noise: float = 0.0,
    inputs: str = "sign",
    teacher_norm: float = 1.0,
) -> xr.Dataset:
    """After t steps, <|Delta|^2> = rho^t start + eta^2 sigma^2 (N / m) (1 + rho + ... + rho^(t - 1)).

    Args:
        steps: numbers of steps (t,), not negative.
        lr: eta.
        m: examples in a batch.
        N: inputs.
        start: <|Delta|^2> before the first step: 2 for a teacher of norm one and w ~ N(0, 1/N), both of a
            run.
        noise: sigma, standard deviation of the label noise.
        inputs: "sign" or "normal".
        teacher_norm: |w*|^2, by which the generalisation error is divided; 1 for a run's teacher.

    Returns:
        Dataset over step: `squared_distance` and `generalization_error`, means over runs. The typical run is
        lower.

    Raises:
        TheoryError: an argument is out of range.

    >>> ds = trajectory([0, 100], lr=0.5, m=42, N=64, start=2.0)
    >>> bool(ds.generalization_error[1] < 1e-5)  # m is twice m_c
    True
    """
    checks.not_negative(start=start, noise=noise)
    checks.positive(teacher_norm=teacher_norm)
    t = np.asarray(steps, float)
    if t.ndim != 1 or not (t >= 0).all():
        raise checks.TheoryError("steps must be a list of numbers that are not negative")
    rho = multiplier(lr, m, N, inputs)
    with np.errstate(over="ignore"):  # infinity is what a diverging mean becomes
        power = rho**t
        distance = power * start if start > 0 else np.zeros_like(t)
        if noise > 0:
            distance = distance + lr**2 * noise**2 * N / m * (t if rho == 1 else (1 - power) / (1 - rho))
    words = {
        "squared_distance": (distance, "mean squared distance to the teacher"),
        "generalization_error": (distance / teacher_norm, "generalisation error, on fresh examples"),
    }
    return xr.Dataset(
        {name: ("step", values, {"long_name": text, "units": "1"}) for name, (values, text) in words.items()},
        coords={"step": ("step", t, {"long_name": "SGD steps", "units": "1"})},
        attrs={"lr": lr, "m": m, "N": N, "noise": noise, "inputs": inputs},
    )
