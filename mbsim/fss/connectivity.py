"""m_c against the connectivity d: linear, m_c = a + b d, or a power, m_c = a d^p.

The points are m_c(∞) where the sizes give it, otherwise m_c at one size. Both laws have two parameters, so
that their weights follow from χ² alone. The errors of m_c are often far smaller than what neither law can
follow: where the better law fits badly, all errors are scaled by √(χ²/dof) (R. T. Birge), with the quantile
of Student's law, as few points tell the scale; the reason says so. Where χ² refutes both laws, no law and no
exponent are stated.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, chdtri, fdtri

from mbsim.fss.critical import Critical
from mbsim.fss.design import need_each_once, need_name
from mbsim.fss.interval import Interval, Label
from mbsim.fss.laws import ConnectivityLaw, Extrapolation
from mbsim.fss.reasons import because
from mbsim.fss.records import Records

Array = NDArray[np.float64]

FEWEST_POINTS = 3
EXPONENTS = np.linspace(-1, 5, 6001)
LEVEL, SURE = 0.95, 0.95
BAD_FIT = 1e-3
"""A law whose χ² is less probable than this is refused."""


def connectivity_law(
    critical: Sequence[Critical] | Sequence[Extrapolation], *, size: str = "N", connectivity: str = "d"
) -> Records[ConnectivityLaw]:
    """The law of m_c against d, for each estimator and each size (records) or of m_c(∞) (extrapolations).

    Args:
        critical: records with `connectivity` among their labels; those without a number and an interval are
            left out. Crossings, which belong to two sizes, are passed over.
        size: the label of the size. Of records, the largest size that has every d that has a number.
        connectivity: the label of d.

    Returns:
        One law for each estimator and each combination of other labels; three values of d are needed.

    Raises:
        DatasetError: `critical` holds no records, or two of the same labels.

    >>> from mbsim import fss
    >>> points = [fss.Critical({"N": 64, "d": d}, d**2, d**2 - 0.2, d**2 + 0.2, "undecided", "midpoint", "q")
    ...           for d in (3, 5, 7, 9)]
    >>> fss.connectivity_law(points)
    [<ConnectivityLaw law power, d^x with x = 2.000 (1.990 to 2.010), m_c at N = 64, midpoint of q>]
    """
    need_name("size", size)
    need_name("connectivity", connectivity)
    groups: dict[tuple[str, str, tuple[tuple[str, Label], ...]], list[Critical | Extrapolation]] = {}
    for record in need_each_once(critical, "critical", "mbsim.fss.estimates(ds)"):
        if connectivity in record.labels and f"{size}_next" not in record.labels:
            others = {k: v for k, v in record.labels.items() if k not in (size, connectivity)}
            key = record.estimator, record.order_parameter, tuple(others.items())
            groups.setdefault(key, []).append(record)
    return Records(
        _one(ConnectivityLaw(dict(others), estimator, order_parameter, size), group, connectivity)
        for (estimator, order_parameter, others), group in groups.items()
    )


def _one(empty: ConnectivityLaw, group: list[Critical | Extrapolation], connectivity: str) -> ConnectivityLaw:
    points: dict[float, dict[float, Interval]] = {}
    for one in group:
        if isinstance(one, Critical):
            interval, here = one.interval, float(one.labels.get(empty.size, np.inf))
        else:
            interval, here = one.m_c, np.inf
        if np.isfinite(interval.value) and np.isfinite(interval.high - interval.low):
            points.setdefault(here, {})[float(one.labels[connectivity])] = interval
    if not points:
        return replace(empty, because=(because("no_degree", connectivity=connectivity),))
    chosen = max(points, key=lambda here: (len(points[here]), here))
    d = np.array(sorted(points[chosen]))
    m_c, low, high = np.array([points[chosen][at] for at in d]).T
    base = replace(empty, at=chosen, d=d, m_c=m_c, low=low, high=high)
    if len(d) < FEWEST_POINTS:
        few = because("few_degrees", count=len(d), connectivity=connectivity, needed=FEWEST_POINTS)
        return replace(base, because=(few,))
    return _fitted(base, np.maximum((high - low) / (2 * 1.96), 1e-9))


def _fitted(base: ConnectivityLaw, errors: Array) -> ConnectivityLaw:
    """Both laws through the points of `base`, with these standard errors."""
    d, m_c = base.d, base.m_c
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
    base = replace(base, chi2_per_dof=least[best] / freedom)
    if chdtrc(freedom, least[best]) < BAD_FIT:
        return replace(base, because=(because("neither_fits", chi2=base.chi2_per_dof, law=best),))
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
        reasons.append(because("exponent_at_end"))
    if scale > 1:
        reasons.append(because("errors_scaled", factor=float(np.sqrt(scale))))
    if weights[best] < SURE:
        reasons.append(because("laws_of_degree", law=best, weight=weights[best]))
    return replace(
        base,
        law=best if weights[best] >= SURE else "undecided",
        exponent=exponent,
        parameters={"linear": line, "power": {"a": factor, "exponent": exponent}},
        weights=weights,
        curve_d=curve_d,
        curves={"linear": linear[0] + linear[1] * curve_d, "power": scales[at] * curve_d ** EXPONENTS[at]},
        because=tuple(reasons),
    )
