"""The data collapse: scaled points on their master curve, and how well other parameters would do."""

import numpy as np
from matplotlib.axes import Axes

from mbsim.figures.names import QUANTITIES
from mbsim.figures.style import (
    CURVE,
    axes,
    critical_symbol,
    in_own_settings,
    look,
    number,
    say_instead,
    symbol,
)
from mbsim.fss.design import need_record
from mbsim.fss.interval import Interval
from mbsim.fss.results import Collapse

MASTER_POINTS = 200


@in_own_settings
def collapse_figure(
    collapse: Collapse, ax: Axes | None = None, *, size: str = "N", control: str = "m"
) -> Axes:
    r"""Y = A N^(β/ν) against x = (m - m_c) N^(1/ν), with the master curve behind the points.

    The master curve is drawn through its values at the points, by cubics that rise and fall with these and do
    not overshoot between them (F. N. Fritsch and R. E. Carlson, SIAM J. Numer. Anal. 17, 238 (1980)).

    Args:
        collapse: of `fss.collapse`; where m_c or 1/ν was not determined there is nothing to draw, and the axes
            say why.
        ax: where to draw; the axes of a new figure, `ax.figure`, where not given.
        size: the symbol of the size.
        control: the symbol of the control.

    Raises:
        DatasetError: `collapse` is no `Collapse`.

    >>> from mbsim import figures, fss
    >>> [found] = fss.collapse(fss.planted([64, 256]), bootstrap=100)
    >>> figures.collapse_figure(found).get_xlabel()
    '$($$m$ $-$ $m_c$$)\\,N^{1/\\nu}$'
    """
    collapse = need_record(collapse, Collapse, "collapse", "mbsim.fss.collapse(ds)")
    ax = axes(ax)
    if not is_determined(collapse):
        return say_instead(ax, collapse.reason or "no points to collapse")
    ax.plot(*_master(collapse), color="0.6", linewidth=2.2, zorder=1, label="master curve")
    for place, label in enumerate(np.unique(collapse.size).tolist()):
        at = collapse.size == label
        ax.errorbar(
            collapse.x[at],
            collapse.y[at],
            yerr=collapse.error[at],
            label=f"{symbol(size)} = {number(label)}",
            zorder=2,
            **(look(place)._asdict() | {"linestyle": "none"}),
            **CURVE,
        )
    S, m = symbol(size).strip("$"), symbol(control)
    ax.set_xlabel(rf"$(${m} $-$ {critical_symbol(control)}$)\,{S}^{{1/\nu}}$")
    scaled = collapse.beta_over_nu.known and collapse.beta_over_nu.value != 0
    factor = rf" $\times\,{S}^{{{_exponent(collapse)}}}$" if scaled else ""
    ax.set_ylabel(QUANTITIES.get(collapse.quantity, collapse.quantity) + factor)
    ax.legend()
    return ax


@in_own_settings
def landscape_figure(collapse: Collapse, ax: Axes | None = None, *, control: str = "m") -> Axes:
    r"""χ² per degree of freedom over (m_c, 1/ν), with the best fit and its intervals.

    Args:
        collapse: of `fss.collapse`; where it holds no landscape, or m_c or 1/ν was not determined, the axes
            say so.
        ax: where to draw; the axes of a new figure, `ax.figure`, where not given.
        control: the symbol of the control.

    Raises:
        DatasetError: `collapse` is no `Collapse`.

    >>> from mbsim import figures, fss
    >>> [found] = fss.collapse(fss.planted([64, 256]), bootstrap=100)
    >>> figures.landscape_figure(found).get_ylabel()
    '$1/\\nu$'
    """
    collapse = need_record(collapse, Collapse, "collapse", "mbsim.fss.collapse(ds)")
    ax = axes(ax)
    found = collapse.landscape
    if found is None or not is_determined(collapse):
        return say_instead(ax, collapse.reason or "no landscape: a parameter was fixed")
    heights = np.log10(found.chi2_per_dof).T
    drawn = ax.pcolormesh(
        found.m_c, found.inverse_nu, heights, shading="gouraud", cmap="cividis", rasterized=True
    )
    ax.figure.colorbar(drawn, ax=ax, label=r"$\log_{10}\,\chi^2/\mathrm{dof}$")
    best_m, best_nu = collapse.m_c, collapse.inverse_nu
    ax.errorbar(
        [best_m.value],
        [best_nu.value],
        xerr=_bar(best_m),
        yerr=_bar(best_nu),
        color="white",
        marker="o",
        markersize=5,
        markeredgecolor="black",
        ecolor="white",
        elinewidth=1.2,
        capsize=2,
    )
    ax.set_xlim(found.m_c[0], found.m_c[-1])
    ax.set_ylim(found.inverse_nu[0], found.inverse_nu[-1])
    ax.set_xlabel(critical_symbol(control))
    ax.set_ylabel(r"$1/\nu$")
    return ax


def is_determined(collapse: Collapse) -> bool:
    """Whether there are points, and an m_c and a 1/ν to scale them by."""
    return bool(len(collapse.x)) and collapse.m_c.known and collapse.inverse_nu.known


def _master(collapse: Collapse) -> tuple[np.ndarray, np.ndarray]:
    """The master curve, fine, without extrema of its own between the points."""
    from scipy.interpolate import PchipInterpolator  # slow to import

    x = np.unique(collapse.x)
    if len(x) < 2:
        return x, np.interp(x, collapse.master_x, collapse.master_y)
    fine = np.unique(np.concatenate([x, np.linspace(x[0], x[-1], MASTER_POINTS)]))
    return fine, PchipInterpolator(x, np.interp(x, collapse.master_x, collapse.master_y))(fine)


def _exponent(collapse: Collapse) -> str:
    return r"-\gamma/\nu" if collapse.quantity == "susceptibility" else r"\beta/\nu"


def _bar(interval: Interval) -> np.ndarray | None:
    """Error bar of one point, None without an interval."""
    if not np.isfinite(interval.high - interval.low):
        return None
    bar = [[interval.value - interval.low], [interval.high - interval.value]]
    return np.clip(np.array(bar), 0, None)
