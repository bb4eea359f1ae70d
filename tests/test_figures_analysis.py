"""The figures of an analysis show the numbers that they were given, and say why where there are none."""

from dataclasses import replace

import made_up
import numpy as np
import pytest
import xarray as xr
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure

from mbsim import figures, fss
from mbsim.errors import DatasetError
from mbsim.fss import Interval, note


@pytest.fixture(scope="module")
def summaries() -> xr.Dataset:
    return made_up.summaries()


def curves(ax):
    """The curves with error bars that the legend names, by their name."""
    bars = [bar for bar in ax.containers if isinstance(bar, ErrorbarContainer)]
    return {bar.get_label(): bar for bar in bars if not bar.get_label().startswith("_")}


def ends(bar, direction=1):
    """Lower and upper ends of the error bars, shape (point, 2)."""
    [lines] = bar[2]
    return np.array([segment[:, direction] for segment in lines.get_segments()])


def sentence(ax):
    assert not ax.axison
    [text] = ax.texts
    return text.get_text()


def test_a_summary_is_drawn_with_its_intervals(summaries):
    chosen = summaries.sel(d=5)
    drawn = curves(figures.summary_figure(chosen, "susceptibility"))
    assert list(drawn) == ["$N$ = 64", "$N$ = 128", "$N$ = 256"]
    for N, bar in zip(chosen["N"].values, drawn.values(), strict=True):
        one = chosen.sel(N=N)
        np.testing.assert_array_equal(bar[0].get_xdata(), made_up.GRID)
        np.testing.assert_allclose(bar[0].get_ydata(), one["susceptibility"])
        expected = np.stack([one["susceptibility_low"], one["susceptibility_high"]], axis=-1)
        np.testing.assert_allclose(ends(bar), expected, atol=1e-12)


def test_a_size_that_did_not_run_has_no_curve(summaries):
    assert list(curves(figures.summary_figure(summaries.sel(d=3)))) == ["$N$ = 64", "$N$ = 128"]
    assert not curves(figures.summary_figure(summaries.sel(d=3).where(False)))


def test_the_critical_value_is_a_line_with_a_band_within_what_is_drawn(summaries):
    ax = figures.summary_figure(summaries.sel(d=5), critical=made_up.critical())
    own = [one for one in made_up.critical() if one.labels.get("d") == 5 and "N_next" not in one.labels]
    lines = [line.get_xdata()[0] for line in ax.lines if len(set(line.get_xdata())) == 1]
    assert set(lines) >= {one.m_c for one in own}
    bands = [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in ax.patches]
    np.testing.assert_allclose(bands, [(one.low, one.high) for one in own])
    low, high = ax.get_xlim()
    assert low < min(one.low for one in own) and max(one.high for one in own) < high


def test_a_wide_grid_is_cut_to_the_transition_and_a_geometric_one_is_logarithmic(summaries):
    wide = summaries.sel(d=3)
    assert figures.summary_figure(wide).get_xlim()[1] > 30
    assert 10 < figures.summary_figure(wide, critical=made_up.critical()).get_xlim()[1] < 15
    powers = wide.isel(m=slice(10)).assign_coords(m=2.0 ** np.arange(10))
    assert figures.summary_figure(powers).get_xscale() == "log"
    assert figures.summary_figure(wide).get_xscale() == "linear"


def test_a_bar_far_longer_than_the_curve_is_high_does_not_hide_it(summaries):
    one = summaries.sel(d=5, N=[256])
    high = float(one["susceptibility"].max())
    one["susceptibility_high"] = one["susceptibility_high"] + 100 * high * (one["m"] == 12)
    bottom, top = figures.summary_figure(one, "susceptibility").get_ylim()
    assert -0.5 * high <= bottom < 0 and high < top <= 1.5 * high
    one["binder"] = one["binder"] - 10 * (one["m"] == 12)
    assert figures.summary_figure(one, "binder").get_ylim() == (-1.0, 0.75)
    assert figures.summary_figure(summaries.sel(d=3), "binder").get_ylim()[0] > 0.5  # as far as it goes


