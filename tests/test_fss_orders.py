"""How often each verdict is given over fresh seeds, where the order of the transition is known.

Systems without a transition are not called second order, continuous ones are and are never called first order,
and coexisting phases are called first order, whether the barrier between them can be measured or not.
"""

from collections import Counter

import numpy as np
import pytest
from known_answers import orders

import mbsim
from mbsim import fss
from mbsim.fss.growth import Exponents, exponents, growth
from mbsim.fss.resampled import Resampled

SEEDS = 40


def rates(make, seeds=SEEDS):
    """The share of each verdict; pytest -s prints the table of docs/analysis.md."""
    found = Counter()
    for seed in range(seeds):
        [verdict] = fss.transition_order(make(seed), "q", bootstrap=200)
        found[verdict.order] += 1
    print(dict(found))
    return {order: count / seeds for order, count in found.items()}


SMOOTH = {
    "ring, ξ = 3": lambda seed: orders.ring(3, seed=seed),
    "ring, ξ = 5": lambda seed: orders.ring(5, seed=seed),
    "ring, ξ = 40": lambda seed: orders.ring(40, seed=seed),
    "ring, ξ = 100": lambda seed: orders.ring(100, seed=seed),
    "free spins": lambda seed: orders.free(seed=seed),
}
CONTINUOUS = {
    "2D Ising": lambda seed: orders.square_ising(seed=seed),
    "Curie-Weiss": lambda seed: orders.curie_weiss(seed=seed),
    "giant component": lambda seed: orders.giant_component(seed=seed),
}
JUMPS = {
    "strong": lambda seed: orders.two_peaks(**orders.STRONG, seed=seed),
    "weak": lambda seed: orders.two_peaks(**orders.WEAK, seed=seed),
    "strong, steeper": lambda seed: orders.two_peaks(**orders.STRONG, rate=3, seed=seed),
    "strong, few students": lambda seed: orders.two_peaks(
        **orders.STRONG, teachers=8, replicas=16, seed=seed
    ),
    "weak, steeper": lambda seed: orders.two_peaks(**orders.WEAK, rate=3, seed=seed),
}


@pytest.mark.slow
@pytest.mark.parametrize("system", SMOOTH)
def test_what_has_no_transition_is_not_second_order(system):
    found = rates(SMOOTH[system])
    assert found.get("second", 0) <= 0.05
    assert found.get("first", 0) == 0


@pytest.mark.slow
@pytest.mark.parametrize("system", ["ring, ξ = 3", "ring, ξ = 5", "free spins"])
def test_with_many_students_it_is_a_crossover(system):
    make = {
        "ring, ξ = 3": lambda seed: orders.ring(3, seed=seed, replicas=128),
        "ring, ξ = 5": lambda seed: orders.ring(5, seed=seed, replicas=128),
        "free spins": lambda seed: orders.free(seed=seed, replicas=128),
    }[system]
    assert rates(make, seeds=16).get("crossover", 0) >= 0.8


@pytest.mark.slow
@pytest.mark.parametrize("system", CONTINUOUS)
def test_a_continuous_transition_is_second_order_and_never_first(system):
    found = rates(CONTINUOUS[system])
    assert found.get("second", 0) >= 0.8
    assert found.get("first", 0) == 0


@pytest.mark.slow
@pytest.mark.parametrize("system", JUMPS)
def test_phases_that_coexist_are_first_order(system):
    assert rates(JUMPS[system]).get("first", 0) >= 0.8


EXACT = {  # 1/ν and β/ν in N; the random graph is left out, whose corrections to scaling are large at these sizes
    "2D Ising": (1 / 2, 1 / 16),
    "Curie-Weiss": (1 / 2, 1 / 4),
    "strong": (1, 0),
}


@pytest.mark.slow
@pytest.mark.parametrize("system", EXACT)
def test_growth_gives_the_exponents_up_to_corrections(system):
    found = [
        fss.transition_order((CONTINUOUS | JUMPS)[system](seed), "q", bootstrap=200)[0] for seed in range(8)
    ]
    inverse_nu, beta_over_nu = EXACT[system]
    assert np.mean([one.inverse_nu.value for one in found]) == pytest.approx(inverse_nu, abs=0.12)
    assert np.mean([one.beta_over_nu.value for one in found]) == pytest.approx(beta_over_nu, abs=0.05)


# ---------------------------------------------------------------- one of each, for the quick set


def test_one_of_each():
    made = {
        "crossover": orders.free(seed=0, replicas=256),
        "second": orders.curie_weiss(seed=0),
        "first": orders.two_peaks(**orders.WEAK, seed=0),
    }
    for order, ds in made.items():
        [verdict] = fss.transition_order(ds, "q", bootstrap=200)
        assert verdict.order == order
        assert verdict.midpoint.known == (order == "crossover")
    [record, *_] = fss.analyze(made["crossover"], "q", bootstrap=100).critical
    assert record.order == "crossover" and abs(record.m_c) < 0.1


def test_a_valley_that_fills_is_not_that_of_two_phases():
    """Rings of 32, 64 and 128 spins with ξ = 40: 3, 9 and 22 of 100 students lie between the phases."""
    [verdict] = fss.transition_order(orders.ring(40, seed=0), "q", bootstrap=200)
    shares = [one.between for one in verdict.histograms]
    walls = np.exp(-np.array([32, 64, 128]) / 40)  # λ^N; domains of a ring with walls are of any length
    together = 2 * ((1 + np.exp(-1 / 40)) / 2) ** np.array([32, 64, 128]) / (1 + walls)
    for share, none in zip(shares[1:], together, strict=True):
        assert share.low < 0.4 * (1 - none) and share.high > 0.28 * (1 - none)
    assert verdict.order == "undecided" and {one.key for one in verdict.because} == {"needed"}
    fills = next(one for one in verdict.because[0]["needs"] if one.key == "valley_fills")
    assert 2 * 128 <= fills["at"] <= 4 * 128  # three correlation lengths and more, where one peak is left
    [parted] = fss.transition_order(orders.two_peaks(**orders.STRONG, seed=0), "q", bootstrap=200)
    assert [one.between.value for one in parted.histograms[1:]] == [0, 0, 0]


