"""The critical value against the size, with its law, and against the connectivity."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from mbsim.figures.style import (
    CURVE,
    axes,
    bars,
    critical_by,
    critical_symbol,
    dodge,
    in_own_settings,
    legend_below,
    look,
    plain_log_ticks,
    say_instead,
    symbol,
)
from mbsim.fss import names
from mbsim.fss.design import need_record, need_records
from mbsim.fss.laws import ConnectivityLaw, Extrapolation

BEYOND = 1.5
"""A law is drawn up to this many times the largest size: further on it would dwarf the points."""
LAW_LINES = {"linear": "-", "power": "--"}


@in_own_settings
def size_figure(
    extrapolations: Sequence[Extrapolation],
    ax: Axes | None = None,
    *,
    size: str = "N",
    control: str = "m",
) -> Axes:
    """The critical value against the size for each estimator, with the likeliest law and its limit.

    Args:
        extrapolations: of `fss.extrapolate`, of one combination of labels: a curve for each estimator.
        ax: where to draw; the axes of a new figure, `ax.figure`, where not given.
        size: the symbol of the size.
        control: the symbol of the control.

    Raises:
        DatasetError: `extrapolations` holds no records.

    >>> from mbsim import figures, fss
    >>> records = fss.estimates(fss.planted(), ["midpoint", "susceptibility"], bootstrap=100)
    >>> ax = figures.size_figure(fss.extrapolate(records))
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['midpoint', 'peak of χ']
    """
    extrapolations = need_records(extrapolations, "extrapolations", "mbsim.fss.extrapolate(records)")
    ax = axes(ax)
    drawn = [one for one in extrapolations if np.isfinite(one.values).any()]
    places = list(dict.fromkeys([*names.keys(), *(one.estimator for one in drawn)]))
    if not drawn:
        reasons = (one.reason for one in extrapolations if one.reason)
        return say_instead(ax, next(reasons, f"no size has a {critical_symbol(control)}"))
    for place, one in enumerate(drawn):
        style = look(places.index(one.estimator))  # the same in every panel
        ax.errorbar(
            one.sizes * dodge(place, len(drawn)),
            one.values,
            yerr=bars(one.values, one.low, one.high),
            label=names.short_of(one.estimator),
            **(style._asdict() | {"linestyle": "none"}),
            **CURVE,
        )
        near = one.curve_sizes <= BEYOND * one.sizes.max()
        if near.any():
            ax.plot(
                one.curve_sizes[near],
                one.curve[near],
                color=style.color,
                linestyle=style.linestyle,
                linewidth=1.0,
            )
        if one.m_c.known and one.law != "undecided":
            ax.axhline(one.m_c.value, color=style.color, linewidth=0.8, linestyle=":", zorder=0.5)
            ax.axhspan(one.m_c.low, one.m_c.high, color=style.color, alpha=0.12, linewidth=0, zorder=0)
    ax.set_xscale("log")
    plain_log_ticks(ax.xaxis, sorted({float(N) for one in drawn for N in one.sizes}))
    ax.set_xlabel(f"size {symbol(size)}")
    ax.set_ylabel(critical_symbol(control))
    ax.legend()
    return ax


@in_own_settings
def connectivity_figure(
    law: ConnectivityLaw, ax: Axes | None = None, *, connectivity: str = "d", control: str = "m"
) -> Axes:
    """The critical value against the connectivity, with a straight line and a power law through it.

    Args:
        law: of `fss.connectivity_law`; where it holds no points the axes say why.
        ax: where to draw; the axes of a new figure, `ax.figure`, where not given.
        connectivity: the symbol of the connectivity.
        control: the symbol of the control.

    Raises:
        DatasetError: `law` is no `ConnectivityLaw`.

    >>> from mbsim import figures, fss
    >>> points = [fss.Critical({"N": 64, "d": d}, d**2, d**2 - 0.2, d**2 + 0.2, "undecided", "midpoint", "q")
    ...           for d in (3, 5, 7, 9)]
    >>> figures.connectivity_figure(fss.connectivity_law(points)[0]).get_ylabel()
    '$m_c$'
    """
    law = need_record(law, ConnectivityLaw, "law", "mbsim.fss.connectivity_law(records)")
    ax = axes(ax)
    if not np.isfinite(law.m_c).any():
        return say_instead(ax, law.reason or f"no {critical_symbol(control)} to draw")
    lengths = bars(law.m_c, law.low, law.high)
    points = look(0)._asdict() | {"linestyle": "none"}
    ax.errorbar(law.d, law.m_c, yerr=lengths, label=critical_by(control, [law]), **points, **CURVE)
    d = symbol(connectivity)
    for place, (name, curve) in enumerate(law.curves.items(), start=1):
        text = name
        if name == "power" and law.exponent.known:
            text = f"power, $x$ = {law.exponent}"
        ax.plot(
            law.curve_d,
            curve,
            color=look(place).color,
            linestyle=LAW_LINES.get(name, ":"),
            label=text,
            zorder=1,
        )
    ax.set_xticks(law.d)
    ax.set_ylim(bottom=min(0.0, float(np.nanmin(law.m_c))))
    ax.set_xlabel(f"connectivity {d}" if connectivity == "d" else d)
    ax.set_ylabel(critical_symbol(control))
    legend_below(ax, 2)
    return ax
