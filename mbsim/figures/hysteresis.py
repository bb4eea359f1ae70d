"""The hysteresis loop: the order parameter from a random start and from the teacher itself."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from mbsim.figures.style import CURVE, axes, integer_ticks, look, number, say_instead, symbol
from mbsim.fss.results import Hysteresis

RANDOM: dict[str, Any] = {"linestyle": "-"}
PLANTED: dict[str, Any] = {"linestyle": "--", "markerfacecolor": "white"}


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
    standard error; the bands between the two spinodals of a size are the loop.

    Args:
        loops: of `fss.hysteresis`, of one combination of labels but the size.
        ax: where to draw; the axes of a new figure, `ax.figure`, where not given.
        size: the label that tells the loops apart.
        control: the symbol of the control.
        quantity: what the order parameter is called.
    """
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
        if loop.random.known and loop.planted.known:
            inside: dict[str, Any] = {"color": style.color, "alpha": 0.10, "linewidth": 0, "zorder": 0}
            ax.axvspan(loop.planted.value, loop.random.value, **inside)
        for spinodal in (loop.random, loop.planted):
            if spinodal.known:
                ax.axvline(spinodal.value, color=style.color, linewidth=0.8, linestyle=":", zorder=0.5)
    for name, line in (("random start", RANDOM), ("planted start", PLANTED)):
        ax.plot([], [], color="0.3", marker="o", markersize=CURVE["markersize"], label=name, **line)
    integer_ticks(ax, drawn[0].m)
    ax.set_xlabel(f"mini-batch size, {symbol(control)}" if control == "m" else symbol(control))
    ax.set_ylabel(quantity)
    ax.legend()
    return ax
