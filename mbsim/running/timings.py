"""What a timing is, whatever is trained: how much work, in what wall-clock and CPU time.

On CPU the rate of a core divides by the CPU time of the process, all its threads together: other people's work on
the machine then does not count, and a device that helps itself to two cores pays for both. With the machine to
itself, CPU time is the wall clock times the number of busy devices. On an accelerator the wall clock counts, and the
rate is that of one device.
"""

import platform
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from jax.sharding import Mesh

from mbsim.physics.problem import Teacher


class Prepared(NamedTuple):
    """A case compiled for so many students on each device, by the engine of this name; bytes of a device."""

    case: Any
    teacher: Teacher
    mesh: Mesh
    engine: str
    students: int
    compile_seconds: float
    memory: int


class Timing(NamedTuple):
    """One run: its length in sweeps or steps; the proposals or steps of all students; how many proposals were
    accepted, None where there are none; wall-clock and CPU seconds.
    """

    length: int
    work: int
    accepted: int | None
    wall: float
    cpu: float


class Measurement(NamedTuple):
    """A case and its run; `start` is the same of length 0: what start and measurement cost."""

    prepared: Prepared
    run: Timing
    start: Timing


def on_cpu(prepared: Prepared) -> bool:
    """Whether the devices are CPU cores, whose rates go by CPU time."""
    return prepared.mesh.devices.flat[0].platform == "cpu"


def seconds_of_a_device(prepared: Prepared, timing: Timing) -> float:
    """Seconds of one core (CPU time) or one accelerator (wall clock, times their number) that a run took."""
    return timing.cpu if on_cpu(prepared) else timing.wall * prepared.mesh.devices.size


def seconds_of_each(prepared: Prepared, timing: Timing) -> float:
    """Seconds that each core or accelerator was busy; of a core, by CPU time, whatever else the machine does."""
    return seconds_of_a_device(prepared, timing) / prepared.mesh.devices.size


def fastest(prepared: Prepared, turns: Iterable[Timing]) -> Timing:
    """The turn of several of one length that was least disturbed: what else a machine does only costs time."""
    return min(turns, key=lambda timing: seconds_of_a_device(prepared, timing))


def rate(prepared: Prepared, timing: Timing, start: Timing | None = None) -> float:
    """Work per second of one core or accelerator; without start and measurement if `start` is given."""
    seconds = seconds_of_a_device(prepared, timing)
    if start is not None:
        seconds -= seconds_of_a_device(prepared, start)
    return timing.work / seconds


def device_name(mesh: Mesh) -> str:
    """Such as "2 x cpu (AMD EPYC 9B14)" or "1 x NVIDIA H100"."""
    device = mesh.devices.flat[0]
    name = f"{mesh.devices.size} x {device.device_kind}"
    return f"{name} ({processor()})" if device.platform == "cpu" else name


def processor() -> str:
    """What the system calls the processor."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def size_text(size: int) -> str:
    """Bytes in MiB."""
    return f"{size / 2**20:.3g} MiB"
