"""How every figure of mbsim looks: colours, markers, sizes, and the words on its axes.

Curves are told apart by colour (the palette of M. Okabe and K. Ito, safe for the colour-blind), by marker and
by line style at once, so that they survive a black-and-white print. Figures are made of
`matplotlib.figure.Figure`, never of pyplot, so that they can be drawn in a notebook, in a worker or without a
display. Sizes are in inches of the printed page: `WIDTH` is the text width of a journal, and `PAPER` the font
sizes that go with it.

Figures that mbsim makes have its own settings and none of a matplotlibrc, which may ask for what is not there,
such as LaTeX (`own_settings`). On axes of a caller those of the caller hold.
"""

import inspect
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import wraps
from typing import Any, NamedTuple, ParamSpec, TypeVar

import numpy as np
import xarray as xr
from matplotlib import style as sheets
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator
from matplotlib.transforms import ScaledTranslation
from matplotlib.typing import LineStyleType

from mbsim.figures.names import QUANTITIES
from mbsim.fss import names
from mbsim.fss.records import start_text

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES: tuple[LineStyleType, ...] = (
    *("-", "--", "-.", ":"),
    *((0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (3, 3))),
)
CURVE: dict[str, Any] = {
    "markersize": 3.6,
    "linewidth": 1.1,
    "elinewidth": 0.9,
    "capsize": 2,
    "capthick": 0.9,
}
DODGE = 1.03
"""On a logarithmic axis, points of several curves at one size stand beside each other by this factor."""
GUIDE: dict[str, Any] = {"color": "0.55", "linewidth": 0.8, "zorder": 0}
"""A line that is no data: zero, a reference, a limit."""

GEOMETRIC = 10.0
"""A grid whose steps differ by more than this factor is drawn on a logarithmic axis."""

FEWEST_POINTS = 4
"""Points that a range keeps on either side of what it is about."""

BELOW = 0.46
"""Inches that the ticks and the label of the horizontal axis take."""

LONG = 30.0
"""From one end of a logarithmic axis to the other, so that it has no room for all its numbers."""
WIDTH = 7.0
PAPER: Any = {
    **dict.fromkeys(("font.size", "axes.labelsize", "axes.titlesize"), 9),
    **dict.fromkeys(("xtick.labelsize", "ytick.labelsize", "legend.fontsize"), 8),
    "legend.frameon": False,
    "legend.handlelength": 2.6,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.constrained_layout.h_pad": 0.06,
    "figure.constrained_layout.w_pad": 0.06,
    "svg.hashsalt": "mbsim",  # the same figure gives the same bytes
}


P = ParamSpec("P")
T = TypeVar("T")


def own_settings() -> AbstractContextManager[None]:
    """Within it matplotlib has its defaults and `PAPER`, whatever a matplotlibrc says."""
    return sheets.context(["default", PAPER])


def written(figure: Figure, kind: str, **options: Any) -> bytes:
    """The figure as a file of that kind, "png", "svg" or "pdf"; options are those of `Figure.savefig`.

    >>> written(axes(None).figure, "svg").startswith(b"<?xml")
    True
    """
    file = io.BytesIO()
    with own_settings():
        figure.savefig(file, format=kind, **options)
    return file.getvalue()


def in_own_settings(draw: Callable[P, T]) -> Callable[P, T]:
    """A figure function that draws in the settings of mbsim, unless it is given the axes of a caller."""
    signature = inspect.signature(draw)

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> T:
        if signature.bind(*args, **kwargs).arguments.get("ax") is not None:
            return draw(*args, **kwargs)
        with own_settings():
            return draw(*args, **kwargs)

    return drawn


class Look(NamedTuple):
    """What tells one curve from the others."""

    color: str
    marker: str
    linestyle: LineStyleType

    @property
    def points(self) -> dict[str, Any]:
        """Keyword arguments of a marker without a line."""
        return {"color": self.color, "marker": self.marker, "linestyle": "none"}


def look(place: int) -> Look:
    """The look of the curve at that place of the legend; after seven they come again."""
    at = place % len(COLOURS)
    return Look(COLOURS[at], MARKERS[at], LINES[at])


def axes(ax: Axes | None, height: float = 3.2) -> Axes:
    """The axes that were given, or those of a new figure."""
    return Figure(figsize=(4.6, height), layout="constrained").add_subplot() if ax is None else ax


def symbol(name: str) -> str:
    """One letter is a symbol, in italics; more are a word, without underscores."""
    return f"${name}$" if len(name) == 1 else name.replace("_", " ")


def critical_symbol(control: str) -> str:
    """m_c, or "critical temperature" where the control is a word."""
    return f"${control}_c$" if len(control) == 1 else f"critical {symbol(control)}"


def critical_by(control: str, records: Iterable[Any]) -> str:
    """m_c with the short names of the estimators that the records have it by: "m_c by midpoint or steepest slope"."""
    short = dict.fromkeys(names.short_of(one.estimator) for one in records)
    return " by ".join(filter(None, [critical_symbol(control), " or ".join(short)]))


