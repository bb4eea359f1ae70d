"""Figures of what lies behind m_c: relaxation, the length of the run, teachers, windows; and the settings of all."""

from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from matplotlib.container import ErrorbarContainer

from mbsim import figures, fss
from mbsim.errors import DatasetError
from mbsim.figures.style import written
from mbsim.figures.teachers import between_teachers

TIMES = np.array([0, 1, 10, 100])
GRID = np.arange(10, 27)


@pytest.fixture(scope="module")
def ds():
    """q(t) = 1 - exp(-t m / 180) of two sizes, with teachers that differ."""
    rng = np.random.default_rng(3)
    shape = (2, 4, 8, len(GRID), len(TIMES))
    own = 0.1 * rng.normal(size=(2, 4, 1, 1, 1)) + 0.02 * rng.normal(size=shape)
    values = 1 - np.exp(-TIMES * GRID[:, None] / 180) + own
    time = ("time", TIMES, {"long_name": "time", "units": "sweep"})
    dims = ("N", "teacher", "replica", "m", "time")
    return xr.Dataset(
        {"overlap": (dims, values), "overlap_mean": (dims[:-1], values[..., -1])},
        coords={"N": [64, 128], "m": GRID, "time": time},
    )


def curves(ax):
    return [one for one in ax.containers if isinstance(one, ErrorbarContainer)]


