"""Figures that ask what m_c rests on: relaxation, the length of the run, teachers, the window of the control.

They are drawn from the dataset itself, at the largest size, where it holds the order parameter; of another dataset
there are none.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import NDArray

from mbsim import figures
from mbsim.errors import DatasetError
from mbsim.figures.teachers import between_teachers, one_curve
from mbsim.fss.critical import Critical
from mbsim.fss.design import SAMPLES
from mbsim.fss.interval import Label
from mbsim.fss.midpoint import midpoint
from mbsim.fss.names import MIDPOINT
from mbsim.fss.over_time import OverTime, timed_variable
from mbsim.fss.records import START
from mbsim.fss.results import Analysis
from mbsim.report.drawings import (
    MOST_PANELS,
    Drawing,
    Key,
    Labels,
    grouped,
    grouped_drawing,
    labels_text,
    largest_complete,
    left_out,
)

RESAMPLES = 100
Windows = tuple[list[tuple[float, float]], list[Critical]]
"""Windows of the control, and the midpoint by each."""
CUTS = (0.0, np.inf), (0.0, 2.0), (0.5, np.inf), (0.5, 2.0), (0.67, 1.5)
"""Windows of a positive control, in units of m_c; the first is the whole grid."""
SHARES = (1.0, 1.0), (1.0, 0.5), (0.5, 1.0), (0.5, 0.5), (0.33, 0.33)
"""The same where the control is not positive, in shares of the way from m_c down and up to the ends of the grid."""


def relaxation_drawings(
    ds: xr.Dataset, analysis: Analysis, order_parameter: str, size: str = "N", control: str = "m"
) -> list[Drawing]:
    """The order parameter against time at several values of the control."""
    chosen, choices, fixed = _largest(ds, order_parameter, size, control)
    try:
        name = timed_variable(ds, order_parameter) if choices else ""
    except DatasetError:
        name = ""
    if not name:
        return []
    midpoints = [one for one in analysis.critical if one.estimator == MIDPOINT]

    def draw(labels: Mapping[str, Any], ax: Axes) -> Axes:
        return figures.relaxation_figure(
            chosen.sel(labels), ax, critical=midpoints, order_parameter=name, size=size, control=control
        )

    figure = figures.panels(choices[:MOST_PANELS], draw, rows=START, height=2.8, same_legend=False)
    caption = (
        f"Relaxation{fixed}: the order parameter against time at several {control} about the midpoint, dark to "
        "bright as it grows. Bars are one standard error. A curve that still rises or falls at the end has not come "
        "to rest in this run."
    )
    return [Drawing("relaxation", figure, caption + left_out(choices))]


def over_time_drawings(records: Sequence[OverTime], size: str = "N", control: str = "m") -> list[Drawing]:
    """m_c read off at earlier times."""
    groups = grouped((one for one in records if np.isfinite(one.m_c).any()), without=size)
    caption = (
        "The critical size against the length of the run: the midpoint read off at each time, with 95 % intervals. "
        "A value that still moves is that of a metastable state in the time of the run, not of the stationary one."
    )
    draw = partial(figures.over_time_figure, size=size, control=control)
    return grouped_drawing("over-time", groups, draw, caption, rows=START, same_y=False)


def teacher_drawings(
    ds: xr.Dataset, analysis: Analysis, order_parameter: str, size: str = "N", control: str = "m"
) -> list[Drawing]:
    """How far each teacher lies from the mean of all."""
    chosen, choices, fixed = _largest(ds, order_parameter, size, control)
    if not choices or ds.sizes.get(SAMPLES[0], 1) < 2:
        return []
    midpoints = [one for one in analysis.critical if one.estimator == MIDPOINT]

    def draw(labels: Mapping[str, Any], ax: Axes) -> Axes:
        return figures.teacher_figure(
            chosen.sel(labels),
            ax,
            critical=midpoints,
            order_parameter=order_parameter,
            size=size,
            control=control,
        )

    figure = figures.panels(choices[:MOST_PANELS], draw, rows=START)
    caption = (
        f"Teachers{fixed}: the order parameter of each one, averaged over its replicas, less the mean of all; a line "
        "for each. The grey band is what the chance of replicas alone allows (95 %)."
    )
    spreads = [_spread(chosen.sel(labels), order_parameter, size, control) for labels in choices]
    known = [(one, labels) for one, labels in zip(spreads, choices, strict=True) if one is not None]
    if known:
        (most, at), labels = max(known, key=lambda item: item[0][0])
        where = ", ".join(filter(None, [labels_text(labels), f"{control} = {at:g}"]))
        caption += f" Without it their standard deviation is {most:.2g} at the most, at {where}."
    return [Drawing("teachers", figure, caption + left_out(choices))]


def window_drawings(
    ds: xr.Dataset, analysis: Analysis, order_parameter: str, size: str = "N", control: str = "m"
) -> list[Drawing]:
    """The midpoint of the largest size, read off smaller windows of the control."""
    chosen, choices, fixed = _largest(ds, order_parameter, size, control)
    found: dict[Key, Windows] = {}
    for labels in choices:
        here = dict(labels) | ({size: chosen[size].item()} if size in chosen.coords else {})
        whole = next(
            (
                one
                for one in analysis.critical
                if one.estimator == MIDPOINT and one.labels == here and np.isfinite(one.m_c)
            ),
            None,
        )
        if whole is not None:
            found[tuple(labels.items())] = _windows(chosen.sel(labels), whole, order_parameter, control)

    def draw(found: Windows, ax: Axes) -> Axes:
        return figures.window_figure(*found, ax, control=control)

    caption = (
        f"The midpoint{fixed} by smaller windows of {control}, the whole grid on top. Thick bars are the statistical "
        "part of the error, thin ones the whole 95 % interval; the band is that of the whole grid, which should hold "
        "the others."
    )
    return grouped_drawing(
        "windows", found, draw, caption, rows=START, same_x=False, same_y=False, same_legend=False
    )


def _largest(
    ds: xr.Dataset, order_parameter: str, size: str, control: str
) -> tuple[xr.Dataset, list[Labels], str]:
    """The dataset at the largest size that ran, the other labels that ran there, and " at N = 256"."""
    if order_parameter not in ds or control not in ds[order_parameter].dims:
        return ds, [], ""
    fixed = ""
    if size in ds[order_parameter].dims:
        largest: Label = largest_complete(ds[order_parameter], size, control, *SAMPLES)
        ds, fixed = ds.sel({size: largest}), f" at {size} = {largest}"
    values = ds[order_parameter]
    names = [str(dim) for dim in values.dims if dim not in (control, *SAMPLES)]
    ran = values.notnull().any([dim for dim in values.dims if dim not in names])
    choices = []
    for index in np.ndindex(*(values.sizes[name] for name in names)):
        one = ran.isel(dict(zip(names, index, strict=True)))
        if bool(one):
            choices.append({name: one[name].item() for name in names})
    return ds, choices, fixed


def _spread(ds: xr.Dataset, order_parameter: str, size: str, control: str) -> tuple[float, float] | None:
    """The largest standard deviation between teachers, and at which value of the control."""
    values = one_curve(ds, order_parameter, size, control, SAMPLES)
    found = between_teachers(values.to_numpy().astype(float))
    if not np.isfinite(found).any():
        return None
    at = int(np.nanargmax(found))
    return float(found[at]), float(values[control][at])


def _cuts(m: NDArray[np.float64], m_c: float) -> list[tuple[float, float]]:
    """From which value of the control to which the windows reach."""
    if m.min() > 0:
        return [(low * m_c, high * m_c) for low, high in CUTS]
    return [(m_c - low * (m_c - m.min()), m_c + high * (m.max() - m_c)) for low, high in SHARES]


def _windows(ds: xr.Dataset, whole: Critical, order_parameter: str, control: str) -> Windows:
    """The windows, without those that hold the same points as one before, and the midpoint by each."""
    m = ds[control].to_numpy().astype(float)
    windows, records = [], []
    for low, high in _cuts(m, whole.m_c):
        inside = np.flatnonzero((m >= low) & (m <= high))
        if not len(inside) or (ends := (float(m[inside].min()), float(m[inside].max()))) in windows:
            continue
        windows.append(ends)
        if len(inside) == len(m):
            records.append(whole)
            continue
        cut = ds[[order_parameter]].isel({control: inside})
        records += midpoint(cut, order_parameter, control=control, bootstrap=RESAMPLES)
    return windows, records
