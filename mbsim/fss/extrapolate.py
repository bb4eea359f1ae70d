"""The law of m_c against N, and its limit N → ∞, with the choice between laws made by likelihood.

    constant           m_c
    power correction   m_c + a N^-ω,  ¼ ≤ ω ≤ 3
    logarithm          a + b log N
    proportional       b N

Each law is fitted by generalised least squares: errors follow from the intervals; crossings, which share a
size with their neighbours, have the covariance of their resamples. A law's weight is exp(-BIC/2),
normalised. Errors are the statistical ones, where a record tells them from the systematic: what a definition
leaves open moves all sizes alike, and the systematic error at the largest size is added to the interval of the
limit. The interval of m_c(∞) is that of the profile likelihood: the m_c with χ² within 3.84 of its
least, over every law with a limit that holds 5 % of the weight or more: the choice of the law is in it. A
logarithm whose b may be zero does not speak against a limit; the reason says what drift is possible.

Reference: R. E. Kass and A. E. Raftery, J. Am. Stat. Assoc. 90, 773 (1995), on weights from BIC.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from mbsim.fss.critical import Critical
from mbsim.fss.design import need_each_once, need_name
from mbsim.fss.interval import Interval, Label
from mbsim.fss.laws import Extrapolation, Stability
from mbsim.fss.reasons import Reason, because, distinct
from mbsim.fss.records import Records

Array = NDArray[np.float64]

FEWEST_SIZES = 3
OMEGAS = np.geomspace(0.25, 3, 81)
THRESHOLD = 3.84
SURE, POSSIBLE = 0.95, 0.05
"""A law is stated with this weight, and counts with that."""
HAVE_LIMIT = ("constant", "power correction")
BAD_FIT = 1e-3


class _Law(NamedTuple):
    """A fitted law: χ², number of free parameters, their intervals, and the linear ones at their best."""

    chi2: float
    free: int
    parameters: dict[str, Interval]
    best: NDArray[np.float64]
    omega: float = np.nan


def extrapolate(critical: Sequence[Critical], *, size: str = "N") -> Records[Extrapolation]:
    """The law of m_c against the size for each estimator and each combination of the other labels.

    Args:
        critical: records with the size among their labels, as `estimates` or `midpoint` give them. Those
            without a number or an interval are left out. A crossing counts at the mean of its log sizes.
        size: the name of that label.

    Returns:
        One `Extrapolation` for each group, in order of appearance; three sizes are needed.

    Raises:
        DatasetError: `critical` holds no records, or two of the same labels.

    >>> from mbsim import fss
    >>> records = fss.midpoint(fss.planted([64, 128, 256, 512]), bootstrap=100)
    >>> fss.extrapolate(records)
    [<Extrapolation law undecided, m_c(∞) = 18.0 (17.3 to 18.7), midpoint of q>]
    """
    need_name("size", size)
    groups: dict[tuple[str, str, tuple[tuple[str, Label], ...]], list[Critical]] = {}
    for record in need_each_once(critical, "critical", "mbsim.fss.estimates(ds)"):
        if size in record.labels:
            others = {k: v for k, v in record.labels.items() if k not in (size, f"{size}_next")}
            key = record.estimator, record.order_parameter, tuple(others.items())
            groups.setdefault(key, []).append(record)
    return Records(
        _one(Extrapolation(dict(others), estimator, order_parameter), group, size)
        for (estimator, order_parameter, others), group in groups.items()
    )


def _one(empty: Extrapolation, group: list[Critical], size: str) -> Extrapolation:
    known = [one for one in group if np.isfinite(one.m_c) and np.isfinite(one.high - one.low)]
    known.sort(key=lambda one: _size(one, size))
    sizes = np.array([_size(one, size) for one in known])
    values = np.array([one.m_c for one in known])
    low, high = np.array([one.of_chance for one in known]).reshape(-1, 2).T
    base = replace(empty, sizes=sizes, values=values, low=low, high=high)
    if len(known) < FEWEST_SIZES:
        lost = distinct(reason for one in group if one not in known for reason in one.because)
        few = because("few_sizes", count=len(known), needed=FEWEST_SIZES, lost=lost)
        return replace(base, because=(few,))
    covariance = _covariance(known, size)
    laws = _fits(sizes, values, covariance)
    weights = _weights(laws, len(known))
    best = max(weights, key=lambda name: weights[name])
    freedom = len(known) - laws[best].free
    curve_sizes = np.geomspace(sizes[0], 4 * sizes[-1], 100)
    found = replace(
        base,
        law=best if weights[best] >= SURE else "undecided",
        parameters=laws[best].parameters,
        weights=weights,
        chi2_per_dof=laws[best].chi2 / freedom if freedom else np.nan,
        curve_sizes=curve_sizes,
        curve=_columns(best, curve_sizes, laws[best].omega) @ laws[best].best,
    )
    if freedom and chdtrc(freedom, laws[best].chi2) < BAD_FIT:
        bad = because("no_law_fits", chi2=found.chi2_per_dof, law=best)
        unknown = dict.fromkeys(found.parameters, Interval())
        return replace(base, because=(bad,), parameters=unknown, chi2_per_dof=found.chi2_per_dof)
    limit, reasons = _limit(laws, weights, size)
    stability = [
        Stability(float(sizes[start]), _limit_without(sizes, values, covariance, start, size))
        for start in range(1, len(sizes) - FEWEST_SIZES + 1)
    ]
    for one in stability:
        if limit.known and one.m_c.known and not one.m_c.low <= limit.value <= one.m_c.high:
            reasons.append(because("limit_moves", m_c=one.m_c, smallest=one.smallest))
    limit, more = _widened(limit, known[-1])
    reasons += more
    if found.law == "undecided":
        reasons.append(because("laws_of_size", weights=weights))
    return replace(found, because=tuple(reasons), m_c=limit, stability=stability)


def _size(record: Critical, size: str) -> float:
    here = float(record.labels[size])
    return float(np.sqrt(here * float(record.labels.get(f"{size}_next", here))))


def _widened(limit: Interval, largest: Critical) -> tuple[Interval, list[Reason]]:
    """The limit with the systematic error at the largest size in its interval, and the reason that says so."""
    down, up = largest.systematic
    if not limit.known or not np.isfinite(down + up) or max(down, up) == 0:
        return limit, []
    low = limit.value - float(np.hypot(limit.value - limit.low, down))
    high = limit.value + float(np.hypot(limit.high - limit.value, up))
    matters = max(down, up) > (limit.high - limit.low) / 2
    reasons = [because("limit_systematic", down=down, up=up)] if matters else []
    return Interval(limit.value, low, high), reasons


def _covariance(known: list[Critical], size: str) -> Array:
    """Squared errors from the intervals; where records share a size, the correlation of their draws."""
    errors = np.array([max(float(np.ptp(one.of_chance)) / (2 * 1.96), 1e-12) for one in known])
    correlation = np.eye(len(known))
    for i, one in enumerate(known):
        for j, other in enumerate(known[:i]):
            shared = one.labels[size] == other.labels.get(f"{size}_next")
            if not shared or one.draws is None or other.draws is None or len(one.draws) != len(other.draws):
                continue
            both = np.isfinite(one.draws + other.draws)
            if both.sum() > 2 and one.draws[both].std() > 0 and other.draws[both].std() > 0:
                correlation[i, j] = correlation[j, i] = np.corrcoef(one.draws[both], other.draws[both])[0, 1]
    return correlation * np.outer(errors, errors)


def _columns(law: str, sizes: Array, omega: float = np.nan) -> Array:
    """The columns that the linear parameters multiply, shape (size, parameter)."""
    ones = np.ones_like(sizes)
    columns = {
        "constant": [ones],
        "power correction": [ones, sizes**-omega],
        "logarithm": [ones, np.log(sizes)],
        "proportional": [sizes],
    }
    return np.stack(columns[law], axis=-1)


def _linear(design: Array, values: Array, covariance: Array) -> tuple[Array, Array, Array]:
    """Best parameters, their covariance, and χ², by generalised least squares; a batch of designs."""
    root = np.linalg.cholesky(covariance)
    white, target = np.linalg.solve(root, design), np.linalg.solve(root, values)
    transposed = white.swapaxes(-1, -2)
    inverse = np.linalg.pinv(transposed @ white)
    best = (inverse @ (transposed @ target)[..., None])[..., 0]
    residual = target - (white @ best[..., None])[..., 0]
    return best, inverse, np.square(residual).sum(axis=-1)


def _fits(sizes: Array, values: Array, covariance: Array) -> dict[str, _Law]:
    laws = {}
    for law, names in (("constant", ["m_c"]), ("logarithm", ["a", "b"]), ("proportional", ["b"])):
        best, inverse, least = _linear(_columns(law, sizes), values, covariance)
        errors = 1.96 * np.sqrt(np.diag(inverse))
        found = {
            name: Interval(float(at), float(at - error), float(at + error))
            for name, at, error in zip(names, best, errors, strict=True)
        }
        laws[law] = _Law(float(least), len(names), found, best)
    designs = np.stack([_columns("power correction", sizes, omega) for omega in OMEGAS])
    profile = _Profile(*_linear(designs, values, covariance))
    at = int(np.argmin(profile.cost))
    near = OMEGAS[profile.cost <= profile.cost[at] + THRESHOLD]
    parameters = {
        "m_c": profile.interval(0, at),
        "a": profile.interval(1, at),
        "omega": Interval(float(OMEGAS[at]), float(near.min()), float(near.max())),
    }
    laws["power correction"] = _Law(
        float(profile.cost[at]), 3, parameters, profile.best[at], float(OMEGAS[at])
    )
    return laws


class _Profile(NamedTuple):
    """Linear parameters (omega, 2), their covariance and χ², for each of `OMEGAS`."""

    best: Array
    inverse: Array
    cost: Array

    def interval(self, parameter: int, at: int) -> Interval:
        """The interval of one linear parameter over all ω within the threshold."""
        rest = self.cost[at] + THRESHOLD - self.cost
        reach = np.sqrt(np.maximum(rest, 0) * self.inverse[:, parameter, parameter])
        values = self.best[:, parameter]
        low, high = (values - reach)[rest >= 0].min(), (values + reach)[rest >= 0].max()
        return Interval(float(values[at]), float(low), float(high))


def _weights(laws: dict[str, _Law], points: int) -> dict[str, float]:
    """Normalised exp(-BIC/2); a law with more parameters than points is no candidate."""
    score = {name: law.chi2 + law.free * np.log(points) for name, law in laws.items() if law.free <= points}
    least = min(score.values())
    raw = {name: float(np.exp(-(one - least) / 2)) for name, one in score.items()}
    total = sum(raw.values())
    return {name: one / total for name, one in raw.items()}


def _limit(laws: dict[str, _Law], weights: dict[str, float], size: str) -> tuple[Interval, list[Reason]]:
    """m_c(∞) over the laws that have one, or why it is not stated."""
    drift = laws["logarithm"].parameters["b"]
    flat = drift.low <= 0 <= drift.high
    against = {
        name: weight
        for name, weight in weights.items()
        if name not in HAVE_LIMIT and not (name == "logarithm" and flat)
    }
    if sum(against.values()) > 1 - SURE:
        others = tuple(name for name, weight in against.items() if weight >= POSSIBLE)
        return Interval(), [because("no_limit", laws=others, share=sum(against.values()))]
    likely = {name: weights[name] for name in HAVE_LIMIT if weights.get(name, 0.0) >= POSSIBLE}
    ends = [laws[name].parameters["m_c"] for name in likely]
    total = sum(likely.values())
    value = sum(weight * laws[name].parameters["m_c"].value for name, weight in likely.items()) / total
    most = max(abs(drift.low), abs(drift.high))
    caution = [because("drift", most=most, size=size)] if flat else []
    return Interval(value, min(end.low for end in ends), max(end.high for end in ends)), caution


def _limit_without(sizes: Array, values: Array, covariance: Array, start: int, size: str) -> Interval:
    """m_c(∞) without the smallest sizes."""
    part = sizes[start:], values[start:], covariance[start:, start:]
    laws = _fits(*part)
    return _limit(laws, _weights(laws, len(part[0])), size)[0]
