"""Learning rates and weights of a run, in the normalisation of the theory.

The theory is for a scalar output with fixed output weights, a committee. A run's student has D links into
each of its K hidden units, its teacher d links into each of M, and learning rate lr on the loss (y - y*)^2 /
2, averaged over the batch. Their outputs are

    teacher               y* = M^(-1/2) sum_n g(d^(-1/2) B_n . x)
    student, "standard"   y  = M^(-1/2) sum_k g(w_k . x)               w starts N(0, 1/D)
    student, "ntk"        y  = M^(-1/2) sum_k g(D^(-1/2) w_k . x)      w starts N(0, 1)

with the teacher's output factor for both, so that the student can be the teacher. The slope carries each
factor twice, once in y and once through the weight that moves. So the same lr means

    theory                                       "standard"      "ntk"
    linear student, effective weights u          lr K / M        lr K / (M D)
    committee, fields w . x / sqrt N, dense      N lr            lr

Hence m_c of a dense linear student is of order N at a given lr with "standard" scaling, and with "ntk"
scaling where lr itself is of order N; at an lr of order one it is below one then, and every batch learns.

Reference: A. Jacot, F. Gabriel, C. Hongler, Neural tangent kernel, NeurIPS 31 (2018), for the second scaling.
"""

import math
from typing import NamedTuple

import numpy as np

from mbsim.theory import checks

SCALINGS = ("standard", "ntk")


class CommitteeUnits(NamedTuple):
    """A run as a committee.

    lr: the committee's eta. weights: factor on the student's hidden weights. outputs: the output weight of
    every unit, student's and teacher's.
    """

    lr: float
    weights: float
    outputs: float


def linear_learning_rate(
    lr: float, in_degree: int, *, hidden: int = 1, teacher_hidden: int = 1, scaling: str = "standard"
) -> float:
    """The eta of the linear theory for a run with a scalar output and fixed output weights.

    With linear units only the effective weights u = factor * sum_k w_k count, and a step moves u by
    hidden * factor^2 * lr times the mean of (y - f) x.

    Args:
        lr: the run's learning rate.
        in_degree: links into a hidden unit of the student, D: N if dense. A sparse student with one hidden
            unit is the theory with its d links as the inputs; with more hidden units, reading different
            inputs, it is not.
        hidden: hidden units of the student, K.
        teacher_hidden: hidden units of the teacher, M.
        scaling: "standard" or "ntk".

    Raises:
        TheoryError: a number is not positive, or the scaling is unknown.

    >>> linear_learning_rate(0.5, 64), linear_learning_rate(32.0, 64, scaling="ntk")
    (0.5, 0.5)
    """
    checks.one_of(SCALINGS, scaling=scaling)
    checks.positive(lr=lr, in_degree=in_degree, hidden=hidden, teacher_hidden=teacher_hidden)
    return lr * hidden / teacher_hidden / (1 if scaling == "standard" else in_degree)


def committee_units(lr: float, N: int, *, teacher_hidden: int, scaling: str = "standard") -> CommitteeUnits:
    """A dense run's learning rate and weights in the committee's normalisation.

    Args:
        lr: the run's learning rate.
        N: inputs.
        teacher_hidden: hidden units of the teacher, M.
        scaling: "standard" or "ntk".

    Raises:
        TheoryError: a number is not positive, or the scaling is unknown.

    The weights w (K, N) and links (M, N) of a run then start the equations:

    >>> from mbsim.theory.order_parameters import overlaps
    >>> units = committee_units(0.01, 128, teacher_hidden=2)
    >>> units.lr, round(units.outputs, 3)
    (1.28, 0.707)
    >>> w, links = np.full((2, 128), 0.01), np.eye(2, 128)
    >>> round(float(overlaps(units.weights * w, teacher_weights(links, in_degree=1)).Q[0, 0]), 4)
    0.0128
    """
    checks.one_of(SCALINGS, scaling=scaling)
    checks.positive(lr=lr, N=N, teacher_hidden=teacher_hidden)
    outputs = 1 / math.sqrt(teacher_hidden)
    return (
        CommitteeUnits(N * lr, math.sqrt(N), outputs)
        if scaling == "standard"
        else CommitteeUnits(lr, 1.0, outputs)
    )


def teacher_weights(links: np.ndarray, in_degree: int) -> np.ndarray:
    """B of the committee's normalisation, (M, N), of a teacher's links (M, N), 0 where there is none.

    The run's field links . x / sqrt(in_degree) is B . x / sqrt N. It is normal, as the theory has it, where
    the inputs are, and for ±1 inputs only as in_degree grows.

    Raises:
        TheoryError: in_degree is not positive.

    >>> teacher_weights(np.array([[1.0, -1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]]), in_degree=2)[0, :3].tolist()
    [2.0, -2.0, 0.0]
    """
    checks.positive(in_degree=in_degree)
    return links * math.sqrt(links.shape[-1] / in_degree)
