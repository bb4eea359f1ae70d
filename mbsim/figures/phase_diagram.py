"""The phase diagram: the order parameter as colour over the control and one other dimension."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import NDArray

from mbsim.errors import DatasetError
from mbsim.figures.selected import summary
from mbsim.figures.style import (
    axes,
    axis_label,
    bars,
    critical_by,
    geometric,
    in_own_settings,
    legend_below,
    plain_log_ticks,
    quantity_label,
)
from mbsim.fss.critical import Critical
from mbsim.fss.design import need_dataset, need_records

Array = NDArray[np.float64]

DOUBLING = 1.8
"""Columns that grow by this factor or more, each from the one before, stand on a logarithmic axis."""


@in_own_settings
def phase_diagram(
    summaries: xr.Dataset,
    across: str = "d",
    ax: Axes | None = None,
    *,
    quantity: str = "mean",
    critical: Sequence[Critical] = (),
    control: str = "m",
) -> Axes:
    """A heat map, the control upwards and `across` to the right, both true to scale; grey where nothing ran.

    A cell reaches half-way to its neighbours. Estimates of the critical value are points with their 95 %
    intervals, joined by a line.

    Args:
        summaries: of `fss.summaries`, with one value of every label but `across`: select first.
        across: the dimension to draw to the right, d or N.
        ax: where to draw; the axes of a new figure, `ax.figure`, where not given.
        quantity: the summary that is shown as colour.
        critical: estimates to mark, one for each value of `across`; those of other labels are passed over.
        control: the dimension to draw upwards.

    Raises:
        DatasetError: `summaries` is no dataset; the quantity is not there, or has more than one value of
            another label; `across` holds text.

    >>> from mbsim import figures, fss
    >>> ax = figures.phase_diagram(fss.summaries(fss.planted(), bootstrap=100), "N")
    >>> ax.get_xlabel(), ax.get_xscale()
    ('$N$', 'log')
    """
    need_dataset(summaries, "summaries")
    critical = need_records(critical, "critical", "mbsim.fss.estimates(ds)")
    values = _heights(summaries, quantity, across, control)
    ax = axes(ax)
    m, x = (values[name].to_numpy().astype(float) for name in (control, across))
    ax.set_facecolor("0.88")
    steps = _logarithmic(x)
    heights = np.ma.masked_invalid(_filled(values.to_numpy()))
    x_edges, m_edges = _edges(x, steps), _edges(m, geometric(m))
    # As a raster, for viewers draw hairlines between vector cells.
    drawn = ax.pcolormesh(x_edges, m_edges, heights, cmap="cividis", rasterized=True)
    ax.figure.colorbar(drawn, ax=ax, label=quantity_label(quantity, values))
    own = _own(critical, values, across)
    _mark(ax, own, x, control)
    if geometric(m):
        ax.set_yscale("log")
    if steps:
        ax.set_xscale("log")
        plain_log_ticks(ax.xaxis, x.tolist())
    else:
        ax.set_xticks(x)
    ax.set_xlim(x_edges[0], x_edges[-1])
    ax.set_ylim(m_edges[0], m_edges[-1])
    ax.set_xlabel(axis_label(values[across], across))
    ax.set_ylabel(axis_label(values[control], control))
    return ax


def _heights(summaries: xr.Dataset, quantity: str, across: str, control: str) -> xr.DataArray:
    """The quantity over (control, across), both rising, where anything ran."""
    values = summary(summaries, quantity, across, control, "a heat map")
    if values[across].dtype.kind not in "iuf":
        raise DatasetError(f"across = {across!r} holds text, and a phase diagram needs numbers")
    values = values.transpose(control, across).dropna(control, how="all").dropna(across, how="all")
    return values.sortby([control, across])


def _logarithmic(x: Array) -> bool:
    """Whether the columns double, as sizes do, rather than follow at even steps."""
    if len(x) < 3 or x[0] <= 0 or (x[1:] < DOUBLING * x[:-1]).any():
        return False
    steps = np.diff(x)
    return not np.allclose(steps, steps[0])


def _edges(x: Array, logarithmic: bool) -> Array:
    """Half-way between neighbours, if so in the logarithm."""
    if len(x) < 2:
        return np.array([x[0] - 0.5, x[0] + 0.5])
    at = np.log(x) if logarithmic else x
    middles = (at[1:] + at[:-1]) / 2
    edges = np.concatenate([[2 * at[0] - middles[0]], middles, [2 * at[-1] - middles[-1]]])
    return np.exp(edges) if logarithmic else edges


def _filled(values: Array) -> Array:
    """A gap in a column takes the nearest value below and above it: columns may have grids of their own."""
    rows = np.arange(len(values))
    columns = []
    for column in values.T:
        ran = np.flatnonzero(np.isfinite(column))
        nearest = ran[np.abs(rows[:, None] - ran).argmin(axis=1)]
        inside = (rows >= ran[0]) & (rows <= ran[-1])
        columns.append(np.where(inside, column[nearest], np.nan))
    return np.stack(columns, axis=1)


def _own(critical: Sequence[Critical], values: xr.DataArray, across: str) -> list[Critical | None]:
    """The estimate of each column; None where there is none."""
    here = {str(name): values[name].item() for name in values.coords if values[name].ndim == 0}
    rows = []
    for column in values[across].to_numpy().tolist():
        at = here | {across: column}
        own = (one for one in critical if all(at.get(k, v) == v for k, v in one.labels.items()))
        rows.append(next((one for one in own if one.interval.known), None))
    return rows


def _mark(ax: Axes, own: Sequence[Critical | None], x: Array, control: str) -> None:
    """The line of the critical value, white on black: the colours below go from dark to light."""
    m_c, low, high = np.array([one.interval if one else (np.nan,) * 3 for one in own], float).T
    known = np.isfinite(m_c)
    if not known.any():
        return
    ax.plot(x[known], m_c[known], color="white", linewidth=2.4, solid_capstyle="round")
    ax.errorbar(
        x[known],
        m_c[known],
        yerr=bars(m_c, low, high)[:, known],
        color="black",
        linewidth=1.2,
        marker="o",
        markersize=4.5,
        markerfacecolor="white",
        elinewidth=1.2,
        capsize=3,
        label=critical_by(control, [one for one in own if one]),
    )
    legend_below(ax, 1)
