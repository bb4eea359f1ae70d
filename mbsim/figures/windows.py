"""How the critical value depends on the window of the control that it was read off."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from mbsim.figures.style import (
    CURVE,
    axes,
    bars,
    critical_by,
    critical_symbol,
    in_own_settings,
    look,
    number,
    say_instead,
    symbol,
)
from mbsim.fss.critical import Critical
from mbsim.fss.design import need_records


@in_own_settings
def window_figure(
    windows: Sequence[tuple[float, float]],
    critical: Sequence[Critical],
    ax: Axes | None = None,
    *,
    control: str = "m",
) -> Axes:
    """The critical value of one curve by several windows of the control, a row for each, the first on top.

    Thick bars are the statistical part of the error, thin ones the whole 95 % interval. The interval of the
    first window goes on as a band below: it should hold the others.

    Args:
        windows: the first and last value of the control of each window; the first is the whole grid.
        critical: the estimate by each.
        ax: where to draw; the axes of a new figure, `ax.figure`, where not given.
        control: the symbol of the control.

    Raises:
        DatasetError: `critical` holds no records.

    >>> from mbsim import figures, fss
    >>> ds, windows = fss.planted([64]), [(10, 26), (12, 24)]
    >>> found = [fss.midpoint(ds.sel(m=slice(*one)), bootstrap=100)[0] for one in windows]
    >>> ax = figures.window_figure(windows, found)
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['10 to 26', '12 to 24']
    """
    critical = need_records(critical, "critical", "mbsim.fss.midpoint(ds)")
    ax = axes(ax)
    if not any(one.interval.known for one in critical):
        return say_instead(ax, f"no window has a {critical_symbol(control)}")
    style = look(0)
    m_c, low, high = np.array([[one.m_c, one.low, one.high] for one in critical]).T
    inner = np.array([one.statistical for one in critical])
    rows = [-float(place) for place in range(len(critical))]
    if np.isfinite(high[0] - low[0]):
        ax.axvspan(low[0], high[0], color=style.color, alpha=0.13, linewidth=0)
    ax.errorbar(m_c, rows, xerr=bars(m_c, low, high), **style.points, **CURVE)
    ax.errorbar(m_c, rows, xerr=bars(m_c, *inner.T), linestyle="none", color=style.color, elinewidth=2.6)
    for row, one in zip(rows, critical, strict=True):
        if not one.interval.known:
            ax.text(
                0.5,
                row,
                "not seen",
                transform=ax.get_yaxis_transform(),
                ha="center",
                va="center",
                color="0.4",
            )
    ax.set_yticks(rows, [f"{number(float(a))} to {number(float(b))}" for a, b in windows])
    ax.set_ylim(rows[-1] - 0.6, 0.6)
    ax.set_xlabel(critical_by(control, critical))
    ax.set_ylabel(f"window of {symbol(control)}")
    return ax