def test_the_ring_is_sampled_from_its_law():
    fields = np.array([-0.3, 0.0, 0.2])
    spins = orders.ring_spins(0.7, 6, fields, 40_000, np.random.default_rng(3))
    states = 1 - 2 * ((np.arange(64)[:, None] >> np.arange(6)) & 1)
    bonds = (states * np.roll(states, 1, axis=1)).sum(axis=1)
    for field, sampled in zip(fields, spins.T, strict=True):
        law = np.exp(0.7 * bonds + field * states.sum(axis=1))
        mean = states.mean(axis=1)
        exact = [(mean**power * law).sum() / law.sum() for power in (1, 2)]
        assert sampled.mean() == pytest.approx(exact[0], abs=0.015)
        assert np.square(sampled).mean() == pytest.approx(exact[1], abs=0.012)


def known(value, error, rng, samples=400):
    """A positive scalar with that relative error."""
    draws = value * np.exp(error * rng.normal(size=(2, samples)))
    return Resampled(np.asarray(value), draws[0], draws[1], (400, 400))


def test_growth_tells_saturation_from_growth():
    rng, sizes = np.random.default_rng(0), (32, 64, 128, 256)
    grows = growth(sizes, [known(size**0.5, 0.02, rng) for size in sizes])
    assert grows.grows and not grows.still
    assert grows.overall.low < 0.5 < grows.overall.high
    saturates = growth(sizes, [known(value, 0.02, rng) for value in (1.0, 2.0, 2.05, 2.0)])
    assert saturates.overall.low > 0 and not saturates.grows and saturates.still
    assert saturates.sizes == sizes and growth(sizes[:1], [known(1.0, 0.1, rng)]).overall.known is False


def test_a_larger_size_or_more_students_would_tell():
    rng, sizes = np.random.default_rng(1), (32, 64, 128)
    vague = growth(sizes, [known(1.0, 0.1, rng) for _ in sizes])
    assert not vague.grows and not vague.still
    reach = (vague.pair.high - vague.pair.low) / 2
    larger = 128 * vague.missing_factor
    assert np.log(2) * reach / np.log(larger / 128) == pytest.approx(
        0.1
    )  # the same error over a longer lever


def test_coexistence_needs_the_whole_interval_of_beta():
    """β/ν = 0.1 with an interval to 0.15 does not exclude a critical point, nor a finite correlation length."""
    coexist = fss.Interval(1.0, 0.9, 1.1)
    for beta, of_coexistence in (
        (fss.Interval(0.02, -0.03, 0.07), True),
        (fss.Interval(0.1, 0.05, 0.15), False),
        (fss.Interval(-0.1, -0.15, -0.05), False),
    ):
        assert Exponents(coexist, beta).of_coexistence == of_coexistence


def test_coexistence_must_last_to_the_last_pair_of_sizes():
    """Exponents of all sizes are those of coexistence where most are smaller than a correlation length."""
    rng, sizes = np.random.default_rng(3), (8, 16, 32, 64, 128)
    stops = [min(size, 90.0) for size in sizes]
    both = [known(height, 0.01, rng) for height in stops]
    found = exponents(sizes, both, both)
    assert found._replace(of_pair=None).of_coexistence and not found.of_coexistence


def test_exponents_of_coexistence_and_of_a_critical_point():
    rng, sizes = np.random.default_rng(2), (64, 128, 256)
    both = [[known(size**power, 0.01, rng) for size in sizes] for power in (1.0, 7 / 8, 7 / 16)]
    jump, ising = exponents(sizes, both[0], both[0]), exponents(sizes, both[1], both[2])
    assert jump.of_coexistence and not ising.of_coexistence
    assert ising.inverse_nu.low <= 1 / 2 <= ising.inverse_nu.high
    assert ising.beta_over_nu.low <= 1 / 16 <= ising.beta_over_nu.high
    assert not exponents(sizes[:2], both[0][:2], both[0][:2]).inverse_nu.known


# ---------------------------------------------------------------- runs of mbsim


@pytest.mark.slow
def test_three_links_are_a_crossover():
    ds = mbsim.run(
        mbsim.Config(
            model="sparse-vector",
            grid={"N": [64, 128, 256], "d": [3], "m": list(range(2, 15)), "teachers": 8, "replicas": 32},
            dynamics={"sweeps": 150},
            run={"seed": 1},
        ),
        progress=False,
    )
    [verdict] = fss.transition_order(ds)
    assert verdict.order == "crossover"
    assert 6.5 < verdict.midpoint.value < 8


@pytest.mark.slow
def test_five_links_from_both_starts_are_first_order():
    grid = {"N": [32, 64, 128], "d": [5], "m": list(range(11, 23)), "teachers": 8, "replicas": 16}
    ds = mbsim.run(
        mbsim.Config(
            model="sparse-vector",
            grid=grid | {"init_overlap": [0.0, 1.0]},
            dynamics={"sweeps": 150},
            run={"seed": 1},
        ),
        progress=False,
    )
    [verdict] = fss.transition_order(ds)
    assert verdict.order == "first"
