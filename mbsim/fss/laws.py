"""The laws that m_c follows: against the size, with its limit, and against the connectivity.

Conventions are those of `results`.
"""

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mbsim.fss import names
from mbsim.fss.interval import UNKNOWN, Interval, Label
from mbsim.fss.reasons import Reason
from mbsim.fss.records import Record

Array = NDArray[np.float64]


def _none() -> Array:
    return np.zeros(0)


class Stability(NamedTuple):
    """m_c(∞) when only sizes from `smallest` on are used."""

    smallest: float
    m_c: Interval


@dataclass(frozen=True, repr=False)
class Extrapolation(Record):
    """The law of m_c against N at one combination of labels, for one estimator.

    labels: without the size. estimator, order_parameter, title: as in `Critical`.
    law: "constant" m_c; "power correction" m_c + a N^-ω; "logarithm" m_c = a + b log N; "proportional"
        m_c = b N; "undecided" if the sizes do not tell them apart.
    m_c: m_c(∞), over all laws that have a limit; unknown unless those hold at least 95 % of the weight.
    parameters: of the most likely law, by name ("m_c", "a", "omega", "b"), each with its interval.
    weights: of each law, from its likelihood and number of parameters (BIC); they add up to one. Where no law
        fits they are empty, as is the curve, and the parameters are unknown.
    chi2_per_dof: of the most likely law, NaN without degrees of freedom.
    stability: m_c(∞) after dropping the smallest sizes, one at a time.
    sizes, values, low, high: the data of the fit, as arrays of shape (size,).
    curve_sizes, curve: the most likely law drawn, shape (point,); empty if there is none.
    """

    labels: dict[str, Label]
    estimator: str
    order_parameter: str = ""
    law: str = "undecided"
    m_c: Interval = UNKNOWN
    parameters: dict[str, Interval] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)
    chi2_per_dof: float = math.nan
    stability: list[Stability] = field(default_factory=list)
    sizes: Array = field(default_factory=_none)
    values: Array = field(default_factory=_none)
    low: Array = field(default_factory=_none)
    high: Array = field(default_factory=_none)
    curve_sizes: Array = field(default_factory=_none)
    curve: Array = field(default_factory=_none)
    because: tuple[Reason, ...] = ()

    keys: ClassVar[tuple[str, ...]] = ("estimator",)

    @property
    def title(self) -> str:
        """How m_c was read off, in words."""
        return names.title_of(self.estimator, self.order_parameter)

    def fields(self) -> dict[str, Any]:
        """Estimator, law and limit."""
        fields = {"estimator": self.title, "law": self.law, "m_c": self.m_c}
        return fields | {"sizes": len(self.sizes), "chi2_per_dof": self.chi2_per_dof}

    def row(self) -> dict[str, Any]:
        """Labels, estimator by its key, law and limit."""
        return super().row() | {"estimator": self.estimator, "order_parameter": self.order_parameter}

    def summary(self) -> str:
        """The law, the limit and the estimator."""
        return f"law {self.law}, m_c(∞) = {self.m_c}, {self.title}"


@dataclass(frozen=True, repr=False)
class ConnectivityLaw(Record):
    """m_c against the connectivity d: linear, a + b d, or a power, a d^exponent.

    labels: what else is fixed. estimator, order_parameter: as in `Critical`.
    size, at: the points are m_c at `size` = `at`, or m_c(∞) where `at` is infinite; NaN without points.
    law: "linear", "power", or "undecided" if neither holds 95 % of the weight.
    exponent: of the power law, whatever the law. If neither fits it is unknown, and there are no parameters,
        weights and curves.
    parameters: of both laws: {"linear": {"a", "b"}, "power": {"a", "exponent"}}.
    d, m_c, low, high: the points, shape (point,). curve_d, curves: each law drawn, {"linear": (point,), ...}.
    """

    labels: dict[str, Label]
    estimator: str
    order_parameter: str = ""
    size: str = "N"
    at: float = math.nan
    law: str = "undecided"
    exponent: Interval = UNKNOWN
    parameters: dict[str, dict[str, Interval]] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)
    chi2_per_dof: float = math.nan
    d: Array = field(default_factory=_none)
    m_c: Array = field(default_factory=_none)
    low: Array = field(default_factory=_none)
    high: Array = field(default_factory=_none)
    curve_d: Array = field(default_factory=_none)
    curves: dict[str, Array] = field(default_factory=dict)
    because: tuple[Reason, ...] = ()

    keys: ClassVar[tuple[str, ...]] = ("estimator", "at")

    @property
    def title(self) -> str:
        """How m_c was read off, in words."""
        return names.title_of(self.estimator, self.order_parameter)

    @property
    def source(self) -> str:
        """What the points are: "m_c at N = 256, midpoint of overlap_mean", or "m_c(∞), ..."."""
        if math.isnan(self.at):
            return self.title
        where = "m_c(∞)" if math.isinf(self.at) else f"m_c at {self.size} = {self.at:g}"
        return f"{where}, {self.title}"

    def fields(self) -> dict[str, Any]:
        """Points, law and exponent."""
        fields = {"points": self.source, "law": self.law, "exponent": self.exponent}
        return fields | {"chi2_per_dof": self.chi2_per_dof}

    def row(self) -> dict[str, Any]:
        """Labels, estimator by its key, size, law and exponent."""
        own = {"estimator": self.estimator, "order_parameter": self.order_parameter, "at": self.at}
        return {**self.labels, **own, **super().row()}

    def summary(self) -> str:
        """The law, the exponent, and what the points are."""
        return f"law {self.law}, d^x with x = {self.exponent}, {self.source}"
