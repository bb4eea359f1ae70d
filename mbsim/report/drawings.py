"""The figures of the report, each with its caption: drawn only where there is something to draw.

Where there is nothing to draw there is no `Drawing`: the page then says the reason in a sentence.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mbsim import figures
from mbsim.figures.collapse import is_determined
from mbsim.fss.critical import Critical
from mbsim.fss.interval import Label
from mbsim.fss.laws import ConnectivityLaw
from mbsim.fss.names import MIDPOINT, PERFECT_RECOVERY, short_of
from mbsim.fss.records import START
from mbsim.fss.results import Analysis, Collapse
from mbsim.report import findings, tables
from mbsim.report.findings import labels_text
from mbsim.report.words import by_estimator

MOST_PANELS = 12
"""In one figure; what is left out is said in its caption."""
Labels = dict[str, Label]
Key = tuple[tuple[str, Label], ...]
T = TypeVar("T")

SUMMARIES = {  # what the captions call each quantity
    "mean": "The order parameter ({})",
    "susceptibility": "The susceptibility χ, N times the variance of the order parameter over teachers and "
    "replicas together (long bars are cut)",
    "binder": "The Binder cumulant U4 (grey: 2/3, no fluctuation; below −1 it is cut off)",
    "success": "The probability of success (grey: one half)",
}


class Drawing(NamedTuple):
    """A figure, its caption, and what it shows in a few words for who cannot see it."""

    name: str
    figure: Figure
    caption: str


def summary_drawings(
    analysis: Analysis, quantities: Sequence[str] = tuple(SUMMARIES), size: str = "N", control: str = "m"
) -> dict[str, Drawing]:
    """Order parameter, susceptibility, Binder cumulant and success against the control, by quantity."""
    found = {}
    name = analysis.summaries["mean"].attrs.get("of", "") if "mean" in analysis.summaries else ""
    for quantity in quantities:
        words = SUMMARIES[quantity]
        if quantity not in analysis.summaries:
            continue
        choices = combinations(analysis.summaries, quantity, size, control)
        if not choices:
            continue
        recovery = [one for one in analysis.critical if one.estimator == PERFECT_RECOVERY]
        marked = recovery if quantity == "success" else findings.stated(analysis)
        figure = figures.panels(
            choices[:MOST_PANELS],
            _summary_panel(analysis.summaries, quantity, marked, size, control),
            rows=START,
            same_y=quantity not in ("susceptibility", "binder"),
        )
        caption = f"{words.format(name)} against {control} for each {size}. Bars are 95 % intervals"
        if any(np.isfinite(one.m_c) for one in marked):
            mark = "perfect recovery" if quantity == "success" else by_estimator(marked)
            ring = ", an open marker its place on the curve" if quantity == "mean" else ""
            caption += f"; vertical lines and bands mark {mark}, with its 95 % interval{ring}"
        found[quantity] = Drawing(quantity, figure, caption + "." + left_out(choices))
    return found


def discontinuous(analysis: Analysis) -> str:
    """What a midpoint, or a peak, is where the transition is discontinuous; empty where none is."""
    if not any(verdict.order == "first" for verdict in analysis.verdicts):
        return ""
    return " Where the transition is discontinuous these are spinodals, where students of that start go over."


def phase_drawings(analysis: Analysis, size: str = "N", control: str = "m") -> list[Drawing]:
    """The order parameter as a heat map: over (d, m) at the largest size, or over (N, m) for a single d."""
    summaries = analysis.summaries
    if "mean" not in summaries or not np.isfinite(summaries["mean"]).any():
        return []
    across = "d" if summaries["mean"].sizes.get("d", 1) > 1 else size
    if summaries["mean"].sizes.get(across, 1) < 2:
        return []
    chosen = summaries
    fixed = ""
    if across == "d" and size in summaries["mean"].dims:
        largest = largest_complete(summaries["mean"], size, control)
        chosen, fixed = summaries.sel({size: largest}), f" at {size} = {largest}"
    choices = combinations(chosen, "mean", across, control)
    marked = findings.stated(analysis)

    def draw(labels: Mapping[str, Any], ax: Axes) -> Axes:
        return figures.phase_diagram(chosen.sel(labels), across, ax, critical=marked, control=control)

    figure = figures.panels(
        choices[:MOST_PANELS], draw, height=2.9, across=2, same_y=False, same_legend=False
    )
    caption = f"Phase diagram: the order parameter over {across} and {control}{fixed}. "
    caption += f"The black line joins {by_estimator(marked)}, with its 95 % intervals; grey was not run."
    caption += discontinuous(analysis) + left_out(choices)
    return [Drawing("phase-diagram", figure, caption)]


def size_drawings(analysis: Analysis, size: str = "N", control: str = "m") -> list[Drawing]:
    """m_c against N for each combination of labels, with the extrapolation of each estimator."""
    groups = grouped(one for one in analysis.extrapolations if np.isfinite(one.values).any())
    caption = (
        f"The critical size against {size} by each estimator (points, 95 % intervals), the likeliest law "
        "(lines) and its limit where there is one (dotted, with its interval as a band). "
        "Points at one size stand side by side."
    )
    draw = partial(figures.size_figure, size=size, control=control)
    return grouped_drawing("size", groups, draw, caption + discontinuous(analysis), rows=START, same_y=False)


def connectivity_drawings(analysis: Analysis, control: str = "m") -> list[Drawing]:
    """The midpoint against d, a panel for each set of points; of other estimators if it has none."""
    known = [law for law in analysis.connectivity if np.isfinite(law.m_c).any()]
    laws = ([law for law in known if law.estimator == MIDPOINT] or known)[:MOST_PANELS]
    if not laws:
        return []

    def draw(labels: Mapping[str, Any], ax: Axes) -> Axes:
        return figures.connectivity_figure(laws[labels["panel"]], ax, control=control)

    choices: list[Labels] = [{"panel": place} for place in range(len(laws))]
    figure = figures.panels(
        choices, draw, height=2.6, across=2, same_y=False, same_legend=False, titles=[*map(_title, laws)]
    )
    caption = (
        "The critical size against the connectivity d, with 95 % intervals and both laws, by the estimator "
        "and at the size that each panel names."
    )
    return [Drawing("connectivity", figure, caption + discontinuous(analysis))]


def _title(law: ConnectivityLaw) -> str:
    """The estimator, the size and the labels, in two lines that fit a panel."""
    where = f"{law.size} = {law.at:g}" if np.isfinite(law.at) else "m_c(∞)"
    words = ", ".join(filter(None, [where, labels_text(law.labels)]))
    return f"{short_of(law.estimator)}\n{words}".strip().replace("m_c", "$m_c$")


def collapse_drawings(analysis: Analysis, size: str = "N", control: str = "m") -> list[Drawing]:
    """For each collapse the scaled points beside the landscape of χ²/dof."""
    drawings = []
    for place, one in enumerate(analysis.collapses):
        if not is_determined(one):
            continue
        shown = ["collapse", "landscape"] if one.landscape is not None else ["collapse"]

        def draw(labels: Mapping[str, Any], ax: Axes, one: Collapse = one) -> Axes:
            if labels["panel"] == "landscape":
                return figures.landscape_figure(one, ax, control=control)
            return figures.collapse_figure(one, ax, size=size, control=control)

        figure = figures.panels(
            [{"panel": name} for name in shown], draw, height=2.8, across=2, same_y=False, titles=False
        )
        where = f" at {labels_text(one.labels)}" if one.labels else ""
        quantity = tables.QUANTITIES.get(one.quantity, one.quantity)
        caption = f"Data collapse{where}: {quantity} of all sizes on one curve, "
        chance = f" (p = {one.p_value:.2g})" if np.isfinite(one.p_value) else ""
        caption += f"χ²/dof = {one.chi2_per_dof:.3g}{chance}."
        if one.landscape is not None:
            caption += " (b) χ²/dof as m_c and 1/ν move away from their best values (point, 95 % intervals)."
        drawings.append(Drawing(f"collapse-{place}", figure, caption))
    return drawings


def order_drawings(analysis: Analysis, size: str = "N", control: str = "m") -> list[Drawing]:
    """Histograms at coexistence; barrier and susceptibility peak against the size."""
    drawings = []
    shown = {
        tuple(one.labels.items()): one
        for one in analysis.verdicts
        if any(h.counts.sum() for h in one.histograms)
    }
    caption = (
        "Histograms of the order parameter over teachers and replicas, at the m where it fluctuates "
        "most. Two peaks with a valley that deepens with N are two phases."
    )
    if any(findings.open_loop(verdict, analysis, size) for verdict in shown.values()):
        caption += " Where a loop is open this m is a spinodal of the finite run, not coexistence: "
        caption += "the peaks need not be of equal weight there."
    draw = partial(figures.histogram_figure, size=size, control=control)
    drawings += grouped_drawing(
        "histograms", shown, draw, caption, rows=START, height=2.9, same_y=False, same_legend=False
    )
    parts: list[tuple[str, Callable[..., Axes]]] = []
    if any(sum(h.barrier.known or h.unresolved for h in one.histograms) > 1 for one in analysis.verdicts):
        text = "the barrier ln(peak / valley) against N, an arrow where the valley is too empty to tell more"
        parts.append((text, figures.barrier_figure))
    if any(np.isfinite(one.peak_heights).sum() > 1 for one in analysis.verdicts):
        text = "the peak of the susceptibility against N with its fitted power, 1 where two phases coexist"
        parts.append((text, figures.growth_figure))
    if parts:

        def evidence(labels: Mapping[str, Any], ax: Axes) -> Axes:
            return parts[labels["panel"]][1](analysis.verdicts, ax, size=size)

        figure = figures.panels(
            [{"panel": place} for place in range(len(parts))],
            evidence,
            height=2.8,
            across=2,
            same_y=False,
            same_legend=False,
            titles=False,
        )
        caption = _lettered([text for text, _ in parts])
        drawings.append(
            Drawing("evidence", figure, caption[0].upper() + caption[1:] + ". Bars are 95 % intervals.")
        )
    return drawings


def hysteresis_drawings(analysis: Analysis, size: str = "N", control: str = "m") -> list[Drawing]:
    """The loop for each combination of labels, all sizes in one panel."""
    groups = grouped((one for one in analysis.hysteresis if np.isfinite(one.random_mean).any()), without=size)
    caption = (
        "Hysteresis: the order parameter from a random start (filled) and from the teacher itself (open). "
        "Dotted lines are the spinodals, the midpoint of each branch; above, a strip for each size spans the loop "
        "between them, lines "
        "their 95 % intervals. Bars are one standard error."
    )
    draw = partial(figures.hysteresis_figure, size=size, control=control)
    return grouped_drawing("hysteresis", groups, draw, caption, same_y=False)


def _summary_panel(
    summaries: xr.Dataset, quantity: str, marked: Sequence[Critical], size: str, control: str
) -> Callable[[Mapping[str, Any], Axes], Axes]:
    def draw(labels: Mapping[str, Any], ax: Axes) -> Axes:
        chosen = summaries.sel(labels)
        return figures.summary_figure(chosen, quantity, ax, critical=marked, size=size, control=control)

    return draw


def combinations(summaries: xr.Dataset, quantity: str, *drawn: str) -> list[Labels]:
    """Each combination of the dimensions that a panel does not draw, where anything ran."""
    values = summaries[quantity]
    names = [str(dim) for dim in values.dims if dim not in drawn]
    choices = []
    for index in np.ndindex(*(values.sizes[name] for name in names)):
        one = values.isel(dict(zip(names, index, strict=True)))
        if np.isfinite(one).any():
            choices.append({name: one[name].item() for name in names})
    return choices


def largest_complete(values: xr.DataArray, size: str, *drawn: str) -> Label:
    """The largest size that ran with as many combinations of the other labels as any; `drawn` are no labels."""
    ran = values.notnull().any([dim for dim in values.dims if dim in drawn])
    counts = ran.sum([dim for dim in ran.dims if dim != size]).to_numpy()
    label: Label = values[size].to_numpy()[counts == counts.max()][-1].item()
    return label


def grouped_drawing(
    name: str, groups: Mapping[Key, T], draw: Callable[[T, Axes], Axes], caption: str, **options: Any
) -> list[Drawing]:
    """A panel for each group by its labels; `options` are those of `figures.panels`. Nothing where no group is."""
    if not groups:
        return []

    def panel(labels: Mapping[str, Any], ax: Axes) -> Axes:
        return draw(groups[tuple(labels.items())], ax)

    choices = [dict(key) for key in groups]
    figure = figures.panels(choices[:MOST_PANELS], panel, **options)
    return [Drawing(name, figure, caption + left_out(choices))]


def grouped(items: Iterable[Any], without: str = "") -> dict[Key, list[Any]]:
    """Records by their labels, less one."""
    groups: dict[Key, list[Any]] = {}
    for item in items:
        key = tuple((name, value) for name, value in item.labels.items() if name != without)
        groups.setdefault(key, []).append(item)
    return groups


def _lettered(texts: Sequence[str]) -> str:
    """What each panel shows, behind its letter; a single one needs none."""
    if len(texts) == 1:
        return texts[0]
    return "; ".join(f"({chr(ord('a') + place)}) {text}" for place, text in enumerate(texts))


def left_out(choices: Sequence[Labels]) -> str:
    """How many panels a figure has no room for; empty if none."""
    hidden = len(choices) - MOST_PANELS
    return f" {hidden} more panels are left out." if hidden > 0 else ""
