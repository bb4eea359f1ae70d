"""What the finite-size scaling hands to its readers: plain records for tables, reports and figures.

Conventions
-----------
* `labels` are the values of the dimensions that are neither size, control nor samples (d, temperature, ...).
* An `Interval` is a value with its 95 % interval, in the units of the quantity; NaN is "not known".
* Where a number is missing, or must be read with care, `reason` says why in words; it is empty otherwise.
* Exponents refer to the size as the dataset gives it: with N = L² spins, 1/ν here is 1/(2ν) of the length L.
"""

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mbsim.fss.table import Critical, Label, Order

Array = NDArray[np.float64]


class Interval(NamedTuple):
    """A value and its 95 % interval; low = high = value where it was fixed by the caller."""

    value: float = math.nan
    low: float = math.nan
    high: float = math.nan

    @property
    def known(self) -> bool:
        """Whether there is a value (its interval may still be missing)."""
        return math.isfinite(self.value)

    def __str__(self) -> str:
        if not self.known:
            return "not known"
        if not math.isfinite(self.high - self.low):
            return f"{self.value:.4g} (no interval)"
        length = self.high - self.low
        decimals = min(6, max(0, 1 - math.floor(math.log10(length)))) if length > 0 else 4
        return f"{self.value:.{decimals}f} ({self.low:.{decimals}f} to {self.high:.{decimals}f})"


UNKNOWN = Interval()


class Stability(NamedTuple):
    """m_c(∞) when only sizes from `smallest` on are used."""

    smallest: float
    m_c: Interval


@dataclass(frozen=True)
class Extrapolation:
    """The law of m_c against N at one combination of labels, for one estimator.

    labels: without the size. estimator: as in `Critical`.
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
    law: str = "undecided"
    m_c: Interval = UNKNOWN
    parameters: dict[str, Interval] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)
    chi2_per_dof: float = math.nan
    stability: list[Stability] = field(default_factory=list)
    sizes: Array = field(default_factory=lambda: np.zeros(0))
    values: Array = field(default_factory=lambda: np.zeros(0))
    low: Array = field(default_factory=lambda: np.zeros(0))
    high: Array = field(default_factory=lambda: np.zeros(0))
    curve_sizes: Array = field(default_factory=lambda: np.zeros(0))
    curve: Array = field(default_factory=lambda: np.zeros(0))
    reason: str = ""


@dataclass(frozen=True)
class ConnectivityLaw:
    """m_c against the connectivity d: linear, a + b d, or a power, a d^exponent.

    labels: what else is fixed. source: what the points are ("m_c at N = 256", "m_c(∞) of the midpoint").
    law: "linear", "power", or "undecided" if neither holds 95 % of the weight.
    exponent: of the power law, whatever the law. If neither fits it is unknown, and there are no parameters,
        weights and curves.
    parameters: of both laws: {"linear": {"a", "b"}, "power": {"a", "exponent"}}.
    d, m_c, low, high: the points, shape (point,). curve_d, curves: each law drawn, {"linear": (point,), ...}.
    """

    labels: dict[str, Label]
    source: str
    law: str = "undecided"
    exponent: Interval = UNKNOWN
    parameters: dict[str, dict[str, Interval]] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)
    chi2_per_dof: float = math.nan
    d: Array = field(default_factory=lambda: np.zeros(0))
    m_c: Array = field(default_factory=lambda: np.zeros(0))
    low: Array = field(default_factory=lambda: np.zeros(0))
    high: Array = field(default_factory=lambda: np.zeros(0))
    curve_d: Array = field(default_factory=lambda: np.zeros(0))
    curves: dict[str, Array] = field(default_factory=dict)
    reason: str = ""


class Landscape(NamedTuple):
    """χ²/dof over (m_c, 1/ν), the other parameters at their best for each: shape (m_c, inverse_nu)."""

    m_c: Array
    inverse_nu: Array
    chi2_per_dof: Array


@dataclass(frozen=True)
class Collapse:
    """A data collapse at one combination of labels: y = A N^(β/ν) against x = (m - m_c) N^(1/ν).

    quantity: what A is: "mean", "binder", "susceptibility" or "success" of `summaries`.
    m_c, inverse_nu, beta_over_nu: the parameters of the fit; nu and beta follow from them.
    fixed: names of what the caller fixed ("m_c", "nu", "beta").
    chi2_per_dof: of the points about the master curve; far above one, the points do not collapse.
    x, y, error, size: the scaled points, shape (point,).
    master_x, master_y: the master curve, shape (grid,).
    landscape: None where m_c or ν was fixed.
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
    x: Array = field(default_factory=lambda: np.zeros(0))
    y: Array = field(default_factory=lambda: np.zeros(0))
    error: Array = field(default_factory=lambda: np.zeros(0))
    size: Array = field(default_factory=lambda: np.zeros(0))
    master_x: Array = field(default_factory=lambda: np.zeros(0))
    master_y: Array = field(default_factory=lambda: np.zeros(0))
    landscape: Landscape | None = None
    reason: str = ""


@dataclass(frozen=True)
class Histogram:
    """The order parameter over teachers and replicas at the peak of its susceptibility, for one size.

    edges: of the bins, shape (bin + 1,), the same for every size. counts: lanes in each bin, shape (bin,).
    weight: the share of lanes above the valley (one half at equal weights); NaN with one peak.
    valley: where the order parameter is rarest between the peaks; peaks: where it is most frequent. NaN with
    one peak.
    barrier: ln(geometric mean of the two peaks / valley), 0 with one peak; a field that favours one phase
        changes the weights and not this mean, for a valley half-way.
    unresolved: the valley holds so few lanes that the barrier is only bounded below, by `barrier.low`.
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
    reason: str = ""


@dataclass(frozen=True)
class Verdict:
    """The order of the transition at one combination of labels, and the evidence for it, as sentences.

    order: "first", "second", "undecided" (the evidence does not suffice) or "none" (no transition seen).
    histograms: one for each size that shows the transition.
    barrier_growth: the change of the barrier from the smallest of these sizes to the largest.
    sizes, peak_heights, peak_low, peak_high: the peak of the susceptibility, shape (size,).
    susceptibility_exponent: x in peak ~ N^x; one where two phases coexist, less at a critical point.
    binder_minima: {size: the minimum of U4, unknown where it has none}, a hint that is never counted.
    reason: why the order is undecided or none.
    """

    labels: dict[str, Label]
    order: Order
    evidence: list[str]
    histograms: list[Histogram] = field(default_factory=list)
    barrier_growth: Interval = UNKNOWN
    sizes: Array = field(default_factory=lambda: np.zeros(0))
    peak_heights: Array = field(default_factory=lambda: np.zeros(0))
    peak_low: Array = field(default_factory=lambda: np.zeros(0))
    peak_high: Array = field(default_factory=lambda: np.zeros(0))
    susceptibility_exponent: Interval = UNKNOWN
    binder_minima: dict[float, Interval] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True)
class Hysteresis:
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
    reason: str = ""


@dataclass(frozen=True)
class Analysis:
    """All of it for one dataset. Where nothing can be said a list is empty, and `reasons` says why, by field.

    summaries: as `fss.summaries` gives it (an xarray.Dataset).
    """

    summaries: Any
    critical: list[Critical]
    extrapolations: list[Extrapolation]
    connectivity: list[ConnectivityLaw]
    collapses: list[Collapse]
    verdicts: list[Verdict]
    hysteresis: list[Hysteresis]
    reasons: dict[str, str] = field(default_factory=dict)
