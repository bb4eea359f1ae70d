"""Figures of theory over simulation draw the numbers that they were given."""

import math

import numpy as np
import pytest
import xarray as xr
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure

from mbsim.figures.theory import critical_figure, trajectory_figure
from mbsim.fss import Critical
from mbsim.theory import TheoryError, committees, linear
from mbsim.theory.order_parameters import OrderParameters

TIMES = np.linspace(0, 4, 9)
RECORDS = [
    Critical({"N": 64, "d": 1}, 20.5, 20.0, 21.5, "undecided", "midpoint"),
    Critical({"N": 128, "d": 1}, 42.0, math.nan, math.nan, "undecided", "midpoint"),
    Critical({"N": 256, "d": 1}, math.nan, math.nan, math.nan, "none", "midpoint"),
]


@pytest.fixture(scope="module")
def theory():
    start = OrderParameters(0.5 * np.eye(2), 0.2 * np.eye(2), np.eye(2))
    return committees.trajectory(start, TIMES, lr=0.5, m=4)


@pytest.fixture(scope="module")
def simulation(theory):
    """R of three replicas of two teachers at every other time, time last."""
    noise = np.random.default_rng(0).normal(0, 0.01, (2, 3, 2, 2, 5))
    R = theory.R.isel(alpha=slice(None, None, 2)).transpose("student_unit", "teacher_unit", "alpha")
    return R.expand_dims(teacher=2, replica=3) + noise


def bars(ax):
    return [bar for bar in ax.containers if isinstance(bar, ErrorbarContainer)]


def test_lines_are_the_theory_and_points_the_mean_of_the_runs(theory, simulation):
    ax = trajectory_figure({"$m$ = 4": (theory.R, simulation)})
    lines = [line for line in ax.lines if len(line.get_xdata()) == len(TIMES)]
    assert len(lines) == len(bars(ax)) == 4
    for (i, n), line, bar in zip(np.ndindex(2, 2), lines, bars(ax), strict=True):
        np.testing.assert_array_equal(line.get_ydata(), theory.R[:, i, n])
        runs = simulation[:, :, i, n].to_numpy().reshape(6, 5)
        np.testing.assert_array_equal(bar[0].get_xdata(), TIMES[::2])
        np.testing.assert_allclose(bar[0].get_ydata(), runs.mean(axis=0))
        half = [np.ptp(segment[:, 1]) / 2 for segment in bar[2][0].get_segments()]
        np.testing.assert_allclose(half, runs.std(axis=0, ddof=1) / math.sqrt(6))
        assert line.get_color() == bar[0].get_color()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["$m$ = 4"]
    assert ax.get_xlabel() == "time, steps / $N$"
    assert ax.get_ylabel() == "student-teacher overlap, $R$"


def test_theory_alone_and_on_axes_that_are_given(theory):
    ax = Figure().add_subplot()
    cases = {"one": (theory.generalization_error, None), "two": (2 * theory.generalization_error, None)}
    assert trajectory_figure(cases, ax) is ax
    assert len(ax.lines) == 2 and not bars(ax)
    assert ax.get_legend().get_title().get_text() == "lines: theory"
    assert len({(line.get_color(), line.get_linestyle()) for line in ax.lines}) == 2


def test_a_simulation_of_something_else_is_refused(theory, simulation):
    with pytest.raises(TheoryError, match="m = 4: the simulation has no dimension student_unit"):
        trajectory_figure({"m = 4": (theory.R, simulation.isel(student_unit=0))})
    with pytest.raises(TheoryError, match="m = 4: the theory has no dimension step"):
        trajectory_figure({"m = 4": (theory.R, None)}, time="step")


def test_measured_critical_sizes_lie_over_the_formula():
    ax = critical_figure(RECORDS, 0.5)
    mean, typical = (line for line in ax.lines if len(line.get_xdata()) > 10)
    sizes = mean.get_xdata()
    assert sizes.min() < 64 and sizes.max() > 128
    np.testing.assert_allclose(mean.get_ydata(), [linear.critical_batch_size(0.5, N) for N in sizes])
    np.testing.assert_allclose(mean.get_ydata() - typical.get_ydata(), 1 / 3)
    [bar] = bars(ax)
    np.testing.assert_array_equal(bar[0].get_xydata(), [[64, 20.5], [128, 42.0]])
    first, second = (segment[:, 1] for segment in bar[2][0].get_segments())
    np.testing.assert_allclose(first, [20.0, 21.5])
    np.testing.assert_allclose(second, [42.0, 42.0])
    assert ax.get_title() == r"linear student, $\eta$ = 0.5, ±1 inputs"


def test_without_a_measured_number_or_a_finite_formula_there_is_no_figure():
    with pytest.raises(TheoryError, match="no record has both a label N and a measured m_c"):
        critical_figure(RECORDS[2:], 0.5)
    with pytest.raises(TheoryError, match=r"lr = 2\.0: must be below 2"):
        critical_figure(RECORDS, 2.0)


def test_a_curve_of_the_linear_student_is_drawn_along_its_steps():
    ds = linear.trajectory(np.arange(5), lr=0.5, m=30, N=64, start=2.0)
    one_run = xr.DataArray([2.0, 1.0], dims="step", coords={"step": [0, 4]})
    ax = trajectory_figure({"mean": (ds.squared_distance, one_run)}, time="step")
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), ds.squared_distance)
    np.testing.assert_array_equal(bars(ax)[0][0].get_xydata(), [[0, 2.0], [4, 1.0]])
    assert not bars(ax)[0].has_yerr
