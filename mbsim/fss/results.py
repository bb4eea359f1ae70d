"""What the finite-size scaling hands to its readers: plain records for tables, reports and figures.

m_c itself is `critical.Critical`, the laws that it follows are in `laws`.

Conventions
-----------
* `labels` are the values of the dimensions that are neither size, control nor samples (d, temperature, ...).
* An `Interval` is a value with its 95 % interval, in the units of the quantity; NaN is "not known".
* Where a number is missing, or must be read with care, `because` says why, and `reason` has it in words.
* Exponents refer to the size as the dataset gives it: with N = L² spins, 1/ν here is 1/(2ν) of the length L.
* Every record has a `repr` of one line, and is a table in a notebook (`mbsim.fss.records`).
"""

import math
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from mbsim.fss.critical import Critical
from mbsim.fss.growth import Growth
from mbsim.fss.interval import UNKNOWN, Interval, Label, Order
from mbsim.fss.laws import ConnectivityLaw, Extrapolation
from mbsim.fss.over_time import OverTime
from mbsim.fss.reasons import Reason, text_of
from mbsim.fss.records import Record, Records

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped]

Array = NDArray[np.float64]


def _none() -> Array:
    return np.zeros(0)


class Landscape(NamedTuple):
    """χ²/dof over (m_c, 1/ν), the other parameters at their best for each: shape (m_c, inverse_nu)."""

    m_c: Array
    inverse_nu: Array
    chi2_per_dof: Array


class CollapseStability(NamedTuple):
    """Parameters of a collapse when only sizes from `smallest` on are used, and how likely its χ² is."""

    smallest: float
    m_c: Interval
    inverse_nu: Interval
    beta_over_nu: Interval
    p_value: float


@dataclass(frozen=True, repr=False)
class Collapse(Record):
    """A data collapse at one combination of labels: y = A N^(β/ν) against x = (m - m_c) N^(1/ν).

    quantity: what A is: "mean", "binder", "susceptibility" or "success" of `summaries`.
    m_c, inverse_nu, beta_over_nu: the parameters of the fit; nu and beta follow from them.
    fixed: names of what the caller fixed ("m_c", "nu", "beta").
    chi2_per_dof: of the points about the master curve, over what is expected of points that collapse.
    x, y, error, size: the scaled points, shape (point,); a correction to scaling is taken off y but for its
        part at the geometric mean of the sizes.
    master_x, master_y: the master curve, shape (grid,).
    landscape: None where m_c or ν was fixed.
    p_value: the chance of so large a χ² where the points do collapse.
    dof: degrees of freedom: points less parameters where errors are not correlated, fewer where they are.
    omega: the exponent of the correction to scaling, unknown where there is none.
    parameters, draws, covariance: names of the parameters, resampled values (sample, parameter), and their
        covariance; empty where they are not determined.
    stability: parameters after dropping the smallest sizes, one at a time.
    together: the quantities that were collapsed with common m_c and ν, this one among them.
    """

    labels: dict[str, Label]
    quantity: str
    m_c: Interval = UNKNOWN
    inverse_nu: Interval = UNKNOWN
    beta_over_nu: Interval = UNKNOWN
    nu: Interval = UNKNOWN
    beta: Interval = UNKNOWN
    fixed: tuple[str, ...] = ()
    chi2_per_dof: float = math.nan
    x: Array = field(default_factory=_none)
    y: Array = field(default_factory=_none)
    error: Array = field(default_factory=_none)
    size: Array = field(default_factory=_none)
    master_x: Array = field(default_factory=_none)
    master_y: Array = field(default_factory=_none)
    landscape: Landscape | None = None
    because: tuple[Reason, ...] = ()
    p_value: float = math.nan
    dof: float = math.nan
    omega: Interval = UNKNOWN
    parameters: tuple[str, ...] = ()
    draws: Array = field(default_factory=_none)
    covariance: Array = field(default_factory=_none)
    stability: tuple[CollapseStability, ...] = ()
    together: tuple[str, ...] = ()

    keys: ClassVar[tuple[str, ...]] = ("quantity",)

    def fields(self) -> dict[str, Any]:
        """Parameters, χ²/dof and its chance."""
        fields = {"quantity": self.quantity, "m_c": self.m_c, "nu": self.nu, "beta": self.beta}
        fields |= {"omega": self.omega} if self.omega.known else {}
        return fields | {"chi2_per_dof": self.chi2_per_dof, "p_value": self.p_value}

    def summary(self) -> str:
        """The parameters, χ²/dof and its chance."""
        parameters = f"{self.quantity}, m_c = {self.m_c}, ν = {self.nu}, β = {self.beta}"
        return f"{parameters}, χ²/dof = {self.chi2_per_dof:.3g} (p = {self.p_value:.2g})"


