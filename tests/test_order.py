"""The order of proposals and its levels: nothing lost, no conflict in a level, each conflict in its order."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
from scipy import stats

from mbsim.engines import networks
from mbsim.engines.xla import order
from mbsim.physics import teachers
from mbsim.physics.order import hidden_positions, random_order, sequential_order, unit_order
from mbsim.sampling import streams

FALSE_ALARM = 1e-7  # of one statistical test; there are fewer than ten in this file
SWEEPS = 5
PAD = 3
# (N, K, M, d, train_output): regular, irregular with unread units, fixed output weights, one output.
NETWORKS = [(12, 12, 12, 3, True), (11, 15, 9, 3, True), (8, 10, 10, 5, False), (15, 9, 1, 3, True)]


@partial(jax.jit, static_argnames="shape")
def _schedule(proposals, phase, refresh, readers, one, shape):
    geometry = dict(outputs=shape.M, output_degree=shape.output_degree, hidden_degree=shape.d)
    first = shape.first_hidden
    return order.schedule(proposals, phase, refresh, readers, one, **geometry, first_hidden=first, pad=PAD)


@jax.jit
def _schedule_large(key, first, readers):
    """Levels of eight sweeps of the random order of a network with N = 256, d = 3."""
    proposals = random_order(jax.random.wrap_key_data(key), first + jnp.arange(8), 2 * 256 * 3)
    geometry = dict(outputs=256, output_degree=3, first_hidden=768, hidden_degree=3, pad=0)
    schedule = order.schedule(proposals, jnp.zeros(8, jnp.int32), jnp.int32(1536), readers, None, **geometry)
    return schedule.levels


@partial(jax.jit, static_argnames=("sweeps", "n"))
def _random_order(key, first, sweeps, n):
    return random_order(jax.random.wrap_key_data(key), first + jnp.arange(sweeps), n)


class Case:
    """A teacher and its proposals, with the resources of each worked out in plain Python."""

    def __init__(self, network, teacher=0):
        N, K, M, d, train_output = network
        self.teacher = teachers.draw_teacher(N, K, M, d, train_output, 5, teacher)
        self.shape = networks.shape_of(self.teacher, N, train_output)
        self.readers = networks.tables_of(self.teacher, self.shape).readers
        n = self.shape.proposals
        self.random = np.random.default_rng(teacher).integers(0, n, (SWEEPS, n))
        sources = self.teacher.output_sources
        self.sequential = sequential_order(sources, d, K, train_output)
        self.resources = [{o} for o in range(M) for _ in range(sources.shape[1])] if train_output else []
        for k in range(K):
            # A unit that no output reads conflicts with nothing but itself.
            outputs = {o for o in range(M) if k in sources[o]} or {M + k}
            self.resources += [outputs] * d

    def schedule(self, proposals, phase, refresh, branches=True):
        """What the compiled code makes of sweeps (S, n)."""
        one = jnp.int32(1) if branches else None
        arguments = proposals.astype(np.int32), np.asarray(phase, np.int32), np.int32(refresh)
        return jax.tree.map(np.asarray, _schedule(*arguments, self.readers, one, self.shape))

    def expected_levels(self, proposals, phase, refresh):
        """The oracle's levels, batch after batch, and the levels before which a batch is drawn."""
        boundaries = [i for i in range(len(proposals)) if (phase + i) % refresh == 0]
        levels, fresh = [], []
        for begin, end in zip([0, *boundaries], [*boundaries, len(proposals)], strict=True):
            base = max(levels) + 1 if levels else 0
            if begin in boundaries and end > begin:
                fresh.append(base)
            touched = [self.resources[p] for p in proposals[begin:end]]
            levels += [base + level for level in oracle.reference_levels(touched)]
        return levels, fresh

    def check(self, proposals, phase, refresh):
        """Compare one sweep after the other with the definition."""
        schedule = self.schedule(proposals, phase, refresh)
        n = proposals.shape[1]
        for s, sweep in enumerate(proposals):
            starts, count = schedule.starts[s], schedule.levels[s]
            # Every proposal once, at its own position.
            assert sorted(schedule.positions[s, :n]) == list(range(n))
            np.testing.assert_array_equal(schedule.proposals[s, :n], sweep[schedule.positions[s, :n]])
            assert (np.diff(starts) >= 0).all()
            assert starts[0] == 0
            assert (starts[2 * count :] == n).all()

            level = np.full(n, -1)
            for at in range(count):
                begin, middle, end = starts[2 * at : 2 * at + 3]
                assert end > begin, "an empty level"
                assert (schedule.proposals[s, begin:middle] < self.shape.first_hidden).all()
                assert (schedule.proposals[s, middle:end] >= self.shape.first_hidden).all()
                level[schedule.positions[s, begin:end]] = at
                touched = [r for p in schedule.proposals[s, begin:end] for r in self.resources[p]]
                assert len(touched) == len(set(touched)), "two proposals of a level touch a common output"
            for later in range(n):
                for earlier in range(later):
                    if not self.resources[sweep[later]].isdisjoint(self.resources[sweep[earlier]]):
                        assert level[earlier] < level[later], "proposals that do not commute changed places"

            expected, fresh = self.expected_levels(sweep, int(phase[s]), refresh)
            np.testing.assert_array_equal(level, expected)
            np.testing.assert_array_equal(np.flatnonzero(schedule.fresh[s]), fresh)


