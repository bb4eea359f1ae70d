"""Data that is not ours: means with errors, one level of chance or none; what is no number is refused."""

import numpy as np
import pytest
import xarray as xr
from known_answers import collapses

from mbsim import fss
from mbsim.errors import DatasetError
from mbsim.fss import given


def table(seed=0, sizes=collapses.SIZES, points=17, noise=0.01):
    """L, T, mean and error of a planted collapse, U4 that cross at m_c, and a peak: no samples anywhere."""
    rng = np.random.default_rng(seed)
    T = np.linspace(14.0, 22.0, points)
    x = [(T - collapses.M_C) * (size / 64) ** collapses.INVERSE_NU for size in sizes]
    mag = np.stack([collapses.exact(size, T)[0] for size in sizes])
    chi = np.stack([(size / 64) ** 0.8 * np.exp(-(one**2) / 8) for size, one in zip(sizes, x, strict=True)])
    curves = {"mag": mag, "U4": 0.3 + 0.3 * np.tanh(np.stack(x) / 3), "chi": chi}
    data = {}
    for name, exact in curves.items():
        error = noise * (0.5 + rng.random(exact.shape)) * (exact if name == "chi" else 1.0) + 1e-4
        data[name] = (("L", "T"), exact + error * rng.normal(size=exact.shape))
        data[f"d{name}"] = (("L", "T"), error)
    return xr.Dataset(data, {"L": list(sizes), "T": T})


OURS = {"control": "T", "bootstrap": 200}


def test_artificial_samples_have_the_mean_and_error_that_were_given():
    ds = table()
    found = fss.summaries(ds, "mag", size="L", error="dmag", **OURS)
    np.testing.assert_allclose(found["mean"], ds.mag)
    np.testing.assert_allclose((found.mean_high - found.mean_low) / 2, 1.96 * ds.dmag, rtol=0.25)
    assert set(found.data_vars) == {"mean", "mean_low", "mean_high"}


def test_quantities_of_a_table_are_independent():
    """Errors that are given for each quantity alone say nothing of how two of them scatter together."""
    ds = table()
    mag, U4 = (
        given.as_samples(ds[name], ds[f"d{name}"], ("a", "b"), "T").to_numpy()[:, :, 0]
        for name in ("mag", "U4")
    )
    both = [
        np.corrcoef(one.T, other.T)[: one.shape[1], one.shape[1] :]
        for one, other in zip(mag, U4, strict=True)
    ]
    assert np.abs(both).max() < 0.3 and np.abs(np.diagonal(both, axis1=1, axis2=2)).mean() < 0.06


def test_quantities_that_move_as_one_are_judged_as_one():
    """U4 twice, told to be two quantities: the second adds no evidence that points do not collapse."""
    ds = table(seed=3)
    ds["dU4"] = ds.dU4 * 0.8  # errors that are stated too small
    ds["again"] = ds.U4
    pairs, fixed = {"binder": ("U4", "dU4"), "success": ("again", "dU4")}, {"size": "L", **OURS}
    [alone] = fss.collapse(ds, "U4", quantity="binder", error=pairs, beta=0.0, **fixed)
    both = {"binder": 0.0, "success": 0.0}
    twice = fss.collapse(ds, "U4", quantity=list(both), error=pairs, beta=both, **fixed)
    for one in twice:
        assert one.dof == pytest.approx(alone.dof, rel=0.1)
        assert one.chi2_per_dof == pytest.approx(alone.chi2_per_dof, rel=0.1)
        assert one.p_value == pytest.approx(alone.p_value, rel=0.5) and alone.p_value < 0.2
        assert "at most by a factor of 1.4" in one.reason
    assert "independent" not in alone.reason


