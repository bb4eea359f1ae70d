"""Means and their errors over teachers and replicas: what a resample keeps, and intervals that cover."""

import resource
import time

import numpy as np
import pytest
import xarray as xr

from mbsim import fss
from mbsim.fss import resample
from mbsim.fss.resampled import Resampled


@pytest.mark.parametrize("teachers", [3, 4, 8, 16])
@pytest.mark.parametrize("teacher_scatter", [0.0, 0.3, 2.0])
def test_the_interval_of_a_plain_mean_covers(teachers, teacher_scatter):
    rng, replicas, repeats = np.random.default_rng(0), 6, 1500
    means = teacher_scatter * rng.normal(size=(repeats, teachers, 1))
    values = means + rng.normal(size=(repeats, teachers, replicas))
    # The repeats are points here: resampled alike, but each has data and an interval of its own.
    stacked = np.moveaxis(values, 0, -1)
    both = resample.bootstrap_means(stacked, 400, rng)
    replicas_only = resample.bootstrap_means(stacked, 400, rng, redraw_teachers=False)
    shape = (teachers, replicas)
    ends = np.array(
        [
            resample.interval(estimate, both[:, at], replicas_only[:, at], shape)
            for at, estimate in enumerate(resample.mean(stacked))
        ]
    )
    assert 0.925 <= np.mean((ends[:, 0] <= 0) & (ends[:, 1] >= 0)) <= 0.985


def test_the_mean_weighs_teachers_alike():
    values = np.array([[[1.0], [np.nan], [np.nan]], [[2.0], [3.0], [4.0]], [[np.nan]] * 3])
    assert resample.mean(values) == pytest.approx(2.0)
    assert resample.standard_error(values) == pytest.approx(np.std([1, 3], ddof=1) / np.sqrt(2))
    assert resample.standard_error(values[1:2]) == pytest.approx(1 / np.sqrt(3))
    assert np.isnan(resample.standard_error(values[:1]))


def test_resampled_means_have_the_variances_of_a_two_level_bootstrap():
    values = np.random.default_rng(1).normal(size=(5, 7, 3)) + np.arange(5)[:, None, None]
    within = values.var(axis=1).mean(axis=0) / 35
    between = values.mean(axis=1).var(axis=0) / 5
    rng = np.random.default_rng(2)
    both = resample.bootstrap_means(values, 40_000, rng)
    replicas_only = resample.bootstrap_means(values, 40_000, rng, redraw_teachers=False)
    np.testing.assert_allclose(both.mean(axis=0), resample.mean(values), atol=0.02)
    np.testing.assert_allclose(replicas_only.var(axis=0), within, rtol=0.05)
    np.testing.assert_allclose(both.var(axis=0), within + between, rtol=0.05)


def test_resampled_teachers_weigh_alike_however_many_students_they_lack():
    values = np.zeros((2, 6, 1))
    values[1] = 1.0
    values[1, 4:] = np.nan
    means = resample.bootstrap_means(values, 20_000, np.random.default_rng(3))
    assert means.mean() == pytest.approx(0.5, abs=0.02)
    kept = resample.bootstrap_means(values, 50, np.random.default_rng(3), redraw_teachers=False)
    np.testing.assert_array_equal(kept, 0.5)


def test_a_resample_without_data_at_a_point_keeps_its_mean():
    values = np.ones((2, 3, 2))
    values[0, 0, 1], values[0, 1:, 1], values[1, :, 1] = 5.0, np.nan, np.nan
    means = resample.bootstrap_means(values, 200, np.random.default_rng(0))
    np.testing.assert_array_equal(means, [[1.0, 5.0]] * 200)


def test_what_a_teacher_moves_has_the_covariance_of_the_mean_whatever_the_replicas():
    rng = np.random.default_rng(5)
    values = rng.normal(size=(6, 9, 4)) + rng.normal(size=(6, 1, 1))
    moved = Resampled.means(values, 2, rng).deviations()
    np.testing.assert_allclose(moved.T @ moved, np.cov(values.mean(axis=1), rowvar=False) / 6)
    np.testing.assert_allclose(np.sqrt(np.square(moved).sum(axis=0)), resample.standard_error(values))
    values[2, :, 1] = np.nan  # a teacher that lacks a point does not move it
    assert Resampled.means(values, 2, rng).deviations()[2, 1] == pytest.approx(0, abs=0.02)
    with pytest.raises(ValueError, match="two teachers or more"):
        Resampled.means(values[:1], 2, rng).deviations()


def test_the_jackknife_of_a_variance_has_its_standard_error():
    """Of the variance of n normal numbers it is σ² √(2 / (n - 1)), here over many draws of them."""
    rng = np.random.default_rng(6)
    values = rng.normal(size=(40, 1, 800))
    both = Resampled.means(np.concatenate([values, values**2], axis=-1), 2, rng)
    variance = both.map(lambda batch: batch[:, 800:] - batch[:, :800] ** 2)
    stated = np.square(variance.deviations()).sum(axis=0)
    assert np.sqrt(stated.mean()) == pytest.approx(np.sqrt(2 / 39), rel=0.08)
    assert variance.estimate.std() == pytest.approx(np.sqrt(stated.mean()), rel=0.12)


@pytest.mark.parametrize("gaps", [False, True])
def test_what_is_counted_in_pieces_is_the_same(monkeypatch, gaps):
    """Thousands of teachers are counted in pieces that fit into the cache."""
    values = np.random.default_rng(7).normal(size=(9, 3, 4))
    if gaps:
        values[2, 1, 3] = values[5, :, 0] = np.nan
    whole = resample.bootstrap_means(values, 100, np.random.default_rng(8))
    monkeypatch.setattr(resample, "COUNTED_AT_ONCE", 50)
    pieces = resample.bootstrap_means(values, 100, np.random.default_rng(8))
    np.testing.assert_allclose(pieces, whole, rtol=1e-12)


@pytest.mark.slow
def test_ten_thousand_teachers_take_no_minute_and_little_memory():
    """Ten curves of 4 m, 10,000 teachers, 2 replicas, 1,000 resamples: 9 s of CPU when it was written."""
    rng = np.random.default_rng(0)
    sizes, m, shape = np.array([32, 64, 128, 256, 512]), np.array([14.0, 17.0, 19.0, 22.0]), (2, 10_000, 2)
    rise = 0.1 + 0.9 / (1 + np.exp(-(m - 18) * np.sqrt(sizes / 64)[:, None]))
    students = 0.2 * rng.normal(size=(5, 2, 10_000, 1, 1)) + 0.1 * rng.normal(size=(5, *shape, 4))
    ds = xr.Dataset(
        {"q": (("N", "d", "teacher", "replica", "m"), rise[:, None, None, None] + students)},
        {"N": sizes, "d": [3, 5], "m": m},
    )
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    fss.analyze(ds, "q")
    assert time.process_time() - started < 60
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # KiB
