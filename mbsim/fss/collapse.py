"""Data collapse: m_c and the exponents that bring the curves of all sizes onto one master curve.

The points and their errors are in `points`, the master curve in `master`, the search in `search`; whether the
points collapse is judged by `goodness`, and the errors of the parameters are those of `spread`. A collapse that
its errors refute has no exponents: then χ²/dof and its chance are stated and nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from mbsim.fss import master
from mbsim.fss.design import SAMPLES, Design, Errors, Samples, levels, need_dataset
from mbsim.fss.exponents import parameters_of, stability_of
from mbsim.fss.goodness import goodness
from mbsim.fss.interval import Label
from mbsim.fss.points import FEWEST_IN_RISE, FEWEST_PER_SIZE, Part, joined, part_of, sizes_lost, unresolved
from mbsim.fss.reasons import Reason, because, distinct
from mbsim.fss.records import Records
from mbsim.fss.request import Request, Window, request
from mbsim.fss.resample import generator
from mbsim.fss.results import Collapse
from mbsim.fss.samples import order_parameter_of
from mbsim.fss.search import Fit, again, best
from mbsim.fss.summaries import Summary, grouped, summarise

Array = NDArray[np.float64]

FEWEST_FREEDOM = 8
REFUTED = 1e-3
"""The chance of χ² below which the points do not collapse."""
PASSES = 8
"""So often the points within a scaled window are chosen anew."""


def collapse(
    ds: xr.Dataset,
    order_parameter: str | None = None,
    *,
    quantity: str | Sequence[str] = "mean",
    m_c: float | None = None,
    nu: float | None = None,
    beta: float | Mapping[str, float] | None = None,
    correction: float | Literal["fit"] | None = None,
    window: Window = None,
    scaled_window: Window = None,
    start: Mapping[str, float] | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    size: str = "N",
    control: str = "m",
    samples: Samples = SAMPLES,
    bootstrap: int = 1000,
    seed: int = 0,
    error: Errors = None,
) -> Records[Collapse]:
    """A collapse A N^(β/ν) = f((m - m_c) N^(1/ν)) for each combination of labels.

    Args:
        ds: any dataset with the order parameter over size, control, samples and any labels.
        order_parameter: its name; by default what `order_parameter_of` says.
        quantity: A: "mean", "binder", "susceptibility" or "success". Of the susceptibility β is minus γ; of
            "binder" and "success" it is fixed to zero unless given. A list of quantities is collapsed
            together, with common m_c and ν, each with a β and a master curve of its own: a record for each.
        m_c: fixed to this value; free if not given. So are nu and beta.
        nu: the exponent of the size as the dataset gives it.
        beta: the exponent of the order parameter; of several quantities {quantity: value}.
        correction: a correction to scaling, A N^(β/ν) = f(x) + N^-ω g(x), with g as flexible as f: ω, or "fit"
            to fit it too. None if not given.
        window: the values of the control to use, (from, to); all if not given. Scaling holds near m_c only.
        scaled_window: the values of x = (m - m_c) N^(1/ν) to use.
        start: {parameter: value} of "m_c", "inverse_nu", "beta_over_nu", "omega", to search from there alone.
        bounds: {parameter: (low, high)}. A parameter whose interval reaches a bound is not determined.
        size: the dimension of system sizes.
        control: the dimension along which the transition is sought.
        samples: the quenched disorder, then the replicas within it; either may be absent.
        bootstrap: the number of resamples.
        seed: of the resamples.
        error: where there are no samples, the variable of the errors of the means, their covariance or their
            draws; or {quantity: (variable, its error)}. See `mbsim.fss.given`.

    Raises:
        DatasetError: an option that is not allowed, or what `summaries` refuses.

    >>> from mbsim import fss
    >>> [found] = fss.collapse(fss.planted(), bootstrap=100)
    >>> round(found.m_c.value), round(found.nu.value, 1)
    (18, 2.0)

    Reference: S. M. Bhattacharjee and F. Seno, J. Phys. A 34, 6375 (2001); K. Harada, Phys. Rev. E 84, 056704
    (2011), on likelihood in place of a measure of overlap.
    """
    asked = request(
        quantity, beta, m_c=m_c, nu=nu, correction=correction, window=window, scaled_window=scaled_window,
        start=start, bounds=bounds,
    )  # fmt: skip
    design = Design(size, control, levels(samples), bootstrap, seed, error)
    curves = summarise(ds, order_parameter_of(need_dataset(ds), order_parameter), design)
    return Records(
        one
        for labels, group in grouped(curves, size)
        for one in collapse_of_summaries(labels, group, asked, design)
    )


def collapse_of_summaries(
    labels: dict[str, Label], summaries: list[Summary], asked: Request, design: Design
) -> list[Collapse]:
    """The collapse of the sizes of one combination of labels, a record for each quantity."""
    empty = [
        Collapse(labels, name, fixed=asked.fixed, together=asked.quantities) for name in asked.quantities
    ]
    parts = [
        part
        for name in asked.quantities
        for one in summaries
        if (part := part_of(one, name, asked.window)) is not None
    ]
    notes = distinct(note for one in summaries for note in one.ensemble.because)
    notes += tuple(sizes_lost(summaries, parts, design.size, design.control))
    fit, refused = _fit(parts, asked, design)
    if fit is None:
        return [replace(one, because=(*refused, *notes)) for one in empty]
    notes += refused
    unknown = design.error is not None and len(asked.quantities) > 1
    good = goodness(fit, len(asked.quantities) if unknown else 1)
    if unknown:
        notes += (because("quantities_of_table", most=len(asked.quantities) ** 0.5),)
    drawn = [
        replace(
            one, **_points(fit, at), chi2_per_dof=good.ratio, dof=good.freedom, p_value=good.p_value,
        )
        for at, one in enumerate(empty)
    ]  # fmt: skip
    if good.p_value < REFUTED:
        why = because("no_collapse", chi2=good.ratio, p=good.p_value, control=design.control)
        return [replace(one, because=(why, *notes)) for one in drawn]
    rng = generator(design.seed, labels)
    found, reasons = parameters_of(fit, asked, good.expected, design.bootstrap, rng)
    drawn = [replace(one, **own) for one, own in zip(drawn, found, strict=True)]
    if not reasons:
        drawn = [stability_of(one, fit, asked, at, design) for at, one in enumerate(drawn)]
    return [replace(one, because=(*reasons, *one.because, *notes)) for one in drawn]


def _fit(parts: list[Part], asked: Request, design: Design) -> tuple[Fit | None, tuple[Reason, ...]]:
    """The best collapse and what to mind, or why there is none."""
    control = design.control
    for name in asked.quantities:
        own = [part for part in parts if part.quantity == name]
        if len(own) < asked.fewest_sizes:
            return None, (_few(len(own), asked, control),)
        values, errors = (np.concatenate([getattr(one, key) for one in own]) for key in ("value", "error"))
        if np.ptp(values) < 5 * np.median(errors):
            return None, (because("flat", quantity=name),)
        narrow = unresolved(own)
        if narrow:
            coarse = because("coarse_grid", needed=FEWEST_IN_RISE, control=control, sizes=tuple(narrow))
            return None, (coarse,)
    fit = best(joined(parts, asked.quantities), asked)
    notes: tuple[Reason, ...] = ()
    if asked.scaled_window is not None:
        within, settled = _within(fit, asked)
        if within is None:
            return None, (_few(0, asked, control),)
        fit, notes = within, (() if settled else (because("window_moves"),))
    if len(fit.data.m) - fit.parameters < FEWEST_FREEDOM:
        return None, (because("coincidence", points=len(fit.data.m), parameters=fit.parameters),)
    return fit, notes


def _few(count: int, asked: Request, control: str) -> Reason:
    return because(
        "few_curves", count=count, needed=FEWEST_PER_SIZE, control=control, sizes=asked.fewest_sizes
    )


def _within(fit: Fit, asked: Request) -> tuple[Fit | None, bool]:
    """The fit of the points within the scaled window, chosen anew as parameters move, and whether it settles."""
    low, high = asked.scaled_window or (-np.inf, np.inf)
    whole, before = fit.data, np.ones(0, bool)
    for _ in range(PASSES):
        x = (whole.m - fit.theta[master.M_C]) * whole.size ** fit.theta[master.RATE]
        inside = (low <= x) & (x <= high)
        if np.array_equal(inside, before):
            return fit, True
        data = whole.within(inside)
        if min(data.counts) == 0 or len(np.unique(data.size)) < asked.fewest_sizes:
            return None, False
        fit = again(fit, data, asked) if len(before) else best(data, asked, fit.theta)
        before = inside
    return fit, False


def _points(fit: Fit, which: int) -> dict[str, Any]:
    """The scaled points of one quantity and its master curve, in units of N itself."""
    points, theta = fit.points[which], master.of_quantity(fit.theta[None], which)
    value = master.split(fit.points, fit.data.value)[which]
    coefficients, _ = master.solve(points, theta, value[None])
    (_, rate, _, height) = theta[0]
    unit_x, unit_y = fit.middle**rate, fit.middle**height
    x = master.scaled(points, theta)
    t = master.knots(x, points.functions)
    grid = np.linspace(x.min(), x.max(), 200)
    curves = coefficients[0].reshape(-1, points.functions)
    lift = points.s**height
    y = value * lift
    if points.corrected:
        y = y - master.departure(points.s, theta[0, master.OMEGA]) * (master.basis(x, t)[0] @ curves[1])
    return {
        "x": x[0] * unit_x,
        "y": y * unit_y,
        "error": points.error * lift * unit_y,
        "size": fit.middle * points.s,
        "master_x": grid * unit_x,
        "master_y": master.basis(grid[None], t)[0] @ curves[0] * unit_y,
    }
