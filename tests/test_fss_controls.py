"""The analysis against systems whose transition is known: exact values within errors, verdicts right.

Site percolation by union-find, Ising and Potts models by cluster flips; none of it shares code with mbsim.
"""

import numpy as np
import pytest
from known_answers import percolation, potts

from mbsim import fss


def holds(interval, exact):
    return interval.low <= exact <= interval.high


@pytest.fixture(scope="module")
def clusters():
    return percolation.dataset([8, 16, 32], 500, np.linspace(0.30, 0.80, 41), seed=1)


def test_the_union_find_finds_clusters():
    scipy = pytest.importorskip("scipy.ndimage")
    rng = np.random.default_rng(0)
    state = rng.bit_generator.state
    found = percolation.percolation(12, 20, [0.4, 0.6], rng, spanning=True)
    rng.bit_generator.state = state
    sites = rng.random((20, 144)).reshape(20, 12, 12)
    for at, lattice in enumerate(sites):
        for share, spans in zip((0.4, 0.6), found[at], strict=True):
            # Three copies side by side make the columns periodic for clusters that wind less than twice.
            label, _ = scipy.label(np.tile(lattice < share, (1, 3)))
            assert bool(set(label[0][label[0] > 0]) & set(label[-1])) == bool(spans)


def test_percolation_is_second_order(clusters):
    [verdict] = fss.transition_order(clusters, "largest", bootstrap=300)
    assert verdict.order == "second"
    assert all(np.isnan(drawn.valley) for drawn in verdict.histograms)
    assert abs(verdict.susceptibility_exponent.value - percolation.GAMMA_OVER_NU) < 0.06


def test_three_sizes_do_not_tell_a_limit_from_a_drift(clusters):
    records = fss.estimates(clusters, ["susceptibility"], "largest", bootstrap=300)
    [found] = fss.extrapolate(records)
    places = [record.m_c for record in records]
    assert places == sorted(places)
    assert places[-1] < percolation.P_C - 0.01  # one size is not enough
    assert found.law == "undecided"
    assert not found.m_c.known
    assert "no m_c(∞): laws without a limit (logarithm)" in found.reason


@pytest.mark.slow
def test_percolation_threshold_from_sizes_to_infinity():
    ds = percolation.dataset([8, 16, 32, 64], 2000, np.linspace(0.3, 0.8, 41), seed=0)
    [found] = fss.extrapolate(fss.estimates(ds, ["susceptibility"], "largest"))
    assert found.law == "power correction"
    assert holds(found.m_c, percolation.P_C)
    assert holds(found.parameters["omega"], percolation.INVERSE_NU)


def test_spanning_probabilities_cross_at_the_percolation_threshold():
    ds = percolation.dataset([16, 48], 600, np.linspace(0.5, 0.68, 19), seed=3, spanning=True)
    [found] = fss.estimates(ds, ["success_crossing"], "success", bootstrap=300)
    assert found.low <= percolation.P_C <= found.high
    assert found.high - found.low < 0.02


@pytest.mark.slow
def test_percolation_exponents():
    ds = percolation.dataset([16, 32, 64, 96], 1000, np.linspace(0.5, 0.68, 25), seed=2)
    [found] = fss.collapse(ds, "largest", window=(0.55, 0.63))
    assert holds(found.m_c, percolation.P_C)
    assert holds(found.inverse_nu, percolation.INVERSE_NU)
    assert holds(found.beta_over_nu, percolation.BETA_OVER_NU)
    assert found.inverse_nu.high - found.inverse_nu.low < 0.1
    mean, peak = fss.collapse(
        ds, "largest", quantity=["mean", "susceptibility"], window=(0.55, 0.63)
    )  # with common p_c and ν
    assert holds(mean.m_c, percolation.P_C) and holds(mean.inverse_nu, percolation.INVERSE_NU)
    assert holds(peak.beta_over_nu, -percolation.GAMMA_OVER_NU)
    assert mean.m_c.high - mean.m_c.low < 0.006


