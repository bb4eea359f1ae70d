"""The parameters of a collapse with their intervals, what of them is determined, and whether they are stable."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mbsim.fss import master
from mbsim.fss.design import Design
from mbsim.fss.goodness import goodness
from mbsim.fss.interval import UNKNOWN, Interval
from mbsim.fss.landscape import landscape
from mbsim.fss.reasons import Reason, because
from mbsim.fss.request import PARAMETERS, Request
from mbsim.fss.resample import generator
from mbsim.fss.results import Collapse, CollapseStability
from mbsim.fss.search import Fit, again
from mbsim.fss.spread import Spread, spread

Array = NDArray[np.float64]


def parameters_of(
    fit: Fit, asked: Request, expected: float, bootstrap: int, rng: np.random.Generator
) -> tuple[list[dict[str, Any]], tuple[Reason, ...]]:
    """Fields of the record of each quantity, and why some of them hold nothing."""
    fit, found, reasons = _spread(fit, bootstrap, rng)
    for at, name in _places(asked):
        if not fit.bounds.free[at]:
            continue
        interval, low, high = found.of(at), fit.bounds.low[at], fit.bounds.high[at]
        if not (low < interval.low and interval.high < high):
            end = because("parameter_at_end", name=name, low=low, high=high)
            return [_fixed(asked, which) for which in range(len(asked.quantities))], (*reasons, end)
    count = len(fit.theta)
    m_c = _given(asked.m_c) if asked.m_c is not None else (UNKNOWN if reasons else found.of(master.M_C))
    rate = found.of(master.RATE) if asked.nu is None else _given(1 / asked.nu)
    drawn_over = landscape(fit, m_c, rate, expected) if fit.bounds.free[:2].all() else None
    records = []
    for which, name in enumerate(asked.quantities):
        columns = [master.M_C, master.RATE, master.HEIGHT + which]
        columns += [master.OMEGA] if asked.correction is not None else []
        draws = np.stack([found.stretched(at) for at in columns], axis=-1)
        beta = found.of(count + which) if name not in asked.beta else _given(asked.beta[name])
        own: dict[str, Any] = {
            "m_c": m_c,
            "inverse_nu": rate,
            "beta_over_nu": found.of(master.HEIGHT + which),
            "nu": _inverse(rate) if asked.nu is None else _given(asked.nu),
            "beta": beta if rate.low > 0 or name in asked.beta else UNKNOWN,
            "omega": found.of(master.OMEGA) if asked.correction is not None else UNKNOWN,
            "landscape": drawn_over,
        }
        if not reasons:
            own |= {
                "parameters": PARAMETERS[: len(columns)],
                "draws": draws,
                "covariance": np.cov(draws, rowvar=False),
            }
        records.append(own)
    return records, reasons


def stability_of(record: Collapse, fit: Fit, asked: Request, which: int, design: Design) -> Collapse:
    """The record with its parameters after dropping the smallest sizes, and what moves."""
    found: list[CollapseStability] = []
    reasons: list[Reason] = []
    for smallest in np.unique(fit.data.size)[1 : 1 - asked.fewest_sizes].tolist():
        without = again(fit, fit.data.within(fit.data.size >= smallest), asked)
        if len(without.data.m) <= without.parameters:
            break
        without, numbers, lost = _spread(without, design.bootstrap, generator(design.seed, record.labels))
        places = (master.M_C, master.RATE, master.HEIGHT + which)
        m_c, *others = (numbers.of(at) for at in places)
        intervals = [UNKNOWN if lost else m_c, *others]
        found.append(
            CollapseStability(smallest, intervals[0], others[0], others[1], goodness(without).p_value)
        )
        for name, at, interval in zip(PARAMETERS, places, intervals, strict=False):
            value = getattr(record, name).value
            if fit.bounds.free[at] and interval.known and not interval.low <= value <= interval.high:
                moved = because("collapse_moves", name=name, interval=interval, smallest=smallest)
                reasons.append(moved)
    return replace(record, stability=tuple(found), because=(*record.because, *reasons))


def _spread(fit: Fit, bootstrap: int, rng: np.random.Generator) -> tuple[Fit, Spread, tuple[Reason, ...]]:
    """Theta with β of each quantity behind it, and m_c held in the middle where 1/ν may be 0."""

    def numbers(theta: Array) -> Array:
        rate = theta[:, master.RATE, None]
        ratio = theta[:, master.HEIGHT :] / np.where(rate == 0, np.finfo(float).tiny, rate)
        return np.concatenate([theta, ratio], axis=1)

    state = rng.bit_generator.state
    found = spread(fit, numbers, bootstrap, rng)
    rate = found.of(master.RATE)
    if not (fit.bounds.free[:2].all() and rate.low <= 0):
        return fit, found, ()
    # Where nothing is rescaled χ² does not depend on m_c, and its draws would spoil the others.
    theta = fit.theta.copy()
    theta[master.M_C] = np.median(fit.data.m)
    held = fit.bounds.holding(master.M_C)
    thetas, costs = master.minimise(fit.points, theta[None], fit.data.value[None], held)
    fit = fit._replace(theta=thetas[0], cost=float(costs[0]), bounds=held)
    rng.bit_generator.state = state
    return fit, spread(fit, numbers, bootstrap, rng), (because("no_rescaling"),)


def _places(asked: Request) -> list[tuple[int, str]]:
    """Places in theta and the names of the parameters there."""
    heights = [(master.HEIGHT + which, "beta_over_nu") for which in range(len(asked.quantities))]
    return [(master.M_C, "m_c"), (master.RATE, "inverse_nu"), (master.OMEGA, "omega"), *heights]


def _fixed(asked: Request, which: int) -> dict[str, Interval]:
    """What the caller gave, which is all that is known."""
    name = asked.quantities[which]
    return {
        "m_c": UNKNOWN if asked.m_c is None else _given(asked.m_c),
        "nu": UNKNOWN if asked.nu is None else _given(asked.nu),
        "inverse_nu": UNKNOWN if asked.nu is None else _given(1 / asked.nu),
        "beta": _given(asked.beta[name]) if name in asked.beta else UNKNOWN,
    }


def _given(value: float) -> Interval:
    return Interval(value, value, value)


def _inverse(rate: Interval) -> Interval:
    return Interval(1 / rate.value, 1 / rate.high, 1 / rate.low) if rate.low > 0 else UNKNOWN
