"""The figures show the data, the errors and m_c that they were given, legibly, without global state."""

import subprocess
import sys

import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import same_color
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure

from mbsim import fss
from mbsim.errors import DatasetError
from mbsim.figures import COLOURS, LINES, MARKERS, order_parameter_figure, order_parameter_panels
from mbsim.fss import resample

GRID = np.arange(10, 27)


@pytest.fixture(scope="module")
def ds():
    """Three sizes, two in-degrees: at d = 3 the rise lies beyond the grid, at d = 5 N = 256 did not run."""
    rng = np.random.default_rng(0)
    m_c = np.array([[40.0, 17.0], [40.0, 17.5], [40.0, 18.0]])[:, :, None, None, None]
    own = m_c + 0.3 * rng.normal(size=(3, 2, 4, 1, 1))
    values = 0.2 + 0.8 / (1 + np.exp(-(GRID - own))) + 0.05 * rng.normal(size=(3, 2, 4, 8, len(GRID)))
    values[2, 1] = np.nan
    overlap = (("N", "d", "teacher", "replica", "m"), values, {"long_name": "bulk overlap", "units": "1"})
    m = ("m", GRID, {"long_name": "mini-batch size", "units": "1"})
    return xr.Dataset(
        {"overlap_mean": overlap},
        coords={"N": [64, 128, 256], "d": [3, 5], "m": m, "init_overlap": 0.0},
        attrs={"model": "sparse-vector"},
    )


@pytest.fixture(scope="module")
def critical(ds):
    return fss.midpoint(ds, bootstrap=100)


@pytest.fixture(scope="module")
def ax(ds, critical):
    return order_parameter_figure(ds.sel(d=[5]), critical)


def curves(ax):
    """The curves with error bars that the legend names, by their name."""
    bars = [bar for bar in ax.containers if isinstance(bar, ErrorbarContainer)]
    return {bar.get_label(): bar for bar in bars if not bar.get_label().startswith("_")}


def half_lengths(bar):
    [lines] = bar[2]
    return np.array([np.ptp(segment, axis=0).max() / 2 for segment in lines.get_segments()])


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_points_are_means_and_bars_their_standard_errors(ds, ax):
    values = ds["overlap_mean"].sel(N=128, d=5).to_numpy()
    bar = next(bar for name, bar in curves(ax).items() if name.startswith("$N$ = 128"))
    np.testing.assert_array_equal(bar[0].get_xdata(), GRID)
    np.testing.assert_allclose(bar[0].get_ydata(), values.mean(axis=(0, 1)))
    np.testing.assert_allclose(half_lengths(bar), values.mean(axis=1).std(axis=0, ddof=1) / 2)


def test_m_c_is_marked_on_the_curve_and_below_with_its_interval(ax, critical):
    records = [record for record in critical if np.isfinite(record.m_c)]
    assert [record.labels for record in records] == [{"N": 64, "d": 5}, {"N": 128, "d": 5}]
    rings = [line for line in ax.lines if line.get_markerfacecolor() == "none"]
    assert [(ring.get_xdata()[0], ring.get_ydata()[0]) for ring in rings] == [
        (record.m_c, record.value) for record in records
    ]
    below = [bar for bar in ax.containers if bar.get_label().startswith("_")]
    for bar, record in zip(below, records, strict=True):
        [[(low, height), (high, _)]] = bar[2][0].get_segments()
        assert (low, high) == pytest.approx((record.low, record.high))
        assert ax.get_ylim()[0] < height < 0
    heights = [bar[0].get_ydata()[0] for bar in below]
    assert len(set(heights)) == len(heights)


def test_the_legend_tells_m_c_or_why_not(ax, ds, critical):
    numbers = [fss.table.number_and_interval(record) for record in critical if np.isfinite(record.m_c)]
    assert legend(ax) == [
        *(f"$N$ = {N}: $m_c$ = {n} ({i})" for N, (n, i) in zip((64, 128), numbers, strict=True)),
        "$N$ = 256: no data",
    ]
    below = order_parameter_figure(ds.sel(d=[3]), critical)
    assert legend(below) == [f"$N$ = {N}: no transition seen" for N in (64, 128, 256)]
    assert legend(order_parameter_figure(ds.sel(d=[3]), [])) == [f"$N$ = {N}" for N in (64, 128, 256)]


def test_of_one_teacher_m_c_is_not_known_and_bars_are_those_of_its_replicas(ds):
    alone = ds.sel(N=[64], d=[5]).isel(teacher=[0])
    ax = order_parameter_figure(alone, fss.midpoint(alone, bootstrap=50))
    assert legend(ax) == ["$N$ = 64: $m_c$ not known"]
    [bar] = curves(ax).values()
    np.testing.assert_allclose(
        half_lengths(bar), resample.standard_error(alone["overlap_mean"].to_numpy()[0, 0])
    )