def test_a_table_may_be_of_one_curve_and_its_control_may_descend():
    ds = table()
    C = np.exp(-np.abs(np.subtract.outer(ds.T.values, ds.T.values)))
    C = C * np.linspace(1, 2, len(C)) * np.linspace(1, 2, len(C))[:, None] * 1e-4
    ds["C"] = (("T", "other"), C)
    whole = fss.midpoint(ds.drop_vars("C").assign(C=ds.C.expand_dims(L=ds.L)), "mag", error="C", **OURS)
    down = ds.isel(T=slice(None, None, -1), other=slice(None, None, -1))
    down = fss.midpoint(down.assign(C=down.C.expand_dims(L=ds.L)), "mag", error="C", **OURS)
    assert [one.interval for one in whole] == [one.interval for one in down]
    one = ds.isel(L=1, drop=True)
    [alone] = fss.midpoint(one, "mag", error="C", **OURS)
    assert alone.interval.known
    np.testing.assert_allclose(alone.interval, whole[1].interval, atol=0.15)


def test_every_estimator_reads_a_mean_with_its_error():
    ds = table()
    for one in fss.midpoint(ds, "mag", error="dmag", **OURS):
        assert 17 < one.m_c < 20 and one.low < one.m_c < one.high
    options = {"size": "L", **OURS}
    for keys, name in ((["susceptibility"], "chi"), (["binder_crossing"], "U4")):
        for one in fss.estimates(ds, keys, name, error=f"d{name}", **options):
            assert abs(one.m_c - collapses.M_C) < one.high - one.low, one
    pairs = {"mean": ("mag", "dmag"), "binder": ("U4", "dU4"), "susceptibility": ("chi", "dchi")}
    found = fss.estimates(
        ds, ["midpoint", "susceptibility", "binder_crossing"], "mag", error=pairs, **options
    )
    assert np.isfinite([one.m_c for one in found]).all()


@pytest.mark.slow
def test_a_table_collapses_and_several_quantities_together():
    ds = table()
    [alone] = fss.collapse(ds, "mag", size="L", error="dmag", **OURS)
    for name, exact in collapses.EXACT.items():
        interval = getattr(alone, name)
        assert abs(interval.value - exact) < interval.high - interval.low
    assert alone.p_value > 1e-3
    pairs = {"mean": ("mag", "dmag"), "binder": ("U4", "dU4"), "susceptibility": ("chi", "dchi")}
    mean, binder, peak = fss.collapse(
        ds, "mag", quantity=["mean", "binder", "susceptibility"], size="L", error=pairs, **OURS
    )
    assert mean.m_c == binder.m_c == peak.m_c
    assert abs(mean.inverse_nu.value - 0.5) < mean.inverse_nu.high - mean.inverse_nu.low
    assert abs(peak.beta_over_nu.value + 0.8) < peak.beta_over_nu.high - peak.beta_over_nu.low
    assert mean.m_c.high - mean.m_c.low < alone.m_c.high - alone.m_c.low


def test_the_whole_analysis_of_a_table():
    """All that a mean can tell; of the order of the transition one line says what is missing."""
    ds = table()
    found = fss.analyze(ds, "mag", size="L", error="dmag", **OURS)
    assert {one.estimator for one in found.critical} == {"midpoint", "steepest"}
    assert all(abs(one.m_c - collapses.M_C) < one.high - one.low for one in found.critical)
    [collapsed] = found.collapses
    assert collapsed.m_c.low <= collapses.M_C <= collapsed.m_c.high
    [verdict] = found.verdicts
    assert (verdict.order, [one.key for one in verdict.because]) == ("undecided", ["needs_samples"])
    [alone] = fss.transition_order(ds, "mag", size="L", error="dmag", **OURS)
    assert (alone.order, alone.because) == (verdict.order, verdict.because)
    pairs = {"mean": ("mag", "dmag"), "binder": ("U4", "dU4")}
    also = fss.estimates(ds, None, "mag", size="L", error=pairs, **OURS)
    assert {one.estimator for one in also} == {"midpoint", "steepest", "binder_crossing"}


