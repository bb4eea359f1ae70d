"""The law of m_c against N and against d: planted laws come back, intervals cover, and doubt is said."""

from dataclasses import replace

import numpy as np
import pytest

from mbsim import fss
from mbsim.errors import DatasetError
from mbsim.fss import Critical

SIZES = np.array([32.0, 64.0, 128.0, 256.0, 512.0])


def records(values, errors, sizes=SIZES, **labels):
    errors = np.broadcast_to(errors, np.shape(values))
    return [
        Critical(
            {"N": float(size), **labels}, m, m - 1.96 * error, m + 1.96 * error, "undecided", "midpoint", "q"
        )
        for size, m, error in zip(sizes, values, errors, strict=True)
    ]


def only(values, errors, sizes=SIZES):
    [found] = fss.extrapolate(records(values, errors, sizes))
    return found


LAWS = {
    "power correction": lambda n: 18 + 20 * n**-0.75,
    "logarithm": lambda n: 5 + 3 * np.log(n),
    "proportional": lambda n: 0.3 * n,
}


@pytest.mark.parametrize("law", LAWS)
def test_planted_laws_are_told_apart(law):
    rng = np.random.default_rng(0)
    found = only(LAWS[law](SIZES) + 0.02 * rng.normal(size=5), 0.02)
    assert found.law == law
    assert sum(found.weights.values()) == pytest.approx(1)
    assert found.m_c.known == (law == "power correction")
    if not found.m_c.known:
        assert f"laws without a limit ({law}) hold" in found.reason
    inside = {"power correction": ("omega", 0.75), "logarithm": ("b", 3), "proportional": ("b", 0.3)}[law]
    interval = found.parameters[inside[0]]
    assert interval.low <= inside[1] <= interval.high
    np.testing.assert_allclose(found.curve[0], LAWS[law](32), atol=0.1)


@pytest.mark.parametrize("curve", [lambda n: 18 + 20 * n**-0.75, lambda n: 18 + 5 * n**-0.5])
def test_intervals_of_the_limit_cover(curve):
    rng, hits = np.random.default_rng(1), []
    for _ in range(250):
        found = only(curve(SIZES) + 0.02 * rng.normal(size=5), 0.02)
        hits.append(found.m_c.low <= 18 <= found.m_c.high)
    assert 0.90 <= np.mean(hits) <= 0.99


def test_laws_are_fitted_to_chance_and_the_limit_holds_what_a_definition_leaves_open():
    """Sizes move alike with the definition: their scatter tells the law, and the limit is no better known."""
    rng = np.random.default_rng(4)
    chance = records(18 + 0.02 * rng.normal(size=5), 0.02)
    both = [
        replace(one, low=one.m_c - 0.7, high=one.high, statistical=(one.low, one.high), systematic=(0.7, 0.0))
        for one in chance
    ]
    [plain], [found] = fss.extrapolate(chance), fss.extrapolate(both)
    assert (found.law, found.chi2_per_dof, found.weights) == (plain.law, plain.chi2_per_dof, plain.weights)
    assert found.m_c.value == plain.m_c.value and found.m_c.high == plain.m_c.high
    assert found.m_c.low == pytest.approx(plain.m_c.value - np.hypot(plain.m_c.value - plain.m_c.low, 0.7))
    assert "limit_systematic" in {one.key for one in found.because}
    np.testing.assert_array_equal(found.low, plain.low)


def test_no_drift_gives_a_limit_and_says_what_is_not_excluded():
    found = only([18.1, 17.9, 18.0, 18.05, 17.95], 0.1)
    assert found.m_c.low < 18 < found.m_c.high
    assert found.law == "undecided"
    assert "a drift of up to" in found.reason


def test_dropping_the_smallest_sizes_shows_what_they_bend():
    found = only(LAWS["power correction"](SIZES), 0.02)
    assert [one.smallest for one in found.stability] == [64, 128]
    sizes = np.array([16.0, 32.0, *SIZES[1:], 1024.0])
    bent = LAWS["power correction"](sizes) + np.array([1.0, 0.25, 0, 0, 0, 0, 0])
    found = only(bent, 0.02, sizes)
    assert "m_c(∞) moves to" in found.reason
    assert not found.m_c.low <= 18 <= found.m_c.high
    assert found.stability[1].m_c.low <= 18 <= found.stability[1].m_c.high
    bent[0] += 2
    assert "no law fits" in only(bent, 0.02, sizes).reason


def test_neither_law_that_fits_badly_gives_a_number():
    found = only([18, 20, 17, 21, 18], 0.05)
    assert found.law == "undecided"
    assert not found.m_c.known
    assert "no law fits: χ²/dof" in found.reason
    assert found.parameters and not any(one.known for one in found.parameters.values())
    assert not found.weights and not len(found.curve)
    assert found.chi2_per_dof > 10


def test_crossings_are_weighed_with_what_they_share():
    # Two crossings that share a size: their mean is known better than each if they are anticorrelated.
    rng = np.random.default_rng(3)
    ends = {}
    for sign in (-1, 1):
        draws = rng.normal(size=(4, 4000)) * 0.1
        draws[1] = sign * 0.9 * draws[0] + np.sqrt(1 - 0.81) * draws[1]
        crossings = [
            Critical(
                {"N": float(n), "N_next": 2.0 * n}, 18.0, 17.804, 18.196, "undecided", "success_crossing",
                draws=18 + one,
            )
            for n, one in zip((32, 64, 128, 256), draws, strict=True)
        ]  # fmt: skip
        [found] = fss.extrapolate(crossings)
        assert found.sizes[0] == pytest.approx(32 * np.sqrt(2))
        interval = found.parameters["m_c"]
        ends[sign] = interval.high - interval.low
    assert ends[-1] < 0.8 * ends[1]


