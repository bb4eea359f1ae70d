"""The order of the transition: histograms, the barrier between phases, the growth of the peak of χ."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from mbsim.figures.style import (
    CURVE,
    GUIDE,
    axes,
    bars,
    dodge,
    in_own_settings,
    labels_text,
    legend_below,
    look,
    number,
    one_two_five,
    plain_log_ticks,
    say_instead,
    symbol,
)
from mbsim.fss.design import need_record, need_records
from mbsim.fss.results import Verdict


@in_own_settings
def histogram_figure(
    verdict: Verdict,
    ax: Axes | None = None,
    *,
    size: str = "N",
    control: str = "m",
    quantity: str = "order parameter",
) -> Axes:
    """Probability density of the order parameter at the peak of its susceptibility, a line for each size.

    Args:
        verdict: of `fss.transition_order`; where it holds no histograms the axes say why.
        ax: where to draw; the axes of a new figure, `ax.figure`, where not given.
        size: the symbol of the size.
        control: the symbol of the control.
        quantity: what the order parameter is called.

    Raises:
        DatasetError: `verdict` is no verdict.

    >>> from mbsim import figures, fss
    >>> [verdict] = fss.transition_order(fss.planted(jump=True), bootstrap=100)
    >>> figures.histogram_figure(verdict, quantity="q").get_xlabel()
    'q'
    """
    verdict = need_record(verdict, Verdict, "verdict", "mbsim.fss.transition_order(ds)")
    ax = axes(ax)
    if not any(one.counts.sum() for one in verdict.histograms):
        return say_instead(ax, verdict.reason or "no size shows the transition")
    for place, one in enumerate(verdict.histograms):
        if not one.counts.sum():
            continue
        style = look(place)
        density = one.counts / (one.counts.sum() * np.diff(one.edges))
        ax.stairs(
            density,
            one.edges,
            color=style.color,
            linestyle=style.linestyle,
            linewidth=1.3,
            label=f"{symbol(size)} = {number(one.size)} ({symbol(control)} = {number(one.m)})",
        )
        ax.stairs(density, one.edges, color=style.color, fill=True, alpha=0.12, linewidth=0)
    ax.set_ylim(bottom=0)
    ax.set_xlabel(quantity)
    ax.set_ylabel("probability density")
    legend_below(ax)
    return ax


@in_own_settings
def barrier_figure(verdicts: Sequence[Verdict], ax: Axes | None = None, *, size: str = "N") -> Axes:
    """The barrier between the phases against the size, a curve for each combination of labels.

    A barrier that is only bounded below is an open marker at its bound, with an arrow upwards.

    Args:
        verdicts: of `fss.transition_order`; where no histogram has a barrier the axes say so.
        ax: where to draw; the axes of a new figure, `ax.figure`, where not given.
        size: the symbol of the size.

    Raises:
        DatasetError: `verdicts` holds no records.

    >>> from mbsim import figures, fss
    >>> verdicts = fss.transition_order(fss.planted(jump=True), bootstrap=100)
    >>> figures.barrier_figure(verdicts).get_xlabel()
    'size $N$'

    Reference: J. Lee and J. M. Kosterlitz, Phys. Rev. Lett. 65, 137 (1990).
    """
    verdicts = need_records(verdicts, "verdicts", "mbsim.fss.transition_order(ds)")
    ax = axes(ax)
    ax.axhline(0, **GUIDE)
    some = False
    for place, verdict in enumerate(verdicts):
        style, aside = look(place), dodge(place, len(verdicts))
        name = labels_text(verdict.labels) or "all data"
        known = [one for one in verdict.histograms if one.barrier.known and not one.unresolved]
        bounds = [one for one in verdict.histograms if one.unresolved and np.isfinite(one.barrier.low)]
        if known:
            sizes, values = (
                [one.size * aside for one in known],
                np.array([one.barrier.value for one in known]),
            )
            low, high = np.array([one.barrier[1:] for one in known]).T
            ax.errorbar(sizes, values, yerr=bars(values, low, high), label=name, **style._asdict(), **CURVE)
        if bounds:
            sizes, values = (
                [one.size * aside for one in bounds],
                np.array([one.barrier.low for one in bounds]),
            )
            ax.errorbar(
                sizes,
                values,
                yerr=0.08 * max(1.0, float(values.max())),
                lolims=True,
                markerfacecolor="white",
                label=None if known else name,
                **(style._asdict() | {"linestyle": "none"}),
                **(CURVE | {"capsize": 3}),
            )
        some = some or bool(known or bounds)
    if not some:
        return say_instead(ax, "no size shows two phases, hence no barrier between them")
    ax.set_xscale("log")
    sizes_drawn = sorted({one.size for verdict in verdicts for one in verdict.histograms})
    plain_log_ticks(ax.xaxis, sizes_drawn)
    ax.set_xlabel(f"size {symbol(size)}")
    ax.set_ylabel(r"barrier, $\ln(P_\mathrm{peak}/P_\mathrm{valley})$")
    legend_below(ax, 2)
    return ax


@in_own_settings
def growth_figure(verdicts: Sequence[Verdict], ax: Axes | None = None, *, size: str = "N") -> Axes:
    """The height of the susceptibility's peak against the size, both logarithmic, with the fitted power.

    Args:
        verdicts: of `fss.transition_order`; where none has two sizes the axes say so.
        ax: where to draw; the axes of a new figure, `ax.figure`, where not given.
        size: the symbol of the size.

    Raises:
        DatasetError: `verdicts` holds no records.

    >>> from mbsim import figures, fss
    >>> figures.growth_figure(fss.transition_order(fss.planted(), bootstrap=100)).get_xlabel()
    'size $N$'
    """
    verdicts = need_records(verdicts, "verdicts", "mbsim.fss.transition_order(ds)")
    ax = axes(ax)
    drawn = {place: one for place, one in enumerate(verdicts) if np.isfinite(one.peak_heights).sum() > 1}
    if not drawn:
        return say_instead(ax, "fewer than two sizes show a peak of the susceptibility")
    for place, verdict in drawn.items():
        heights = verdict.peak_heights
        style = look(place)
        name = labels_text(verdict.labels) or "all data"
        exponent = verdict.susceptibility_exponent
        if exponent.known:
            middle_size, middle = np.exp(np.log(verdict.sizes).mean()), np.exp(np.log(heights).mean())
            fitted = middle * (verdict.sizes / middle_size) ** exponent.value
            ax.plot(verdict.sizes, fitted, color=style.color, linestyle=style.linestyle, linewidth=1.0)
            name += rf": $x$ = {exponent}"
        ax.errorbar(
            verdict.sizes * dodge(place, len(verdicts)),
            heights,
            yerr=bars(heights, verdict.peak_low, verdict.peak_high),
            label=name,
            **(style._asdict() | {"linestyle": "none"}),
            **CURVE,
        )
    ax.set_xscale("log")
    ax.set_yscale("log")
    one_two_five(ax.yaxis)
    plain_log_ticks(ax.xaxis, sorted({float(one) for verdict in drawn.values() for one in verdict.sizes}))
    ax.set_xlabel(f"size {symbol(size)}")
    ax.set_ylabel(rf"peak of $\chi$, fit $\sim {symbol(size).strip('$')}^x$")
    legend_below(ax)
    return ax
