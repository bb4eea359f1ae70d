"""Devices: which there are, all cores of a CPU or so many, decided before JAX starts, and the memory of one.

On CPU, JAX is one device with a pool of threads, which small operations cannot fill. One device a core fills
them: students are split over devices, and each device runs its own program. The number can only be chosen before
the backend starts.

JAX takes most of a second to start, and the loops of the register engine ask nothing of it: where only CPUs can be
found, it is left alone until an engine computes with it (`settings.on_jax`).
"""

import functools
import importlib.metadata
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from glob import glob
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from mbsim.errors import ConfigError, MbsimError
from mbsim.lazy import jax

if TYPE_CHECKING:
    from jax import Device

PLATFORMS = "JAX_PLATFORMS"
GIVEN = ("PBS_JOBID", "NCPUS"), ("SLURM_JOB_ID", "SLURM_CPUS_PER_TASK"), ("JOB_ID", "NSLOTS")
"""Variables of the shell that say that this is a job of PBS, Slurm or Grid Engine, and how many cores it has."""
TOLD = "JAX_", "XLA_", "PJRT_", "TPU_LIBRARY_PATH"
"""How the names of variables of the shell begin that may say which devices JAX has (it sets others itself)."""
CODE = "jax_plugins", "libtpu"
"""Modules that drive devices; jaxlib itself drives CPUs only."""
NVIDIA = "/dev/nvidiactl"  # there where an NVIDIA driver is
MAKERS = "/sys/bus/pci/devices/*/vendor"
GOOGLE = "0x1ae0"
_at_most: ContextVar[int | None] = ContextVar("cores that this thread of Python may use", default=None)


class Forked(MbsimError):  # noqa: N818 (says what happened)
    """A process is a copy of one in which JAX runs: its threads were not copied, and JAX would wait for them."""


class _Jax:
    """Whether mbsim has started JAX, whether that was in the process that this one was forked from, and of how many
    cores, if not of all that whoever starts it may use.
    """

    runs = False
    forked = False
    share: int | None = None


def _after_fork() -> None:
    _Jax.forked = _Jax.runs or _runs()


def _runs() -> bool:
    """Whether JAX runs, whoever started it: it takes another number of devices only before that. It is not imported
    here, which another thread may have been about to do when the process was forked.
    """
    config = getattr(sys.modules.get("jax"), "config", None)
    if config is None:
        return False
    number = config.jax_num_cpu_devices
    try:
        config.update("jax_num_cpu_devices", max(1, number + 1))
    except RuntimeError:
        return True
    config.update("jax_num_cpu_devices", number)
    return False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def cores() -> int:
    """Cores that this process, or the thread of Python that asks, may use: as many as the system lets it, or as the
    batch system has given to its job, which does not always keep it there.
    """
    mine = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    given = next((os.environ[name] for job, name in GIVEN if job in os.environ and name in os.environ), "")
    if given.isdecimal() and int(given) > 0:
        mine = min(mine, int(given))
    return min(mine, _at_most.get() or mine)


@contextmanager
def cores_at_most(count: int) -> Iterator[None]:
    """Within, in this thread of Python, `cores` is at most `count`."""
    before = _at_most.set(count)
    try:
        yield
    finally:
        _at_most.reset(before)


def backend() -> str:
    """What JAX computes on here: "cpu", "gpu" or "tpu". It is started to see, unless nothing but CPUs can be found.

    Raises:
        ConfigError, Forked: as `use_all_cores`.
    """
    if asleep():
        return "cpu"
    use_all_cores()
    return jax.default_backend()


def asleep() -> bool:
    """Whether nobody has imported JAX, and it would find nothing but the `cores`: the shell says nothing of devices,
    and there seem to be no others.
    """
    told = any(name.startswith(TOLD) for name in os.environ)
    return "jax" not in sys.modules and not told and not others()


@functools.cache
def others() -> bool:
    """Whether there may be devices other than CPUs: there is code for them, or hardware, for which a system may hold
    the code (that of TPUs), or of which JAX warns where it is not used.
    """
    if any(map(find_spec, CODE)) or importlib.metadata.entry_points(group="jax_plugins"):
        return True
    with suppress(OSError):
        makers = (Path(place).read_text().strip() for place in glob(MAKERS))
        return os.path.exists(NVIDIA) or GOOGLE in makers
    return True


def errors() -> tuple[type[Exception], ...]:
    """What is raised where a launch fails or its memory runs out."""
    return (MemoryError, jax.errors.JaxRuntimeError) if "jax" in sys.modules else (MemoryError,)


def use_all_cores() -> None:
    """Start JAX, with each of `cores` one CPU device, unless it runs already or the user chose a number.

    Raises:
        ConfigError: it does not start; the line names the setting that is in the way.
        Forked: it cannot.
    """
    check_fork()
    chosen = "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", "")
    if not chosen and jax.config.jax_num_cpu_devices == -1:  # type: ignore[attr-defined]
        # Where the backend runs already, its devices are what there is.
        with suppress(RuntimeError), cores_at_most(_Jax.share or cores()):
            jax.config.update("jax_num_cpu_devices", cores())
    try:
        jax.devices()
        if not _Jax.runs:
            _keep_programs()
        _Jax.runs = True
    except (RuntimeError, AssertionError) as error:  # the latter, without a word, where there is no GPU
        told = " ".join(str(error).split()).partition(" (set JAX_PLATFORMS")[0]
        why = f": {told}" if told else ""
        asked = jax.config.jax_platforms  # type: ignore[attr-defined]
        if not asked:
            raise ConfigError(f"jax does not start{why}") from None
        raise ConfigError(
            f'{PLATFORMS} = "{asked}": jax finds no such device here{why}; unset it, or set {PLATFORMS}=cpu'
        ) from None


def _keep_programs() -> None:
    """Let JAX keep programs for accelerators, which take a core for seconds each, beside the machine code that mbsim
    keeps itself, where the user has named no place and nobody else may write that one: what is loaded is executed.
    """
    if jax.default_backend() == "cpu" or jax.config.jax_compilation_cache_dir:  # type: ignore[attr-defined]
        return
    from mbsim.engines.registers import kept  # numba is slow to import

    with suppress(Exception):  # nowhere to keep them costs the compiling
        place = kept.folder() / "programs"
        place.mkdir(mode=0o700, exist_ok=True)
        if kept.use_files and kept.safe(place):
            jax.config.update("jax_compilation_cache_dir", str(place))
            if "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS" not in os.environ:
                jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)


def use_share(count: int) -> None:
    """As `use_all_cores`, in a process that shares its machine with others: `count` cores, and one accelerator where
    that is one. Tools that start a process for each accelerator put its own first. JAX is started where `backend`
    would do so.
    """
    _Jax.share = count
    if asleep():
        return
    for name in ("jax_cuda_visible_devices", "jax_rocm_visible_devices"):
        if count == 1 and getattr(jax.config, name, "") == "all":
            jax.config.update(name, "0")
    use_all_cores()


def check_fork() -> None:
    """Raises `Forked` where JAX would wait for ever."""
    if _Jax.forked:
        raise Forked(
            "this process was forked from one in which jax runs, and would wait for ever: run mbsim in the "
            'parent, or start processes by multiprocessing.get_context("spawn")'
        )


def available_bytes(device: "Device") -> int:
    """Memory that a device may hand out; of a CPU, its share of half the host's free memory."""
    stats = device.memory_stats() if device.platform != "cpu" else None
    if stats and "bytes_limit" in stats:
        return int(0.9 * (stats["bytes_limit"] - stats.get("bytes_in_use", 0)))
    free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    return free // 2 // max(1, jax.local_device_count())