@dataclass(frozen=True)
class Histogram:
    """The order parameter over teachers and replicas at the peak of its susceptibility, for one size.

    edges: of the bins, shape (bin + 1,), the same for every size. counts: students in each bin, shape (bin,).
    weight: the share of students above the valley (one half at equal weights); NaN with one peak.
    valley: where the order parameter is rarest between the peaks; peaks: where it is most frequent. NaN with
    one peak.
    barrier: ln(geometric mean of the two peaks / valley), 0 with one peak; a field that favours one phase
        changes the weights and not this mean, for a valley half-way.
    unresolved: the valley holds so few students that the barrier is only bounded below, by `barrier.low`.
    between: the share of students in the middle third of the way from one peak to the other, with its 95 % interval
        (Clopper and Pearson); unknown with one peak.
    """

    size: float
    m: float
    edges: Array
    counts: Array
    barrier: Interval
    weight: float = math.nan
    valley: float = math.nan
    peaks: tuple[float, float] = (math.nan, math.nan)
    unresolved: bool = False
    because: tuple[Reason, ...] = ()
    between: Interval = UNKNOWN

    @property
    def reason(self) -> str:
        """Why there is no barrier, or what to mind, in words; empty if nothing."""
        return text_of(self.because)


@dataclass(frozen=True, repr=False)
class Verdict(Record):
    """The order of the transition at one combination of labels, and the evidence for it, as sentences.

    order: "first", "second", "crossover" (a smooth change that does not sharpen with the size), "undecided" (the
        evidence does not suffice) or "none" (no transition seen).
    histograms: one for each size that shows the transition.
    barrier_growth: the change of the barrier from the smallest of these sizes to the largest.
    sizes, peak_heights, peak_low, peak_high: the peak of the susceptibility, shape (size,).
    susceptibility_exponent: x in peak ~ N^x; one where two phases coexist, less at a critical point.
    binder_minima: {size: the minimum of U4, unknown where it has none}, a hint that is never counted.
    because: why the order is undecided or none.
    susceptibility, steepness: how the peak of the susceptibility and the steepest slope of the order parameter
        grow with the size; None where nothing was seen.
    inverse_nu, beta_over_nu: what follows from both; 1 and 0 where two phases coexist.
    midpoint: of a crossover, at the largest size.
    """

    labels: dict[str, Label]
    order: Order
    evidence: list[str]
    histograms: list[Histogram] = field(default_factory=list)
    barrier_growth: Interval = UNKNOWN
    sizes: Array = field(default_factory=_none)
    peak_heights: Array = field(default_factory=_none)
    peak_low: Array = field(default_factory=_none)
    peak_high: Array = field(default_factory=_none)
    susceptibility_exponent: Interval = UNKNOWN
    binder_minima: dict[float, Interval] = field(default_factory=dict)
    because: tuple[Reason, ...] = ()
    susceptibility: Growth | None = None
    steepness: Growth | None = None
    inverse_nu: Interval = UNKNOWN
    beta_over_nu: Interval = UNKNOWN
    midpoint: Interval = UNKNOWN

    def fields(self) -> dict[str, Any]:
        """The order, and the two numbers that speak for it."""
        exponent, growth = self.susceptibility_exponent, self.barrier_growth
        fields = {"order": self.order, "susceptibility_exponent": exponent, "barrier_growth": growth}
        return fields | {"slope_exponent": self.steepness.overall if self.steepness else UNKNOWN}

    def summary(self) -> str:
        """The order, and why it is not decided."""
        order = {"first": "first order", "second": "second order", "none": "no transition"}
        return order.get(self.order, self.order) + (f" ({self.reason})" if self.because else "")


