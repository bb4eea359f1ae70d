"""Data collapse: m_c and the exponents that bring the curves of all sizes onto one master curve.

The master curve is a spline whose flexibility is chosen by likelihood (`master`); the search starts at many
places; errors come from resamples of teachers and replicas, one step of Gauss and Newton each. A collapse
that its errors refute has no exponents: then χ²/dof is stated and nothing else.
"""

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from mbsim.errors import DatasetError
from mbsim.fss import master
from mbsim.fss.design import SAMPLES, Design, need_dataset
from mbsim.fss.interval import Interval, Label
from mbsim.fss.reasons import because
from mbsim.fss.records import Records
from mbsim.fss.resampled import Resampled
from mbsim.fss.results import Collapse, Landscape
from mbsim.fss.samples import order_parameter_of
from mbsim.fss.summaries import Summary, grouped, summarise

Array = NDArray[np.float64]

QUANTITIES = ("mean", "binder", "susceptibility", "success")
FEWEST_PER_SIZE = 4
FEWEST_FREEDOM = 8
FEWEST_IN_RISE = 3
"""Of the points of a size, so many must lie between 5 and 95 % of the range of the quantity."""
FUNCTIONS = (5, 6, 8, 10, 13, 16, 20)
REFUTED = 2.0
"""χ²/dof beyond which the points do not collapse."""
INVERSE_NU = (0.02, 4.0)
BETA_OVER_NU = (-2.0, 2.0)
SCREENING, SURVIVORS = 8, 8
"""Steps from every start, and how many of the best go on."""
LANDSCAPE = 21


def collapse(
    ds: xr.Dataset,
    order_parameter: str | None = None,
    *,
    quantity: str = "mean",
    m_c: float | None = None,
    nu: float | None = None,
    beta: float | None = None,
    correction: float | None = None,
    window: tuple[float, float] | None = None,
    size: str = "N",
    control: str = "m",
    samples: tuple[str, str] = SAMPLES,
    bootstrap: int = 1000,
    seed: int = 0,
) -> Records[Collapse]:
    """A collapse A N^(β/ν) = f((m - m_c) N^(1/ν)) for each combination of labels.

    Args:
        ds: any dataset with the order parameter over size, control, samples and any labels.
        order_parameter: its name; by default what `order_parameter_of` says.
        quantity: A: "mean", "binder", "susceptibility" or "success". Of the susceptibility β is minus γ; of
            "binder" and "success" it is fixed to zero unless given.
        m_c: fixed to this value; free if not given. So are nu and beta.
        nu: the exponent of the size as the dataset gives it.
        beta: the exponent of the order parameter.
        correction: ω of a correction to scaling N^-ω, none if not given.
        window: the values of the control to use, (from, to); all if not given. Scaling holds near m_c only.
        size: the dimension of system sizes.
        control: the dimension along which the transition is sought.
        samples: the quenched disorder, then the replicas within it; either may be absent.
        bootstrap: the number of resamples.
        seed: of the resamples.

    Raises:
        DatasetError: an unknown quantity, an exponent that is not allowed, or what `summaries` refuses.

    >>> from mbsim import fss
    >>> [found] = fss.collapse(fss.planted(), bootstrap=100)
    >>> round(found.m_c.value), round(found.nu.value, 1)
    (18, 2.0)

    Reference: S. M. Bhattacharjee and F. Seno, J. Phys. A 34, 6375 (2001); K. Harada, Phys. Rev. E 84, 056704
    (2011), on likelihood in place of a measure of overlap.
    """
    if quantity not in QUANTITIES:
        raise DatasetError(f"quantity = {quantity!r}: allowed are {', '.join(QUANTITIES)}")
    if nu is not None and not nu > 0:
        raise DatasetError(f"nu = {nu:g}: must be positive")
    if beta is None and quantity in ("binder", "success"):
        beta = 0.0
    design = Design(size, control, samples, bootstrap, seed)
    curves = summarise(ds, order_parameter_of(need_dataset(ds), order_parameter), design)
    return Records(
        collapse_of_summaries(labels, group, quantity, (m_c, nu, beta), correction, window, control)
        for labels, group in grouped(curves, size)
    )


