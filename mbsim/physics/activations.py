"""The activations of hidden units with real weights, and their derivatives.

h = φ(z); `derivative(z, h)` is φ'(z), given both so that neither is computed twice.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import erf


class Activation(NamedTuple):
    """A function and its derivative, elementwise."""

    value: Callable[[Array], Array]
    derivative: Callable[[Array, Array], Array]


ACTIVATIONS = {
    "tanh": Activation(jnp.tanh, lambda z, h: 1 - h * h),
    "erf": Activation(
        lambda z: erf(z * np.float32(np.sqrt(0.5))),
        lambda z, h: np.float32(np.sqrt(2 / np.pi)) * jnp.exp(-0.5 * z * z),
    ),
    "relu": Activation(lambda z: jnp.maximum(z, 0), lambda z, h: (z > 0).astype(z.dtype)),
    "linear": Activation(lambda z: z, lambda z, h: jnp.ones_like(z)),
}
