"""Deciding where the compiler stops fusing: the difference of a factor of sixteen on CPU.

XLA:CPU drops `lax.optimization_barrier` before it fuses. It then pulls chains of index look-ups, or a whole
sum of rows, into the inner loop over students of whatever consumes them, where they are recomputed for every
student and no longer vectorise (measured once, on proposals of 512 students of ±1 weights, which XLA does not train
any more: 9.3 us against 0.57 us). A branch that is always taken, but not known to be before the program
runs, is a boundary that the compiler keeps. (A loop that runs once is one too, but costs 2 to 4 us for 32
KiB, ten times as much as to copy them: it fills its first value with zeros, and copies the last.)
"""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax import Array, lax

T = TypeVar("T")
Stage = Callable[[Callable[[], Any]], Any]
"""A way to hold a value in memory: `staged`, with `one` given."""


def staged(one: Array | None, compute: Callable[[], T]) -> T:
    """The value of `compute()`, held in memory before anything uses it.

    `one` is a traced int32 scalar that equals 1 (on CPU), or None where `lax.optimization_barrier` does what
    it says.
    """
    if one is None:
        return lax.optimization_barrier(compute())
    shapes = jax.eval_shape(compute)
    return lax.cond(one > 0, compute, lambda: jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes))


def barrier(compute: Callable[[], T]) -> T:
    """`staged` where `lax.optimization_barrier` does what it says."""
    return staged(None, compute)
