"""Hysteresis: the branch of students that start at random against that of students that start at the teacher.

At a discontinuous transition both branches survive beyond coexistence: students that start at random find the
teacher above one spinodal, those that start at it lose it below another. Each spinodal is the midpoint of its
branch, as in `midpoint`; the loop is as wide as they are apart, in the finite time of the run.
"""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from mbsim.fss import resample
from mbsim.fss.lanes import SAMPLES, Cell, cells, lanes, order_parameter_of, with_size
from mbsim.fss.midpoint import midpoint
from mbsim.fss.results import Hysteresis, Interval
from mbsim.fss.table import Critical, Label

Array = NDArray[np.float64]


def hysteresis(
    ds: xr.Dataset,
    order_parameter: str | None = None,
    *,
    label: str = "init_overlap",
    size: str = "N",
    control: str = "m",
    samples: tuple[str, str] = SAMPLES,
    bootstrap: int = 1000,
    seed: int = 0,
) -> list[Hysteresis]:
    """The loop for each size and combination of labels; empty if the dataset has one start only.

    Args:
        ds: a dataset with the order parameter over `label`, size, control and samples.
        order_parameter: its name; by default what `order_parameter_of` says.
        label: the dimension of starts; its lowest value is the random start, its highest the planted one.
        size: the dimension of system sizes.
        control: the dimension along which the transition is sought.
        samples: the quenched disorder, then the replicas within it; either may be absent.
        bootstrap: the number of resamples.
        seed: of the resamples.

    Raises:
        DatasetError: the variable or a dimension is not there.
    """
    order_parameter = order_parameter_of(ds, order_parameter)
    values = lanes(ds, order_parameter, control, samples)
    if values.sizes.get(label, 1) < 2:
        return []
    starts = float(ds[label].min()), float(ds[label].max())
    # One start at a time and without its label, so that both draw the same teachers: they are the same.
    branches = [ds.sel({label: start}, drop=True) for start in starts]
    found = [cells(one, (order_parameter,), size, control, samples) for one in branches]
    places = [
        midpoint(one, order_parameter, control=control, samples=samples, bootstrap=bootstrap, seed=seed)
        for one in (with_size(one, order_parameter, size) for one in branches)
    ]
    spinodals = [{_key(one.labels): one for one in records} for records in places]
    return [
        _loop(one, other, spinodals[0][_key(one.labels)], spinodals[1][_key(other.labels)], starts)
        for one, other in zip(*found, strict=True)
    ]


def _key(labels: dict[str, Label]) -> tuple[tuple[str, Label], ...]:
    return tuple(sorted(labels.items()))


def _loop(
    random: Cell, planted: Cell, up: Critical, down: Critical, starts: tuple[float, float]
) -> Hysteresis:
    m = np.union1d(random.m, planted.m)
    curves = [_curve(cell, m) for cell in (random, planted)]
    reasons = [
        f"{name} start: {record.reason}"
        for name, record in (("random", up), ("planted", down))
        if record.reason
    ]
    width = Interval()
    if np.isfinite(up.m_c) and np.isfinite(down.m_c):
        width = _width(up, down)
    return Hysteresis(
        random.labels, starts, _interval(up), _interval(down), width, m, *curves[0], *curves[1],
        reason="; ".join(reasons),
    )  # fmt: skip


def _interval(record: Critical) -> Interval:
    return Interval(record.m_c, record.low, record.high)


def _width(up: Critical, down: Critical) -> Interval:
    """The difference; its interval holds the chance of the teachers, and what the grid leaves open."""
    width = up.m_c - down.m_c
    if up.draws is None or down.draws is None or not np.isfinite(up.draws + down.draws).all():
        return Interval(width)
    low, high = np.quantile(up.draws - down.draws, [0.025, 0.975]) - np.mean(up.draws - down.draws)
    # The interval of a midpoint is widened where the grid steps over the rise; chance is the rest of it.
    gap = [
        max(0.0, (one.high - one.low) / 2 - np.ptp(np.quantile(one.draws, [0.025, 0.975])) / 2)
        for one in (up, down)
        if one.draws is not None
    ]
    return Interval(width, float(width + low - sum(gap)), float(width + high + sum(gap)))


def _curve(cell: Cell, m: Array) -> tuple[Array, Array]:
    """Mean and standard error over the points m, NaN where the cell has none."""
    mean, error = np.full(len(m), np.nan), np.full(len(m), np.nan)
    if len(cell.m):
        at = np.searchsorted(m, cell.m)
        values = next(iter(cell.fields.values()))
        mean[at], error[at] = resample.mean(values), resample.standard_error(values)
    return mean, error
