"""Summaries against their definitions in plain NumPy, and estimators of m_c against planted transitions."""

import numpy as np
import pytest
import xarray as xr
from known_answers.synthetic import M_C, continuous

from mbsim import fss
from mbsim.errors import DatasetError
from mbsim.fss.smooth import smoother


def spins(ds):
    """One where a student succeeds, uniform about zero where it fails: U4 rises with the success, 0.4 to 2/3."""
    noise = np.random.default_rng(9).uniform(-np.sqrt(3), np.sqrt(3), ds.success.shape)
    return ds.assign(q=ds.success.where(ds.success != 0, noise))


GRIDS = {64: np.arange(8, 29), 128: np.arange(10, 27), 256: np.arange(12, 25)}
FAR_APART = {64: GRIDS[128], 1024: GRIDS[128]}


@pytest.fixture(scope="module")
def planted():
    return continuous(GRIDS, seed=1)


def test_summaries_are_what_they_are_called(planted):
    found = fss.summaries(planted, "q", bootstrap=200)
    q = planted.q.sel(N=128).dropna("m")
    here = found.sel(N=128, m=q.m)
    axes = ["teacher", "replica"]
    np.testing.assert_allclose(here["mean"], q.mean(axes))
    np.testing.assert_allclose(here.binder, 1 - (q**4).mean(axes) / (3 * (q**2).mean(axes) ** 2))
    between = q.mean("replica").var("teacher", ddof=1) / 8
    np.testing.assert_allclose(here.susceptibility, 128 * (q.var(axes) + between), rtol=1e-9)
    for name in ("mean", "binder", "susceptibility"):
        assert (here[f"{name}_low"] <= here[name]).all() and (here[name] <= here[f"{name}_high"]).all()
        assert found[name].attrs["long_name"] and found[name].attrs["units"]
    assert found["mean"].sel(N=256, m=8).isnull()


def test_a_susceptibility_is_bounded_where_hardly_a_student_differs():
    grid = np.arange(12)
    rng = np.random.default_rng(0)
    values = (np.broadcast_to(grid, (4, 25, 12)) >= 6) * 1.0
    values[0, :1, 2] = 1.0  # one student of a hundred went over
    values[:, :, 6] = rng.random((4, 25)) < 0.5
    ds = xr.Dataset({"q": (("teacher", "replica", "m"), values)}, {"m": grid, "N": 64})
    found = fss.summaries(ds, "q", bootstrap=200).squeeze()
    flat = np.flatnonzero(~np.isin(grid, (2, 6)))
    assert (found.susceptibility[flat] == 0).all()
    assert np.isnan(found.susceptibility_low[flat]).all() and np.isnan(found.susceptibility_high[flat]).all()
    assert np.isnan(found.susceptibility_high[2])  # a third of the resamples lack the student
    assert found.susceptibility_low[6] <= found.susceptibility[6] <= found.susceptibility_high[6] <= 17
    whole = fss.analyze(continuous(GRIDS, noise=0.0, gaps=0.95, teachers=4, seed=6), "q", bootstrap=100)
    high = whole.summaries.susceptibility_high
    assert high.where(high.notnull(), 0).max() <= 256


def test_moments_in_time_are_used_where_they_are_there(planted):
    q = planted.q
    moments = xr.Dataset({"o_mean": q, "o_second": q**2 + 0.01, "o_fourth": q**4})
    without = fss.summaries(moments[["o_mean"]], "o_mean", bootstrap=100)
    found = fss.summaries(moments, "o_mean", bootstrap=100)
    added = (found.susceptibility - without.susceptibility) / found.N
    np.testing.assert_allclose(added.sel(N=64).dropna("m"), 0.01, rtol=1e-6)


