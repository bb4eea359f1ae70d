"""Figures of what an analysis found: functions that take axes and return them, and hold no global state.

Every function draws on the axes given as `ax`, or on those of a new figure (`ax.figure`), from the records
that `mbsim.fss` gives; `panels` lays several of them out on one page. Where there is nothing to draw, the
axes hold the reason as a sentence. `mbsim.figures.theory` draws the exact results of `mbsim.theory` over
simulations.
"""

from mbsim.figures.coexistence import barrier_figure, growth_figure, histogram_figure
from mbsim.figures.collapse import collapse_figure, landscape_figure
from mbsim.figures.critical import connectivity_figure, size_figure
from mbsim.figures.hysteresis import hysteresis_figure
from mbsim.figures.order_parameter import order_parameter_figure, order_parameter_panels
from mbsim.figures.panels import panels
from mbsim.figures.phase_diagram import phase_diagram
from mbsim.figures.relaxation import over_time_figure, relaxation_figure
from mbsim.figures.style import COLOURS, LINES, MARKERS, PAPER
from mbsim.figures.summaries import summary_figure
from mbsim.figures.teachers import teacher_figure
from mbsim.figures.windows import window_figure

__all__ = [
    "COLOURS",
    "LINES",
    "MARKERS",
    "PAPER",
    "barrier_figure",
    "collapse_figure",
    "connectivity_figure",
    "growth_figure",
    "histogram_figure",
    "hysteresis_figure",
    "landscape_figure",
    "order_parameter_figure",
    "order_parameter_panels",
    "over_time_figure",
    "panels",
    "phase_diagram",
    "relaxation_figure",
    "size_figure",
    "summary_figure",
    "teacher_figure",
    "window_figure",
]
