"""Theory drawn over simulation: functions that take axes and return them, and hold no global state.

A theory is a line; a simulation, points with bars of one standard error of their mean over runs, in the
colour of the line. Colours, markers and line styles are those of `mbsim.figures`.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mbsim.figures.style import COLOURS, CURVE, LINES, MARKERS, in_own_settings
from mbsim.fss.critical import Critical
from mbsim.fss.design import need_records
from mbsim.theory import checks, linear

LINE_POINTS = 200


@in_own_settings
def trajectory_figure(
    cases: Mapping[str, tuple[xr.DataArray, xr.DataArray | None]],
    ax: Axes | None = None,
    *,
    time: str = "alpha",
) -> Axes:
    """One variable against time, a theory line over the points of a simulation for each case.

    A theory array with further dimensions, such as R over units, is a line for each of their values; the
    simulation then has these dimensions too. For an error over many decades, `ax.set_yscale("log")`.

    Args:
        cases: by the name that the legend shows, a variable of a theory's dataset, and that of its simulation
            or None. What the simulation has beside the theory's dimensions are runs: teachers, replicas.
        ax: where to draw; the axes of a new figure, `ax.figure`, where not given.
        time: the dimension to draw along.

    Raises:
        TheoryError: a dimension of the theory is missing in the simulation, or `time` in either.

    >>> ds = linear.trajectory(range(0, 101, 10), lr=0.5, m=42, N=64, start=2.0)
    >>> ax = trajectory_figure({"$m$ = 42": (ds.generalization_error, None)}, time="step")
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('SGD steps', 'generalisation error, on fresh examples')
    """
    ax = _axes(ax)
    for place, (name, (theory, simulation)) in enumerate(cases.items()):
        look = place % len(COLOURS)
        _need(name, "theory", theory, {time})
        each = [dim for dim in theory.dims if dim != time]
        for index in np.ndindex(*(theory.sizes[dim] for dim in each)):
            curve = theory.isel(dict(zip(each, index, strict=True)))
            first = not any(index)
            label = name if first else None
            ax.plot(
                curve[time], curve, color=COLOURS[look], linestyle=LINES[look], linewidth=1.3, label=label
            )
            if simulation is not None:
                _need(name, "simulation", simulation, {str(dim) for dim in theory.dims})
                points = simulation.isel(dict(zip(each, index, strict=True)))
                _points(ax, points, time, {"color": COLOURS[look], "marker": MARKERS[look]})
    some = next(iter(cases.values()))[0]
    ax.set_xlabel(_words(some[time]))
    ax.set_ylabel(_words(some))
    shown = any(simulation is not None for _, simulation in cases.values())
    ax.legend(
        title="lines: theory" + ("; points: simulation, mean ± standard error" if shown else ""),
        title_fontsize="x-small",
        fontsize="small",
        frameon=False,
        handlelength=3.2,
    )
    return ax


@in_own_settings
def critical_figure(
    critical: Sequence[Critical], lr: float, ax: Axes | None = None, *, inputs: str = "sign"
) -> Axes:
    r"""Measured m_c of the linear student against N, over the closed formula.

    The solid line is m_c of the mean squared distance, the dashed one that of the typical run.

    Args:
        critical: records with a label N, such as those of `fss.midpoint`; any without a number is left out.
        lr: eta, in the theory's normalisation.
        ax: where to draw; the axes of a new figure where not given.
        inputs: "sign" or "normal".

    Raises:
        TheoryError: no record has a number; lr is not between 0 and 2, where there is an m_c.
        DatasetError: `critical` holds no records.

    >>> measured = [Critical({"N": N}, N / 3, N / 3 - 1, N / 3 + 1, "undecided", "midpoint") for N in (64, 128)]
    >>> critical_figure(measured, lr=0.5).get_title()
    'linear student, $\\eta$ = 0.5, ±1 inputs'
    """
    critical = need_records(critical, "critical", "mbsim.fss.midpoint(ds)")
    checks.positive(lr=lr)
    if lr >= 2:
        raise checks.TheoryError(f"lr = {lr}: must be below 2, for from there on no batch is large enough")
    measured = [record for record in critical if math.isfinite(record.m_c) and "N" in record.labels]
    if not measured:
        raise checks.TheoryError("no record has both a label N and a measured m_c")
    ax = _axes(ax)
    sizes = np.array([float(record.labels["N"]) for record in measured])
    m_c = np.array([record.m_c for record in measured])
    ends = np.array([[record.low, record.high] for record in measured]).T
    bars = np.nan_to_num(np.abs(ends - m_c))
    N = np.linspace(0.8 * sizes.min(), 1.1 * sizes.max(), LINE_POINTS)
    less, typical = ("-1", "-1-2\\eta") if inputs == "sign" else ("+1", "+1-2\\eta")  # kappa is N, or N + 2
    formulas = (
        (linear.critical_batch_size, "-", rf"$\eta(N{less})/(2-\eta)$, mean"),
        (linear.typical_critical_batch_size, "--", rf"$\eta(N{typical})/(2-\eta)$, typical run"),
    )
    for formula, style, label in formulas:
        values = [formula(lr, size, inputs) for size in N]
        ax.plot(N, values, color=COLOURS[0], linestyle=style, linewidth=1.3, label=label)
    points: dict[str, Any] = {"color": COLOURS[1], "marker": MARKERS[0], "linestyle": "none", **CURVE}
    ax.errorbar(sizes, m_c, yerr=bars, label="measured, midpoint, 95 % interval", **points)
    ax.set_xlabel("inputs, $N$")
    ax.set_ylabel("critical mini-batch size, $m_c$")
    ax.set_title(rf"linear student, $\eta$ = {lr:g}, {'±1' if inputs == 'sign' else inputs} inputs")
    ax.legend(fontsize="small", frameon=False)
    return ax


def _axes(ax: Axes | None) -> Axes:
    return Figure(figsize=(5.6, 4.2), layout="constrained").add_subplot() if ax is None else ax


def _need(name: str, kind: str, values: xr.DataArray, dims: set[str]) -> None:
    missing = sorted(dims - {str(dim) for dim in values.dims})
    if missing:
        raise checks.TheoryError(f"{name}: the {kind} has no dimension {', '.join(missing)}")


def _points(ax: Axes, values: xr.DataArray, time: str, style: Mapping[str, Any]) -> None:
    """Mean over runs with one standard error; a single run has no bar."""
    runs = values.transpose(time, ...).to_numpy().reshape(values.sizes[time], -1)
    count = runs.shape[1]
    bars = runs.std(axis=1, ddof=1) / math.sqrt(count) if count > 1 else None
    ax.errorbar(values[time], runs.mean(axis=1), yerr=bars, linestyle="none", **style, **CURVE)


def _words(values: xr.DataArray) -> str:
    """The long name, or the name where there is none, and the units if it has any."""
    units = values.attrs.get("units", "1")
    return str(values.attrs.get("long_name", values.name)) + (f" ({units})" if units not in ("", "1") else "")
