"""Hysteresis: the branch of students that start at random against that of students that start at the teacher.

At a discontinuous transition both branches survive beyond coexistence: students that start at random find the
teacher above one spinodal, those that start at it lose it below another. Each spinodal is the midpoint of its
branch, as in `midpoint`; the loop is as wide as they are apart, in the finite time of the run. Where the order
parameter falls with the control, as a magnetisation with the temperature, students that start at random order
below one spinodal, and the width is that of the other sign.

What the data leave open of a midpoint moves both branches alike: only how far it moves them apart is in the
interval of the width.
"""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from mbsim.fss import resample
from mbsim.fss.critical import Critical
from mbsim.fss.design import SAMPLES, Design, Errors, Samples, levels, need_dataset, need_name
from mbsim.fss.door import coordinate
from mbsim.fss.interval import Interval, Label
from mbsim.fss.midpoint import midpoints
from mbsim.fss.reasons import because
from mbsim.fss.records import Records
from mbsim.fss.results import Hysteresis
from mbsim.fss.samples import (
    Ensemble,
    ensembles,
    means_as_samples,
    order_parameter_of,
    samples_of,
    with_size,
)
from mbsim.fss.window import falls

Array = NDArray[np.float64]


def hysteresis(
    ds: xr.Dataset,
    order_parameter: str | None = None,
    *,
    label: str = "init_overlap",
    size: str = "N",
    control: str = "m",
    samples: Samples = SAMPLES,
    bootstrap: int = 1000,
    seed: int = 0,
    error: Errors = None,
) -> Records[Hysteresis]:
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
        error: where there are no samples, the variable of the errors of the means, their covariance or their
            draws. See `mbsim.fss.given`.

    Raises:
        DatasetError: `ds` is no dataset; the variable or a dimension is not there.

    >>> from mbsim import fss
    >>> [loop] = fss.hysteresis(fss.planted([64], jump=True, starts=True), bootstrap=100)
    >>> round(loop.planted.value), round(loop.random.value), round(loop.width.value)
    (12, 18, 6)
    """
    design = Design(size, control, levels(samples), bootstrap, seed, error)
    return loops(ds, order_parameter_of(need_dataset(ds), order_parameter), label, design)


def loops(ds: xr.Dataset, order_parameter: str, label: str, design: Design) -> Records[Hysteresis]:
    """What `hysteresis` gives."""
    ds, design = means_as_samples(ds, order_parameter, design)
    values = samples_of(ds, order_parameter, design)
    need_name("label", label)
    if values.sizes.get(label, 1) < 2:
        return Records()
    coordinate(values, label)
    starts = float(ds[label].min()), float(ds[label].max())
    # One start at a time and without its label, so that both draw the same teachers: they are the same.
    branches = [ds.sel({label: start}, drop=True) for start in starts]
    found = [ensembles(one, (order_parameter,), design) for one in branches]
    places = [
        midpoints(with_size(one, order_parameter, design.size), order_parameter, design) for one in branches
    ]
    spinodals = [{_key(one.labels): one for one in records} for records in places]
    return Records(
        _loop(one, other, spinodals[0][_key(one.labels)], spinodals[1][_key(other.labels)], starts)
        for one, other in zip(*found, strict=True)
    )


def _key(labels: dict[str, Label]) -> tuple[tuple[str, Label], ...]:
    return tuple(sorted(labels.items()))


def _loop(
    random: Ensemble, planted: Ensemble, up: Critical, down: Critical, starts: tuple[float, float]
) -> Hysteresis:
    m = np.union1d(random.m, planted.m)
    curves = [_curve(one, m) for one in (random, planted)]
    reasons = tuple(
        because("of_start", start=name, reasons=record.because)
        for name, record in (("random", up), ("planted", down))
        if record.because
    )
    width = Interval()
    if np.isfinite(up.m_c) and np.isfinite(down.m_c):
        # The planted phase lies below the transition where q falls and is larger from the planted start.
        branch, other = curves[0][0], curves[1][0]
        below = falls(branch[np.isfinite(branch)]) and bool(np.nansum(other - branch) > 0)
        width = _width(down, up) if below else _width(up, down)
    return Hysteresis(
        random.labels, starts, up.interval, down.interval, width, m, *curves[0], *curves[1], because=reasons,
    )  # fmt: skip


def _width(up: Critical, down: Critical) -> Interval:
    """The difference; its interval holds the chance of the teachers, and what the grid leaves open."""
    width = up.m_c - down.m_c
    if up.draws is None or down.draws is None or not np.isfinite(up.draws + down.draws).all():
        return Interval(width)
    low, high = np.quantile(up.draws - down.draws, [0.025, 0.975]) - np.mean(up.draws - down.draws)
    # The statistical part is widened where the grid steps over the rise; chance is the rest of it.
    gap = [
        max(0.0, np.ptp(one.statistical) / 2 - np.ptp(np.quantile(one.draws, [0.025, 0.975])) / 2)
        for one in (up, down)
        if one.draws is not None
    ]
    apart = max(abs(one - other) for one, other in zip(up.systematic, down.systematic, strict=True))
    reach = float(sum(gap)) + apart
    return Interval(width, float(width + low - reach), float(width + high + reach))


def _curve(students: Ensemble, m: Array) -> tuple[Array, Array]:
    """Mean and standard error over the points m, NaN where the ensemble has none."""
    mean, error = np.full(len(m), np.nan), np.full(len(m), np.nan)
    if len(students.m):
        at = np.searchsorted(m, students.m)
        values = next(iter(students.fields.values()))
        mean[at], error[at] = resample.mean(values), resample.standard_error(values)
    return mean, error