def test_a_loop_and_m_c_over_time_from_tables():
    """Errors of both starts, and of all times, are taken for independent."""
    T, error, rng = np.linspace(10, 26, 33), 0.01, np.random.default_rng(3)

    def curves(places):
        rise = 1 / (1 + np.exp(-(T - np.array(places)[:, None]) / 0.7))
        return rise + error * rng.normal(size=rise.shape), np.full(rise.shape, error)

    up, spread = curves([18.0, 13.0])
    ds = xr.Dataset(
        {"q": (("start", "T"), up), "dq": (("start", "T"), spread)}, {"start": [0.0, 1.0], "T": T, "L": 64}
    )
    [loop] = fss.hysteresis(ds, "q", label="start", size="L", error="dq", **OURS)
    assert abs(loop.width.value - 5) < loop.width.high - loop.width.low < 0.5
    ends = np.hypot(*(np.ptp(one[1:]) for one in (loop.random, loop.planted)))
    assert loop.width.high - loop.width.low > 0.7 * ends
    late, spread = curves([18.0, 17.0, 16.0, 15.0])
    ds = xr.Dataset(
        {"q": (("time", "T"), late), "dq": (("time", "T"), spread)},
        {"time": [10, 100, 300, 1000], "T": T, "L": 64},
    )
    [found] = fss.over_time(ds, "q", size="L", error="dq", **OURS)
    np.testing.assert_allclose(found.m_c, [18, 17, 16, 15], atol=0.15)
    assert found.moving


def test_a_covariance_or_draws_count_as_what_they_are():
    """Errors that all points share move m_c more than errors of their own do: both forms say so alike."""
    ds = table(sizes=(64,))
    T = ds["T"].to_numpy()
    error = ds.dmag.to_numpy()[0]
    shared = 0.8 * np.outer(error, error) + 0.2 * np.diag(error**2)
    rng = np.random.default_rng(1)
    draws = ds.mag.to_numpy()[0] + rng.multivariate_normal(np.zeros(len(T)), shared, size=2000)
    ds["cov"] = (("L", "T", "T_too"), shared[None])
    ds["draws"] = (("L", "draw", "T"), draws[None])
    lengths = {}
    for name in ("dmag", "cov", "draws"):
        found = fss.summaries(ds, "mag", size="L", error=name, control="T", bootstrap=2000)
        lengths[name] = (found.mean_high - found.mean_low).to_numpy()
    np.testing.assert_allclose(lengths["cov"], lengths["dmag"], rtol=0.15)
    np.testing.assert_allclose(lengths["draws"], lengths["dmag"], rtol=0.2)
    values = given.as_samples(ds.mag, ds["cov"], ("t", "r"), "T").to_numpy()[0, :, 0]
    np.testing.assert_allclose(np.cov(values, rowvar=False) / len(values), shared, rtol=1e-6, atol=1e-12)


def clean():
    """Independent runs, no quenched disorder."""
    ds = collapses.samples(30, 1, 0, sizes=(64,)).isel(replica=0).rename(teacher="rep")
    return ds


@pytest.mark.parametrize("samples", [("teacher", "rep"), ("rep",), "rep", ("rep", "none")], ids=str)
def test_one_dimension_of_samples_holds_independent_runs(samples):
    [found] = fss.midpoint(clean(), "q", samples=samples, bootstrap=100)
    [same] = fss.midpoint(clean().rename(rep="teacher"), "q", bootstrap=100)
    assert found.m_c == same.m_c and found.low == same.low


def test_no_samples_and_no_errors_have_no_interval_and_it_is_said():
    [found] = fss.midpoint(clean().mean("rep"), "q", samples=(), bootstrap=100)
    assert np.isnan(found.m_c)
    assert found.reason == "one teacher tells nothing of the others"


