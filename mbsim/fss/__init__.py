"""Finite-size scaling: from any labelled dataset of order parameters to the critical size m_c and its error.

Free functions on an `xarray.Dataset` with a size dimension, a control dimension and two sample dimensions
(quenched disorder, and replicas within it); nothing here knows how the data were made. What they return are
records with a `repr` of one line, and lists of records that are tables (`to_dataframe`, `to_xarray`).

>>> from mbsim import fss
>>> ds = fss.planted()  # a transition at m = 18
>>> fss.midpoint(ds, bootstrap=100)[0]
<Critical N = 64: m_c = 17.98 (17.57 to 18.27), midpoint of q>
"""

from mbsim.fss.analysis import analyze, judged
from mbsim.fss.chosen import chosen
from mbsim.fss.collapse import collapse
from mbsim.fss.connectivity import connectivity_law
from mbsim.fss.critical import Critical
from mbsim.fss.design import Design
from mbsim.fss.estimates import estimates
from mbsim.fss.estimators import ESTIMATORS, Estimator, Study, estimator, register, unregister
from mbsim.fss.extrapolate import extrapolate
from mbsim.fss.interval import Interval
from mbsim.fss.laws import ConnectivityLaw, Extrapolation, Stability
from mbsim.fss.level import Level
from mbsim.fss.loop import hysteresis
from mbsim.fss.midpoint import midpoint
from mbsim.fss.over_time import OverTime, over_time
from mbsim.fss.planted import planted
from mbsim.fss.reasons import Reason, because, note, register_reason
from mbsim.fss.records import Records
from mbsim.fss.results import Analysis, Collapse, Histogram, Hysteresis, Landscape, Verdict
from mbsim.fss.samples import order_parameter_of
from mbsim.fss.summaries import summaries
from mbsim.fss.table import as_json, as_text, times_json
from mbsim.fss.verdict import transition_order

__all__ = [
    "ESTIMATORS",
    "Analysis",
    "Collapse",
    "ConnectivityLaw",
    "Critical",
    "Design",
    "Estimator",
    "Extrapolation",
    "Histogram",
    "Hysteresis",
    "Interval",
    "Landscape",
    "Level",
    "OverTime",
    "Reason",
    "Records",
    "Stability",
    "Study",
    "Verdict",
    "analyze",
    "as_json",
    "as_text",
    "because",
    "chosen",
    "collapse",
    "connectivity_law",
    "estimates",
    "estimator",
    "extrapolate",
    "hysteresis",
    "judged",
    "midpoint",
    "note",
    "order_parameter_of",
    "over_time",
    "planted",
    "register",
    "register_reason",
    "summaries",
    "times_json",
    "transition_order",
    "unregister",
]