@pytest.mark.parametrize("end", ["_high", "_low"])
@pytest.mark.parametrize("lost", [np.nan, np.inf, 1e300])
def test_an_interval_that_is_not_known_does_not_hide_the_curve(summaries, end, lost):
    for quantity in ("mean", "binder", "susceptibility", "success"):
        one = summaries.sel(d=5).copy(deep=True)
        expected = figures.summary_figure(one, quantity).get_ylim()
        sign = 1 if end == "_high" else -1
        one[quantity + end] = one[quantity + end].where(one["m"] != 2, sign * lost)
        drawn = figures.summary_figure(one, quantity).get_ylim()
        if lost != 1e300 or quantity in ("susceptibility", "binder"):
            np.testing.assert_allclose(drawn, expected, rtol=0.5, atol=0.1)
        one[quantity] = one[quantity].where(one["m"] != 2, lost)
        if lost != 1e300:
            np.testing.assert_allclose(
                figures.summary_figure(one, quantity).get_ylim(), expected, rtol=0.5, atol=0.1
            )


def test_what_a_panel_cannot_show_is_refused(summaries):
    with pytest.raises(DatasetError, match="d has 2 values, and a panel shows one: select it first"):
        figures.summary_figure(summaries)
    with pytest.raises(DatasetError, match="'loss' is not among the summaries, which hold binder, "):
        figures.summary_figure(summaries.sel(d=5), "loss")
    with pytest.raises(DatasetError, match="N has 3 values, and a heat map shows one: select it first"):
        figures.phase_diagram(summaries)
    with pytest.raises(DatasetError, match="'loss' is not among the summaries"):
        figures.phase_diagram(summaries.sel(N=64), quantity="loss")


def test_histograms_are_densities():
    verdict = made_up.verdict(5)
    ax = figures.histogram_figure(verdict)
    outlines = [patch for patch in ax.patches if not patch.get_fill()]
    assert len(outlines) == 3
    for patch, histogram in zip(outlines, verdict.histograms, strict=True):
        values, edges, _ = patch.get_data()
        assert np.sum(values * np.diff(edges)) == pytest.approx(1)
        np.testing.assert_allclose(values / values.max(), histogram.counts / histogram.counts.max())
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == [f"$N$ = {N} ($m$ = 18)" for N in (64, 128, 256)]


def test_barriers_are_points_and_bounds_are_arrows():
    verdict = made_up.verdict(5)
    ax = figures.barrier_figure([verdict])
    known = curves(ax)["$d$ = 5"]
    np.testing.assert_allclose(known[0].get_xdata().astype(float), made_up.SIZES[:2])
    np.testing.assert_allclose(known[0].get_ydata(), [one.barrier.value for one in verdict.histograms[:2]])
    np.testing.assert_allclose(ends(known), [one.barrier[1:] for one in verdict.histograms[:2]])
    [bound] = [bar for bar in ax.containers if isinstance(bar, ErrorbarContainer) and bar is not known]
    assert (bound[0].get_xdata()[0], bound[0].get_ydata()[0]) == (256, 4.5)
    assert (ends(bound)[:, 1] > 4.5).all()


def test_the_fitted_growth_of_the_peak_has_the_exponent_that_was_found():
    verdict = made_up.verdict(3)
    ax = figures.growth_figure([verdict])
    [fit] = [line for line in ax.lines if line.get_linestyle() == "-" and len(line.get_xdata()) == 3]
    slope = np.polyfit(np.log(fit.get_xdata()), np.log(fit.get_ydata()), 1)[0]
    assert slope == pytest.approx(verdict.susceptibility_exponent.value)
    [(name, bar)] = curves(ax).items()
    assert name == "$d$ = 3: $x$ = 0.10 (0.05 to 0.15)"
    np.testing.assert_allclose(bar[0].get_ydata(), verdict.peak_heights)


def test_the_collapse_shows_each_size_on_the_master_curve():
    collapse = made_up.collapse()
    ax = figures.collapse_figure(collapse)
    for size, bar in zip(made_up.SIZES, curves(ax).values(), strict=True):
        np.testing.assert_allclose(bar[0].get_xdata(), collapse.x[collapse.size == size])
        np.testing.assert_allclose(bar[0].get_ydata(), collapse.y[collapse.size == size])
    x, y = master_line(ax)
    np.testing.assert_allclose(y, np.interp(x, collapse.master_x, collapse.master_y), atol=2e-3)
    assert ax.get_ylabel() == "order parameter"
    scaled = replace(collapse, beta_over_nu=Interval(0.25, 0.2, 0.3))
    assert figures.collapse_figure(scaled).get_ylabel() == r"order parameter $\times\,N^{\beta/\nu}$"


