"""m_c against the connectivity d: linear, m_c = a + b d, or a power, m_c = a d^p.

The points are m_c(∞) where the sizes give it, otherwise m_c at one size. Both laws have two parameters, so
that their weights follow from χ² alone. The errors of m_c are often far smaller than what neither law can
follow: where the better law fits badly, all errors are scaled by √(χ²/dof) (R. T. Birge), with the quantile
of Student's law, as few points tell the scale; the reason says so. Where χ² refutes both laws, no law and no
exponent are stated.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, chdtri, fdtri

from mbsim.fss.results import ConnectivityLaw, Extrapolation, Interval
from mbsim.fss.table import Critical, Label

Array = NDArray[np.float64]

FEWEST_POINTS = 3
EXPONENTS = np.linspace(-1, 5, 6001)
LEVEL, SURE = 0.95, 0.95
BAD_FIT = 1e-3
"""A law whose χ² is less probable than this is refused."""


def connectivity_law(
    critical: Sequence[Critical] | Sequence[Extrapolation], *, size: str = "N", connectivity: str = "d"
) -> list[ConnectivityLaw]:
    """The law of m_c against d, for each estimator and each size (records) or of m_c(∞) (extrapolations).

    Args:
        critical: records with `connectivity` among their labels; those without a number and an interval are
            left out. Crossings, which belong to two sizes, are passed over.
        size: the label of the size. Of records, the largest size that has every d that has a number.
        connectivity: the label of d.

    Returns:
        One law for each estimator and each combination of other labels; three values of d are needed.
    """
    groups: dict[tuple[tuple[str, Label], ...], list[Critical | Extrapolation]] = {}
    for record in critical:
        if connectivity in record.labels and f"{size}_next" not in record.labels:
            others = {k: v for k, v in record.labels.items() if k not in (size, connectivity)}
            groups.setdefault((("estimator", record.estimator), *others.items()), []).append(record)
    return [_one(dict(key[1:]), str(key[0][1]), group, size, connectivity) for key, group in groups.items()]


def _one(
    labels: dict[str, Label],
    estimator: str,
    group: list[Critical | Extrapolation],
    size: str,
    connectivity: str,
) -> ConnectivityLaw:
    points: dict[float, dict[float, Interval]] = {}
    for one in group:
        if isinstance(one, Critical):
            interval, here = Interval(one.m_c, one.low, one.high), float(one.labels.get(size, np.inf))
        else:
            interval, here = one.m_c, np.inf
        if np.isfinite(interval.value) and np.isfinite(interval.high - interval.low):
            points.setdefault(here, {})[float(one.labels[connectivity])] = interval
    if not points:
        return ConnectivityLaw(
            labels, estimator, reason=f"no value of {connectivity} has m_c with an interval"
        )
    chosen = max(points, key=lambda here: (len(points[here]), here))
    source = f"m_c(∞), {estimator}" if np.isinf(chosen) else f"m_c at {size} = {chosen:g}, {estimator}"
    d = np.array(sorted(points[chosen]))
    m_c, low, high = np.array([points[chosen][at] for at in d]).T
    base: dict[str, Any] = {"d": d, "m_c": m_c, "low": low, "high": high}
    if len(d) < FEWEST_POINTS:
        reason = f"{len(d)} values of {connectivity} have m_c with an interval, {FEWEST_POINTS} are needed"
        return ConnectivityLaw(labels, source, reason=reason, **base)
    return _fitted(labels, source, d, m_c, np.maximum((high - low) / (2 * 1.96), 1e-9), base)


def _fitted(
    labels: dict[str, Label], source: str, d: Array, m_c: Array, errors: Array, base: dict[str, Any]
) -> ConnectivityLaw:
    design = np.stack([np.ones_like(d), d], axis=-1) / errors[:, None]
    covariance = np.linalg.inv(design.T @ design)
    linear = covariance @ design.T @ (m_c / errors)
    powers = d[:, None] ** EXPONENTS / errors[:, None]
    scales = powers.T @ (m_c / errors) / np.square(powers).sum(axis=0)
    costs = np.square((m_c / errors)[:, None] - powers * scales).sum(axis=0)
    at = int(np.argmin(costs))
    least = {"linear": float(np.square(m_c / errors - design @ linear).sum()), "power": float(costs[at])}
    freedom = len(d) - 2
    best = min(least, key=lambda law: least[law])
    scale = max(1.0, least[best] / freedom)
    base = {**base, "chi2_per_dof": least[best] / freedom}
    if chdtrc(freedom, least[best]) < BAD_FIT:
        why = f"neither law fits: χ²/dof = {least[best] / freedom:.3g} for the better, {best}"
        return ConnectivityLaw(labels, source, reason=why, **base)
    # Of the χ² of one parameter: known errors, or errors known from how the points scatter about the law.
    threshold = float(chdtri(1, 1 - LEVEL) if scale == 1 else fdtri(1, freedom, LEVEL)) * scale
    raw = {law: np.exp(-(cost - least[best]) / (2 * scale)) for law, cost in least.items()}
    weights = {law: float(one / sum(raw.values())) for law, one in raw.items()}
    near = costs <= costs[at] + threshold
    exponent = Interval(float(EXPONENTS[at]), float(EXPONENTS[near].min()), float(EXPONENTS[near].max()))
    factor = Interval(float(scales[at]), float(scales[near].min()), float(scales[near].max()))
    reach = np.sqrt(threshold * np.diag(covariance))
    line = {
        name: Interval(float(value), float(value - error), float(value + error))
        for name, value, error in zip("ab", linear, reach, strict=True)
    }
    curve_d = np.linspace(d[0], d[-1], 100)
    reasons = []
    if near[0] or near[-1]:
        exponent = factor = Interval()
        reasons.append("the exponent is not determined: its interval reaches the end of what was searched")
    if scale > 1:
        reasons.append(f"neither law fits to within the errors, which are scaled by {np.sqrt(scale):.2g}")
    if weights[best] < SURE:
        reasons.append(f"the points do not tell the laws apart (weight of {best}: {weights[best]:.2f})")
    return ConnectivityLaw(
        labels, source,
        law=best if weights[best] >= SURE else "undecided",
        exponent=exponent,
        parameters={"linear": line, "power": {"a": factor, "exponent": exponent}},
        weights=weights,
        curve_d=curve_d,
        curves={"linear": linear[0] + linear[1] * curve_d, "power": scales[at] * curve_d ** EXPONENTS[at]},
        reason="; ".join(reasons), **base,
    )  # fmt: skip
