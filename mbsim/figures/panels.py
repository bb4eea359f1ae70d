"""A figure of several panels: the same drawing for each choice of labels, one legend for all."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mbsim.figures.style import WIDTH, in_own_settings, labels_text

ACROSS = 3
MOST_ACROSS = 4
"""Of panels that stand in rows by a label: more columns go on below."""
SINGLE_SHARE = 0.66
"""Of the width that a single column takes."""
LETTERS_PER_INCH = 15
LEGEND_HANDLE = 8
"""What the sample of a line in a legend takes, in letters."""
Draw = Callable[[Mapping[str, Any], Axes], Axes]


class Cell(NamedTuple):
    """Where a panel stands, and what it says of its row and its column."""

    labels: Mapping[str, Any]
    down: int
    across: int
    row: str = ""
    column: str = ""


@in_own_settings
def panels(
    choices: Sequence[Mapping[str, Any]],
    draw: Draw,
    *,
    rows: str = "",
    height: float = 2.3,
    width: float = WIDTH,
    across: int = ACROSS,
    same_x: bool = True,
    same_y: bool = True,
    same_legend: bool = True,
    titles: bool | Sequence[str] = True,
) -> Figure:
    r"""One panel for each choice of labels, lettered and titled by it, as wide as a printed page.

    Args:
        choices: the labels of each panel; an empty mapping gives a panel without a title.
        draw: draws the panel of those labels on the axes it is given.
        rows: the label whose values are the rows, all others the columns, where it has several. Without it the panels
            follow each other.
        height: of a panel, in inches.
        width: of the figure, if it has several columns, in inches.
        across: at most so many panels in a row.
        same_x: whether the panels of one column, below each other, share their horizontal range.
        same_y: whether all panels share one vertical axis.
        same_legend: whether one legend, below, holds for all panels; otherwise each keeps its own.
        titles: whether the labels stand above the panels, or what else does; the letters do in any case.

    >>> from mbsim import figures, fss
    >>> found = fss.summaries(fss.planted(jump=True, starts=True), bootstrap=100)
    >>> def draw(labels, ax):
    ...     return figures.summary_figure(found.sel(labels), "mean", ax)
    >>> figure = figures.panels([{"init_overlap": 0.0}, {"init_overlap": 1.0}], draw, rows="init_overlap")
    >>> [ax.get_ylabel() for ax in figure.axes]
    ['random start\norder parameter', 'planted start\norder parameter']
    """
    in_rows = len({choice[rows] for choice in choices if rows in choice}) > 1
    cells = _in_rows(choices, rows) if in_rows else _in_order(choices, across, titles)
    down, across = (1 + max(getattr(cell, name) for cell in cells) for name in ("down", "across"))
    wide = width if across > 1 else SINGLE_SHARE * width
    figure = Figure(figsize=(wide, height * down + 0.35), layout="constrained")
    first: Axes | None = None
    named: dict[int, str] = {}
    columns: dict[tuple[int, str], list[Axes]] = {}
    for place, cell in enumerate(cells):
        ax = figure.add_subplot(
            down, across, cell.down * across + cell.across + 1, sharey=first if same_y else None
        )
        draw(cell.labels, ax)
        letter = f"({chr(ord('a') + place)})" if 1 < len(cells) <= 26 else ""
        ax.set_title(" ".join(filter(None, [letter, cell.column])), loc="left")
        if same_y and cell.across:
            ax.tick_params(labelleft=False)
        label = ax.get_ylabel()
        if label == named.get(cell.down):  # not said again until it changes
            ax.set_ylabel("")
        elif in_rows and cell.down not in named:
            ax.set_ylabel(f"{cell.row}\n{label}")
        named[cell.down] = label
        columns.setdefault((cell.across, str(_others(cell.labels, rows))), []).append(ax)
        first = first or ax
    if in_rows:
        for column in columns.values():
            _name_once(column)
            if same_x:
                _same_range(column)
    if same_legend:
        _one_legend(figure)
    figure.draw_without_rendering()  # ticks take their sizes now, not where the figure is shown
    return figure


def _in_order(choices: Sequence[Mapping[str, Any]], across: int, titles: bool | Sequence[str]) -> list[Cell]:
    """One after the other, row by row."""
    across = 2 if len(choices) == 4 and across == 3 else min(across, len(choices))
    cells = []
    for place, labels in enumerate(choices):
        text = titles[place] if not isinstance(titles, bool) else labels_text(labels) if titles else ""
        cells.append(Cell(labels, place // across, place % across, column=text))
    return cells


def _in_rows(choices: Sequence[Mapping[str, Any]], rows: str) -> list[Cell]:
    """A row for each value of the label `rows`, a column for each combination of the others."""
    values = sorted({choice[rows] for choice in choices})
    columns = list(dict.fromkeys(labels_text(_others(choice, rows)) for choice in choices))
    across = math.ceil(len(columns) / math.ceil(len(columns) / MOST_ACROSS))
    cells = []
    for choice in choices:
        column = labels_text(_others(choice, rows))
        row, place = values.index(choice[rows]), columns.index(column)
        down = len(values) * (place // across) + row
        title = "" if row else column  # the columns are named once, above
        cells.append(Cell(choice, down, place % across, labels_text({rows: choice[rows]}), title))
    return sorted(cells, key=lambda cell: (cell.down, cell.across))


def _others(labels: Mapping[str, Any], rows: str) -> dict[str, Any]:
    return {name: value for name, value in labels.items() if name != rows}


def _same_range(column: Sequence[Axes]) -> None:
    """What lies below each other has one horizontal range."""
    ends = [ax.get_xlim() for ax in column]
    for ax in column:
        ax.set_xlim(min(low for low, _ in ends), max(high for _, high in ends))


def _name_once(column: Sequence[Axes]) -> None:
    """The label of the horizontal axis stands below the last panel of a column."""
    for ax in column[:-1]:
        ax.set_xlabel("")


def _one_legend(figure: Figure) -> None:
    """What the panels name, once each, below them all; their titles too."""
    named: dict[str, Any] = {}
    titles: dict[str, None] = {}
    for ax in figure.axes:
        for handle, name in zip(*ax.get_legend_handles_labels(), strict=True):
            named.setdefault(name, handle)
        if legend := ax.get_legend():
            titles.setdefault(legend.get_title().get_text())
            legend.remove()
    if named:
        longest = max(map(len, named)) + LEGEND_HANDLE
        columns = max(1, min(len(named), int(figure.get_figwidth() * LETTERS_PER_INCH / longest)))
        title = "; ".join(filter(None, titles)) or None
        legend = figure.legend(
            named.values(), named.keys(), loc="outside lower center", ncols=columns, title=title
        )
        legend.get_title().set_multialignment("center")
