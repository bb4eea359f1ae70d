"""Cuts a configuration into work units, and chooses the times of measurement.

A unit is one (N, d, teacher) with a block of mini-batch sizes m, all replicas, and all values of the other
axes (initial overlaps and temperatures with ±1 weights, learning rates with real ones): one launch, one file,
computed and resumed whole. Blocks of m go by powers of two, so that a small m does not pay for the words of a
large one: m ≤ 32, then 33 to 64, 65 to 128, ...

The students of a unit lie in C order over (axes, m, replica). Times are in sweeps or steps.
"""

import math
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from mbsim.config.configuration import Config

NARROWEST_BLOCK = 5  # log2 of the largest m of the first block: one 32-bit word


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
    axis_values: tuple[tuple[str, tuple[float, ...]], ...] = ()  # of the rule, in the order of the dataset
    examples: int | None = None  # in the training set; None: always fresh ones
    rule: str = "metropolis"
    observables: tuple[str, ...] = ()

    @property
    def axes(self) -> dict[str, tuple[float, ...]]:
        """The values of each axis of its rule."""
        return dict(self.axis_values)

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes, and of (m, replica)."""
        return *(len(values) for values in self.axes.values()), len(self.m), self.replicas

    @property
    def students(self) -> int:
        """How many students are trained."""
        return math.prod(self.shape)

    @property
    def stem(self) -> str:
        """Name of the unit's file without its ending; no other unit of the run has it."""
        size = f"N{self.N:05d}-d{self.d:03d}-t{self.teacher:04d}"
        return f"{size}-m{self.m[0]:05d}-{self.m[-1]:05d}"


def units(config: Config) -> tuple[Unit, ...]:
    """All units of a run, ascending in N, d, teacher, m: every student of the grid is in exactly one."""
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
            rule=config.rule.name,
            observables=config.observables,
            axis_values=tuple(config.axes.items()),
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
    at `sweeps`; the moments of a student are taken over it. The times before it grow by one common factor, as
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