def names(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_relaxation_shows_the_mean_at_each_time_and_m_that_was_asked_for(ds):
    ax = figures.relaxation_figure(ds.sel(N=64), controls=[12, 20.2])
    assert names(ax) == ["$m$ = 12", "$m$ = 20"]
    for m, bar in zip((12, 20), curves(ax), strict=True):
        chosen = ds["overlap"].sel(N=64, m=m).isel(time=slice(1, None))  # log t has no zero
        np.testing.assert_allclose(bar[0].get_xdata(), TIMES[1:])
        np.testing.assert_allclose(bar[0].get_ydata(), chosen.mean(["teacher", "replica"]))
    assert (ax.get_xscale(), ax.get_xlabel()) == ("log", "time $t$ (sweeps)")


def test_relaxation_is_drawn_about_m_c_where_that_is_known(ds):
    found = [fss.Critical({"N": 64}, 18.2, 18.0, 18.4, "undecided", "midpoint", "overlap_mean")]
    drawn = [
        float(name.split("= ")[1]) for name in names(figures.relaxation_figure(ds.sel(N=64), critical=found))
    ]
    assert 18 in drawn and min(drawn) < 18 < max(drawn)
    other = [replace(found[0], labels={"N": 128}, m_c=11.0)]
    assert names(figures.relaxation_figure(ds.sel(N=64), critical=other)) == names(
        figures.relaxation_figure(ds.sel(N=64))
    )
    with pytest.raises(DatasetError, match="N has 2 values, and a panel shows one: select it first"):
        figures.relaxation_figure(ds)


def test_m_c_over_time_is_that_of_the_records_without_the_times_that_have_none():
    t = np.array([1.0, 10.0, 100.0])
    one = fss.OverTime(
        {"N": 64}, "midpoint", "q", "sweep", t, np.array([np.nan, 19.0, 18.0]), t * np.nan, t * np.nan
    )
    ax = figures.over_time_figure([one, replace(one, labels={"N": 128}, low=one.m_c - 1, high=one.m_c + 2)])
    first, second = curves(ax)
    np.testing.assert_allclose(first[0].get_xydata(), [(10, 19), (100, 18)])
    ends = [segment[:, 1] for segment in second[2][0].get_segments()]
    np.testing.assert_allclose(ends, [(18, 21), (17, 20)])
    assert names(ax) == ["$N$ = 64", "$N$ = 128"]
    lost = replace(one, m_c=one.m_c * np.nan, because=(fss.note("no rise"),))
    assert figures.over_time_figure([lost]).texts[0].get_text() == "no rise"


def test_each_teacher_has_its_line_about_the_mean_and_the_band_is_the_chance_of_replicas(ds):
    ax = figures.teacher_figure(ds.sel(N=128))
    lines = [line.get_ydata() for line in ax.lines if line.get_marker() == "."]
    own = ds["overlap_mean"].sel(N=128)
    np.testing.assert_allclose(lines, own.mean("replica") - own.mean(["teacher", "replica"]), atol=1e-12)
    [band] = ax.collections
    half = np.abs(band.get_paths()[0].vertices[:, 1]).max()
    error = np.sqrt((own.var("replica", ddof=1) / 8).mean("teacher"))
    assert half == pytest.approx(1.96 * float(error.max()))


def test_the_scatter_between_teachers_is_told_apart_from_that_of_their_replicas():
    rng = np.random.default_rng(0)
    students = 0.3 * rng.normal(size=(600, 1, 2)) * [1, 0] + rng.normal(size=(600, 20, 2))
    found = between_teachers(students)
    assert found[0] == pytest.approx(0.3, rel=0.1)
    assert found[1] < 0.07  # 1/√20 = 0.22 is the chance of replicas
    students[::3, ::2] = np.nan
    assert between_teachers(students)[0] == pytest.approx(0.3, rel=0.15)
    assert np.isnan(between_teachers(students[:1])).all()
    assert np.isnan(between_teachers(students[:, :1])).all()


def test_a_window_without_m_c_is_said_to_have_none():
    whole = fss.Critical({}, 18.0, 17.5, 18.5, "undecided", "midpoint", statistical=(17.8, 18.2))
    none = replace(whole, m_c=np.nan, low=np.nan, high=np.nan)
    ax = figures.window_figure([(2, 40), (15, 22), (17, 19)], [whole, replace(whole, m_c=18.1), none])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["2 to 40", "15 to 22", "17 to 19"]
    assert [text.get_text() for text in ax.texts] == ["not seen"]
    total, inner = curves(ax)
    np.testing.assert_allclose(total[2][0].get_segments()[0][:, 0], [17.5, 18.5])
    np.testing.assert_allclose(inner[2][0].get_segments()[0][:, 0], [17.8, 18.2])


def test_figures_do_not_depend_on_a_matplotlibrc_that_cannot_draw(ds):
    """LaTeX is asked for where there is none, as in a matplotlibrc that came from another machine."""
    critical = fss.midpoint(ds, bootstrap=50)
    with mpl.rc_context({"text.usetex": True, "font.size": 30, "text.latex.preamble": r"\usepackage{none}"}):
        figure = figures.order_parameter_panels(ds, critical)
        assert written(figure, "png").startswith(b"\x89PNG")
        alone = figures.summary_figure(fss.summaries(ds, bootstrap=50)).figure
        assert written(alone, "svg").startswith(b"<?xml")
        assert mpl.rcParams["text.usetex"]  # and leave it as it was
        mine = mpl.figure.Figure().add_subplot()
        assert figures.teacher_figure(ds.sel(N=64), mine).xaxis.label.get_usetex()


def test_m_c_of_an_estimator_that_tells_no_value_is_marked_on_the_line_through_the_points(ds):
    steep = fss.Critical({"N": 64}, 18.25, 18.0, 18.5, "undecided", "steepest")
    mean = ds["overlap_mean"].sel(N=64).mean(["teacher", "replica"])
    expected = float(mean.interp(m=18.25))
    found = fss.summaries(ds.sel(N=[64]), bootstrap=50)
    for ax in (
        figures.order_parameter_figure(ds.sel(N=[64]), [steep]),
        figures.summary_figure(found, critical=[steep]),
    ):
        [ring] = [line for line in ax.lines if line.get_markerfacecolor() == "none"]
        np.testing.assert_allclose(ring.get_xydata(), [(18.25, expected)])
