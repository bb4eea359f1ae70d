"""Order parameter, Binder cumulant, susceptibility, success against the control, a curve for each size.

Drawn from `fss.summaries`: points with their 95 % intervals, and estimates of the critical value.
"""

import math
from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import NDArray

from mbsim.figures.selected import summary
from mbsim.figures.style import (
    CURVE,
    GUIDE,
    Look,
    axes,
    axis_label,
    bars,
    in_own_settings,
    look,
    place_on_curve,
    quantity_label,
    range_drawn,
    symbol,
)
from mbsim.fss.critical import Critical
from mbsim.fss.design import need_dataset, need_records
from mbsim.fss.interval import Label

Array = NDArray[np.float64]

REFERENCES = {"binder": 2 / 3, "success": 0.5}
"""What a quantity is held against: U4 of an order parameter that does not fluctuate; one half."""
UNBOUNDED = ("susceptibility", "success_time")
"""Quantities whose bars, where few students have gone over, may be far longer than the curve is high."""
BINDER_FLOOR = -1.0
"""Where a few students have gone over U4 has no lower bound, and would press all else to the top."""
BINDER_TOP = 0.75
LONGEST_BAR = 100.0
"""In heights of the curves: what no axis shows need not be drawn, and may not be a number to compute with."""


@in_own_settings
def summary_figure(
    summaries: xr.Dataset,
    quantity: str = "mean",
    ax: Axes | None = None,
    *,
    critical: Sequence[Critical] = (),
    size: str = "N",
    control: str = "m",
) -> Axes:
    """One summary against the control, a curve for each size, with 95 % intervals.

    An estimate of the critical value is a vertical line in the look of its curve, with its interval as a band;
    on the order parameter itself an open marker too.

    Args:
        summaries: of `fss.summaries`, with one value of every label but the size: select first.
        quantity: "mean", "binder", "susceptibility", "success" or "success_time".
        ax: where to draw; the axes of a new figure, `ax.figure`, where not given.
        critical: estimates to mark; those of other labels are passed over.
        size: the dimension that tells curves apart.
        control: the dimension to draw along.

    Raises:
        DatasetError: `summaries` is no dataset; the quantity is not there, or has more than one value of
            another label.

    >>> from mbsim import figures, fss
    >>> figures.summary_figure(fss.summaries(fss.planted(), bootstrap=100), "binder").get_ylabel()
    'Binder cumulant $U_4$'
    """
    need_dataset(summaries, "summaries")
    critical = need_records(critical, "critical", "mbsim.fss.estimates(ds)")
    values, low, high = (summary(summaries, quantity + end, size, control) for end in ("", "_low", "_high"))
    ax = axes(ax)
    x = values[control].to_numpy()
    finite = values.to_numpy()[np.isfinite(values)]
    longest = LONGEST_BAR * np.ptp(finite) if len(finite) and np.ptp(finite) > 0 else np.inf
    marked: list[Critical] = []
    for place, label in enumerate(values[size].to_numpy().tolist()):
        y = values.sel({size: label}).to_numpy()
        lengths = bars(y, low.sel({size: label}), high.sel({size: label}))
        ran = np.isfinite(y)
        if not ran.any():
            continue
        style = look(place)
        ax.errorbar(
            x[ran],
            y[ran],
            yerr=np.minimum(lengths, longest)[:, ran],
            label=f"{symbol(size)} = {label}",
            **style._asdict(),
            **CURVE,
        )
        if record := _of(critical, values, size, label):
            marked.append(record)
            on_curve = quantity == "mean"
            _mark(ax, record, style, place_on_curve(x, y, record.m_c, record.value) if on_curve else math.nan)
    if quantity in UNBOUNDED:
        _keep_points_in_sight(ax, values)
    if quantity == "binder" and len(finite):
        ax.set_ylim(max(BINDER_FLOOR, finite.min() - 0.1 * max(0.5, 2 / 3 - finite.min())), BINDER_TOP)
    if quantity in REFERENCES:
        ax.axhline(REFERENCES[quantity], **GUIDE)
    range_drawn(ax, x, [record.m_c for record in marked])
    ax.set_xlabel(axis_label(values[control], control))
    ax.set_ylabel(quantity_label(quantity, values))
    if ax.containers:
        ax.legend()
    return ax


def _of(critical: Sequence[Critical], values: xr.DataArray, size: str, label: Label) -> Critical | None:
    """The estimate that belongs to a curve: the same size, no label that contradicts the panel's."""
    here = {name: values[name].item() for name in values.coords if values[name].ndim == 0} | {size: label}
    for record in critical:
        if record.labels.get(size) == label and all(
            here.get(name, value) == value for name, value in record.labels.items()
        ):
            return record
    return None


def _mark(ax: Axes, record: Critical, style: Look, value: float) -> None:
    """The estimate as a vertical line in the look of its curve, its interval as a band behind; an open marker at
    `value`, if there is one.
    """
    if not math.isfinite(record.m_c):
        return
    if math.isfinite(value):
        ring = {"markersize": 7, "markerfacecolor": "none", "markeredgewidth": 1.1}
        ax.plot([record.m_c], [value], **(style.points | ring), zorder=3)
    ax.axvline(record.m_c, color=style.color, linestyle=style.linestyle, linewidth=0.8, zorder=0.5)
    if math.isfinite(record.low):
        ax.axvspan(record.low, record.high, color=style.color, alpha=0.15, linewidth=0, zorder=0)


def _keep_points_in_sight(ax: Axes, values: xr.DataArray) -> None:
    """Bars may pass the highest point by half the height of the curves, the lowest by a tenth."""
    finite = values.to_numpy()[np.isfinite(values)]
    if not len(finite):
        return
    low, high = float(finite.min()), float(finite.max())
    room = 0.5 * (high - low)
    bottom, top = ax.get_ylim()
    if room > 0:
        ax.set_ylim(max(bottom, low - 0.2 * room), min(top, high + room))
