"""The phase diagram: the order parameter as colour over the control and one other dimension."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import NDArray

from mbsim.errors import DatasetError
from mbsim.figures.style import axes, axis_label, geometric, number, quantity_label
from mbsim.fss.critical import Critical
from mbsim.fss.design import need_dataset, need_records

Array = NDArray[np.float64]


def phase_diagram(
    summaries: xr.Dataset,
    across: str = "d",
    ax: Axes | None = None,
    *,
    quantity: str = "mean",
    critical: Sequence[Critical] = (),
    control: str = "m",
) -> Axes:
    """A heat map with the control upwards, a column for each value of `across`; grey where nothing ran.

    Args:
        summaries: of `fss.summaries`, with one value of every label but `across`: select first.
        across: the dimension whose values are the columns, d or N.
        ax: where to draw; the axes of a new figure, `ax.figure`, where not given.
        quantity: the summary that is shown as colour.
        critical: estimates to mark in their columns, one for each; those of other labels are passed over.
        control: the dimension to draw upwards.

    Raises:
        DatasetError: `summaries` is no dataset; the quantity is not there, or has more than one value of
            another label.

    >>> from mbsim import figures, fss
    >>> figures.phase_diagram(fss.summaries(fss.planted(), bootstrap=100), "N").get_xlabel()
    '$N$'
    """
    need_dataset(summaries, "summaries")
    critical = need_records(critical, "critical", "mbsim.fss.estimates(ds)")
    if quantity not in summaries:
        held = ", ".join(sorted(map(str, summaries.data_vars))) or "nothing"
        raise DatasetError(f"{quantity!r} is not among the summaries, which hold {held}")
    values = summaries[quantity]
    for dim in values.dims:
        if dim not in (across, control) and values.sizes[dim] > 1:
            raise DatasetError(
                f"{dim} has {values.sizes[dim]} values, and a heat map shows one: select it first"
            )
    values = values.squeeze([dim for dim in values.dims if dim not in (across, control)])
    if across not in values.dims:
        values = values.expand_dims(across)
    values = values.transpose(control, across).dropna(control, how="all").dropna(across, how="all")
    ax = axes(ax)
    m, columns = values[control].to_numpy().astype(float), values[across].to_numpy().tolist()
    ax.set_facecolor("0.88")
    edges = _edges(m)
    heights = np.ma.masked_invalid(_filled(values.to_numpy()))
    # As a raster, for viewers draw hairlines between vector cells.
    drawn = ax.pcolormesh(np.arange(len(columns) + 1) - 0.5, edges, heights, cmap="cividis", rasterized=True)
    ax.figure.colorbar(drawn, ax=ax, label=quantity_label(quantity, values))
    here = {str(name): values[name].item() for name in values.coords if values[name].ndim == 0}
    found = [_of(critical, here | {across: column}) for column in columns]
    _mark(ax, found)
    if geometric(m):
        ax.set_yscale("log")
    ax.set_ylim(edges[0], edges[-1])
    ax.set_xticks(range(len(columns)), [number(column) for column in columns])
    ax.set_xlabel(axis_label(values[across], across))
    ax.set_ylabel(axis_label(values[control], control))
    for spine in ax.spines.values():
        spine.set_visible(False)
    if any(one is not None for one in found):
        ax.set_title("points: midpoint with its interval", fontsize="small", loc="left")
    return ax


def _edges(m: Array) -> Array:
    """Half-way between neighbours; in the logarithm for a geometric grid."""
    if len(m) < 2:
        return np.array([m[0] - 0.5, m[0] + 0.5])
    x = np.log(m) if geometric(m) else m
    middles = (x[1:] + x[:-1]) / 2
    edges = np.concatenate([[2 * x[0] - middles[0]], middles, [2 * x[-1] - middles[-1]]])
    return np.exp(edges) if geometric(m) else edges


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


def _of(critical: Sequence[Critical], here: dict[str, object]) -> Critical | None:
    for record in critical:
        if np.isfinite(record.m_c) and all(here.get(k, v) == v for k, v in record.labels.items()):
            return record
    return None


def _mark(ax: Axes, found: Sequence[Critical | None]) -> None:
    for place, record in enumerate(found):
        if record is None:
            continue
        bar = None
        if np.isfinite(record.high - record.low):
            bar = [[record.m_c - record.low], [record.high - record.m_c]]
        ax.errorbar(
            [place],
            [record.m_c],
            yerr=bar,
            color="black",
            marker="o",
            markersize=5,
            markerfacecolor="white",
            elinewidth=1.2,
            capsize=3,
        )
