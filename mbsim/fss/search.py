"""The search for the best collapse: where it starts, within which bounds, and how flexible the master curve is."""

import itertools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mbsim.fss import master
from mbsim.fss.points import Data
from mbsim.fss.request import BOUNDS, Request

Array = NDArray[np.float64]

FUNCTIONS = (5, 6, 7, 8, 10, 12, 16, 20)
"""Splines that are tried, by their number of functions; at most a third of the points of a quantity."""
PATIENCE = 2
"""So many splines in a row may be less likely than the best before the search ends."""
SCREENING, SURVIVORS = 8, 6
"""Steps from every start, and how many of the best go on."""
RATES, HEIGHTS, OMEGAS = (0.15, 0.35, 0.7, 1.2), (-0.4, 0.0, 0.2), (0.4, 1.0, 2.0)
"""Starts of 1/ν, β/ν and ω."""


class Fit(NamedTuple):
    """The best collapse: points of each quantity, theta (parameter,), bounds, data and χ².

    middle: the size that relative sizes refer to.
    """

    points: tuple[master.Points, ...]
    theta: Array
    bounds: master.Bounds
    data: Data
    cost: float
    middle: float

    @property
    def parameters(self) -> int:
        """The number of parameters, coefficients of the master curves among them."""
        splines = sum(one.functions * (2 if one.corrected else 1) for one in self.points)
        return splines + int(self.bounds.free.sum())


def bounds_of(data: Data, asked: Request) -> master.Bounds:
    """Bounds of theta."""
    count = len(asked.quantities)
    ends = [
        asked.bounds.get("m_c", (float(data.m.min()), float(data.m.max()))),
        asked.bounds.get("inverse_nu", BOUNDS["inverse_nu"]),
        asked.bounds.get("omega", BOUNDS["omega"]),
        *[asked.bounds.get("beta_over_nu", BOUNDS["beta_over_nu"])] * count,
    ]
    low, high = np.array(ends, float).T.copy()
    fixed = [asked.m_c, None if asked.nu is None else 1 / asked.nu]
    fixed.append(None if asked.correction == "fit" else float(asked.correction or 1.0))
    free = np.ones(3 + count, bool)
    for at, value in enumerate(fixed):
        if value is not None:
            low[at] = high[at] = value
            free[at] = False
    beta = np.array([asked.beta.get(name, np.nan) for name in asked.quantities])
    given = np.concatenate([np.zeros(3, bool), np.isfinite(beta)])
    low[given], high[given] = -np.inf, np.inf
    return master.Bounds(low, high, free & ~given, beta)


def starts_of(data: Data, asked: Request, bounds: master.Bounds) -> Array:
    """Starts of theta, (start, parameter); ω has one, as those come once the rest is known."""

    def places(name: str, at: int, values: NDArray[np.float64]) -> NDArray[np.float64]:
        if name in asked.start:
            return np.array([asked.start[name]])
        inside = values[(values > bounds.low[at]) & (values < bounds.high[at])]
        return inside if len(inside) else np.array([(bounds.low[at] + bounds.high[at]) / 2])

    quantiles = np.quantile(data.m, np.linspace(0.15, 0.85, 6))
    m_c = places("m_c", master.M_C, quantiles)
    rates = places("inverse_nu", master.RATE, np.array(RATES))
    heights = places("beta_over_nu", master.HEIGHT, np.array(HEIGHTS))
    if not bounds.free[master.HEIGHT :].any():
        heights = np.zeros(1)
    omega = asked.start.get("omega", min(max(1.0, bounds.low[master.OMEGA]), bounds.high[master.OMEGA]))
    count = len(asked.quantities)
    starts = [[*at, omega, *[height] * count] for *at, height in itertools.product(m_c, rates, heights)]
    return np.array(starts)


def best(data: Data, asked: Request, near: Array | None = None) -> Fit:
    """The most likely collapse, by BIC over the flexibility of the master curve; from `near` if it is given.

    With a correction to scaling it is AIC, which allows more: a master curve that is a little too stiff bends ω.
    """
    bounds = bounds_of(data, asked)
    middle = float(np.exp(np.log(np.unique(data.size)).mean()))
    starts = starts_of(data, asked, bounds) if near is None else near[None]
    ends = np.cumsum(data.counts)
    found: Fit | None = None
    score, worse = np.inf, 0
    for functions in FUNCTIONS:
        if found is not None and (functions > min(data.counts) / 3 or worse >= PATIENCE):
            break
        points = tuple(
            master.Points(
                data.m[end - count : end], data.size[end - count : end] / middle,
                data.error[end - count : end], functions,
            )
            for end, count in zip(ends, data.counts, strict=True)
        )  # fmt: skip
        thetas, costs = _descend(points, starts, data, bounds.holding(master.OMEGA))
        if asked.correction is not None:
            points = tuple(one._replace(corrected=True) for one in points)
            thetas, costs = _descend(points, _with_omegas(thetas[:3], asked, bounds), data, bounds)
        fit = Fit(points, thetas[0], bounds, data, float(costs[0]), middle)
        price = 2.0 if asked.correction is not None else np.log(len(data.m))
        here = fit.cost + fit.parameters * price
        if here < score:
            score, found, worse = here, fit, 0
        else:
            worse += 1
        # Later splines start where this one ended well, and at a few of the first starts.
        starts = np.concatenate([thetas[:3], starts[:: max(1, len(starts) // 6)]])
    assert found is not None
    return found


def again(fit: Fit, data: Data, asked: Request) -> Fit:
    """The fit of other points from where this one ended, with master curves as flexible."""
    bounds = bounds_of(data, asked)
    ends = np.cumsum(data.counts)
    points = tuple(
        one._replace(
            m=data.m[end - count : end], s=data.size[end - count : end] / fit.middle,
            error=data.error[end - count : end],
        )
        for one, end, count in zip(fit.points, ends, data.counts, strict=True)
    )  # fmt: skip
    thetas, costs = master.minimise(points, fit.theta[None], data.value[None], bounds)
    return Fit(points, thetas[0], bounds, data, float(costs[0]), fit.middle)


def _descend(
    points: tuple[master.Points, ...], starts: Array, data: Data, bounds: master.Bounds
) -> tuple[Array, Array]:
    """Where the best of the starts end, best first, and χ² there."""
    thetas, costs = starts, np.zeros(len(starts))
    for iterations, count in ((SCREENING, SURVIVORS), (master.ITERATIONS, SURVIVORS)):
        thetas, costs = master.minimise(points, thetas, data.value[None], bounds, iterations)
        order = np.argsort(costs)[:count]
        thetas, costs = thetas[order], costs[order]
    return thetas, costs


def _with_omegas(thetas: Array, asked: Request, bounds: master.Bounds) -> Array:
    """Each theta with every start of ω."""
    if not bounds.free[master.OMEGA]:
        omegas = [bounds.low[master.OMEGA]]
    elif "omega" in asked.start:
        omegas = [asked.start["omega"]]
    else:
        omegas = [one for one in OMEGAS if bounds.low[master.OMEGA] < one < bounds.high[master.OMEGA]]
    many = np.repeat(thetas, len(omegas), axis=0)
    many[:, master.OMEGA] = np.tile(omegas, len(thetas))
    return many