@pytest.mark.parametrize(("count", "text"), [(0, "0 sizes have"), (1, "1 size has"), (2, "2 sizes have")])
def test_fewer_than_three_sizes_have_no_law(count, text):
    known = records([18.0, 18.1][:count], 0.1, SIZES[:count])
    lost = [
        Critical(
            {"N": 1024.0}, np.nan, np.nan, np.nan, "none", "midpoint", "q", because=(fss.note("grid ends"),)
        )
    ]
    [found] = fss.extrapolate(known + lost)
    assert not found.m_c.known
    assert found.reason == f"{text} m_c with an interval, at least 3 are needed (grid ends)"


def test_records_without_an_interval_do_not_count():
    one_teacher = [
        Critical(
            {"N": float(n)},
            18.0,
            np.nan,
            np.nan,
            "undecided",
            "midpoint",
            "q",
            because=(fss.note("one teacher"),),
        )
        for n in SIZES
    ]
    [found] = fss.extrapolate(one_teacher)
    assert found.reason.endswith("(one teacher)")


# ---------------------------------------------------------------- against d


def at_degrees(curve, degrees, errors, seed=0):
    rng = np.random.default_rng(seed)
    found = []
    for d in degrees:
        value = curve(d) + errors * rng.normal()
        found += records([value], errors, [256.0], d=d)
    return found


@pytest.mark.parametrize(
    ("law", "curve", "exponent"),
    [("linear", lambda d: 5 + 8 * d, None), ("power", lambda d: 0.8 * d**2, 2.0)],
)
def test_the_law_of_m_c_against_d(law, curve, exponent):
    [found] = fss.connectivity_law(at_degrees(curve, [3, 5, 7, 9, 11], 0.1))
    assert found.law == law
    assert "m_c at N = 256" in found.source
    if exponent:
        assert found.exponent.low <= exponent <= found.exponent.high
        assert found.exponent.high - found.exponent.low < 0.05


def test_the_interval_of_the_exponent_covers():
    hits = []
    for seed in range(300):
        [found] = fss.connectivity_law(at_degrees(lambda d: 0.8 * d**1.7, [3, 5, 7, 9], 0.3, seed))
        hits.append(found.exponent.low <= 1.7 <= found.exponent.high)
    assert 0.90 <= np.mean(hits) <= 0.99


def test_the_interval_of_the_exponent_covers_where_errors_are_scaled():
    hits = []
    for seed in range(200):
        rows = at_degrees(lambda d: 0.8 * d**1.7, [3, 5, 7, 9], 0.3, seed)
        half = 1.96 * 0.3 / 2.5  # of errors stated too small
        rows = [replace(one, low=one.m_c - half, high=one.m_c + half) for one in rows]
        [found] = fss.connectivity_law(rows)
        if "errors, which are scaled by" in found.reason and found.exponent.known:
            hits.append(found.exponent.low <= 1.7 <= found.exponent.high)
    assert len(hits) > 80
    assert np.mean(hits) >= 0.90  # with the quantile of known errors, 1.96, it is 0.83


def test_a_law_that_fits_badly_has_its_errors_scaled_by_a_scale_known_from_few_points():
    d, m_c = np.array([3.0, 5, 7, 9]), np.array([9.0, 19, 24, 36])
    rows = [one for at, value in zip(d, m_c, strict=True) for one in records([value], 1.0, [256.0], d=at)]
    [found] = fss.connectivity_law(rows)
    assert "neither law fits to within the errors" in found.reason
    b = found.parameters["linear"]["b"]
    unscaled = 1 / np.sqrt(np.square(d - d.mean()).sum())
    assert b.value == pytest.approx(np.polyfit(d, m_c, 1)[0])
    student = 4.3027  # of two degrees of freedom
    assert b.high - b.value == pytest.approx(student * np.sqrt(found.chi2_per_dof) * unscaled, rel=1e-4)


def test_where_both_laws_are_refuted_no_exponent_is_stated():
    [found] = fss.connectivity_law(at_degrees(lambda d: 30 * np.log(d), [3, 5, 7, 9, 11], 0.01))
    assert found.law == "undecided"
    assert not found.exponent.known and not found.parameters and not found.weights and not found.curves
    assert found.chi2_per_dof > 10 and len(found.d) == 5
    assert "neither law fits: χ²/dof" in found.reason


def test_two_degrees_have_no_law():
    [found] = fss.connectivity_law(at_degrees(lambda d: d, [3, 5], 0.1))
    assert not found.exponent.known
    assert found.reason == "2 values of d have m_c with an interval, 3 are needed"


def test_limits_are_preferred_where_there_are_any():
    rows = [one for d in (3, 5, 7) for one in records(d**2 + 5 * SIZES**-0.6, 0.01, d=d)]
    [found] = fss.connectivity_law(fss.extrapolate(rows))
    assert found.source == "m_c(∞), midpoint of q"
    assert found.exponent.low <= 2 <= found.exponent.high


@pytest.mark.parametrize("law", [fss.extrapolate, fss.connectivity_law])
def test_a_record_that_occurs_twice_is_no_second_measurement(law):
    records = [fss.Critical({"N": 64, "d": d}, 6.0 * d, 6.0 * d - 1, 6.0 * d + 1, "undecided", "midpoint", "q")
               for d in (3, 5, 7)]  # fmt: skip
    law(records)
    with pytest.raises(
        DatasetError, match="critical: N = 64, d = 5 occurs twice: each combination of labels"
    ):
        law([*records, records[1]])
    assert len(fss.estimates(fss.planted([64]), ["midpoint", "midpoint"], bootstrap=20)) == 1