def master_line(ax):
    [master] = [line for line in ax.lines if line.get_label() == "master curve"]
    return master.get_xdata(), master.get_ydata()


def test_the_master_curve_does_not_overshoot_between_the_points():
    collapse = made_up.collapse()
    far = collapse.x > 20  # where no point lies a spline may swing
    gap = (collapse.master_x > 5) & (collapse.master_x < 20)
    wild = replace(
        collapse,
        x=np.where(far | (collapse.x < 5), collapse.x, 4.9),
        master_y=collapse.master_y + 0.5 * gap * np.sin((collapse.master_x - 5) / 15 * np.pi),
    )
    x, y = master_line(figures.collapse_figure(wild))
    ends = np.interp([4.9, wild.x[wild.x > 20].min()], wild.master_x, wild.master_y)
    between = y[(x > 4.9) & (x < wild.x[wild.x > 20].min())]
    assert len(between) > 10
    assert ends[0] <= between.min() and between.max() <= ends[1]


@pytest.mark.parametrize("lost", ["m_c", "inverse_nu"])
def test_where_a_parameter_was_not_determined_no_collapse_is_drawn(lost):
    poor = replace(made_up.collapse(), **{lost: Interval()}, because=(note("1/ν is not determined"),))
    assert sentence(figures.collapse_figure(poor)) == "1/ν is not determined"
    assert sentence(figures.landscape_figure(poor)) == "1/ν is not determined"


def test_the_landscape_has_its_lowest_point_where_the_fit_is():
    collapse = made_up.collapse()
    ax = figures.landscape_figure(collapse)
    heights = ax.collections[0].get_array()
    at = np.unravel_index(heights.argmin(), heights.shape)
    found = collapse.landscape
    assert found.m_c[at[1]] == pytest.approx(collapse.m_c.value)
    assert found.inverse_nu[at[0]] == pytest.approx(collapse.inverse_nu.value)
    [point] = [line for line in ax.lines if line.get_marker() == "o"]
    assert (point.get_xdata()[0], point.get_ydata()[0]) == (collapse.m_c.value, collapse.inverse_nu.value)


def test_hysteresis_has_both_branches_and_both_spinodals():
    loop = made_up.loop(64)
    ax = figures.hysteresis_figure([loop])
    random, planted = [bar for bar in ax.containers if isinstance(bar, ErrorbarContainer)]
    np.testing.assert_allclose(random[0].get_ydata(), loop.random_mean)
    np.testing.assert_allclose(planted[0].get_ydata(), loop.planted_mean)
    dotted = [line.get_xdata()[0] for line in ax.lines if line.get_linestyle() == ":"]
    assert dotted == [loop.random.value, loop.planted.value]
    [band] = ax.patches
    assert band.get_width() == pytest.approx(loop.random.value - loop.planted.value)
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert set(names) == {"$N$ = 64", "random start", "planted start"}
    lines = [
        line.get_xdata() for line in ax.lines if len(line.get_xdata()) == 2 and line.get_linestyle() == "-"
    ]
    np.testing.assert_allclose(lines[:2], [loop.random[1:], loop.planted[1:]])


def test_the_strips_of_loops_lie_apart_and_above_the_branches_and_the_control_is_cut_to_them():
    wide = np.arange(2, 201.0)
    far = np.where(wide > 150, 1.0, 0.1)
    loops = [replace(made_up.loop(N), m=made_up.loop(N).m) for N in (64, 128)]
    ax = figures.hysteresis_figure(loops)
    first, second = sorted(ax.patches, key=lambda strip: strip.get_y())
    assert first.get_y() + first.get_height() < second.get_y()
    bottom, top = ax.get_ylim()
    assert bottom + first.get_y() * (top - bottom) > loops[0].planted_mean.max()
    errors = np.full(len(wide), 0.01)
    shown = replace(
        loops[0], m=wide, random_mean=far, planted_mean=far, random_error=errors, planted_error=errors,
        random=made_up.interval(15, 0.2), planted=made_up.interval(10, 0.2),
    )  # fmt: skip
    low, high = figures.hysteresis_figure([shown]).get_xlim()
    assert 4 < low < 8 and 17 < high < 22