def collapse_of_summaries(
    labels: dict[str, Label],
    summaries: list[Summary],
    quantity: str,
    given: tuple[float | None, float | None, float | None],
    correction: float | None,
    window: tuple[float, float] | None,
    control: str,
) -> Collapse:
    """The collapse of the sizes of one combination of labels, with m_c, nu and beta given or None."""
    fixed = tuple(name for name, value in zip(("m_c", "nu", "beta"), given, strict=True) if value is not None)
    empty = Collapse(labels, quantity, fixed=fixed)
    parts = [_part(one, quantity, window) for one in summaries]
    kept = [part for part in parts if part is not None]
    if len(kept) < 2:
        few = because("few_curves", count=len(kept), needed=FEWEST_PER_SIZE, control=control)
        return replace(empty, because=(few,))
    m, sizes, data, error = _joined(kept)
    if np.ptp(data.estimate) < 5 * np.median(error):
        return replace(empty, because=(because("flat", quantity=quantity),))
    narrow = _unresolved(kept)
    if narrow:
        coarse = because("coarse_grid", needed=FEWEST_IN_RISE, control=control, sizes=tuple(narrow))
        return replace(empty, because=(coarse,))
    middle = float(np.exp(np.log(np.unique(sizes)).mean()))
    bounds, starts = _search_space(m, given)
    points, theta, cost = _best(m, sizes / middle, error, data.estimate, bounds, starts, correction)
    count = points.functions + (3 if correction is not None else 0) + int(bounds.free.sum())
    freedom = len(m) - count
    if freedom < FEWEST_FREEDOM:
        return replace(empty, because=(because("coincidence", points=len(m), parameters=count),))
    x = master.scaled(points, theta[None])[0] * middle ** theta[1]
    lift = sizes ** theta[2]
    grid, curve = _curve(points, theta, data.estimate, middle)
    drawn = replace(
        empty, chi2_per_dof=cost / freedom, x=x, y=data.estimate * lift, error=error * lift, size=sizes,
        master_x=grid, master_y=curve,
    )  # fmt: skip
    if cost / freedom > REFUTED:
        return replace(drawn, because=(because("no_collapse", chi2=cost / freedom, control=control),))
    fitted = data.map(lambda batch: master.one_step(points, theta, batch, data.estimate, bounds))
    return replace(drawn, **_parameters(fitted, given, bounds, points, theta, data.estimate, freedom))


def _part(
    one: Summary, quantity: str, window: tuple[float, float] | None
) -> tuple[Array, float, Resampled, Array] | None:
    """Points of one size: control, size, resampled quantity and errors; None if there are too few."""
    resampled = one.quantities.get(quantity)
    if resampled is None or one.ensemble.shape[0] < 2:
        return None
    m, (teachers, replicas) = one.ensemble.m, one.ensemble.shape
    error = resampled.both.std(axis=0) * np.sqrt(teachers / (teachers - 1))
    # Where all students agree the error is not zero: one more might differ by the whole range.
    error = np.maximum(error, np.ptp(resampled.estimate) / (teachers * max(1, replicas)))
    inside = np.isfinite(resampled.estimate) & np.isfinite(resampled.both).all(axis=0) & (error > 0)
    if window is not None:
        inside &= (m >= window[0]) & (m <= window[1])
    if inside.sum() < FEWEST_PER_SIZE:
        return None
    return m[inside], one.ensemble.size, resampled.part(inside), error[inside]


def _joined(parts: list[tuple[Array, float, Resampled, Array]]) -> tuple[Array, Array, Resampled, Array]:
    m = np.concatenate([part[0] for part in parts])
    sizes = np.concatenate([np.full(len(part[0]), part[1]) for part in parts])
    shape = min(part[2].shape[0] for part in parts), min(part[2].shape[1] for part in parts)
    curves = [part[2] for part in parts]
    data = Resampled(
        np.concatenate([one.estimate for one in curves]),
        np.concatenate([one.both for one in curves], axis=1),
        np.concatenate([one.kept for one in curves], axis=1),
        shape,
        curved=True,  # exponents follow from all of the curve, and in no linear way
    )
    return m, sizes, data, np.concatenate([part[3] for part in parts])


def _unresolved(parts: list[tuple[Array, float, Resampled, Array]]) -> list[float]:
    """Sizes whose curve the grid steps over."""
    low = min(part[2].estimate.min() for part in parts)
    span = max(part[2].estimate.max() for part in parts) - low
    inside = [np.abs((part[2].estimate - low) / span - 0.5) < 0.45 for part in parts]
    return [part[1] for part, rise in zip(parts, inside, strict=True) if rise.sum() < FEWEST_IN_RISE]


def _search_space(
    m: Array, given: tuple[float | None, float | None, float | None]
) -> tuple[master.Bounds, Array]:
    """Bounds of theta, and starts (batch, 3)."""
    m_c, nu, beta = given
    low, high = (
        np.array([m.min(), INVERSE_NU[0], BETA_OVER_NU[0]]),
        np.array([m.max(), INVERSE_NU[1], BETA_OVER_NU[1]]),
    )
    free = np.array([m_c is None, nu is None, beta is None])
    places = np.quantile(m, np.linspace(0.15, 0.85, 6)) if m_c is None else [m_c]
    rates = [0.15, 0.35, 0.7, 1.2] if nu is None else [1 / nu]
    heights = [-0.4, 0.0, 0.2] if beta is None else [0.0]
    starts = np.array(list(itertools.product(places, rates, heights)))
    for at, value in ((0, m_c), (1, None if nu is None else 1 / nu)):
        if value is not None:
            low[at], high[at] = value, value + 1e-12 * max(1.0, abs(value))
    if beta is not None:
        low[2], high[2] = -np.inf, np.inf
    return master.Bounds(low, high, free, beta), starts


