"""Means and their errors over teachers and replicas: what a resample keeps, and intervals that cover."""

import numpy as np
import pytest

from mbsim.fss import resample


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