def labels_text(labels: Mapping[str, object]) -> str:
    """The labels of a panel or a curve: "d = 5, random start"."""
    return ", ".join(
        start_text(name, value) or f"{symbol(name)} = {number(value)}" for name, value in labels.items()
    )


def number(value: object) -> str:
    """A label as it is read: no trailing zeros."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def axis_label(values: xr.DataArray, name: str = "") -> str:
    """The long name, the symbol, and the units where there are any: "mini-batch size, m"."""
    long_name = values.attrs.get("long_name", "" if name else values.name)
    units = values.attrs.get("units", "1")
    words = ", ".join(filter(None, [long_name, symbol(name) if name else ""]))
    return words + (f" ({units})" if units not in ("", "1") else "")


def quantity_label(quantity: str, values: xr.DataArray) -> str:
    """The short name of a summary, with its units where there are any."""
    units = values.attrs.get("units", "1")
    return QUANTITIES.get(quantity, quantity) + (f" ({units})" if units not in ("", "1") else "")


def geometric(x: np.ndarray) -> bool:
    """Whether a grid is made for a logarithmic axis: positive, its steps growing by a large factor."""
    steps = np.diff(x)
    return bool(len(x) > 2 and x[0] > 0 and steps.max() > GEOMETRIC * steps.min())


def integer_ticks(ax: Axes, x: np.ndarray) -> None:
    """No fractions below an axis of integers, such as mini-batch sizes."""
    if np.array_equal(x, np.round(x)) and ax.get_xscale() == "linear":
        ax.xaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=3))


def range_drawn(ax: Axes, x: np.ndarray, critical: Sequence[float]) -> None:
    """The part of the control where something happens: half to 1.7 times the critical values.

    At least `FEWEST_POINTS` points on either side are kept. A geometric grid is drawn whole, on a
    logarithmic axis.
    """
    if geometric(x):
        ax.set_xscale("log")
        return
    integer_ticks(ax, x)
    known = [one for one in critical if np.isfinite(one)]
    if not known:
        return
    first = min(np.searchsorted(x, 0.5 * min(known)), np.searchsorted(x, min(known)) - FEWEST_POINTS)
    last = max(np.searchsorted(x, 1.7 * max(known)), np.searchsorted(x, max(known)) + FEWEST_POINTS)
    low, high = x[max(0, int(first))], x[min(len(x) - 1, int(last))]
    margin = 0.04 * (high - low)
    ax.set_xlim(low - margin, high + margin)


def place_on_curve(x: np.ndarray, y: np.ndarray, m_c: float, value: float) -> float:
    """Where the marker of m_c stands: at the value that its estimator tells, else on the line through the points."""
    ran = np.isfinite(y)
    return value if np.isfinite(value) or not ran.any() else float(np.interp(m_c, x[ran], y[ran]))


def bars(values: object, low: object, high: object) -> np.ndarray:
    """Lengths of error bars below and above, shape (2, point); 0 where an end is not known or not finite."""
    middle = np.asarray(values, float)
    with np.errstate(invalid="ignore"):  # infinite values have no bars
        lengths = np.stack([middle - np.asarray(low, float), np.asarray(high, float) - middle])
    return np.clip(np.where(np.isfinite(lengths), lengths, 0.0), 0, None)


def legend_below(ax: Axes, columns: int = 1, **options: Any) -> None:
    """The legend under the axes and their label, where it cannot lie on data, however narrow the panel."""
    below = ax.transAxes + ScaledTranslation(0, -BELOW, ax.figure.dpi_scale_trans)
    compact = {"fontsize": "small", "handlelength": 1.8, "columnspacing": 1.2, "borderaxespad": 0.0}
    ax.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, 0),
        bbox_transform=below,
        ncols=columns,
        **(compact | options),
    )


def dodge(place: int, count: int) -> float:
    """The factor that sets the curve at that place of `count` aside."""
    return float(DODGE ** (place - (count - 1) / 2))


def plain_log_ticks(axis: Axis, values: Sequence[float]) -> None:
    """On a logarithmic axis the values themselves, written out; of many only some."""
    axis.set_major_locator(FixedLocator(values[:: max(1, len(values) // 6)]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def one_two_five(axis: Axis, many: bool = False) -> None:
    """On a logarithmic axis ticks at 1, 2, 5, 10, ..., written out: enough for less than a decade; of `many` decades
    at 1, 3, 10, ..., of which a long axis names the powers of ten, as narrow panels have room for no more.
    """

    def label(value: float, _: Any) -> str:
        low, high = axis.get_view_interval()
        threefold = many and f"{value:e}".startswith("3")
        return "" if threefold and high > LONG * low else f"{value:g}"

    axis.set_major_locator(LogLocator(subs=(1.0, 3.0) if many else (1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(label))
    axis.set_minor_locator(NullLocator())


def say_instead(ax: Axes, text: str) -> Axes:
    """Axes that hold a sentence where there is nothing to draw."""
    ax.set_axis_off()
    ax.text(0.5, 0.5, text, ha="center", va="center", wrap=True, transform=ax.transAxes, color="0.3")
    return ax
