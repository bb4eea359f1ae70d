"""Settings of JAX that a shell or a script may have changed: mbsim computes with those that its bits belong to.

`JAX_ENABLE_X64=1`, say, which many programs of this field want, makes numbers of 64 bits where 32 are meant. Each
setting is put in force for the thread that computes and for as long as it does; the user's own work keeps theirs.
What cannot be put right is refused before anything is written (`check_shell`).
"""

import functools
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from mbsim.engines import devices
from mbsim.errors import ConfigError
from mbsim.lazy import jax

FLAGS = "XLA_FLAGS", "LIBTPU_INIT_ARGS"
"""Variables of the shell that change what a compiler does."""
OF_DEVICES = devices.PLATFORMS, "JAX_PLATFORM_NAME", "JAX_NUM_CPU_DEVICES"
"""Those that say which devices JAX has."""
READS_FLAGS = "import jax; jax.devices('cpu')"
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


@contextmanager
def on_jax() -> Iterator[None]:
    """As `pinned`, and JAX has been started, on all cores: for what computes with it.

    Raises:
        ConfigError, Forked: as `devices.use_all_cores`.
    """
    devices.use_all_cores()
    with pinned():
        yield


def check_shell() -> None:
    """See, before anything is written, that what the shell has set for JAX, its compiler and numba is understood;
    and, where it says which devices are used, that they are there, which starts JAX.

    Raises:
        ConfigError, Forked: as `devices.use_all_cores`; the line names the setting.
    """
    devices.check_fork()
    if any(name.startswith("JAX_") for name in os.environ):
        jax.__version__  # noqa: B018 (imports it)
    if flags := os.environ.get("XLA_FLAGS", ""):
        _check_flags(flags)
    if any(name.startswith("NUMBA_") for name in os.environ):
        try:
            import numba  # noqa: F401
        except ValueError as error:
            raise ConfigError(
                f"numba cannot be imported with the NUMBA_ settings of the shell: {error}"
            ) from None
    if any(os.environ.get(name) for name in OF_DEVICES):
        devices.use_all_cores()


@functools.cache  # a process reads them once
def _check_flags(flags: str) -> None:
    """Have another process read them: the compiler ends the one in which it meets a flag that it does not know."""
    command, shell = [sys.executable, "-c", READS_FLAGS], os.environ | {devices.PLATFORMS: "cpu"}
    done = subprocess.run(command, env=shell, stderr=subprocess.PIPE, text=True, errors="replace")
    last = done.stderr.strip().rpartition("\n")[2].rpartition("] ")[2]  # after file and line
    if done.returncode and "XLA_FLAGS" in last:  # other errors will be met here
        raise ConfigError(f"XLA_FLAGS = {flags!r}: {last}")
