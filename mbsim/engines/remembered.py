"""Known answers that were right here before: remembered, so that a warm start does not repeat them.

What is remembered belongs to the sources of mbsim, the versions of what compiles and runs them and what the shell
tells it, the driver, the device and the processor: where any of these is another, the answers are asked for anew. It
lies beside the machine code that is kept (`registers/kept.py`), in one empty file for each kernel that was right; a
wrong answer is never remembered. `mbsim doctor` asks always.
"""

import hashlib
import importlib.metadata
import os
import platform
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from mbsim.engines import devices
from mbsim.engines.protocol import Engine, Task
from mbsim.engines.settings import FLAGS
from mbsim.lazy import jax

PACKAGES = "jax", "jaxlib", "numba", "llvmlite", "numpy", "optax"
COMPILERS = "jax-", "jax_", "nvidia-", "nvidia_", "libtpu"
"""How the names of packages begin that compile for accelerators."""
DRIVER = Path("/proc/driver/nvidia/version")


def _digest() -> str:
    root = Path(__file__).parent.parent
    files = [*root.glob("engines/**/*.py"), *root.glob("physics/**/*.py"), *root.glob("sampling/*.py")]
    return hashlib.sha256(b"".join(file.read_bytes() for file in sorted(files))).hexdigest()


SOURCES = _digest()  # as they are when mbsim is imported: later edits are not what is compiled


def answers(engine: Engine, task: Task) -> tuple[str, bool]:
    """Name of the compiled kernel that a task needs, and whether it gives its known answers here, now or before."""
    kernel = engine.kernel(task)
    with suppress(OSError):  # no folder for files costs the asking
        place = _place(engine.name, kernel)
        if _kept().use_files and place.exists() and _kept().safe(place):
            return kernel, True
    passed = engine.known_answers(task)
    if passed and _kept().use_files:
        with suppress(OSError):
            _place(engine.name, kernel).touch(mode=0o600)
    return kernel, passed


def _kept():
    from mbsim.engines.registers import kept  # numba is slow to import

    return kept


def _place(engine: str, kernel: str) -> Path:
    """The file of a kernel."""
    told = "\n".join([engine, kernel, circumstances()])
    return _kept().folder() / f"mbsim-right-{hashlib.sha256(told.encode()).hexdigest()[:32]}"


def circumstances() -> str:
    """A hash of all that answers, and programs for accelerators, depend on."""
    return hashlib.sha256("\n".join(_circumstances()).encode()).hexdigest()


def _circumstances() -> Iterator[str]:
    yield SOURCES
    for package in PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            yield f"{package} {importlib.metadata.version(package)}"
    yield platform.python_version()
    yield repr(_kept().processor())
    yield from (f"{name} {os.environ.get(name)}" for name in FLAGS)
    yield (backend := devices.backend())
    if backend != "cpu":
        found = ((one.name or "", one.version) for one in importlib.metadata.distributions())
        yield from sorted(f"{name} {version}" for name, version in found if name.startswith(COMPILERS))
        if DRIVER.exists():
            yield DRIVER.read_text()
        yield from sorted(
            {f"{device.device_kind} {device.client.platform_version}" for device in jax.local_devices()}
        )