@pytest.mark.parametrize("network", NETWORKS)
def test_levels_of_the_random_order(network):
    """With batches of any length: one proposal, a divisor of a sweep or not, a sweep, several sweeps."""
    case = Case(network)
    n = case.shape.proposals
    for refresh in (n, 1, 7, n // 3, n - 1, n + 4, 3 * n - 2, 10**9):
        first = refresh % 4
        case.check(case.random, [(s * n) % refresh for s in range(first, first + SWEEPS)], refresh)


@pytest.mark.parametrize("network", NETWORKS)
def test_levels_of_other_orders(network):
    """The sequential order, repetitions of one proposal, and few distinct ones; other teachers."""
    for teacher in (1, 2):
        case = Case(network, teacher)
        n = case.shape.proposals
        rng = np.random.default_rng(teacher)
        few = rng.choice(rng.integers(0, n, 3), (2, n))
        rows = np.stack([case.sequential, case.sequential[::-1], np.full(n, n - 1), *few])
        for refresh in (n, 11):
            case.check(rows, [(s * n) % refresh for s in range(SWEEPS)], refresh)


def test_staging_changes_nothing():
    """Neither way of stopping the compiler from fusing changes a schedule."""
    case = Case(NETWORKS[0])
    arguments = case.random, [(s * case.shape.proposals) % 7 for s in range(SWEEPS)], 7
    branches, barriers = case.schedule(*arguments), case.schedule(*arguments, branches=False)
    jax.tree.map(np.testing.assert_array_equal, branches, barriers)


@pytest.mark.parametrize("network", NETWORKS)
def test_sequential_order_visits_every_weight_once(network):
    """Output layer first; by colours whose units share no output, so that few levels are enough."""
    for teacher in range(5):
        N, K, M, d, train_output = network
        drawn = teachers.draw_teacher(N, K, M, d, train_output, 5, teacher)
        shape = networks.shape_of(drawn, N, train_output)
        proposals = sequential_order(drawn.output_sources, d, K, train_output)
        assert sorted(proposals) == list(range(shape.proposals))
        first = shape.first_hidden
        assert sorted(proposals[:first]) == list(range(first))
        if M == 1:
            continue
        # A unit shares outputs with at most R (D - 1) others: greedy colouring takes at most one colour more.
        readers = np.bincount(drawn.output_sources.ravel()).max()
        colours = readers * (shape.output_degree - 1) + 1
        case = Case(network, teacher)
        levels, _ = case.expected_levels(proposals, 0, len(proposals))
        assert max(levels) + 1 <= (shape.output_degree if train_output else 0) + colours * d


@pytest.mark.parametrize("network", NETWORKS[:3])
@pytest.mark.parametrize("size", [1, 4, 100])
def test_unit_plan_is_the_sequential_order(network, size):
    """Done group by group, the hidden proposals come in another order only where they commute."""
    case = Case(network)
    _, K, M, d, train_output = network
    shape, sources = case.shape, case.teacher.output_sources
    plan = order.unit_plan(sources, d, K, train_output, size)
    assert plan.groups.shape == (K, size)
    assert (plan.groups[plan.used :] == -1).all()
    assert (plan.groups[: plan.used] >= 0).any(axis=1).all()
    units = [[k for k in group if k >= 0] for group in plan.groups[: plan.used].tolist()]
    assert sorted(k for group in units for k in group) == list(range(K))
    np.testing.assert_array_equal(case.sequential[plan.positions], shape.first_hidden + np.arange(K * d))
    for group in units:
        touched = [r for k in group for r in case.resources[shape.first_hidden + k * d]]
        assert len(touched) == len(set(touched)), "two units done together share an output"
    assert_same_sweep(case, [plan.positions[k * d + b] for group in units for b in range(d) for k in group])
    if train_output:
        outputs = np.arange(M * d).reshape(M, d).T.ravel()
        np.testing.assert_array_equal(case.sequential[: M * d], outputs)


def assert_same_sweep(case, done):
    """Places of the sequential order, in the order in which they are done."""
    for later in range(len(done)):
        for earlier in range(later):
            first, second = (case.sequential[done[i]] for i in (earlier, later))
            if not case.resources[first].isdisjoint(case.resources[second]):
                assert done[earlier] < done[later], "proposals that do not commute changed places"


@pytest.mark.parametrize("network", NETWORKS[:3])
def test_unit_order_is_the_sequential_order(network):
    """With all links of a unit in turn."""
    case = Case(network)
    _, K, _, d, train_output = network
    positions = hidden_positions(case.teacher.output_sources, d, K, train_output)
    units = unit_order(positions, d).tolist()
    assert sorted(units) == list(range(K))
    np.testing.assert_array_equal(case.sequential[positions], case.shape.first_hidden + np.arange(K * d))
    assert_same_sweep(case, [positions[k * d + b] for k in units for b in range(d)])


def test_sequential_levels_are_wide():
    """At N = 256, d = 3 a sweep of 1536 proposals takes few levels, or the order would have no advantage."""
    teacher = teachers.draw_teacher(256, 256, 256, 3, True, 5, 0)
    proposals = sequential_order(teacher.output_sources, 3, 256, True)
    reads = [{o for o in range(256) if k in teacher.output_sources[o]} for k in range(256)]
    resources = [{p // 3} if p < 768 else reads[(p - 768) // 3] for p in proposals.tolist()]
    assert max(oracle.reference_levels(resources)) + 1 <= 3 + 3 * 7


def test_random_order_is_uniform():
    """Each proposal equally likely, and independent of the one before, of its place and of the sweep."""
    key = streams.order_key(3, 12, 3, 4)
    n, sweeps = 72, 1024
    proposals = np.asarray(_random_order(key, 0, sweeps, n))
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
    first = proposals[:, 0]
    check(np.bincount(first, minlength=n))


def test_random_order_belongs_to_its_sweep():
    """A sweep's order does not depend on how many are drawn with it; other sweeps and teachers differ."""
    key = streams.order_key(3, 12, 3, 4)
    many = np.asarray(_random_order(key, 0, 1024, 72))
    one = np.asarray(_random_order(key, 40, 1, 72))
    np.testing.assert_array_equal(many[40:41], one)
    assert len(np.unique(many, axis=0)) == len(many)
    other = np.asarray(_random_order(streams.order_key(3, 12, 3, 5), 40, 1, 72))
    assert (other == one).mean() < 0.2


def test_depth_of_the_random_order():
    """N = 256, d = 3: the 1536 proposals of a sweep take about 44 levels (measured for this design: 44)."""
    teacher = teachers.draw_teacher(256, 256, 256, 3, True, 5, 0)
    readers = networks.tables_of(teacher, networks.shape_of(teacher, 256, True)).readers
    depth = np.asarray(_schedule_large(streams.order_key(5, 256, 3, 0), 0, readers))
    assert 40 <= depth.mean() <= 48
    assert depth.std() < 6
