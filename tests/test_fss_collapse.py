"""Data collapse: planted m_c and exponents come back, intervals cover, what does not collapse says so."""

import numpy as np
import pytest
from known_answers import collapses
from known_answers.synthetic import M_C, continuous

from mbsim import fss
from mbsim.errors import DatasetError

RAGGED = {64: np.arange(8, 29.0), 128: np.arange(10, 27.0), 256: np.arange(12, 25, 0.75)}


def only(ds, **options):
    [found] = fss.collapse(ds, "q", bootstrap=200, **options)
    return found


@pytest.fixture(scope="module")
def planted():
    return continuous(RAGGED, inverse_nu=0.5, beta_over_nu=0.1, teachers=16, gaps=0.02, seed=1)


def test_planted_exponents_are_recovered_from_ragged_grids_with_gaps(planted):
    found = only(planted)
    for interval, exact in (
        (found.m_c, M_C),
        (found.inverse_nu, 0.5),
        (found.beta_over_nu, 0.1),
        (found.nu, 2.0),
        (found.beta, 0.2),
    ):
        assert abs(interval.value - exact) < interval.high - interval.low  # four standard errors
    assert found.m_c.high - found.m_c.low < 1
    assert found.inverse_nu.high - found.inverse_nu.low < 0.2
    assert found.chi2_per_dof < 1.5
    assert (found.reason, found.fixed) == ("", ())
    assert len(found.x) == len(found.y) == len(found.size) == sum(map(len, RAGGED.values()))
    distance = found.y - np.interp(found.x, found.master_x, found.master_y)
    assert np.sqrt(np.mean(np.square(distance / found.error))) < 1.5


def test_the_landscape_has_its_lowest_point_where_the_fit_is(planted):
    found = only(planted)
    row, column = np.unravel_index(
        np.argmin(found.landscape.chi2_per_dof), found.landscape.chi2_per_dof.shape
    )
    assert found.m_c.low <= found.landscape.m_c[row] <= found.m_c.high
    assert found.inverse_nu.low <= found.landscape.inverse_nu[column] <= found.inverse_nu.high
    assert found.landscape.chi2_per_dof.min() == pytest.approx(found.chi2_per_dof, rel=0.05)


def test_what_is_fixed_stays(planted):
    found = only(planted, m_c=M_C, nu=2.0)
    assert found.fixed == ("m_c", "nu")
    assert tuple(found.m_c) == (M_C,) * 3
    assert tuple(found.nu) == (2.0,) * 3
    assert abs(found.beta_over_nu.value - 0.1) < found.beta_over_nu.high - found.beta_over_nu.low
    assert found.landscape is None
    fixed = only(planted, beta=0.2)
    assert abs(fixed.inverse_nu.value - 0.5) < fixed.inverse_nu.high - fixed.inverse_nu.low
    assert fixed.beta_over_nu.value == pytest.approx(0.2 * fixed.inverse_nu.value)


def test_success_needs_no_beta(planted):
    found = only(planted, quantity="success")
    assert found.fixed == ("beta",)
    assert found.m_c.low <= M_C <= found.m_c.high


def test_curves_that_do_not_depend_on_the_size_have_no_m_c():
    """1/ν = 0: it is found with its interval, and so is β/ν; m_c and ν do not exist."""
    ds = continuous(RAGGED, inverse_nu=0.0, beta_over_nu=0.1, teachers=16, seed=2)
    found = only(ds)
    assert found.p_value > 1e-3
    assert found.inverse_nu.low <= 0 <= found.inverse_nu.high < 0.1
    assert found.beta_over_nu.low <= 0.1 <= found.beta_over_nu.high
    assert not any(one.known for one in (found.nu, found.beta, found.m_c))
    assert "the curves coincide without rescaling" in found.reason
    assert only(ds, m_c=M_C).m_c.value == M_C


def test_a_wrong_m_c_does_not_collapse(planted):
    found = only(planted, m_c=M_C - 5.0)
    assert found.p_value < 1e-3
    assert not found.inverse_nu.known
    assert "do not collapse, χ²/dof" in found.reason


def test_a_parameter_at_its_bound_is_not_determined_and_so_are_the_others(planted):
    free = only(planted).beta_over_nu
    found = only(planted, bounds={"beta_over_nu": (-0.5, (free.value + free.high) / 2)})
    assert [one.key for one in found.because] == ["parameter_at_end"]
    assert "beta_over_nu is not determined" in found.reason
    assert not any(one.known for one in (found.m_c, found.nu, found.inverse_nu, found.beta_over_nu))
    assert not len(found.draws)


def test_parameters_come_with_draws_and_their_covariance(planted):
    found = only(planted)
    assert found.parameters == ("m_c", "inverse_nu", "beta_over_nu")
    assert found.draws.shape == (200, 3)
    for at, name in enumerate(found.parameters):
        interval = getattr(found, name)
        np.testing.assert_allclose(np.quantile(found.draws[:, at], [0.025, 0.975]), interval[1:])
    np.testing.assert_allclose(found.covariance, np.cov(found.draws, rowvar=False))