def _best(
    m: Array,
    s: Array,
    error: Array,
    data: Array,
    bounds: master.Bounds,
    starts: Array,
    correction: float | None,
) -> tuple[master.Points, Array, float]:
    """The most likely flexibility of the master curve (BIC), theta and χ², from all starts."""
    best: tuple[float, master.Points, Array, float] | None = None
    for functions in FUNCTIONS:
        if best is not None and functions > len(m) / 3:
            break
        points = master.Points(m, s, error, functions, correction)
        thetas, costs = master.minimise(points, starts, data[None], bounds, SCREENING)
        thetas, costs = master.minimise(points, thetas[np.argsort(costs)[:SURVIVORS]], data[None], bounds)
        at = int(np.argmin(costs))
        score = float(costs[at]) + functions * np.log(len(m))
        if best is None or score < best[0]:
            best = score, points, thetas[at], float(costs[at])
        # Later splines start where this one ended well, and at a few of the first starts.
        starts = np.concatenate([thetas[:6], starts[:: max(1, len(starts) // 12)]])
    assert best is not None
    return best[1:]


def _parameters(
    fitted: Resampled,
    given: tuple[float | None, float | None, float | None],
    bounds: master.Bounds,
    points: master.Points,
    theta: Array,
    data: Array,
    freedom: int,
) -> dict[str, Any]:
    m_c, nu, beta = given
    at_m, rate, height = (fitted.part(at).interval() for at in range(3))
    found = {
        "m_c": Interval(m_c, m_c, m_c) if m_c is not None else at_m,
        "inverse_nu": Interval(1 / nu, 1 / nu, 1 / nu) if nu is not None else rate,
        "beta_over_nu": height,
        "nu": Interval(nu, nu, nu) if nu is not None else Interval(1 / rate.value, *_inverse(rate)),
        "beta": Interval(beta, beta, beta) if beta is not None else fitted.map(_ratio).interval(),
    }
    reasons = []
    for name, at in (("m_c", 0), ("inverse_nu", 1), ("beta_over_nu", 2)):
        interval = found[name]
        if bounds.free[at] and not (bounds.low[at] < interval.low and interval.high < bounds.high[at]):
            reasons.append(because("parameter_at_end", name=name))
            found[name] = Interval()
    if not found["inverse_nu"].known:
        found["nu"] = found["beta"] = Interval()
        if bounds.free[0]:  # curves that need no rescaling of m coincide about any m_c
            found["m_c"] = Interval()
            reasons.append(because("no_rescaling"))
    if not found["beta_over_nu"].known:
        found["beta"] = Interval() if beta is None else found["beta"]
    landscape = None
    if m_c is None and nu is None and found["m_c"].known and found["inverse_nu"].known:
        landscape = _landscape(points, theta, data, bounds, found["m_c"], found["inverse_nu"], freedom)
    return {**found, "landscape": landscape, "because": tuple(reasons)}


def _ratio(theta: Array) -> Array:
    return theta[:, 2] / theta[:, 1]


def _inverse(rate: Interval) -> tuple[float, float]:
    return 1 / rate.high, 1 / rate.low if rate.low > 0 else np.inf


def _landscape(
    points: master.Points,
    theta: Array,
    data: Array,
    bounds: master.Bounds,
    m_c: Interval,
    rate: Interval,
    freedom: int,
) -> Landscape:
    """χ²/dof about the best, four half-intervals to each side."""
    axes = []
    for at, interval in ((0, m_c), (1, rate)):
        reach = 2 * (interval.high - interval.low)
        low, high = max(theta[at] - reach, bounds.low[at]), min(theta[at] + reach, bounds.high[at])
        axes.append(np.linspace(low, high, LANDSCAPE))
    mesh = np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=-1)
    start = np.concatenate([mesh, np.full((len(mesh), 1), theta[2])], axis=1)
    only_b = bounds._replace(free=bounds.free & np.array([False, False, True]))
    _, cost = master.minimise(points, start, data[None], only_b, 6)
    return Landscape(axes[0], axes[1], cost.reshape(LANDSCAPE, LANDSCAPE) / freedom)


def _curve(points: master.Points, theta: Array, data: Array, middle: float) -> tuple[Array, Array]:
    """The master curve over a fine grid of x, in units of N itself."""
    coefficients, _ = master.solve(points, theta[None], data[None])
    x = master.scaled(points, theta[None])
    grid = np.linspace(x.min(), x.max(), 200)
    spline = master.basis(grid[None], master.knots(x, points.functions))[0]
    return grid * middle ** theta[1], spline @ coefficients[0, : points.functions] * middle ** theta[2]
