"""Figures of what an analysis found: functions that take axes and return them, and hold no global state.

Every function draws on the axes given as `ax`, or on those of a new figure (`ax.figure`).
"""

from mbsim.figures.order_parameter import order_parameter_figure, order_parameter_panels
from mbsim.figures.style import COLOURS, LINES, MARKERS

__all__ = ["COLOURS", "LINES", "MARKERS", "order_parameter_figure", "order_parameter_panels"]