def test_parameters_are_asked_again_without_the_smallest_sizes():
    ds = collapses.samples(16, 4, seed=3, sizes=(64, 128, 256, 512), noise=0.3)
    found = only(ds)
    assert [one.smallest for one in found.stability] == [128, 256]
    for one in found.stability:
        apart = abs(one.inverse_nu.value - collapses.INVERSE_NU)
        assert apart < one.inverse_nu.high - one.inverse_nu.low  # four standard errors
    # The smallest size is off by a correction that dies at once: what was fitted moves when it goes.
    moved = ds.copy(deep=True)
    moved["q"] = moved.q.where(moved.N > 64, moved.q * 1.06)
    assert any(one.key in ("collapse_moves", "no_collapse") for one in only(moved).because)


def test_a_window_of_the_scaled_control_keeps_what_lies_within(planted):
    found = only(planted, scaled_window=(-60.0, 60.0))
    assert found.x.min() >= -60 and found.x.max() <= 60
    assert 20 < len(found.x) < len(only(planted).x)
    assert abs(found.m_c.value - M_C) < found.m_c.high - found.m_c.low
    assert not len(only(planted, scaled_window=(-0.1, 0.1)).x)


def test_a_start_is_where_the_search_begins(planted):
    near = only(planted, start={"m_c": 17.5, "inverse_nu": 0.45, "beta_over_nu": 0.05})
    whole = only(planted)
    assert near.m_c.value == pytest.approx(whole.m_c.value, abs=0.01)
    assert near.inverse_nu.value == pytest.approx(whole.inverse_nu.value, abs=0.003)


def test_several_quantities_share_m_c_and_nu(planted):
    together = fss.collapse(planted, "q", quantity=["mean", "success"], bootstrap=200)
    mean, success = together
    assert (mean.quantity, success.quantity) == ("mean", "success")
    assert mean.m_c == success.m_c and mean.nu == success.nu
    assert mean.together == ("mean", "success")
    assert mean.beta_over_nu.low <= 0.1 <= mean.beta_over_nu.high
    assert success.beta_over_nu.value == 0.0
    assert mean.m_c.low <= M_C <= mean.m_c.high
    alone = only(planted)
    assert mean.m_c.high - mean.m_c.low < 1.2 * (alone.m_c.high - alone.m_c.low)


SAMPLES = {
    "4x4": ((4, 4), {}),
    "16x1": ((16, 1), {}),
    "8x8": ((8, 8), {}),
    "32x32": ((32, 32), {}),
    "16x4, the same students at every m": ((16, 4), {"along": 5.0}),
}


@pytest.mark.parametrize(
    ("shape", "shared"),
    [((4, 4), 0.0), ((16, 1), 0.3), ((16, 4), 1.0)],
    ids=["few", "no replicas", "correlated"],
)
def test_points_that_collapse_have_a_chi2_of_one_a_point(shape, shared):
    """Whatever the replicas are, few teachers or many, points correlated along m or not."""
    found = [only(collapses.samples(*shape, seed, shared=shared, noise=0.5)) for seed in range(5)]
    assert np.mean([one.chi2_per_dof for one in found]) == pytest.approx(1.0, abs=0.4)
    assert min(one.p_value for one in found) > 1e-3


def test_points_that_move_together_are_few_to_test():
    """Students that are the same at every m: there χ²/dof of 0.3 is no surprise, and dof says why."""
    together = only(collapses.samples(16, 4, 0, noise=0.5, along=5.0))
    apart = only(collapses.samples(16, 4, 0, noise=0.5, shared=0.0))
    assert together.dof < 8 < 30 < apart.dof
    assert 0.02 < together.p_value < 0.98


@pytest.mark.slow
@pytest.mark.parametrize("case", SAMPLES)
def test_intervals_of_the_collapse_cover(case):
    """The table of docs/analysis.md; pytest -s prints it."""
    shape, options = SAMPLES[case]
    hits = {name: [] for name in collapses.EXACT}
    squares, chances = [], []
    for seed in range(200):
        found = only(collapses.samples(*shape, seed, noise=0.5, **options))
        squares.append(found.chi2_per_dof)
        chances.append(found.p_value)
        for name, exact in collapses.EXACT.items():
            interval = getattr(found, name)
            if interval.known:
                hits[name].append(interval.low <= exact <= interval.high)
    low = np.mean(np.array(chances) < 0.05)
    covered = " ".join(f"{name} {np.mean(hit):.3f}" for name, hit in hits.items())
    print(f"\n{case}: χ²/dof {np.mean(squares):.2f}, p < 0.05 {low:.3f}, {covered}")
    assert 0.85 <= np.mean(squares) <= 1.15
    assert low <= 0.12
    for name, hit in hits.items():
        assert len(hit) >= 195
        assert 0.90 <= np.mean(hit) <= 0.99, name


LADDER = tuple(64 * 2**k for k in range(7))


def corrected(seed, noise=0.03):
    return collapses.samples(16, 1, seed, sizes=LADDER, points=17, noise=noise, amplitude=0.5, omega=1.0)


