"""Verdicts and hysteresis on planted loops, and clear statements where nothing can be said."""

import importlib

import numpy as np
import pytest
import xarray as xr
from known_answers.synthetic import M_C, continuous, loop

from mbsim import fss
from mbsim.errors import DatasetError
from mbsim.fss import names
from mbsim.fss.analysis import at_a_glance
from mbsim.fss.evidence import Found, barriers
from mbsim.fss.peak import Peak
from mbsim.fss.resampled import Resampled

GRID = np.arange(8, 27)
GRIDS = {64: np.arange(8, 29.0), 128: np.arange(10, 27.0), 256: np.arange(12, 25, 0.75)}
WIDE = loop((64, 128, 256), GRID, {64: 19.5, 128: 20.0, 256: 20.3}, {64: 13.0, 128: 12.5, 256: 12.4})
CLOSED = loop((64, 128, 256), GRID, dict.fromkeys((64, 128, 256), 16.4), dict.fromkeys((64, 128, 256), 16.4))


def only(ds, **options):
    [found] = fss.transition_order(ds, "q", bootstrap=300, **options)
    return found


def test_an_open_loop_is_first_order():
    verdict = only(WIDE)
    assert verdict.order == "first"
    assert verdict.labels == {}
    assert any("Hysteresis, random minus planted spinodal in m" in one for one in verdict.evidence)


def test_a_first_order_transition_has_no_exponents():
    found = fss.analyze(WIDE, "q", bootstrap=200)
    assert {one.order for one in found.verdicts} == {"first"}
    assert not any(one.inverse_nu.known for one in found.collapses)
    assert "no critical exponents" in found.reasons["collapses"]
    assert {one.labels["init_overlap"] for one in found.critical} == {0.0, 1.0}


def test_the_whole_analysis_is_that_of_its_parts_and_summarises_once(monkeypatch):
    calls, module = [], importlib.import_module("mbsim.fss.summaries")
    ensembles = module.ensembles
    with monkeypatch.context() as patch:
        patch.setattr(module, "ensembles", lambda *args: calls.append(args) or ensembles(*args))
        found = fss.analyze(WIDE, "q", bootstrap=200)
    assert len(calls) == 1
    parts = fss.estimates(WIDE, order_parameter="q", bootstrap=200)
    assert [one.m_c for one in found.critical] == pytest.approx([one.m_c for one in parts], nan_ok=True)
    assert found.summaries.equals(fss.summaries(WIDE, "q", bootstrap=200))
    for one, other in zip(found.verdicts, fss.transition_order(WIDE, "q", bootstrap=200), strict=True):
        assert (one.order, one.evidence) == (other.order, other.evidence)


def test_what_a_run_ends_with_is_that_of_its_parts():
    ds = WIDE.rename(q="overlap_mean")
    parts = fss.judged(
        fss.chosen(fss.estimates(ds, [names.MIDPOINT, names.STEEPEST])), fss.transition_order(ds)
    )
    assert at_a_glance(ds).to_dataframe().equals(parts.to_dataframe())


def test_the_spinodals_are_where_they_were_planted():
    found = fss.hysteresis(WIDE, "q", bootstrap=300)
    assert [one.labels["N"] for one in found] == [64, 128, 256]
    for one, up, down in zip(found, (19.5, 20.0, 20.3), (13.0, 12.5, 12.4), strict=True):
        assert one.random.low <= up <= one.random.high
        assert one.planted.low <= down <= one.planted.high
        assert one.width.low <= up - down <= one.width.high
        assert one.starts == (0.0, 1.0)
        assert one.reason == ""
        assert np.nanmax(one.planted_mean - one.random_mean) > 0.6


@pytest.mark.slow
def test_the_interval_of_the_width_covers():
    hits = []
    for seed in range(200):
        ds = loop((64,), GRID, {64: 20.0}, {64: 12.3}, seed=seed)
        [one] = fss.hysteresis(ds, "q", bootstrap=200)
        hits.append(one.width.low <= 7.7 <= one.width.high)
    assert np.mean(hits) >= 0.90  # wider than chance alone, by what the grid steps over


def test_a_branch_from_the_teacher_that_rises_over_some_steps_is_a_jump_all_the_same():
    """Means as at d = 7: neither branch jumps from one point to the next, but they are two states at one m."""
    grid = np.arange(10, 44, 2)
    up, down = dict.fromkeys((64, 128, 256), 36.0), dict.fromkeys((64, 128, 256), 21.5)
    ds = loop((64, 128, 256), grid, up, down, scatter=1.6, teachers=12, noise=0.01)
    for one in (ds.q.sel(init_overlap=start).mean(["teacher", "replica"]) for start in (0.0, 1.0)):
        assert float(one.diff("m").max()) < 0.5 * float(one.max() - one.min())
    verdict = only(ds)
    assert verdict.order == "first"
    assert any("the order parameter jumps there" in one for one in verdict.evidence)


