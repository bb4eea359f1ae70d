"""Learning rates and weights of a run, in the normalisation of the theory.

A run's student has D links into a hidden unit and K hidden units, and is trained with learning rate lr on
the loss |y - y*|^2 / 2, averaged over the batch. Its sums have

    "standard"   no factor:                        f = sum_k v_k g(w_k . x)
    "ntk"        1/sqrt(in-degree), both layers:   f = K^(-1/2) sum_k v_k g(D^(-1/2) w_k . x)

The slope carries every factor twice, once in f and once through the weight that moves. So the same lr means

    theory                                    "standard"     "ntk"
    linear student, effective weights u       K lr           lr / D      (v = 1 fixed, one scalar output)
    committee, fields w . x / sqrt N          N lr           lr          (D = N: dense)
    committee, output weights                 v              v / sqrt K

A teacher's sums carry 1/sqrt(in-degree) in both: its T_nn is 1 for weights ±1, and its output weights in the
committee are v* / sqrt M. Student weights of "standard" are sqrt N times larger in the committee's
normalisation.

Reference: A. Jacot, F. Gabriel, C. Hongler, Neural tangent kernel, NeurIPS 31 (2018), for the second scaling.
"""

import math
from typing import NamedTuple

import numpy as np

from mbsim.theory import checks

SCALINGS = ("standard", "ntk")


class CommitteeUnits(NamedTuple):
    """lr: the committee's eta. weights: factor on first-layer weights. outputs: factor on output weights."""

    lr: float
    weights: float
    outputs: float


def linear_learning_rate(lr: float, in_degree: int, hidden: int = 1, scaling: str = "standard") -> float:
    """The eta of the linear theory for a run with a scalar output and output weights fixed to one.

    With linear units only the effective weights u = factor * sum_k w_k count, and a step moves u by
    hidden * factor^2 * lr times the mean of (y - f) x.

    Args:
        lr: the run's learning rate.
        in_degree: links into a hidden unit, D: N if dense. A sparse student with one hidden unit is the
            theory with its d links as the inputs; with more hidden units, reading different inputs, it is
            not.
        hidden: hidden units K.
        scaling: "standard" or "ntk".

    Example:
        >>> linear_learning_rate(0.5, 64), linear_learning_rate(32.0, 64, scaling="ntk")  # 0.5, 0.5
    """
    checks.one_of(SCALINGS, scaling=scaling)
    checks.positive(lr=lr)
    checks.at_least_one(in_degree=in_degree, hidden=hidden)
    return hidden * lr if scaling == "standard" else lr / in_degree


def committee_units(lr: float, N: int, hidden: int, scaling: str = "standard") -> CommitteeUnits:
    """A dense run's learning rate and weights in the committee's normalisation.

    Args:
        lr: the run's learning rate.
        N: inputs.
        hidden: hidden units K.
        scaling: "standard" or "ntk".

    Example:
        >>> units = committee_units(0.01, N=128, hidden=2)   # lr = 1.28, weights = sqrt 128, outputs = 1
        >>> start = order_parameters(units.weights * w, B)    # w as in the run
        >>> trajectory(start, alpha, lr=units.lr, m=4, committee=Committee(units.outputs * v, 2**-0.5))
    """
    checks.one_of(SCALINGS, scaling=scaling)
    checks.positive(lr=lr)
    checks.at_least_one(N=N, hidden=hidden)
    if scaling == "standard":
        return CommitteeUnits(N * lr, math.sqrt(N), 1.0)
    return CommitteeUnits(lr, 1.0, 1 / math.sqrt(hidden))


def teacher_weights(links: np.ndarray, in_degree: int) -> np.ndarray:
    """B of the committee's normalisation, (M, N), of a teacher's links (M, N), 0 where there is none.

    The run's field links . x / sqrt(in_degree) is B . x / sqrt N.
    """
    checks.at_least_one(in_degree=in_degree)
    return links * math.sqrt(links.shape[-1] / in_degree)
