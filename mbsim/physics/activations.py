"""The activations of hidden units with real weights, and their derivatives.

h = φ(z); `derivative(z, h)` is φ'(z), given both so that neither is computed twice. Users register their own
with `mbsim.activation`.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mbsim.lazy import Array, jax, jnp
from mbsim.registry import RegistrationError, Registry, needs_function

Function = Callable[[Array], Array]


class Activation(NamedTuple):
    """A function and its derivative, elementwise."""

    value: Function
    derivative: Callable[[Array, Array], Array]


ACTIVATIONS: Registry[Activation] = Registry("activation")


def activation(name: str) -> Callable[[Function], Function]:
    """Register an elementwise function of jax.numpy as an activation, `[model] activation = "NAME"`.

    Its derivative is taken by JAX.

    Raises:
        RegistrationError: the name is taken, or it does not map float32 arrays to float32 arrays of the same
            shape.

    >>> import jax.numpy as jnp, mbsim
    >>> @mbsim.activation("softsign")
    ... def softsign(z):
    ...     return z / (1 + jnp.abs(z))
    >>> mbsim.Config(model={"output": "vector", "student": "dense", "weights": "real", "activation": "softsign"},
    ...              grid={"N": [8], "d": [3], "m": [4]}).model.activation
    'softsign'
    """

    def register(value: Function) -> Function:
        needs_function("activation", name, value)
        like = jax.ShapeDtypeStruct((2, 3), jnp.float32)
        try:
            found = jax.eval_shape(value, like)
        except Exception as error:
            raise RegistrationError(f"activation {name!r}: fails on a float32 array: {error}") from error
        shape, dtype = getattr(found, "shape", None), getattr(found, "dtype", None)
        if shape != like.shape or dtype != like.dtype:
            given = type(found).__name__ if shape is None else f"{dtype}{list(shape)}"
            raise RegistrationError(
                f"activation {name!r}: gives {given} of {like.dtype}{list(like.shape)}; must be elementwise"
            )

        def derivative(z: Array, h: Array) -> Array:
            return jax.jvp(value, (z,), (jnp.ones_like(z),))[1]

        ACTIVATIONS.add(name, Activation(value, derivative))
        return value

    return register


for _name, _activation in {
    "tanh": Activation(lambda z: jnp.tanh(z), lambda z, h: 1 - h * h),
    "erf": Activation(
        lambda z: jax.scipy.special.erf(z * np.float32(np.sqrt(0.5))),
        lambda z, h: np.float32(np.sqrt(2 / np.pi)) * jnp.exp(-0.5 * z * z),
    ),
    "relu": Activation(lambda z: jnp.maximum(z, 0), lambda z, h: (z > 0).astype(z.dtype)),
    "linear": Activation(lambda z: z, lambda z, h: jnp.ones_like(z)),
}.items():
    ACTIVATIONS.add(_name, _activation, built_in=True)
