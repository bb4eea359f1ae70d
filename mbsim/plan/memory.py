"""Whether a run fits the memory, estimated before anything is computed. Bytes, shown in GiB."""

import math
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from mbsim.config import Config
from mbsim.errors import ConfigError
from mbsim.plan.units import Unit

GIB = 2**30


def dataset_bytes(config: Config) -> int:
    """Estimate of the size of the whole dataset in memory, time series and results of each student.

    Dimensions N, d, teacher, m (the union over all (N, d)), replica and the axes; for each student a float32
    series over time of each observable, eleven float64 and one int8.
    """
    grid = config.grid
    m = {m for N in grid.N for d in grid.d for m in config.m_values(N, d)}
    systems = len(grid.N) * len(grid.d) * grid.teachers
    students = systems * len(m) * grid.replicas * math.prod(map(len, config.axes.values()))
    times = min(config.measure.measurements, config.dynamics.length + 1)
    series = len(config.observables) + (config.data is not None)
    return students * (4 * series * times + 11 * 8 + 1)


def check_dataset(config: Config, available: int) -> None:
    """Refuses a run whose dataset exceeds `available` bytes: `ConfigError`, one line with the estimate."""
    if (needed := dataset_bytes(config)) > available:
        grid = config.grid
        raise ConfigError(
            f"grid.replicas = {grid.replicas}: the dataset (with grid.teachers = {grid.teachers}, "
            f"measure.measurements = {config.measure.measurements}) needs about {_gib(needed)} of memory, "
            f"and {_gib(available)} is there; lower one of these, or cut the grid into several runs"
        )


def check_memory(units: Iterable[Unit], bytes_per_unit: Callable[[Unit], int], available: int) -> None:
    """Refuses a run of which the students of one teacher do not fit; units run one after another, so the largest
    decides.

    Args:
        units: the units of the run.
        bytes_per_unit: estimate of the memory that one unit takes, not decreasing with its replicas.
        available: bytes of memory of the device.

    Raises:
        ConfigError: one line with the estimate, what is available, and how many replicas would fit.
    """
    # Which teachers they are makes no difference, nor how many: what is too large for the memory is halved.
    one = {"first_teacher": 0, "teachers": 1, "first_replica": 0, "group": "", "place": (0, 0)}
    # Of blocks of as many m that with the largest m takes most, but for the MiB of a core's own block.
    sizes = {(unit.group, len(unit.m)): unit for unit in sorted(units, key=lambda unit: unit.m[-1])}
    if not sizes:
        return
    kinds = {replace(unit, **one): None for unit in sizes.values()}  # type: ignore[arg-type]  # each of its own type
    unit = max(kinds, key=bytes_per_unit)
    if (needed := bytes_per_unit(unit)) <= available:
        return

    fits, too_many = 0, unit.replicas
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        if bytes_per_unit(replace(unit, replicas=middle)) <= available:
            fits = middle
        else:
            too_many = middle
    remedy = (
        f"at most {fits} replicas fit"
        if fits
        else "not even one replica fits; lower grid.N, or give fewer values of grid.m"
    )
    raise ConfigError(
        f"grid.replicas = {unit.replicas}: {unit.students} students at N = {unit.N}, d = {unit.d}, "
        f"m = {unit.m[0]} to {unit.m[-1]} need about {_gib(needed)} of memory, "
        f"and {_gib(available)} is there; {remedy}"
    )


def host_memory() -> int:
    """Bytes of memory that this process may come to use: the machine's, or its container's if that is less.

    Where the system does not tell, a number so large that everything fits.
    """
    try:
        machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        machine = 2**63 - 1
    try:
        return min(machine, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    except (OSError, ValueError):  # no container, or its limit is the word "max"
        return machine


def _gib(size: int) -> str:
    return f"{size / GIB:.3g} GiB"
