"""The order of proposals: the random one uniform, on all engines the same; the sequential one complete."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import students
from against_oracle import COMMITTEE, SCALAR_BOTH, VECTOR, WIDE
from numba import config
from scipy import stats
from students import drawn

from mbsim.engines import networks
from mbsim.engines.registers import orders
from mbsim.physics.order import colours, greedy_colours, random_order, sequential_order
from mbsim.physics.problem import Teacher
from mbsim.sampling import streams

FALSE_ALARM = 1e-7  # of one statistical test; there are fewer than ten in this file
# Regular, irregular with unread units, fixed output weights, one output.
NETWORKS = [VECTOR, WIDE, COMMITTEE, SCALAR_BOTH]


def graph(network, number=0):
    """A teacher's output sources (M, D), d, K and whether outputs are trained: what an order is made from."""
    _, K, _, d, train_output = network
    return drawn(network, [number]).output_sources[0], d, K, train_output


def resources(sources, d, K, train_output):
    """The outputs that each proposal touches; a unit that no output reads conflicts with nothing but itself."""
    M, D = sources.shape
    first = [{o} for o in range(M) for _ in range(D)] if train_output else []
    reads = [{o for o in range(M) if k in sources[o]} or {M + k} for k in range(K)]
    return first + [reads[k] for k in range(K) for _ in range(d)]


@pytest.mark.parametrize("network", NETWORKS)
def test_sequential_order_visits_every_weight_once(network):
    """Output layer first, slot by slot; hidden units colour by colour."""
    for number in range(5):
        given = graph(network, number)
        sources, d, K, train_output = given
        proposals = sequential_order(*given)
        first = sources.size if train_output else 0
        assert sorted(proposals) == list(range(first + K * d))
        slots = np.arange(sources.size).reshape(sources.shape).T.ravel()
        np.testing.assert_array_equal(proposals[:first], slots[:first])
        units = (proposals[first:] - first) // d
        visited = [colour for colour in colours(sources, K) for _ in range(d)]
        np.testing.assert_array_equal(units, np.concatenate(visited))


@pytest.mark.parametrize("network", NETWORKS[:3])
def test_units_of_a_colour_share_no_output(network):
    """A unit shares outputs with at most R (D - 1) others: greedy colouring takes at most one colour more."""
    sources, _, K, _ = graph(network)
    groups = colours(sources, K)
    assert sorted(np.concatenate(groups)) == list(range(K))
    assert len(groups) <= np.bincount(sources.ravel()).max() * (sources.shape[1] - 1) + 1
    for group in groups:
        read = [set(np.flatnonzero((sources == k).any(axis=1))) for k in group]
        assert all(one.isdisjoint(other) for one, other in itertools.combinations(read, 2))


def compiled_orders(network, numbers):
    """Colours and sequential orders of some teachers."""
    N, _, _, _, train_output = network
    teachers = drawn(network, numbers)
    shape = networks.shape_of(teachers, N, train_output)
    tables = networks.tables_of(teachers, shape)
    found = orders.colours_of(shape, tables.output_sources, tables.readers)
    return found, orders.sequential_orders(shape, found)


@pytest.mark.parametrize(
    "network", [*NETWORKS, (40, 50, 30, 3, True), (70, 70, 70, 31, True), (4, 1, 4, 1, True)]
)
def test_sequential_orders_of_many_teachers_are_those_of_each(network):
    """Compiled, and as the law is written; one row after the other, as compiled loops read them."""
    found, many = compiled_orders(network, range(5))
    assert all(array.flags.c_contiguous and array.dtype == np.int32 for array in many)
    for number in range(5):
        sources, d, K, train_output = graph(network, number)
        np.testing.assert_array_equal(found[number], greedy_colours(sources, K))
        order = sequential_order(sources, d, K, train_output)
        np.testing.assert_array_equal(many.proposals[number], order)
        np.testing.assert_array_equal(order[many.positions[number]], len(order) - K * d + np.arange(K * d))


def test_colours_do_without_a_compiler(monkeypatch):
    """Accelerators train where numba is switched off, too."""
    with_compiler, _ = compiled_orders(NETWORKS[0], range(3))
    monkeypatch.setattr(config, "DISABLE_JIT", 1)
    monkeypatch.setattr(orders, "colour", None)
    without, _ = compiled_orders(NETWORKS[0], range(3))
    np.testing.assert_array_equal(without, with_compiler)
    assert without.dtype == with_compiler.dtype