@dataclass(frozen=True, repr=False)
class Hysteresis(Record):
    """The loop between the start far from the teacher and the start at the teacher, at one (N, d).

    labels: with the size, without the label that tells the starts apart.
    starts: values of that label: (random, planted).
    random, planted: the spinodals, the m at which each branch goes over, midpoints of its order parameter.
    width: random - planted, its interval from resamples that redraw the teachers of both branches together.
    m: shape (point,). random_mean, planted_mean and their errors (one standard error): shape (point,), NaN
        where nothing ran.
    """

    labels: dict[str, Label]
    starts: tuple[float, float]
    random: Interval
    planted: Interval
    width: Interval
    m: Array
    random_mean: Array
    random_error: Array
    planted_mean: Array
    planted_error: Array
    because: tuple[Reason, ...] = ()

    def fields(self) -> dict[str, Any]:
        """Both spinodals and the width."""
        return {"random": self.random, "planted": self.planted, "width": self.width}

    def summary(self) -> str:
        """Both spinodals and the width."""
        return f"spinodals {self.planted} and {self.random}, width {self.width}"


@dataclass(frozen=True, repr=False)
class Analysis:
    """All of it for one dataset. Where nothing can be said a list is empty, and `reasons` says why, by field.

    summaries: as `fss.summaries` gives it. over_time: m_c at up to 16 measured times, from 100 resamples;
    `fss.over_time` has all of them. because: by field, why nothing can be said; `reasons`, in words.
    """

    summaries: xr.Dataset
    critical: Records[Critical]
    extrapolations: Records[Extrapolation]
    connectivity: Records[ConnectivityLaw]
    collapses: Records[Collapse]
    verdicts: Records[Verdict]
    hysteresis: Records[Hysteresis]
    because: dict[str, tuple[Reason, ...]] = field(default_factory=dict)
    over_time: Records[OverTime] = field(default_factory=Records)

    def __post_init__(self) -> None:
        for name in self.parts():  # plain lists become tables
            object.__setattr__(self, name, Records(getattr(self, name)))

    @property
    def reasons(self) -> dict[str, str]:
        """Why nothing can be said, in words, by field."""
        return {name: text_of(because) for name, because in self.because.items()}

    def parts(self) -> tuple[str, ...]:
        """The fields that are lists of records."""
        return (
            "critical",
            "extrapolations",
            "connectivity",
            "collapses",
            "verdicts",
            "hysteresis",
            "over_time",
        )

    @property
    def used(self) -> Records[Critical]:
        """m_c at each combination of labels by the estimator that it is stated by; `choice` says why."""
        return Records(one for one in self.critical if one.choice is not None)

    def __repr__(self) -> str:
        orders = ", ".join(dict.fromkeys(one.order for one in self.verdicts)) or "none judged"
        counts = ", ".join(f"{len(getattr(self, name))} {name}" for name in self.parts())
        return f"<Analysis: order {orders}; {counts}>"

    def _repr_html_(self) -> str:
        tables = []
        for name in self.parts():
            part, missing = getattr(self, name), self.reasons.get(name, "")
            tables.append(f"<h4>{name}</h4>{part._repr_html_() if part else f'<p>{escape(missing)}</p>'}")
        return "".join(tables)

    def to_dataframe(self) -> "pd.DataFrame":
        """The table of m_c: `critical.to_dataframe()`."""
        return self.critical.to_dataframe()

    def to_xarray(self) -> xr.Dataset:
        """The same over labels and estimator: `critical.to_xarray()`."""
        return self.critical.to_xarray()
