"""JAX and optax, imported when they are first used.

Everything that a configuration may say is declared beside the physics, in files that compute with JAX. Reading a
configuration or a dataset computes nothing, and importing JAX takes a second: so those files take their `jax`,
`jnp`, `lax` and `optax` from here. They are the modules themselves, one attribute look-up later.
"""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING, Any

from mbsim.errors import ConfigError


class Later(ModuleType):
    """Stands for a module until something is asked of it."""

    def __getattr__(self, name: str) -> Any:
        try:
            return getattr(importlib.import_module(self.__name__), name)
        except ValueError as error:  # JAX_ENABLE_X64=maybe, say
            raise ConfigError(f"{self.__name__} cannot be imported: {error}") from None


if TYPE_CHECKING:
    import jax
    import jax.numpy as jnp
    import optax
    from jax import Array, lax

    __all__ = ["Array", "Later", "jax", "jnp", "lax", "optax"]
else:
    jax, jnp, lax, optax = map(Later, ("jax", "jax.numpy", "jax.lax", "optax"))
    Array = Any