def test_a_correction_to_scaling_is_recovered_with_its_exponent():
    """A = N^-β/ν [f(x) + N^-ω g(x)], g of another form than f: refuted without, recovered with."""
    ds = corrected(0)
    without = only(ds)
    assert without.because[0].key == "no_collapse"
    found = only(ds, correction="fit")
    assert found.p_value > 1e-3
    for name, exact in (collapses.EXACT | {"omega": 1.0}).items():
        interval = getattr(found, name)
        assert abs(interval.value - exact) < interval.high - interval.low, name
        assert interval.high - interval.low < 0.1
    assert found.parameters[-1] == "omega" and found.covariance.shape == (4, 4)
    given = only(ds, correction=1.0)
    assert abs(given.inverse_nu.value - 0.5) < given.inverse_nu.high - given.inverse_nu.low


@pytest.mark.slow
@pytest.mark.parametrize("correction", [1.0, "fit"])
def test_intervals_with_a_correction_to_scaling_cover(correction):
    """The figures of docs/analysis.md; pytest -s prints them."""
    wanted = collapses.EXACT | ({"omega": 1.0} if correction == "fit" else {})
    found = covered(wanted, correction, 200)
    print(
        f"\n{correction}: "
        + ", ".join(f"{name} {np.mean(hit):.3f} of {len(hit)}" for name, hit in found.items())
    )
    for name, hit in found.items():
        assert len(hit) >= 190
        assert 0.90 <= np.mean(hit) <= 0.99, name


def covered(exact, correction, repeats):
    """For each parameter, whether its intervals hold it, where it is determined."""
    hits = {name: [] for name in exact}
    for seed in range(repeats):
        found = only(corrected(seed), correction=correction)
        for name, value in exact.items():
            interval = getattr(found, name)
            if interval.known:
                hits[name].append(interval.low <= value <= interval.high)
    return hits


# ---------------------------------------------------------------- what cannot be said


REFUSED = {
    "one size": (continuous({64: RAGGED[64]}), "1 size has 4 values of m with an error, 2 are needed"),
    "one teacher": (continuous(RAGGED, teachers=1), "0 sizes have 4 values"),
    "coarse grid": (
        continuous({n: np.arange(0, 40, 4.0) for n in (1024, 4096)}, scatter=(0.1, 0.1)),
        "the grid is too coarse for a collapse",
    ),
    "flat": (continuous({n: np.arange(40, 60.0) for n in (64, 128)}, noise=0.1), "the same everywhere"),
    "few points": (continuous({n: np.arange(15, 21.0) for n in (64, 128)}), "too few to tell a collapse"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_collapsed_has_no_exponents(case):
    ds, reason = REFUSED[case]
    found = only(ds)
    assert reason in found.reason
    assert not any(
        one.known for one in (found.m_c, found.nu, found.inverse_nu, found.beta, found.beta_over_nu)
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quantity": "energy"}, "quantity = 'energy': allowed are mean, binder, susceptibility, success"),
        ({"quantity": ["mean", "mean"]}, "each quantity must be named once"),
        ({"nu": -1.0}, "nu = -1: must be a positive number"),
        ({"beta": np.nan}, "beta = nan: must be a finite number"),
        ({"m_c": "18"}, "m_c = '18': must be a finite number"),
        ({"quantity": ["mean", "binder"], "beta": 0.1}, "of several quantities a mapping"),
        ({"beta": {"energy": 0.1}}, "beta of 'energy': allowed are mean"),
        ({"correction": 0.0}, 'correction = 0: must be a positive number or "fit"'),
        ({"correction": "yes"}, "correction = 'yes': must be a positive number"),
        ({"window": (20, 10)}, r"window = \(20, 10\): the first must be less"),
        ({"window": (1, np.nan)}, "window has nan: must be two numbers"),
        ({"scaled_window": 3.0}, "scaled_window = 3.0: must be two numbers"),
        ({"start": {"gamma": 1.0}}, r"start\['gamma'\]: allowed are m_c, inverse_nu, beta_over_nu, omega"),
        ({"bounds": {"m_c": (3, 2)}}, r"bounds\['m_c'\] = \(3, 2\): the first must be less"),
        ({"start": {"m_c": 9.0}, "bounds": {"m_c": (10, 20)}}, "must lie within bounds 10 to 20"),
        ({"bounds": {"m_c": (-np.inf, 20)}}, r"bounds\['m_c'\] has -inf: must be finite"),
        ({"bounds": {"omega": (0, 1e9)}}, r"bounds\['omega'\] has 1e\+09: must lie between -20 and 20"),
        ({"nu": 1e-9}, "nu = 1e-09: must be at least 0.05"),
        ({"correction": 1e9}, r"correction = 1e\+09: must be at most 20"),
        ({"bootstrap": 1}, "bootstrap = 1: must be an integer, 2 or more"),
    ],
)
def test_wrong_arguments_are_refused(planted, options, message):
    with pytest.raises(DatasetError, match=message):
        fss.collapse(planted, "q", **options)
