"""Optimisers, all of optax, with a learning rate for each student and layer.

    weights <- weights + update,      update, memory = optax(gradient, memory),      at the rate lr * multiplier

Users register any constructor of optax with `mbsim.optimizer`.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np

from mbsim.lazy import jax, jnp, optax
from mbsim.physics.problem import Problem
from mbsim.physics.students import fan_in, fan_out
from mbsim.registry import RegistrationError, Registry, needs_function

Maker = Callable[..., Any]
"""From a learning rate (a number, or a traced one) to an `optax.GradientTransformation`."""

OPTIMISERS: Registry[Maker] = Registry("optimizer")
MUP = ("sgd", "adam")  # optimisers whose multipliers `mup_multiplier` knows


def optimizer(name: str, make: Maker | None = None) -> Maker | Callable[[Maker], Maker]:
    """Register an optimiser of optax, `[dynamics] optimizer = "NAME"`: a function of the learning rate.

    Args:
        name: for the configuration.
        make: makes an `optax.GradientTransformation` of a learning rate, as optax's own constructors do. Left
            out, this is a decorator of such a function.

    Raises:
        RegistrationError: the name is taken, or what is made is no transformation of gradients.

    >>> import optax, mbsim
    >>> _ = mbsim.optimizer("lion", optax.lion)
    >>> mbsim.Config(model="dense-vector", grid={"N": [8], "d": [3], "m": [4]},
    ...              dynamics={"optimizer": "lion", "lr": 0.001}).dynamics.optimizer
    'lion'
    """

    def register(make: Maker) -> Maker:
        needs_function("optimizer", name, make)
        like = jax.ShapeDtypeStruct((2, 3), jnp.float32)

        def once(rate: jax.Array, gradient: jax.Array) -> jax.Array:
            made = make(rate)
            return made.update(gradient, made.init(gradient), gradient)[0]

        try:
            found = jax.eval_shape(once, jax.ShapeDtypeStruct((), jnp.float32), like)
        except Exception as error:
            raise RegistrationError(
                f"optimizer {name!r}: must make an optax.GradientTransformation of a learning rate; {error}"
            ) from error
        if found.shape != like.shape:
            raise RegistrationError(f"optimizer {name!r}: turns a gradient {like.shape} into {found.shape}")
        return OPTIMISERS.add(name, make)

    return register if make is None else register(make)


OPTIMISERS.add("sgd", lambda rate, **more: optax.sgd(rate, **more), built_in=True)
OPTIMISERS.add("adam", lambda rate: optax.adam(rate), built_in=True)

LrScaling = Literal["constant", "linear", "sqrt"]


class Optimizer(NamedTuple):
    """What the batched engine knows: "sgd" (with momentum if it is not 0) or "adam", and their numbers;
    hashable.
    """

    name: Literal["sgd", "adam"] = "sgd"
    momentum: float = 0.0
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def transformation(self) -> Any:
        """What turns gradients into directions; the learning rate is not in it."""
        if self.name == "adam":
            return optax.scale_by_adam(self.beta1, self.beta2, self.epsilon)
        if self.momentum:
            return optax.trace(self.momentum)
        return optax.identity()


def scaled_rate(lr: np.ndarray, m: np.ndarray, scaling: LrScaling) -> np.ndarray:
    """The learning rate at mini-batch size m: lr, lr * m or lr * sqrt(m)."""
    return lr * {"constant": 1.0, "linear": m, "sqrt": np.sqrt(m)}[scaling]


def mup_multiplier(optimizer: Optimizer, scaling: str, fan_in: int, fan_out: int) -> float:
    """The factor on a layer's learning rate with which its features move as much at any width.

    With weights of no factor, fan_out / fan_in for SGD and 1 / fan_in for Adam; where sums carry a factor
    1/sqrt(fan_in) ("ntk"), the same change of the function takes fan_out and 1/sqrt(fan_in).

    Reference: G. Yang, J. B. Simon, J. Bernstein, arXiv:2310.17813; G. Yang et al., arXiv:2203.03466.
    """
    if optimizer.name == "adam":
        return fan_in**-0.5 if scaling == "ntk" else 1 / fan_in
    return float(fan_out) if scaling == "ntk" else fan_out / fan_in


def multipliers(problem: Problem) -> tuple[float, float]:
    """The factors on the learning rates of the two layers."""
    if problem.options["lr_multipliers"] == "none":
        return 1.0, 1.0
    optimiser = Optimizer(problem.options["optimizer"], problem.options["momentum"])
    fans = zip(fan_in(problem), fan_out(problem), strict=True)
    hidden, output = (mup_multiplier(optimiser, problem.scaling, *fan) for fan in fans)
    return hidden, output
