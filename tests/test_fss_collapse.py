"""Data collapse: planted m_c and exponents come back, intervals cover, what does not collapse says so."""

import numpy as np
import pytest
from known_answers.synthetic import M_C, continuous

from mbsim import fss
from mbsim.errors import DatasetError
from mbsim.fss import master

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
    found = only(continuous(RAGGED, inverse_nu=0.0, teachers=16, seed=2))
    assert found.chi2_per_dof < 2
    assert not any(one.known for one in (found.inverse_nu, found.nu, found.beta, found.m_c))
    assert "the curves coincide without rescaling" in found.reason
    assert only(continuous(RAGGED, inverse_nu=0.0, teachers=16, seed=2), m_c=M_C).m_c.value == M_C


def test_a_wrong_m_c_does_not_collapse(planted):
    found = only(planted, m_c=M_C - 5.0)
    assert found.chi2_per_dof > 2
    assert not found.inverse_nu.known
    assert "do not collapse, χ²/dof" in found.reason


@pytest.mark.slow
def test_intervals_of_the_collapse_cover():
    hits = {"m_c": [], "inverse_nu": [], "beta_over_nu": []}
    exact = {"m_c": M_C, "inverse_nu": 0.5, "beta_over_nu": 0.1}
    for seed in range(200):
        found = only(continuous(RAGGED, beta_over_nu=0.1, gaps=0.02, teachers=16, seed=seed))
        for name, hit in hits.items():
            interval = getattr(found, name)
            hit.append(interval.low <= exact[name] <= interval.high)
    for name, hit in hits.items():
        assert 0.90 <= np.mean(hit) <= 0.99, name


def test_one_step_is_where_a_whole_fit_goes(planted):
    rng = np.random.default_rng(0)
    m = np.concatenate(list(RAGGED.values()))
    s = np.repeat(list(RAGGED), [len(grid) for grid in RAGGED.values()]) / 128
    error = np.full(len(m), 0.01)
    x = (m - M_C) * s**0.5
    data = s**-0.1 / (1 + np.exp(-x))
    points = master.Points(m, s, error, 10, None)
    bounds = master.Bounds(np.array([8, 0.02, -2.0]), np.array([29, 4, 2.0]), np.ones(3, bool))
    theta, _ = master.minimise(points, np.array([[M_C, 0.5, 0.1]]), data[None], bounds)
    batch = data + error * rng.normal(size=(50, len(m)))
    near = master.one_step(points, theta[0], batch, data, bounds)
    whole, _ = master.minimise(points, np.repeat(theta, 50, axis=0), batch, bounds)
    spread = whole.std(axis=0)
    assert (np.abs(near - whole).mean(axis=0) < 0.25 * spread).all()


# ---------------------------------------------------------------- what cannot be said


REFUSED = {
    "one size": (continuous({64: RAGGED[64]}), "1 sizes have 4 values of m with an error, two are needed"),
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
        ({"nu": -1.0}, "nu = -1: must be positive"),
    ],
)
def test_wrong_arguments_are_refused(planted, options, message):
    with pytest.raises(DatasetError, match=message):
        fss.collapse(planted, "q", **options)