def test_a_loop_in_the_temperature_is_open_too():
    """There the planted phase lies below: it falls with the control, and lasts longer from the planted start."""
    cold = WIDE.assign_coords(m=-WIDE.m).rename(m="T")
    for up, down in zip(
        fss.hysteresis(WIDE, "q", bootstrap=200),
        fss.hysteresis(cold, "q", control="T", bootstrap=200),
        strict=True,
    ):
        assert down.width.value == pytest.approx(up.width.value, abs=0.2) and down.width.value > 0
        assert down.random.value == pytest.approx(-up.random.value, abs=0.1)
    [verdict] = fss.transition_order(cold, "q", control="T", bootstrap=200)
    assert verdict.order == "first"


def histogram(size, value, low, high, valley=0.5, peaks=(0.2, 0.9)):
    return fss.Histogram(
        size, 18.0, np.linspace(0, 1, 3), np.ones(2), fss.Interval(value, low, high), 0.5, valley, peaks,
        unresolved=np.isinf(high),
    )  # fmt: skip


def barrier_evidence(histograms):
    rng = np.random.default_rng(0)
    found = []
    for one in histograms:
        draws = one.barrier.value + 0.15 * rng.normal(size=(2, 200))
        resampled = Resampled(np.asarray(one.barrier.value), draws[0], draws[1], (100, 100))
        found.append(Found(None, Peak(None, None, 0.0, True), None, one, resampled))
    return barriers(found, "N")[1]


def test_bounds_of_barriers_that_grow_are_growth():
    bounds = [
        histogram(64, 1.09, 0.79, 1.39),
        histogram(128, 2.2, 1.6, np.inf),
        histogram(256, 3.4, 3.0, np.inf),
    ]
    assert barrier_evidence(bounds).speaks_for == "first"
    falls = [bounds[0], histogram(128, 3.4, 3.0, np.inf), histogram(256, 2.0, 1.7, 2.3)]
    assert barrier_evidence(falls).speaks_for != "first"


def test_a_high_barrier_at_every_size_parts_phases_only_if_they_stay_apart():
    def empty(size, width):
        return histogram(size, 3.0, 2.4, np.inf, peaks=(0.5 - width / 2, 0.5 + width / 2))

    assert barrier_evidence([empty(64, 0.7), empty(128, 0.7), empty(256, 0.68)]).speaks_for == "first"
    closing = barrier_evidence([empty(64, 0.7), empty(128, 0.5), empty(256, 0.3)])
    assert closing.speaks_for == "" and closing.missing.key == "need_students"


def test_too_few_sizes_say_which_would_do():
    verdict = only(continuous({n: GRIDS[n] for n in (64, 128)}, seed=1))
    assert verdict.order == "undecided"
    assert "N = 256 beside these" in verdict.reason
    vague = only(continuous(GRIDS, beta_over_nu=0.45, seed=3, teachers=6, replicas=20))
    assert vague.order == "undecided" and "students, to tell growth from none" in vague.reason


def test_a_closed_loop_is_not_first_order():
    verdict = only(CLOSED)
    assert verdict.order != "first"
    assert any("closed, to within a step of the grid" in one for one in verdict.evidence)


def test_a_continuous_rise_is_second_order():
    verdict = only(continuous(GRIDS, beta_over_nu=0.1, seed=3, teachers=16))
    assert verdict.order == "second"
    assert verdict.susceptibility_exponent.low <= 1 - 0.2 <= verdict.susceptibility_exponent.high
    assert "No planted start was run: hysteresis is not known." in verdict.evidence


def test_one_open_loop_vetoes_second_order():
    rise = continuous(GRIDS, beta_over_nu=0.1, seed=3, teachers=16)
    planted = continuous(GRIDS, beta_over_nu=0.1, seed=4, teachers=16)
    moved = planted.q.sel(N=[64]).shift(m=-8).reindex_like(rise.q)  # a planted branch at N = 64 alone
    both = xr.concat([rise.q, moved], xr.Variable("init_overlap", [0.0, 1.0])).to_dataset(name="q")
    verdict = only(both)
    assert only(rise).order == "second"
    assert any("Hysteresis" in one and "N = 64" in one for one in verdict.evidence)
    assert verdict.order == "undecided"
    assert "the loop is open at N = 64" in verdict.reason


def test_a_rise_that_the_susceptibility_does_not_show_is_undecided():
    ds = continuous({64: GRIDS[64]}, noise=0.6, scatter=(0.1, 0.1), seed=0)
    [record] = fss.midpoint(ds, "q", bootstrap=200)
    [peak] = fss.estimates(ds, ["susceptibility"], "q", bootstrap=200)
    assert record.low < M_C < record.high and np.isnan(peak.m_c)
    verdict = only(ds)
    assert verdict.order == "undecided"
    assert "the order parameter rises at N = 64" in verdict.reason and "extend grid" not in verdict.reason


def test_a_loop_beyond_the_grid_has_no_width():
    ds = loop((64, 128), GRID, {64: 20, 128: 20}, {64: 2, 128: 2})
    for one in fss.hysteresis(ds, "q", bootstrap=200):
        assert one.random.known
        assert not one.planted.known
        assert not one.width.known
        assert "planted start: q lies between" in one.reason
    verdict = only(ds)
    assert verdict.order == "undecided"
    assert "both ends of the loop" in verdict.reason