def test_title_and_axes_say_what_is_drawn(ax):
    assert ax.get_title() == "sparse-vector, $d$ = 5"
    assert ax.get_xlabel() == "mini-batch size, $m$"
    assert ax.get_ylabel() == "bulk overlap"
    assert "standard error" in ax.get_legend().get_title().get_text()
    assert {0.0, 1.0} <= set(np.round(ax.get_yticks(), 9))
    assert min(ax.get_yticks()) >= -0.01


def test_units_are_named(ds):
    timed = ds.sel(d=[5])
    timed["overlap_mean"] = timed["overlap_mean"].assign_attrs(units="sweep")
    assert order_parameter_figure(timed, []).get_ylabel() == "bulk overlap (sweep)"


def test_curves_differ_in_colour_marker_and_line(ax):
    lines = [bar[0] for bar in curves(ax).values()]
    for look in (
        lambda line: line.get_color(),
        lambda line: line.get_marker(),
        lambda line: line.get_linestyle(),
    ):
        assert len({look(line) for line in lines}) == 3
    assert (
        len(COLOURS)
        == len(MARKERS)
        == len(LINES)
        == len(set(COLOURS))
        == len(set(MARKERS))
        == len(set(LINES))
    )


def test_marks_have_the_colour_and_marker_of_their_curve(ax, critical):
    for bar in curves(ax).values():
        line = bar[0]
        place = legend(ax).index(bar.get_label())
        rings = [ring for ring in ax.lines if ring.get_markerfacecolor() == "none"]
        if place < len(rings):
            assert same_color(rings[place].get_color(), line.get_color())
            assert rings[place].get_marker() == line.get_marker()


def test_given_axes_are_drawn_on_and_the_data_left_alone(ds, critical):
    chosen, before = ds.sel(d=[5]), ds.sel(d=[5]).copy(deep=True)
    mine = Figure().add_subplot()
    assert order_parameter_figure(chosen, critical, mine) is mine
    assert len(curves(mine)) == 3
    xr.testing.assert_identical(chosen, before)


def test_more_than_one_value_of_a_label_is_refused(ds, critical):
    with pytest.raises(DatasetError, match="d has 2 values, and a panel shows one: select it first"):
        order_parameter_figure(ds, critical)
    with pytest.raises(DatasetError, match="'loss' is not in the dataset"):
        order_parameter_figure(ds, critical, order_parameter="loss")


def test_there_is_a_panel_for_each_combination_of_labels(ds, critical):
    titles = [ax.get_title(loc="left") for ax in order_parameter_panels(ds, critical).axes]
    assert titles == ["(a) $d$ = 3", "(b) $d$ = 5"]
    alone = order_parameter_panels(ds.sel(d=[5]), critical).axes
    assert [ax.get_title() for ax in alone] == ["sparse-vector, $d$ = 5"]


def test_starts_are_rows_and_connectivities_columns_with_one_range_of_m(ds):
    starts = xr.concat([ds.drop_vars("init_overlap")] * 2, dim=xr.Variable("init_overlap", [0.0, 1.0]))
    starts["overlap_mean"] = starts["overlap_mean"].where((starts["m"] < 22) | (starts["init_overlap"] == 0))
    figure = order_parameter_panels(starts, fss.midpoint(starts, bootstrap=20))
    at = {(round(ax.get_position().x0, 2), round(ax.get_position().y0, 2)): ax for ax in figure.axes}
    columns, rows = sorted({x for x, _ in at}), sorted({y for _, y in at}, reverse=True)
    grid = [[at[x, y] for x in columns] for y in rows]
    assert [ax.get_title(loc="left") for ax in grid[0]] == ["(a) $d$ = 3", "(b) $d$ = 5"]
    assert [row[0].get_ylabel().split("\n")[0] for row in grid] == ["random start", "planted start"]
    for upper, lower in zip(*grid, strict=True):
        assert upper.get_xlim() == lower.get_xlim()


def test_a_figure_is_written_whole(ds, critical, tmp_path):
    path = tmp_path / "figure.png"
    order_parameter_panels(ds, critical).savefig(path, dpi=80)
    assert path.read_bytes().startswith(b"\x89PNG")
    order_parameter_panels(ds.where(False), critical).savefig(tmp_path / "empty.svg")


def test_pyplot_and_its_global_state_are_not_touched():
    code = "import sys, mbsim.figures; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