@pytest.mark.parametrize("network", NETWORKS[:3])
def test_unit_order_is_the_sequential_order(network):
    """With all links of a unit in turn, proposals change places only where they commute."""
    given = graph(network)
    _, d, K, _ = given
    _, ((order,), (units,), (positions,)) = compiled_orders(network, [0])
    touched = resources(*given)
    assert sorted(units) == list(range(K))
    np.testing.assert_array_equal(order[positions], len(order) - K * d + np.arange(K * d))
    done = [positions[k * d + b] for k in units for b in range(d)]
    for earlier, later in itertools.combinations(range(len(done)), 2):
        if not touched[order[done[earlier]]].isdisjoint(touched[order[done[later]]]):
            assert done[earlier] < done[later], "proposals that do not commute changed places"


def random_orders(key, begin, stop, n):
    """Of one teacher."""
    return orders.random_orders(key[None], begin, stop, n)[0]


def test_teachers_are_drawn_together_as_alone():
    keys = streams.order_key(3, 12, 3, np.array([4, 5, 9]))
    together = orders.random_orders(keys, 2, 5, 40)
    for key, one in zip(keys, together, strict=True):
        np.testing.assert_array_equal(one, random_orders(key, 2, 5, 40))


def test_random_order_is_uniform():
    """Each proposal equally likely, and independent of the one before, of its place and of the sweep."""
    n, sweeps = 72, 1024
    proposals = random_orders(streams.order_key(3, 12, 3, 4), 0, sweeps, n)
    assert proposals.min() >= 0
    assert proposals.max() < n

    def check(counts):
        assert counts.sum() / counts.size > 5
        assert stats.chisquare(counts.ravel()).pvalue > FALSE_ALARM

    check(np.bincount(proposals.ravel(), minlength=n))
    pair = proposals[:, :-1:2] * n + proposals[:, 1::2]
    check(np.bincount(pair.ravel(), minlength=n * n))
    same_place = proposals[:-1:2, :] * n + proposals[1::2, :]
    check(np.bincount(same_place.ravel(), minlength=n * n))
    check(np.bincount(proposals[:, 0], minlength=n))


def test_random_order_belongs_to_its_sweep():
    """A sweep's order does not depend on how many are drawn with it; other sweeps and teachers differ."""
    key = streams.order_key(3, 12, 3, 4)
    many, one = random_orders(key, 0, 1024, 72), random_orders(key, 40, 41, 72)
    np.testing.assert_array_equal(many[40:41], one)
    assert len(np.unique(many, axis=0)) == len(many)
    other = random_orders(streams.order_key(3, 12, 3, 5), 40, 41, 72)
    assert (other == one).mean() < 0.2


@pytest.mark.parametrize(
    "n", [72, pytest.param(15, marks=pytest.mark.slow), pytest.param(2**17 + 3, marks=pytest.mark.slow)]
)
def test_all_engines_have_one_random_order(n):
    """Compiled loops, the law as it is written, plain NumPy; and JAX, as its partitionable generator draws it."""
    key, sweeps = streams.order_key(3, 12, 3, 4), np.arange(5, 9, dtype=np.uint32)
    compiled = random_orders(key, 5, 9, n)
    written = jax.jit(random_order, static_argnums=2)(jnp.asarray(key), sweeps, n)
    np.testing.assert_array_equal(compiled, written)
    plain = [students.random_order(key, sweep, n) for sweep in sweeps]
    np.testing.assert_array_equal(compiled, plain)

    @jax.jit
    def drawn(sweep):
        of_sweep = jax.random.fold_in(jax.random.wrap_key_data(jnp.asarray(key)), sweep)
        return jax.random.randint(of_sweep, (n,), 0, n)

    with jax.threefry_partitionable(True):
        np.testing.assert_array_equal(compiled, [drawn(sweep) for sweep in sweeps])


@pytest.mark.parametrize("partitionable", [False, True])
def test_a_setting_of_jax_changes_no_order(partitionable):
    key, sweeps = streams.order_key(3, 12, 3, 4), np.arange(2, dtype=np.uint32)
    with jax.threefry_partitionable(partitionable):
        written = jax.jit(random_order, static_argnums=2)(jnp.asarray(key), sweeps, 40)
    np.testing.assert_array_equal(written, random_orders(key, 0, 2, 40))


def test_irregular_teachers_share_shapes():
    """Teachers differ in the readers of their most read unit, and yet nearly all have one shape."""
    teachers = drawn((40, 50, 30, 3, True), range(40), seed=1)
    most = {int(np.bincount(sources.ravel()).max()) for sources in teachers.output_sources}
    assert len(most) > 3
    each = [Teacher(*(part[i : i + 1] for part in teachers)) for i in range(40)]
    assert len({networks.shape_of(one, 40, True) for one in each}) <= 2
