"""The two-dimensional Ising model by common m_c and ν of |m|, U4 and χ, from samples and from a table of them.

Exact, in terms of N = L²: β_c = ln(1 + √2) (of Potts' form), 1/ν = 1/2, β/ν = 1/16, γ/ν = 7/8.
"""

import numpy as np
import pytest
import xarray as xr
from known_answers import potts

from mbsim import fss

pytestmark = pytest.mark.slow

QUANTITIES = {"mean": ("mag", "dmag"), "binder": ("U4", "dU4"), "susceptibility": ("chi", "dchi")}
STUDENT = 2.07
"""Of 23 degrees of freedom: half of a 95 % interval over the error of 24 chains."""


@pytest.fixture(scope="module")
def ising():
    critical = potts.critical(2)
    grids = {
        length: np.round(critical * (1 + np.linspace(-1.0, 0.6, 11) / length), 5)
        for length in (16, 24, 32, 48)
    }
    return potts.dataset(2, grids, count=24, sweeps=240, burn=50, seed=5, thin=2)


def table_of(ds):
    """Mean and error of each quantity, as they are written down: no samples."""
    found = fss.summaries(ds, "magnetisation")
    table = {}
    for name, (variable, error) in zip(
        ("mean", "binder", "susceptibility"), QUANTITIES.values(), strict=True
    ):
        table[variable] = found[name]
        table[error] = (found[f"{name}_high"] - found[f"{name}_low"]) / (2 * STUDENT)
    return xr.Dataset(table)


def test_exponents_of_the_ising_model_from_three_quantities_together(ising):
    mean, _, peak = fss.collapse(ising, "magnetisation", quantity=list(QUANTITIES))
    for interval, exact, least in (
        (mean.m_c, potts.critical(2), 0.005),
        (mean.inverse_nu, 1 / 2, 0.1),
        (mean.beta_over_nu, 1 / 16, 0.02),
        (peak.beta_over_nu, -7 / 8, 0.05),
    ):
        assert interval.low <= exact <= interval.high
        assert interval.high - interval.low < least


def test_the_same_from_a_table_of_means_and_errors_alone(ising):
    """It takes the quantities for independent, which of one set of chains they are not: wider limits here."""
    table = table_of(ising)
    [binder] = fss.collapse(table, "U4", error="dU4", beta=0.0)
    assert binder.m_c.low <= potts.critical(2) <= binder.m_c.high
    assert binder.inverse_nu.low <= 1 / 2 <= binder.inverse_nu.high
    mean, _, peak = fss.collapse(table, "mag", quantity=list(QUANTITIES), error=QUANTITIES)
    samples, _, other = fss.collapse(ising, "magnetisation", quantity=list(QUANTITIES))
    assert mean.m_c.value == pytest.approx(samples.m_c.value, abs=0.001)
    assert mean.inverse_nu.value == pytest.approx(samples.inverse_nu.value, abs=0.02)
    assert peak.beta_over_nu.value == pytest.approx(other.beta_over_nu.value, abs=0.01)
