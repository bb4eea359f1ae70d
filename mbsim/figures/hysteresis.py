"""The hysteresis loop: the order parameter from a random start and from the teacher itself."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from mbsim.figures.style import CURVE, axes, in_own_settings, integer_ticks, look, number, say_instead, symbol
from mbsim.fss import names
from mbsim.fss.design import need_records
from mbsim.fss.results import Hysteresis

RANDOM: dict[str, Any] = {"linestyle": "-"}
PLANTED: dict[str, Any] = {"linestyle": "--", "markerfacecolor": "white"}
STRIP = 0.045
"""Height of the strip of one size, as a share of the axes."""
FEWEST_POINTS = 4


@in_own_settings
def hysteresis_figure(
    loops: Sequence[Hysteresis],
    ax: Axes | None = None,
    *,
    size: str = "N",
    control: str = "m",
    quantity: str = "order parameter",
) -> Axes:
    """Both branches against m, a colour for each size, with the spinodals and their intervals.

    Filled markers and whole lines start at random, open markers and broken lines at the teacher. Bars are one
    standard error. Dotted lines are the midpoints of the branches, which are spinodals where the loop is open. Above
    the branches a strip for each size spans its loop, with their 95 % intervals as lines. The control is cut to where
    the loops are.

    Args:
        loops: of `fss.hysteresis`, of one combination of labels but the size.
        ax: where to draw; the axes of a new figure, `ax.figure`, where not given.
        size: the label that tells the loops apart.
        control: the symbol of the control.
        quantity: what the order parameter is called.

    Raises:
        DatasetError: `loops` holds no records.

    >>> from mbsim import figures, fss
    >>> loops = fss.hysteresis(fss.planted(jump=True, starts=True), bootstrap=100)
    >>> figures.hysteresis_figure(loops).get_xlabel()
    'mini-batch size, $m$'
    """
    loops = need_records(loops, "loops", "mbsim.fss.hysteresis(ds)")
    ax = axes(ax)
    drawn = [loop for loop in loops if np.isfinite(loop.random_mean).any()]
    if not drawn:
        return say_instead(
            ax, next((loop.reason for loop in loops if loop.reason), "no second start was run")
        )
    for place, loop in enumerate(drawn):
        style = look(place)
        name = f"{symbol(size)} = {number(loop.labels[size])}" if size in loop.labels else "loop"
        for mean, error, line, label in (
            (loop.random_mean, loop.random_error, RANDOM, name),
            (loop.planted_mean, loop.planted_error, PLANTED, "_"),
        ):
            bars = np.nan_to_num(error)
            ax.errorbar(loop.m, mean, yerr=bars, label=label, **(style._asdict() | line), **CURVE)
        top = 1 - STRIP * place
        if loop.random.known and loop.planted.known:
            strip: dict[str, Any] = {"color": style.color, "alpha": 0.35, "linewidth": 0}
            ax.axvspan(loop.planted.value, loop.random.value, top - 0.8 * STRIP, top, **strip)
        for spinodal in (loop.random, loop.planted):
            if spinodal.known:
                ax.axvline(spinodal.value, color=style.color, linewidth=0.8, linestyle=":", zorder=0.5)
                ends, middle = [spinodal.low, spinodal.high], [top - 0.4 * STRIP] * 2
                ax.plot(ends, middle, color=style.color, linewidth=1.4, transform=ax.get_xaxis_transform())
    for name, line in (("random start", RANDOM), ("planted start", PLANTED)):
        ax.plot([], [], color="0.3", marker="o", markersize=CURVE["markersize"], label=name, **line)
    _room_for_strips(ax, drawn)
    _range_drawn(ax, drawn)
    integer_ticks(ax, drawn[0].m)
    ax.set_xlabel(f"mini-batch size, {symbol(control)}" if control == "m" else symbol(control))
    ax.set_ylabel(quantity)
    seen = any(spinodal.known for loop in drawn for spinodal in (loop.random, loop.planted))
    key = names.short_of(names.MIDPOINT)
    marks = f"dotted: {key} of each branch;\nabove: the loop between, and their 95 % intervals"
    ax.legend(title=marks if seen else None).get_title().set_multialignment("center")
    return ax


def _room_for_strips(ax: Axes, loops: Sequence[Hysteresis]) -> None:
    """The branches stay below the strips."""
    means = np.concatenate([[*loop.random_mean, *loop.planted_mean] for loop in loops])
    low, high = float(np.nanmin(means)), float(np.nanmax(means))
    taken = STRIP * len(loops) + 0.03
    height = max(high - low, 1e-9) * 1.05
    ax.set_ylim(low - 0.05 * height, low + height / (1 - taken))
    ax.set_yticks([tick for tick in ax.get_yticks() if low - 0.05 * height <= tick <= high + 0.05 * height])


def _range_drawn(ax: Axes, loops: Sequence[Hysteresis]) -> None:
    """The loops with a margin, a third of their width or a quarter of m, and some points on either side."""
    ends = [one.value for loop in loops for one in (loop.planted, loop.random) if one.known]
    if not ends:
        return
    m = np.unique(np.concatenate([loop.m for loop in loops]))
    low, high = min(ends), max(ends)
    margin = max(0.3 * (high - low), 0.25 * low)
    first = min(np.searchsorted(m, low - margin), np.searchsorted(m, low) - FEWEST_POINTS)
    last = max(np.searchsorted(m, high + margin), np.searchsorted(m, high) + FEWEST_POINTS)
    left, right = m[max(0, int(first))], m[min(len(m) - 1, int(last))]
    ax.set_xlim(left - 0.03 * (right - left), right + 0.03 * (right - left))