def test_m_c_against_n_stands_at_its_size_with_its_limit():
    two = [made_up.extrapolation(), made_up.extrapolation(estimator="susceptibility")]
    ax = figures.size_figure(two)
    drawn = curves(ax)
    assert list(drawn) == ["midpoint", "peak of χ"]
    for one, bar in zip(two, drawn.values(), strict=True):
        np.testing.assert_allclose(bar[0].get_xdata(), one.sizes, rtol=0.05)  # set aside a little
        np.testing.assert_allclose(bar[0].get_ydata(), one.values)
        np.testing.assert_allclose(ends(bar), np.stack([one.low, one.high], axis=-1))
    assert two[0].m_c.value in [line.get_ydata()[0] for line in ax.lines if line.get_linestyle() == ":"]


def test_m_c_against_d_stands_beside_both_laws():
    law = made_up.connectivity()
    ax = figures.connectivity_figure(law)
    np.testing.assert_allclose(curves(ax)["$m_c$ by midpoint"][0].get_ydata(), law.m_c)
    lines = {line.get_label(): line for line in ax.lines}
    power = "power, $x$ = 1.91 (1.85 to 1.97)"
    np.testing.assert_allclose(lines[power].get_ydata(), law.curves["power"])
    np.testing.assert_allclose(lines["linear"].get_ydata(), law.curves["linear"])


