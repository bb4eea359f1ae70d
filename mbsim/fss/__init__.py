"""Finite-size scaling: from any labelled dataset of order parameters to the critical size m_c and its error.

Free functions on an `xarray.Dataset` with a size dimension, a control dimension and two sample dimensions
(quenched disorder, and replicas within it); nothing here knows how the data were made.
"""

from mbsim.fss.midpoint import midpoint, order_parameter
from mbsim.fss.table import Critical, as_json, as_text

__all__ = ["Critical", "as_json", "as_text", "midpoint", "order_parameter"]
