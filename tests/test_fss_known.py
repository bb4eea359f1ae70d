"""Known answers by the whole analysis, exact value and interval; the table of docs/analysis.md (pytest -s prints it).

Sizes are the largest that take seconds, so that corrections to scaling are below the errors; seeds are the first.
Percolation and the Ising model are in `test_fss_controls` and `test_fss_exact`.
"""

import numpy as np
import pytest
import xarray as xr
from known_answers import collapses, orders
from known_answers.synthetic import continuous

import mbsim
from mbsim import fss
from mbsim.theory import linear

pytestmark = pytest.mark.slow

QUANTITIES = ["mean", "binder", "susceptibility"]
STUDENT = 2.131
"""Of 15 degrees of freedom: half of a 95 % interval over the error of 16 teachers."""


def holds(system, name, interval, exact):
    """Whether the interval holds the exact value, and a row of the table."""
    print(f"\n{system} | {name} | {exact:.6g} | {interval}", end="")
    return interval.low <= exact <= interval.high


@pytest.fixture(scope="module")
def graphs():
    sizes = tuple(2**k for k in range(13, 18))
    grid = orders.about(1.0, 1.5, 1 / 3, 13)
    return orders.giant_component(sizes, 0, grid=grid, teachers=16, replicas=16)


def test_curie_weiss():
    sizes = tuple(2**k for k in range(12, 17))
    ds = orders.curie_weiss(sizes, 0, grid=orders.about(1.0, 2.0, 1 / 2, 13), teachers=16, replicas=32)
    mean, *_ = fss.collapse(ds, "q", quantity=QUANTITIES)
    assert holds("Curie-Weiss", "m_c", mean.m_c, 1.0) and np.ptp(mean.m_c[1:]) < 0.002
    assert holds("Curie-Weiss", "1/ν", mean.inverse_nu, 1 / 2) and np.ptp(mean.inverse_nu[1:]) < 0.05
    assert holds("Curie-Weiss", "β/ν", mean.beta_over_nu, 1 / 4) and np.ptp(mean.beta_over_nu[1:]) < 0.05


def test_random_graphs(graphs):
    mean, *_ = fss.collapse(graphs, "q", quantity=QUANTITIES)
    assert holds("random graphs", "m_c", mean.m_c, 1.0) and np.ptp(mean.m_c[1:]) < 0.03
    assert holds("random graphs", "1/ν", mean.inverse_nu, 1 / 3) and np.ptp(mean.inverse_nu[1:]) < 0.08
    assert holds("random graphs", "β/ν", mean.beta_over_nu, 1 / 3) and np.ptp(mean.beta_over_nu[1:]) < 0.12


def test_a_table_of_means_and_errors_of_the_random_graphs(graphs):
    """A table does not tell how its quantities scatter together: they are taken for independent, which those of one
    set of graphs are not, and intervals are too short.
    """
    found = fss.summaries(graphs, "q")
    table = {}
    for name in QUANTITIES:
        table[name] = found[name]
        table[f"d{name}"] = (found[f"{name}_high"] - found[f"{name}_low"]) / (2 * STUDENT)
    errors = {name: (name, f"d{name}") for name in QUANTITIES}
    mean, *_ = fss.collapse(xr.Dataset(table), "mean", quantity=QUANTITIES, error=errors)
    for name, interval, exact in (
        ("m_c", mean.m_c, 1),
        ("1/ν", mean.inverse_nu, 1 / 3),
        ("β/ν", mean.beta_over_nu, 1 / 3),
    ):
        holds("random graphs, table", name, interval, exact)  # prints it
        assert abs(interval.value - exact) < interval.high - interval.low


def test_a_ring_has_its_midpoint_at_no_field_and_nothing_grows():
    ds = orders.ring(3, seed=0, replicas=128)
    for key in ("midpoint", "steepest"):
        *_, largest = fss.estimates(ds, [key], "q")
        assert holds("ring, ξ = 3", f"m_c, {key}", largest.interval, 0.0)
    [verdict] = fss.transition_order(ds, "q")
    assert verdict.order == "crossover"
    assert holds("ring, ξ = 3", "growth of χ", verdict.susceptibility.largest, 0.0)


@pytest.mark.parametrize("name", ["STRONG", "WEAK"])
def test_two_phases_that_coexist(name):
    """Sizes at which the spread of each phase is nothing against their distance."""
    grid = orders.about(0.0, 10.0, 1.0, 33)
    ds = orders.two_peaks(**getattr(orders, name), sizes=(512, 1024, 2048, 4096), seed=0, grid=grid)
    system = f"two phases, {name.lower()}"
    *_, largest = fss.midpoint(ds, "q")
    assert holds(system, "N m_c", fss.Interval(*(4096 * np.array(largest.interval))), 0.0)
    [verdict] = fss.transition_order(ds, "q")
    assert verdict.order == "first"
    assert holds(system, "1/ν", verdict.inverse_nu, 1.0)
    assert holds(system, "β/ν", verdict.beta_over_nu, 0.0)


def test_a_planted_shift_with_log_size():
    """m_c = 10 + 2 log N, each size with curves of its own."""
    sizes = [2**k for k in range(5, 12)]
    made = []
    for size in sizes:
        one = continuous({64: np.arange(8, 29.0)}, teachers=16, seed=size)
        made.append(one.assign_coords(N=[size], m=one.m - collapses.M_C + 10 + 2 * np.log(size)))
    records = fss.Records(one for ds in made for one in fss.midpoint(ds, "q"))
    [found] = fss.extrapolate(records)
    assert found.law == "logarithm" and not found.m_c.known
    assert holds("shift with log N", "b", found.parameters["b"], 2.0)


@pytest.mark.parametrize("N", [32, 64])
def test_a_linear_student(N):
    """Half of the runs learn at η (N - 1 - 2η) / (2 - η)."""
    exact = linear.typical_critical_batch_size(0.5, N)
    config = mbsim.Config(
        model={
            "output": "scalar", "student": "dense", "weights": "real", "activation": "linear", "hidden": 1,
            "train_output": False,
        },
        grid={
            "N": [N], "d": [3], "teachers": 16, "replicas": 16,
            "m": sorted({round(exact + step) for step in np.linspace(-0.5, 0.7, 13) * exact}),
        },
        dynamics={"steps": 1000, "lr": 0.5},
        run={"seed": 1},
    )  # fmt: skip
    [found] = fss.midpoint(mbsim.run(config, progress=False))
    assert holds("linear student", f"m_c at N = {N}", found.interval, exact)
    assert found.high - found.low < 0.2 * exact
