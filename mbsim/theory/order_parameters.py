"""Order parameters of committees: overlaps of weight vectors, and the error that follows from them alone.

Convention, of this module and of `committees`. Inputs x ~ N(0, 1), N of them. Student weights w (K, N),
teacher weights B (M, N), local fields

    lambda_i = w_i . x / sqrt N        rho_n = B_n . x / sqrt N

and outputs f = sum_i v_i g(lambda_i), y = sum_n v*_n g(rho_n) + sigma zeta, zeta ~ N(0, 1), where g is "erf",
erf(z / sqrt 2), or "linear". The order parameters Q = w w^T / N (K, K), R = w B^T / N (K, M) and the fixed
T = B B^T / N (M, M) are the covariance C = [[Q, R], [R^T, T]] of all K + M fields. Leading axes (...) are
independent cases. With s = (v, -v*), f - y = sum_a s_a g_a - sigma zeta.
"""

from typing import NamedTuple

import numpy as np

from mbsim.theory import checks
from mbsim.theory.integrals import AVERAGES


class OrderParameters(NamedTuple):
    """Overlaps of weight vectors per input: Q (..., K, K), R (..., K, M), T (..., M, M)."""

    Q: np.ndarray
    R: np.ndarray
    T: np.ndarray


class Committee(NamedTuple):
    """What the equations need beside the order parameters.

    student_outputs: v (K,), fixed; 1 each by default (a scalar is meant for every unit).
    teacher_outputs: v* (M,), likewise.
    noise: sigma, standard deviation of the label noise.
    activation: "erf" or "linear".
    """

    student_outputs: np.ndarray | float = 1.0
    teacher_outputs: np.ndarray | float = 1.0
    noise: float = 0.0
    activation: str = "erf"


def overlaps(student: np.ndarray, teacher: np.ndarray) -> OrderParameters:
    """Q, R and T of weights student (..., K, N) and teacher (..., M, N).

    Raises:
        TheoryError: student and teacher read different numbers of inputs.

    >>> start = overlaps(student=np.ones((2, 100)), teacher=np.eye(3, 100))
    >>> start.Q.shape, start.R.shape, start.T.shape, float(start.R[0, 0])
    ((2, 2), (2, 3), (3, 3), 0.01)
    """
    N = student.shape[-1]
    if teacher.shape[-1] != N:
        raise checks.TheoryError(
            f"student reads {N} inputs and teacher {teacher.shape[-1]}: must be the same"
        )

    def overlap(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return one @ np.swapaxes(other, -1, -2) / N

    return OrderParameters(overlap(student, student), overlap(student, teacher), overlap(teacher, teacher))


def covariance(parameters: OrderParameters) -> np.ndarray:
    """C (..., K + M, K + M), of the local fields of student and teacher.

    >>> covariance(OrderParameters(np.eye(1), 0.5 * np.eye(1), np.eye(1))).tolist()
    [[1.0, 0.5], [0.5, 1.0]]
    """
    Q, R, T = parameters
    T = np.broadcast_to(T, (*R.shape[:-2], *T.shape[-2:]))
    upper = np.concatenate([Q, R], axis=-1)
    return np.concatenate([upper, np.concatenate([np.swapaxes(R, -1, -2), T], axis=-1)], axis=-2)


def mean_squared_error(parameters: OrderParameters, committee: Committee | None = None) -> np.ndarray:
    """<(f - y)^2> of noiseless y: sum_ab s_a s_b I2(a, b), of shape (...). Twice the usual epsilon_g.

    >>> start = OrderParameters(np.eye(1), 0.5 * np.eye(1), np.eye(1))
    >>> mean_squared_error(start, Committee(activation="linear")).item()  # <(lambda - rho)^2>
    1.0
    """
    committee = Committee() if committee is None else committee
    s = signed_outputs(parameters, committee)
    n = np.arange(len(s))
    second_moments = AVERAGES[committee.activation].I2(covariance(parameters), n[:, None], n)
    return np.einsum("a,...ab,b->...", s, second_moments, s)


def teacher_variance(parameters: OrderParameters, committee: Committee | None = None) -> float:
    """<y^2> of noiseless y, whose mean is zero: what the generalisation error is divided by.

    >>> start = OrderParameters(np.eye(1), 0.5 * np.eye(1), np.eye(1))
    >>> round(teacher_variance(start), 3)  # 1/3, for erf
    0.333
    """
    committee = Committee() if committee is None else committee
    v = _outputs("teacher_outputs", committee.teacher_outputs, parameters.R.shape[-1])
    n = np.arange(len(v))
    return float(v @ AVERAGES[committee.activation].I2(parameters.T, n[:, None], n) @ v)


def signed_outputs(parameters: OrderParameters, committee: Committee) -> np.ndarray:
    """The s (K + M,) of f - y: the student's output weights, and minus the teacher's.

    >>> signed_outputs(OrderParameters(np.eye(2), np.zeros((2, 1)), np.eye(1)), Committee()).tolist()
    [1.0, 1.0, -1.0]
    """
    K, M = parameters.R.shape[-2:]
    student = _outputs("student_outputs", committee.student_outputs, K)
    return np.concatenate([student, -_outputs("teacher_outputs", committee.teacher_outputs, M)])


def _outputs(name: str, outputs: np.ndarray | float, units: int) -> np.ndarray:
    if np.shape(outputs) not in ((), (1,), (units,)):
        raise checks.TheoryError(f"{name} has shape {np.shape(outputs)}: must be one number or ({units},)")
    return np.broadcast_to(np.asarray(outputs, float), (units,))