@pytest.mark.slow
def test_the_interval_of_a_summary_covers():
    exact = fss.summaries(continuous({64: GRIDS[64]}, teachers=4000, replicas=20), "q", bootstrap=2)
    hits = {name: [] for name in ("mean", "susceptibility", "binder")}
    for seed in range(200):
        found = fss.summaries(continuous({64: [16, 18, 21]}, teachers=16, seed=seed), "q", bootstrap=200)
        for name, hit in hits.items():
            truth = exact[name].sel(m=[16, 18, 21])
            hit.append((found[f"{name}_low"] <= truth) & (truth <= found[f"{name}_high"]))
    for name, hit in hits.items():
        assert 0.90 <= np.mean(hit) <= 0.99, name


def test_certain_success_and_failure_have_intervals():
    values = np.zeros((4, 25, 2))
    values[..., 1] = 1
    ds = xr.Dataset({"success": (("teacher", "replica", "m"), values)}, {"m": [1, 2], "N": 64})
    found = fss.summaries(ds, "success", bootstrap=100).squeeze()
    reach = 1 - 0.025 ** (1 / 100)  # Clopper and Pearson for 0 of 100
    assert (found.mean_low == found["mean"]).all()
    ds = ds.assign(q=ds.success)
    found = fss.summaries(ds, "q", bootstrap=100).squeeze()
    np.testing.assert_allclose(found.success_high[0], reach)
    np.testing.assert_allclose(found.success_low[1], 1 - reach)


def test_the_median_time_counts_failures_as_never():
    times = np.full((4, 10, 3), np.nan)
    times[..., :6, 0] = 20.0  # 24 of 40 at 20
    times[:, :6, 0], times[:, :4, 1], times[:, :, 2] = 20.0, 10.0, 40.0
    succeeded = np.isfinite(times).astype(float)
    dims = ("teacher", "replica", "m")
    ds = xr.Dataset(
        {"q": (dims, succeeded), "success": (dims, succeeded), "success_time": (dims, times)},
        {"m": [1, 2, 3], "N": 64},
    )
    found = fss.summaries(ds, "q", bootstrap=100).success_time.squeeze().to_numpy()
    assert 10 < found[0] <= 20
    assert np.isnan(found[1])
    assert 20 < found[2] <= 40


# ---------------------------------------------------------------- estimators


def test_every_estimator_finds_the_planted_m_c():
    near = continuous(FAR_APART, teachers=16, replicas=200, scatter=(0.15, 0.5), seed=2)
    found = fss.estimates(near, ["midpoint", "susceptibility", "success_crossing", "perfect_recovery"], "q")
    names = [record.estimator for record in found]
    assert (
        names == ["midpoint"] * 2 + ["susceptibility"] * 2 + ["success_crossing"] + ["perfect_recovery"] * 2
    )
    crossing = found[names.index("success_crossing")]
    assert crossing.title == "crossing of the success probability"
    assert (crossing.labels["N"], crossing.labels["N_next"]) == (64, 1024)
    for record in found:
        assert record.low <= M_C <= record.high, record
        assert record.high - record.low < 1.2
    many = continuous(FAR_APART, teachers=16, replicas=1500, scatter=(0.15, 0.5), seed=2)
    [record] = fss.estimates(spins(many), ["binder_crossing"], "q", bootstrap=200)
    assert record.low <= M_C <= record.high


@pytest.mark.slow
def test_intervals_of_estimators_cover():
    hits = {}
    # Fine enough to show every peak: where the grid steps over one, the interval covers too often.
    grids = {**GRIDS, 256: np.arange(12, 25, 0.75)}
    for seed in range(200):
        ds = continuous(grids, beta_over_nu=0.1, gaps=0.02, seed=seed)
        found = fss.estimates(ds, ["midpoint", "susceptibility"], "q", bootstrap=200)
        near = continuous(FAR_APART, teachers=16, replicas=200, scatter=(0.15, 0.5), seed=seed)
        found += fss.estimates(near, ["success_crossing"], "q", bootstrap=200)
        many = continuous(FAR_APART, teachers=16, replicas=1500, scatter=(0.15, 0.5), seed=seed)
        found += fss.estimates(spins(many), ["binder_crossing"], "q", bootstrap=200)
        for record in found:
            key = (record.estimator, record.labels["N"])
            known = np.isfinite(record.m_c)
            hits.setdefault(key, []).append(record.low <= M_C <= record.high if known else np.nan)
    for key, hit in hits.items():
        assert np.isnan(hit).mean() < 0.2, key  # a crossing that is not significant is not stated
        assert 0.90 <= np.nanmean(hit) <= 0.99, key