def test_the_phase_diagram_has_a_column_for_each_d_and_m_c_in_it(summaries):
    ax = figures.phase_diagram(summaries.sel(N=128), critical=made_up.critical())
    [mesh] = ax.collections[:1]
    np.testing.assert_allclose(mesh.get_array(), summaries["mean"].sel(N=128).transpose("m", "d"))
    assert [label.get_text() for label in ax.get_xticklabels()] == ["3", "5"]
    [line] = [line for line in ax.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(line.get_xydata(), [(3, 7.128), (5, 18.128)])
    by_size = figures.phase_diagram(summaries.sel(d=3), "N")
    assert [label.get_text() for label in by_size.get_xticklabels()] == ["64", "128"]  # 256 did not run


def test_both_axes_of_a_phase_diagram_are_true_to_scale(summaries):
    odd = summaries.sel(N=128, d=[3, 5, 5]).assign_coords(d=[3, 5, 11])
    [mesh] = figures.phase_diagram(odd).collections[:1]
    corners = mesh.get_coordinates()
    np.testing.assert_allclose(corners[0, :, 0], [2, 4, 8, 14])  # half-way between neighbours
    np.testing.assert_allclose(corners[:2, 0, 1], [1.5, 2.5])
    sizes = figures.phase_diagram(summaries.sel(d=5), "N")
    assert sizes.get_xscale() == "log"
    np.testing.assert_allclose(sizes.collections[0].get_coordinates()[0, :, 0], 64 * 2 ** np.arange(-0.5, 3))
    words = summaries.sel(N=128).assign_coords(d=["three", "five"])
    with pytest.raises(DatasetError, match="across = 'd' holds text, and a phase diagram needs numbers"):
        figures.phase_diagram(words)


def test_columns_of_a_phase_diagram_may_have_grids_of_their_own(summaries):
    mean = summaries["mean"].sel(N=128)
    gaps = mean.where((mean["d"] == 3) | (mean["m"] % 2 == 0)).where((mean["d"] == 5) | (mean["m"] < 20))
    drawn = figures.phase_diagram(gaps.to_dataset()).collections[0].get_array()
    rows = made_up.GRID[(made_up.GRID < 20) | (made_up.GRID % 2 == 0)]
    np.testing.assert_array_equal(drawn.mask[:, 0], rows >= 20)
    assert not drawn.mask[:, 1].any()
    nearest = rows - rows % 2  # of two that are as near, the lower one
    np.testing.assert_allclose(drawn[:, 1], mean.sel(d=5, m=nearest))


def test_where_there_is_nothing_to_draw_the_axes_say_why():
    nothing = {"x": np.zeros(0)}
    assert (
        sentence(figures.collapse_figure(replace(made_up.collapse(), because=(note("one size"),), **nothing)))
        == "one size"
    )
    assert "fixed" in sentence(figures.landscape_figure(replace(made_up.collapse(), landscape=None)))
    empty = replace(
        made_up.verdict(3), histograms=[], peak_heights=np.zeros(0), because=(note("all failed"),)
    )
    assert sentence(figures.histogram_figure(empty)) == "all failed"
    assert "no barrier" in sentence(figures.barrier_figure([empty]))
    assert "two sizes" in sentence(figures.growth_figure([empty]))
    lost = np.full(len(made_up.GRID), np.nan)
    loop = replace(made_up.loop(64), random_mean=lost, because=(note("one start only"),))
    assert sentence(figures.hysteresis_figure([loop])) == "one start only"
    none = replace(made_up.extrapolation(), values=np.full(3, np.nan), because=(note("no transition"),))
    assert sentence(figures.size_figure([none])) == "no transition"
    law = replace(made_up.connectivity(), m_c=np.full(3, np.nan), because=(note("one d only"),))
    assert sentence(figures.connectivity_figure(law)) == "one d only"


@pytest.mark.parametrize(
    "draw",
    [
        lambda ax: figures.summary_figure(made_up.summaries().sel(d=5), ax=ax),
        lambda ax: figures.histogram_figure(made_up.verdict(5), ax),
        lambda ax: figures.barrier_figure([made_up.verdict(5)], ax),
        lambda ax: figures.growth_figure([made_up.verdict(5)], ax),
        lambda ax: figures.collapse_figure(made_up.collapse(), ax),
        lambda ax: figures.landscape_figure(made_up.collapse(), ax),
        lambda ax: figures.hysteresis_figure([made_up.loop(64)], ax),
        lambda ax: figures.size_figure([made_up.extrapolation()], ax),
        lambda ax: figures.connectivity_figure(made_up.connectivity(), ax),
        lambda ax: figures.phase_diagram(made_up.summaries().sel(N=64), ax=ax),
    ],
)
def test_axes_are_taken_and_returned_and_both_axes_are_named(draw):
    mine = Figure().add_subplot()
    assert draw(mine) is mine
    assert mine.get_xlabel() and mine.get_ylabel()
    new = draw(None)
    assert new is not mine and isinstance(new.figure, Figure)


def test_panels_are_lettered_and_share_one_legend(summaries):
    choices = [{"d": 3}, {"d": 5}]

    def draw(labels, ax):
        return figures.summary_figure(summaries.sel(labels), ax=ax)

    figure = figures.panels(choices, draw)
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["(a) $d$ = 3", "(b) $d$ = 5"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "$N$ = 64",
        "$N$ = 128",
        "$N$ = 256",
    ]
    assert all(ax.get_legend() is None for ax in figure.axes)
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()
    apart = figures.panels(choices, draw, same_y=False, same_legend=False, titles=False)
    assert not apart.legends and all(ax.get_legend() for ax in apart.axes)
    assert [ax.get_title(loc="left") for ax in apart.axes] == ["(a)", "(b)"]


def test_every_figure_of_m_c_names_its_estimator():
    """m_c by the steepest slope and by the midpoint are different numbers where a branch is no plateau."""
    ds = fss.planted([64, 128])
    for key, short in (("midpoint", "midpoint"), ("steepest", "steepest slope")):
        records = fss.estimates(ds, [key], bootstrap=50)
        by = f"$m_c$ by {short}"
        assert by in figures.order_parameter_figure(ds, records).get_legend().get_title().get_text()
        summaries = fss.summaries(ds, bootstrap=50)
        legend = figures.phase_diagram(summaries, "N", critical=records).get_legend()
        assert [text.get_text() for text in legend.get_texts()] == [by]
        assert figures.window_figure([(8, 28)], records[:1]).get_xlabel() == by
        t = np.array([1.0, 10.0])
        one = fss.OverTime({"N": 64}, key, "q", "sweep", t, 18 + 0 * t, 17 + 0 * t, 19 + 0 * t)
        assert figures.over_time_figure([one]).get_ylabel() == f"{by}, at time $t$"
    loops = fss.hysteresis(fss.planted([64], jump=True, starts=True), bootstrap=50)
    title = figures.hysteresis_figure(loops).get_legend().get_title().get_text()
    assert title == "dotted: midpoint of each branch;\nabove: the loop between, and their 95 % intervals"
    both = figures.panels([{"d": 3}, {"d": 5}], lambda labels, ax: figures.hysteresis_figure(loops, ax))
    assert both.legends[0].get_title().get_text() == title  # kept where the panels share a legend
    panels = figures.order_parameter_panels(
        fss.planted([64], jump=True, starts=True),
        fss.midpoint(fss.planted([64], jump=True, starts=True), bootstrap=50),
    )
    assert [ax.get_legend().get_title().get_text() for ax in panels.axes] == ["$m_c$ by midpoint"] * 2
