"""Finite-size scaling: from any labelled dataset of order parameters to the critical size m_c and its error.

Free functions on an `xarray.Dataset` with a size dimension, a control dimension and two sample dimensions
(quenched disorder, and replicas within it); nothing here knows how the data were made.
"""

from mbsim.fss.analysis import analyze, judged
from mbsim.fss.collapse import collapse
from mbsim.fss.connectivity import connectivity_law
from mbsim.fss.estimates import ESTIMATORS, estimates
from mbsim.fss.extrapolate import extrapolate
from mbsim.fss.lanes import order_parameter_of
from mbsim.fss.loop import hysteresis
from mbsim.fss.midpoint import midpoint
from mbsim.fss.results import (
    Analysis,
    Collapse,
    ConnectivityLaw,
    Extrapolation,
    Histogram,
    Hysteresis,
    Interval,
    Landscape,
    Stability,
    Verdict,
)
from mbsim.fss.summaries import summaries
from mbsim.fss.table import Critical, as_json, as_text
from mbsim.fss.verdict import transition_order

__all__ = [
    "ESTIMATORS",
    "Analysis",
    "Collapse",
    "ConnectivityLaw",
    "Critical",
    "Extrapolation",
    "Histogram",
    "Hysteresis",
    "Interval",
    "Landscape",
    "Stability",
    "Verdict",
    "analyze",
    "as_json",
    "as_text",
    "collapse",
    "connectivity_law",
    "estimates",
    "extrapolate",
    "hysteresis",
    "judged",
    "midpoint",
    "order_parameter_of",
    "summaries",
    "transition_order",
]
