"""Optimisers, all of optax, with the learning rate left to the lane that uses it.

    weights <- weights - lr * multiplier * direction,      direction, memory = optax(gradient, memory)

optax turns gradients into directions; the rate is one number for each lane and layer, so that it can be an
axis of the grid, and is applied outside.
"""

from typing import Literal, NamedTuple

import numpy as np
import optax

LrScaling = Literal["constant", "linear", "sqrt"]
Scaling = Literal["standard", "ntk"]


class Optimizer(NamedTuple):
    """The name "sgd" (with momentum if it is not 0) or "adam", and their numbers; hashable."""

    name: Literal["sgd", "adam"] = "sgd"
    momentum: float = 0.0
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def transformation(self) -> optax.GradientTransformation:
        """What turns gradients into directions; the learning rate is not in it."""
        if self.name == "adam":
            return optax.scale_by_adam(self.beta1, self.beta2, self.epsilon)
        if self.momentum:
            return optax.trace(self.momentum)
        return optax.identity()


def scaled_rate(lr: np.ndarray, m: np.ndarray, scaling: LrScaling) -> np.ndarray:
    """The learning rate at mini-batch size m: lr, lr * m or lr * sqrt(m)."""
    return lr * {"constant": 1.0, "linear": m, "sqrt": np.sqrt(m)}[scaling]


def mup_multiplier(optimizer: Optimizer, scaling: Scaling, fan_in: int, fan_out: int) -> float:
    """The factor on a layer's learning rate with which its features move as much at any width.

    With weights of no factor, fan_out / fan_in for SGD and 1 / fan_in for Adam; where sums carry a factor
    1/sqrt(fan_in) ("ntk"), the same change of the function takes fan_out and 1/sqrt(fan_in).

    Reference: G. Yang, J. B. Simon, J. Bernstein, arXiv:2310.17813; G. Yang et al., arXiv:2203.03466.
    """
    if optimizer.name == "adam":
        return fan_in**-0.5 if scaling == "ntk" else 1 / fan_in
    return float(fan_out) if scaling == "ntk" else fan_out / fan_in
