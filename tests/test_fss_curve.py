"""The smooth curve through an order parameter: least squares, whatever the unit, each curve on its own."""

import numpy as np
import pytest
from rises import GRID, logistic, overlap, students
from scipy.optimize import least_squares

from mbsim.fss import curve


def test_the_fit_finds_the_least_squares_of_a_general_optimiser():
    rng = np.random.default_rng(4)
    x = GRID.astype(float)
    y = overlap(x, rng.uniform(13, 22, (30, 1)), rng.uniform(0.3, 1.5, (30, 1)), 0.3, 0.02)
    y += 0.02 * rng.normal(size=y.shape)
    fitted = curve.fit(x, y)
    u = (x - x[0]) / (x[-1] - x[0])
    for at in range(len(y)):
        unit = y[at] / (y[at].max() - y[at].min())

        def residuals(theta, data=unit):
            before, slope, after, centre, log_width = theta
            s = logistic((x - centre) / np.exp(log_width))
            penalties = [np.sqrt(curve.SLOPE_PENALTY) * slope, np.sqrt(curve.WIDTH_PENALTY) * log_width]
            return np.concatenate([(before + slope * u) * (1 - s) + after * s - data, penalties])

        ours = np.array([part[at] for part in fitted[:5]])
        ours[:3] /= np.ptp(y[at])
        ours[4] = np.log(ours[4])
        best = least_squares(residuals, ours, xtol=1e-12, ftol=1e-12).x
        assert np.square(residuals(ours)).sum() <= np.square(residuals(best)).sum() * (1 + 1e-3)
        assert ours[3] == pytest.approx(best[3], abs=0.02)


def test_noise_on_the_branches_does_not_place_a_jump():
    x = GRID.astype(float)
    noisy = np.where(GRID <= 16, 0.2, 1.0) + 0.001 * np.random.default_rng(0).normal(size=(50, len(GRID)))
    np.testing.assert_allclose(curve.fit(x, noisy).centre, 16.5, atol=0.08)


def test_fits_neither_touch_each_other_nor_depend_on_the_unit():
    x = GRID.astype(float)
    y = students(noise=0.05).reshape(-1, len(GRID))
    together = curve.fit(x, y)
    np.testing.assert_allclose(curve.fit(x, y[3:4]).centre, together.centre[3:4], rtol=1e-9)
    scaled = curve.fit(x, 7 * y - 2)
    np.testing.assert_allclose(scaled.centre, together.centre, rtol=1e-6)
    np.testing.assert_allclose(scaled.height, 7 * together.height, rtol=1e-6)
    shifted = curve.fit(x / 10 + 3, y)
    np.testing.assert_allclose(shifted.centre, together.centre / 10 + 3, rtol=1e-6)