@pytest.fixture(scope="module")
def ising():
    critical = potts.critical(2)
    grids = {
        length: np.round(critical * (1 + np.r_[-0.6, -0.4, np.linspace(-2.4, 1.2, 13) / length, 0.3]), 5)
        for length in (6, 8, 12)
    }
    return potts.dataset(2, grids, count=24, sweeps=120, burn=30, seed=3, thin=2)


def test_ising_is_second_order(ising):
    [verdict] = fss.transition_order(ising, "magnetisation", bootstrap=300)
    assert verdict.order == "second"
    assert 0.75 < verdict.susceptibility_exponent.value < 0.95  # 7/8, with corrections at these sizes


def test_ising_exponents_from_the_binder_cumulant(ising):
    critical = potts.critical(2)
    [found] = fss.collapse(
        ising, "magnetisation", quantity="binder", window=(0.8 * critical, 1.12 * critical), bootstrap=300
    )
    assert abs(found.m_c.value - critical) < 0.01
    assert abs(found.inverse_nu.value - 0.5) < 0.08


@pytest.mark.slow
def test_ising_exponents():
    critical = potts.critical(2)
    grids = {
        length: np.round(critical * (1 + np.linspace(-1.2, 0.8, 13) / length), 5)
        for length in (12, 16, 24, 32)
    }
    ds = potts.dataset(2, grids, count=48, sweeps=300, burn=50, seed=4, thin=2)
    near = (0.97 * critical, 1.03 * critical)
    [binder] = fss.collapse(ds, "magnetisation", quantity="binder", window=near)
    assert holds(binder.m_c, critical)
    assert holds(binder.inverse_nu, 1 / 2)
    [mean] = fss.collapse(ds, "magnetisation")
    assert holds(mean.m_c, critical)
    assert holds(mean.inverse_nu, 1 / 2)
    assert holds(mean.beta_over_nu, 1 / 16)
    assert mean.beta_over_nu.high - mean.beta_over_nu.low < 0.02


def potts_dataset(q, lengths, power, seed, count=32, sweeps=300, thin=2):
    critical = potts.critical(q)
    grids = {
        length: np.round(
            critical * (1 + np.r_[-0.3, -0.15, np.linspace(-3.0, 1.5, 9) / length**power, 0.1, 0.2]), 5
        )
        for length in lengths
    }
    return potts.dataset(q, grids, count, sweeps, 60, seed, thin)


@pytest.mark.slow
def test_potts_with_ten_states_is_first_order():
    [verdict] = fss.transition_order(potts_dataset(10, (6, 8, 12), 2.0, 5), "magnetisation", bootstrap=300)
    assert verdict.order == "first"
    barriers = [drawn.barrier.value for drawn in verdict.histograms]
    assert barriers[-1] > max(barriers[:-1])
    assert verdict.barrier_growth.low > 0


@pytest.mark.slow
def test_potts_with_ten_states_is_first_order_at_larger_sizes():
    ds = potts_dataset(10, (8, 12, 16, 20), 2.0, 6, sweeps=600, thin=3)
    [verdict] = fss.transition_order(ds, "magnetisation")
    assert verdict.order == "first"
    assert verdict.histograms[-1].barrier.low > 2


@pytest.mark.slow
def test_potts_with_four_states_is_not_first_order():
    [verdict] = fss.transition_order(potts_dataset(4, (6, 8, 12), 1.5, 7), "magnetisation", bootstrap=300)
    assert verdict.order != "first"
    assert any(dip.known for dip in verdict.binder_minima.values())  # the dip is there, and is not counted


@pytest.mark.slow
def test_potts_with_four_states_is_second_order_at_larger_sizes():
    ds = potts_dataset(4, (8, 12, 16, 24), 1.5, 8, sweeps=400)
    [verdict] = fss.transition_order(ds, "magnetisation")
    assert verdict.order == "second"
