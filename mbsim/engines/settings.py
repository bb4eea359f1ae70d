"""Settings of JAX that a shell or a script may have changed: mbsim computes with those that its bits belong to.

`JAX_ENABLE_X64=1`, say, which many programs of this field want, makes numbers of 64 bits where 32 are meant. Each
setting is put in force for the thread that computes and for as long as it does; the user's own work keeps theirs.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from mbsim.lazy import jax

PINNED: dict[str, Any] = {
    "enable_x64": False,
    "numpy_dtype_promotion": "standard",
    "numpy_rank_promotion": "allow",
    "threefry_partitionable": True,
    "default_prng_impl": "threefry2x32",
    "enable_custom_prng": False,
    "legacy_prng_key": "allow",
    "default_matmul_precision": "highest",
    "default_device": None,
    "disable_jit": False,
    "debug_nans": False,
    "debug_infs": False,
    "debug_key_reuse": False,
    "check_tracer_leaks": False,
    "no_tracing": False,
    "no_execution": False,
    "transfer_guard": "allow",
}
"""{name of the context manager of `jax`: value}; `JAX_` and the name in capitals is the variable of the shell."""


@contextmanager
def pinned() -> Iterator[None]:
    """Within, in this thread, JAX has the settings `PINNED`.

    >>> with pinned():
    ...     jax.numpy.arange(2).dtype.name
    'int32'
    """
    with ExitStack() as stack:
        for name, value in PINNED.items():
            stack.enter_context(getattr(jax, name)(value))
        yield