def test_grids_that_share_no_point_still_cross():
    grids = {64: np.arange(12, 25, 1.0), 512: np.arange(12.5, 25, 1.0)}
    ds = continuous(grids, teachers=16, replicas=64, scatter=(0.15, 0.5), seed=4)
    [record] = fss.estimates(ds, ["success_crossing"], "q")
    assert record.low <= M_C <= record.high


def test_plateaus_that_differ_do_not_cross():
    grid = np.arange(10, 27)
    rng = np.random.default_rng(0)
    rise = 1 / (1 + np.exp(-(grid - 18.0)))
    values = np.stack([rise, np.roll(rise, 2) * (grid > 12)])[:, None, None] + 0.01 * rng.normal(
        size=(2, 8, 32, 17)
    )
    ds = xr.Dataset({"success": (("N", "teacher", "replica", "m"), values)}, {"N": [64, 128], "m": grid})
    [record] = fss.estimates(ds, ["success_crossing"], "success")
    assert np.isnan(record.m_c)
    assert "N = 128 lies below N = 64: no crossing" in record.reason


def test_binder_curves_that_cross_on_a_plateau_have_no_crossing():
    # U4 of the smaller size dips as it begins to rise, through that of the larger one, still on its plateau.
    grid = np.arange(0, 60.0, 2)
    rng = np.random.default_rng(0)
    students = []
    for middle, noise in ((20.0, 0.02), (45.0, 0.08)):
        went = rng.random((16, 64, len(grid))) < 1 / (1 + np.exp(-(grid - middle) / 2.5))
        students.append(np.where(went, 1.0, 0.2 + noise * rng.normal(size=went.shape)))
    ds = xr.Dataset({"q": (("N", "teacher", "replica", "m"), students)}, {"N": [64, 128], "m": grid})
    [record] = fss.estimates(ds, ["binder_crossing"], "q", bootstrap=200)
    assert np.isnan(record.m_c)
    assert "N = 128: the sizes drift apart, no crossing" in record.reason


def test_a_peak_between_two_points_is_known_to_half_a_step():
    grid = np.arange(10, 27, 2)
    ds = continuous({64: grid}, scatter=(0.1, 0.3), seed=5)
    ds = ds.assign(q=(ds.q > 0.5) * 1.0)
    [record] = fss.estimates(ds, ["susceptibility"], "q")
    assert record.high - record.low >= 2
    assert record.low <= M_C <= record.high


def test_the_smoother_is_exact_for_parabolas():
    rng = np.random.default_rng(0)
    x = np.sort(rng.random(12))
    z = np.linspace(x[0], x[-1], 50)
    for power in range(3):
        np.testing.assert_allclose(smoother(x, z, 0.2) @ x**power, z**power, atol=1e-9)


def test_unknown_estimators_and_sizes_are_refused(planted):
    allowed = r"estimators = 'peak': allowed are midpoint, steepest, level, susceptibility"
    with pytest.raises(DatasetError, match=allowed):
        fss.estimates(planted, ["peak"], "q")
    with pytest.raises(DatasetError, match=r"m = 12 occurs twice in q: each value of m must occur once"):
        fss.estimates(xr.concat([planted, planted.sel(m=[12, 13])], "m"), order_parameter="q")
    with pytest.raises(DatasetError, match="N = 64 occurs twice"):
        fss.summaries(xr.concat([planted, planted.sel(N=[64])], "N"), "q")
    with pytest.raises(DatasetError, match="size 'L' is no dimension of q, which has N, teacher"):
        fss.summaries(planted, "q", size="L")
    with pytest.raises(DatasetError, match="size 'N' must be positive numbers"):
        fss.summaries(planted.assign_coords(N=[-1, 2, 3]), "q")