# ---------------------------------------------------------------- what cannot be said


def flat(value):
    ds = continuous(GRIDS, seed=4)
    return ds.assign(q=ds.q * 0 + value, success=ds.success * 0 + value)


def gappy():
    ds = continuous(GRIDS, seed=5)
    return ds.where(ds.m < 14)


@pytest.mark.parametrize(
    "function",
    [fss.summaries, fss.estimates, fss.collapse, fss.transition_order, fss.hysteresis, fss.analyze],
)
def test_what_is_not_in_the_dataset_is_named(function):
    with pytest.raises(DatasetError, match="order parameter 'overlap' is not in the dataset, which holds q"):
        function(CLOSED, order_parameter="overlap")
    with pytest.raises(DatasetError, match="control 'lr' is no dimension of q, which has N, init_overlap, m"):
        function(CLOSED, order_parameter="q", control="lr")


BAD = {
    "one size": (continuous({64: GRIDS[64]}, seed=1), "undecided", "one size shows the transition"),
    "two sizes": (continuous({n: GRIDS[n] for n in (64, 128)}, seed=1), "undecided", "3 sizes with"),
    "one teacher": (continuous(GRIDS, teachers=1), "undecided", "one teacher tells nothing of the others"),
    "misses, too low": (continuous({n: np.arange(2, 10.0) for n in GRIDS}), "none", "extend grid.m"),
    "misses, too high": (continuous({n: np.arange(30, 40.0) for n in GRIDS}), "none", "extend grid.m"),
    "all failed": (flat(0.0), "none", "the susceptibility is zero"),
    "all succeeded": (flat(1.0), "none", "the susceptibility is zero"),
    "NaN gaps": (gappy(), "none", "extend grid.m"),
    "nothing ran": (flat(np.nan), "undecided", "no value of m holds data"),
    "two columns": (
        flat(np.nan).fillna(continuous(GRIDS).isel(m=[9, 10])),
        "undecided",
        "2 values of m hold data",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_decided_says_why(case):
    ds, order, reason = BAD[case]
    verdict = only(ds)
    assert verdict.order == order
    assert reason in verdict.reason


def looked(case):
    """Whether there is anything to look for a transition in: of what did not run none is not seen."""
    return case not in ("nothing ran", "two columns")


@pytest.mark.parametrize("case", BAD)
def test_the_whole_analysis_of_bad_input_states_no_number(case):
    ds, order, _ = BAD[case]
    found = fss.analyze(ds, "q", bootstrap=200)
    assert [one.order for one in found.verdicts] == [order]
    assert "hysteresis" in found.reasons
    for record in found.critical:
        assert np.isfinite(record.m_c) or record.reason
        assert (order != "none" and looked(case)) or not np.isfinite(record.m_c)
        if case == "one teacher":
            assert np.isnan([record.m_c, record.low, record.high]).all()
            assert "one teacher" in record.reason
    for one in found.extrapolations:
        assert one.m_c.known or one.reason
    for one in found.collapses:
        assert one.inverse_nu.known or one.reason
    if order == "none" or case in ("one size", "one teacher") or not looked(case):
        assert not any(one.m_c.known for one in found.extrapolations)
        assert not any(one.inverse_nu.known for one in found.collapses)
        assert found.reasons["collapses"]


def test_the_whole_analysis_hangs_together():
    rng = np.random.default_rng(0)
    parts = []
    for d, shift in ((3, 0.0), (5, 12.0), (7, 24.0)):
        one = continuous({n: grid + shift for n, grid in GRIDS.items()}, seed=int(rng.integers(100)))
        moved = one.assign(q=continuous(GRIDS, seed=d).q.assign_coords(m=one.m.to_numpy()))
        parts.append(moved[["q"]].expand_dims(d=[d]))
    ds = xr.concat(parts, "d", join="outer")
    found = fss.analyze(ds, "q", bootstrap=200)
    assert [one.labels for one in found.verdicts] == [{"d": 3}, {"d": 5}, {"d": 7}]
    assert {one.order for one in found.verdicts} <= {"second", "undecided"}
    midpoints = [one for one in found.critical if one.estimator == "midpoint"]
    for record in midpoints:
        shift = {3: 0, 5: 12, 7: 24}[record.labels["d"]]
        assert abs(record.m_c - M_C - shift) < 1
        assert record.order == next(
            one.order for one in found.verdicts if one.labels["d"] == record.labels["d"]
        )
    law = next(one for one in found.connectivity if one.source.startswith("m_c at N"))
    assert law.parameters["linear"]["b"].low <= 6 <= law.parameters["linear"]["b"].high
    assert found.reasons.keys() >= {"hysteresis"}
    assert found.summaries["mean"].dims == ("N", "d", "m") or set(found.summaries["mean"].dims) == {
        "N",
        "d",
        "m",
    }
