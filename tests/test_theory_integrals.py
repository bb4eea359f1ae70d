"""The Gaussian averages against sampling, their published values, and their own symmetries.

Sampled averages are compared by z-score. Here are 64 of them; |z| < 6 fails by chance with probability 1e-7.
"""

import numpy as np
import pytest
from scipy.special import erf

from mbsim.theory.integrals import AVERAGES

SAMPLES = 1_000_000
ACTIVATIONS = {
    "erf": (lambda z: erf(z / np.sqrt(2)), lambda z: np.sqrt(2 / np.pi) * np.exp(-(z**2) / 2)),
    "linear": (lambda z: z, np.ones_like),
}
INDICES = [(0, 1, 2, 3), (0, 0, 2, 3), (0, 1, 0, 1), (1, 2, 2, 2)]


def covariances(count):
    """Covariances of four correlated fields, with variances from 0.3 to 3."""
    rng = np.random.default_rng(5)
    roots = rng.normal(size=(count, 4, 6)) * np.sqrt(rng.uniform(0.05, 0.5, (count, 4, 1)))
    return roots @ np.swapaxes(roots, 1, 2)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("seed", [0, 1])
def test_averages_agree_with_sampling(activation, seed):
    C = covariances(2)[seed]
    h = np.random.default_rng(seed).multivariate_normal(np.zeros(4), C, SAMPLES, method="cholesky").T
    g, slope = (function(h) for function in ACTIVATIONS[activation])
    averages = AVERAGES[activation]
    for a, b, c, d in INDICES:
        sampled = [
            (averages.I2(C, a, b), g[a] * g[b]),
            (averages.I3(C, a, b, c), slope[a] * h[b] * g[c]),
            (averages.I4(C, a, b, c, d), slope[a] * slope[b] * g[c] * g[d]),
            (averages.J2(C, a, b), slope[a] * slope[b]),
        ]
        for value, products in sampled:
            error = products.std() / np.sqrt(SAMPLES)
            assert abs(products.mean() - value) <= 6 * error, (a, b, c, d)
            assert error < 0.01


def test_all_fields_the_same_with_variance_one():
    C, averages = np.ones((4, 4)), AVERAGES["erf"]
    values = [averages.I2(C, 0, 1), averages.I3(C, 0, 1, 2), averages.I4(C, 0, 1, 2, 3), averages.J2(C, 0, 1)]
    np.testing.assert_allclose(values, [1 / 3, 0.18378, 0.05913, 0.36755], atol=6e-6)


def test_the_formula_of_saad_and_solla_for_the_average_of_four():
    """Theirs, written with the four polynomials; here the covariance is tilted."""
    for C in covariances(5):
        for a, b, c, d in INDICES:
            L4 = (1 + C[a, a]) * (1 + C[b, b]) - C[a, b] ** 2
            L0 = L4 * C[c, d] - C[b, c] * C[b, d] * (1 + C[a, a]) - C[a, c] * C[a, d] * (1 + C[b, b])
            L0 += C[a, b] * (C[a, c] * C[b, d] + C[a, d] * C[b, c])
            L1, L2 = (
                L4 * (1 + C[k, k])
                - C[b, k] ** 2 * (1 + C[a, a])
                - C[a, k] ** 2 * (1 + C[b, b])
                + 2 * C[a, b] * C[a, k] * C[b, k]
                for k in (c, d)
            )
            expected = 4 / np.pi**2 / np.sqrt(L4) * np.arcsin(L0 / np.sqrt(L1 * L2))
            assert AVERAGES["erf"].I4(C, a, b, c, d) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_arrays_of_indices_and_of_cases_are_the_single_values(activation):
    C, n = covariances(3), np.arange(4)
    averages = AVERAGES[activation]
    two = averages.I2(C, n[:, None], n)
    three = averages.I3(C, n[:, None, None], n[:, None], n)
    four = averages.I4(C, n[:, None, None, None], n[:, None, None], n[:, None], n)
    slopes = averages.J2(C, n[:, None], n)
    for case, one in enumerate(C):
        for a, b, c, d in np.ndindex(4, 4, 4, 4):
            assert two[case, a, b] == pytest.approx(averages.I2(one, a, b))
            assert three[case, a, b, c] == pytest.approx(averages.I3(one, a, b, c))
            assert four[case, a, b, c, d] == pytest.approx(averages.I4(one, a, b, c, d))
            assert slopes[case, a, b] == pytest.approx(averages.J2(one, a, b))
