"""Cuts a configuration into units of work, chooses the times of measurement, and asks whether it all fits.

A unit is one (N, d, teacher) with a block of mini-batch sizes m, all replicas, and all values of the other
axes (initial overlaps and temperatures with ±1 weights, learning rates with real ones): one launch, one file,
computed and resumed whole. Blocks of m go by powers of two, so that a small m does not pay for the words of a
large one: m ≤ 32, then 33 to 64, 65 to 128, ...

The lanes of a unit lie in C order over (axes, m, replica). Times are in sweeps or steps. Memory is in bytes,
shown in GiB.
"""

import math
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np

from mbsim.config.configuration import Config
from mbsim.errors import ConfigError

AXES = ("init_overlap", "temperature", "lr")
NARROWEST_BLOCK = 5  # log2 of the largest m of the first block: one 32-bit word
GIB = 2**30


@dataclass(frozen=True)
class Unit:
    """One unit of work: N inputs, K hidden units, M outputs, in-degree d, and which teacher (from 0)."""

    N: int
    K: int
    M: int
    d: int
    teacher: int
    m: tuple[int, ...]
    replicas: int
    init_overlap: tuple[float, ...] = ()
    temperature: tuple[float, ...] = ()
    lr: tuple[float, ...] = ()
    examples: int | None = None  # in the training set; None: always fresh ones

    @property
    def axes(self) -> dict[str, tuple[float, ...]]:
        """The values of each axis that the dynamics of this unit has."""
        return {name: values for name in AXES if (values := getattr(self, name))}

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes, and of (m, replica)."""
        return *(len(values) for values in self.axes.values()), len(self.m), self.replicas

    @property
    def lanes(self) -> int:
        """How many students are trained."""
        return math.prod(self.shape)

    @property
    def stem(self) -> str:
        """Name of the unit's file without its ending; no other unit of the run has it."""
        size = f"N{self.N:05d}-d{self.d:03d}-t{self.teacher:04d}"
        return f"{size}-m{self.m[0]:05d}-{self.m[-1]:05d}"


def units(config: Config) -> tuple[Unit, ...]:
    """All units of a run, ascending in N, d, teacher, m: every lane of the grid is in exactly one."""
    return tuple(
        Unit(
            N=N,
            K=config.model.hidden_units(N),
            M=config.model.outputs(N),
            d=d,
            teacher=teacher,
            m=tuple(block),
            replicas=config.grid.replicas,
            examples=config.training_set(N, d),
            **config.axes,
        )
        for N in config.grid.N
        for d in config.grid.d
        for teacher in range(config.grid.teachers)
        for _, block in groupby(config.m_values(N, d), key=_block)
    )


def _block(m: int) -> int:
    return max(NARROWEST_BLOCK, (m - 1).bit_length())


def measurement_times(sweeps: int, measurements: int) -> np.ndarray:
    """When a run of `sweeps` sweeps or steps is measured: at 0, at log-spaced times, and evenly over the last
    quarter.

    The tail, a quarter of the measurements but eight at least, is spaced evenly over t > 3/4 sweeps and ends
    at `sweeps`; the moments of a lane are taken over it. The times before it grow by one common factor, as
    nearly as different integers can.

    Returns:
        (at most `measurements`,) int64, strictly increasing, the first 0, the last `sweeps`.

    Raises:
        ValueError: sweeps < 32 or measurements < 12.

    >>> measurement_times(300, 12)
    array([  0,   1,   6,  38, 235, 244, 254, 263, 272, 282, 291, 300])
    """
    if sweeps < 32 or measurements < 12:
        raise ValueError(f"sweeps = {sweeps} must be at least 32, measurements = {measurements} at least 12")
    if measurements > sweeps:
        return np.arange(sweeps + 1, dtype=np.int64)
    tail_length = min(max(8, measurements // 4), sweeps // 4)
    tail = [sweeps - j * sweeps // (4 * tail_length) for j in reversed(range(tail_length))]
    times = [0, 1]
    # Each factor is taken anew from what is left, since small integers cannot be a common factor apart.
    for left in range(measurements - tail_length - 1, 1, -1):
        factor = (tail[0] / times[-1]) ** (1 / left)
        if (time := max(times[-1] + 1, round(times[-1] * factor))) >= tail[0]:
            break
        times.append(time)
    return np.array(times + tail, dtype=np.int64)


def dataset_bytes(config: Config) -> int:
    """Estimate of the size of the whole dataset in memory, time series and per-lane results.

    Dimensions N, d, teacher, m (the union over all (N, d)), replica and the axes; for each lane at most five
    float32 series over time, eleven float64 and one int8.
    """
    grid = config.grid
    m = {m for N in grid.N for d in grid.d for m in config.m_values(N, d)}
    systems = len(grid.N) * len(grid.d) * grid.teachers
    lanes = systems * len(m) * grid.replicas * math.prod(map(len, config.axes.values()))
    times = min(config.measure.measurements, config.dynamics.length + 1)
    return lanes * (4 * (5 if config.model.real else 4) * times + 11 * 8 + 1)


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
    """Refuses a run whose largest unit does not fit; units run one after another, so the largest decides.

    Args:
        units: the units of the run.
        bytes_per_unit: estimate of the memory that one unit takes, not decreasing with its replicas.
        available: bytes of memory of the device.

    Raises:
        ConfigError: one line with the estimate, what is available, and how many replicas would fit.
    """
    # Teachers differ in no size, and there may be thousands of them.
    sizes = {replace(unit, teacher=0): None for unit in units}
    if not sizes:
        return
    unit = max(sizes, key=bytes_per_unit)
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
        f"grid.replicas = {unit.replicas}: {unit.lanes} lanes at N = {unit.N}, d = {unit.d}, "
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