def test_runs_with_one_seed_count_once_and_it_is_said():
    ds = collapses.samples(1, 1, 0, sizes=(64, 128)).isel(teacher=[0] * 6, replica=[0] * 4)
    for one in fss.estimates(ds, ["midpoint", "susceptibility"], "q", bootstrap=50):
        assert np.isnan(one.low) and np.isnan(one.high) and one.draws is None
        assert np.isnan(one.m_c) or one.estimator == "midpoint"
        assert "5 of 6 teachers are copies" in one.reason
    [collapsed] = fss.collapse(ds, "q", bootstrap=50)
    assert not collapsed.m_c.known and "copies" in collapsed.reason
    some = collapses.samples(6, 2, 0, sizes=(64, 128)).isel(teacher=[0, 1, 2, 2, 2, 5])
    [one, _] = fss.midpoint(some, "q", bootstrap=50)
    assert np.isfinite(one.low) and "2 of 6 teachers are copies" in one.reason


def test_points_that_few_teachers_have_are_named():
    coarse = collapses.samples(8, 1, 0, sizes=(64,), points=9)
    fine = collapses.samples(3, 1, 1, sizes=(64,), points=8)
    fine = fine.assign_coords(m=fine.m * 0.2 + 0.8 * 18 + 0.013)
    both = xr.concat(
        [coarse.assign_coords(teacher=range(8)), fine.assign_coords(teacher=range(3))], "m", join="outer"
    )
    [found] = fss.midpoint(both, "q", bootstrap=50)
    assert "8 values of m are left out" in found.reason


GOOD = collapses.samples(3, 2, 0, sizes=(64, 128), points=9)
M = GOOD.m.to_numpy()
REFUSED = {
    "text": (GOOD.assign_coords(m=M.astype(str)), r"m holds text, .*astype\(float\)\) makes them so"),
    "sizes as text": (GOOD.assign_coords(N=["64", "128"]), "N holds text"),
    "NaN": (GOOD.assign_coords(m=np.where(M == M[3], np.nan, M)), "m holds nan: must be finite"),
    "infinity": (GOOD.assign_coords(m=np.where(M == M[3], np.inf, M)), "m holds inf: must be finite"),
    "rounding": (GOOD.assign_coords(m=np.where(M == M[3], M[4] + 1e-13, M)), "one value but for rounding"),
    "no values": (GOOD.drop_vars("m"), "m has no values"),
    "sizes without values": (GOOD.drop_vars("N"), "N has no values"),
    "complex": (GOOD.astype(complex), "q holds complex numbers"),
    "a size of zero": (GOOD.assign_coords(N=[0, 64]), "size 'N' must be positive numbers"),
    "dates": (
        GOOD.assign_coords(m=np.arange(len(M)).astype("datetime64[D]").astype("datetime64[ns]")),
        "dates",
    ),
}


@pytest.mark.parametrize(
    "function", [fss.estimates, fss.summaries, fss.collapse], ids=lambda one: one.__name__
)
@pytest.mark.parametrize("case", REFUSED)
def test_controls_and_sizes_that_are_no_numbers_are_refused_in_one_line(case, function):
    ds, message = REFUSED[case]
    with pytest.raises(DatasetError, match=message) as refused:
        function(ds, order_parameter="q", bootstrap=2)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({}, "dU", "error = 'dU' is not in the dataset"),
        ({"bad": (("L", "T"), np.zeros((4, 17)))}, "bad", "error = 'bad' holds 0: must be positive"),
        ({"bad": (("T",), np.ones(17))}, "bad", "must have those of mag, L, T"),
        (
            {"bad": (("L", "draw", "T"), np.random.default_rng(0).normal(50, 1, (4, 9, 17)))},
            "bad",
            "lie elsewhere",
        ),
        ({}, {"energy": ("mag", "dmag")}, "error of 'energy': allowed are mean, binder"),
        ({}, {"mean": "dmag"}, r"error\['mean'\] = 'dmag': must be \(variable, its error\)"),
        ({}, 3, "error = 3: must be a variable"),
    ],
)
def test_errors_that_do_not_belong_to_the_means_are_refused(change, error, message):
    with pytest.raises(DatasetError, match=message):
        fss.estimates(table().assign(change), ["midpoint"], "mag", size="L", error=error, **OURS)
