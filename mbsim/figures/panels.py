"""A figure of several panels: the same drawing for each choice of labels, one legend for all."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mbsim.figures.style import PAPER, WIDTH, labels_text

ACROSS = 3
LETTERS_PER_INCH = 15
LEGEND_HANDLE = 8
"""What the sample of a line in a legend takes, in letters."""
Draw = Callable[[Mapping[str, Any], Axes], Axes]


def panels(
    choices: Sequence[Mapping[str, Any]],
    draw: Draw,
    *,
    height: float = 2.3,
    across: int = ACROSS,
    same_y: bool = True,
    same_legend: bool = True,
    titles: bool | Sequence[str] = True,
) -> Figure:
    """One panel for each choice of labels, lettered and titled by it, as wide as a printed page.

    Args:
        choices: the labels of each panel; an empty mapping gives a panel without a title.
        draw: draws the panel of those labels on the axes it is given.
        height: of a panel, in inches.
        across: at most so many panels in a row.
        same_y: whether all panels share one vertical axis.
        same_legend: whether one legend, below, holds for all panels; otherwise each keeps its own.
        titles: whether the labels stand above the panels, or what else does; the letters do in any case.

    >>> from mbsim import figures, fss
    >>> found = fss.summaries(fss.planted(jump=True, starts=True), bootstrap=100)
    >>> def draw(labels, ax):
    ...     return figures.summary_figure(found.sel(labels), "mean", ax)
    >>> figure = figures.panels([{"init_overlap": 0.0}, {"init_overlap": 1.0}], draw)
    >>> [ax.get_title(loc="left") for ax in figure.axes]
    ['(a) init overlap = 0', '(b) init overlap = 1']
    """
    across = 2 if len(choices) == 4 and across == 3 else min(across, len(choices))
    down = math.ceil(len(choices) / across)
    width = WIDTH if across > 1 else 0.66 * WIDTH
    with rc_context(PAPER):
        figure = Figure(figsize=(width, height * down + 0.35), layout="constrained")
        first: Axes | None = None
        for place, labels in enumerate(choices):
            ax = figure.add_subplot(down, across, place + 1, sharey=first if same_y else None)
            draw(labels, ax)
            letter = f"({chr(ord('a') + place)})" if 1 < len(choices) <= 26 else ""
            text = titles[place] if not isinstance(titles, bool) else labels_text(labels) if titles else ""
            ax.set_title(" ".join(filter(None, [letter, text])), loc="left")
            if same_y and place % across:
                ax.set_ylabel("")
                ax.tick_params(labelleft=False)
            first = first or ax
        if same_legend:
            _one_legend(figure)
        figure.draw_without_rendering()  # ticks take their sizes now, not where the figure is shown
    return figure


def _one_legend(figure: Figure) -> None:
    """What the panels name, once each, below them all."""
    named: dict[str, Any] = {}
    for ax in figure.axes:
        for handle, name in zip(*ax.get_legend_handles_labels(), strict=True):
            named.setdefault(name, handle)
        if legend := ax.get_legend():
            legend.remove()
    if named:
        longest = max(map(len, named)) + LEGEND_HANDLE
        columns = max(1, min(len(named), int(figure.get_figwidth() * LETTERS_PER_INCH / longest)))
        figure.legend(named.values(), named.keys(), loc="outside lower center", ncols=columns)
