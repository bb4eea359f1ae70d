"""The laws of single flips against exact enumeration, by an oracle that shares no code with them.

A tiny network has so few weights that every state can be listed. The chance with which a proposal is accepted is
an integer over 2^24, so it is compared as it is; the distribution after a whole sweep is sampled.
"""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
from scipy import stats

from mbsim.physics import flips, order
from mbsim.physics.problem import Problem, Weights, labels_of
from mbsim.physics.rules import RULES, flip_rule, metropolis
from mbsim.physics.rules.flip_rule import RESOLUTION, chances
from mbsim.physics.rules.protocol import Group
from mbsim.physics.single import world_of_one
from mbsim.physics.teachers import TEACHERS
from mbsim.physics.world import Batch, Moment, World

SEED = 3
LAWS = {
    "metropolis": lambda dE, T: 1.0 if dE <= 0 else (np.exp(-dE / T) if T > 0 else 0.0),
    "heat-bath": lambda dE, T: (
        1 / (1 + np.exp(dE / T)) if T > 0 else {-1: 1.0, 0: 0.5, 1: 0.0}[int(np.sign(dE))]
    ),
}
NETWORKS = {  # N, K, M, d, train_output
    "vector": (4, 4, 4, 3, True),
    "irregular": (4, 5, 3, 3, True),
    "fixed outputs": (4, 4, 4, 3, False),
    "scalar": (4, 5, 1, 3, True),
}


def problem(rule, network, **options):
    N, K, M, d, train_output = NETWORKS[network]
    chosen = {"order": "random", "refresh": "sweep", **options}
    return Problem(N, K, M, d, K, "sparse", "binary", train_output, rule, chosen)


def world_of(of, m, temperature, students=1, label=0):
    """The teacher, and the worlds of some students as one batched `Labels`, with what they share."""
    teacher = TEACHERS["sparse"].draw(of, SEED, label)
    column = np.full(students, m)
    axes = {"temperature": np.full(students, temperature), "init_overlap": np.zeros(students)}
    prepared = RULES[of.rule].prepare(Group(of, teacher, label, column, axes, SEED))
    return (
        teacher,
        labels_of(of, column, np.arange(students), prepared.own, seed=SEED, teacher=label),
        prepared.shared,
    )


def single(of, m, temperature, student=0, slots=None):
    return world_of_one(
        of, m=m, seed=SEED, replica=student, slots=slots, temperature=temperature, init_overlap=0.0
    )


@pytest.mark.parametrize("rule", LAWS)
@pytest.mark.parametrize("temperature", [0.0, 0.3, 2.0])
def test_the_chances_are_the_law(rule, temperature):
    most = 7
    [table] = chances(RULES[rule].law, np.array([temperature]), most)
    exact = np.array([LAWS[rule](dE, temperature) for dE in range(-most, most + 1)])
    assert np.all(table >= exact * RESOLUTION - 1e-6)
    assert np.all(table <= np.maximum(exact * RESOLUTION + 1, 1))
    assert temperature > 0 or np.array_equal(table, exact * RESOLUTION)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
@pytest.mark.parametrize("rule", LAWS)
def test_detailed_balance(rule, temperature):
    dE = np.arange(1, 9)
    law = RULES[rule].law
    there, back = law(dE, np.array(temperature)), law(-dE, np.array(temperature))
    assert np.allclose(there / back, np.exp(-dE / temperature), rtol=1e-12)


def taken(world, weights, batch, link):
    """A student on a mini-batch; ΔE of a flip that is accepted, the student after it, and the same from scratch."""
    costs = []

    def always(change):
        costs.append(change)
        return change == change

    now, rows = flips.network(world, weights, batch)
    after, _ = flips.flip(world, now, rows, link, always)
    return costs[0], after, flips.network(world, after.weights, batch)[0]


@pytest.mark.parametrize("network", NETWORKS)
def test_a_flip_costs_what_the_oracle_says(network):
    """Every weight of a random student, on a mini-batch: ΔE, and the sums after an accepted flip."""
    of, m = problem("metropolis", network), 3
    teacher = TEACHERS["sparse"].draw(of, SEED, 0)
    graph, rng = (teacher.hidden_sources, teacher.output_sources), np.random.default_rng(SEED)
    world = single(of, m, 0.0)
    batch = jax.jit(world.batch)(jnp.uint32(5))
    w = rng.choice([-1.0, 1.0], teacher.w.shape)
    v = rng.choice([-1.0, 1.0], teacher.v.shape) if of.train_output else teacher.v.astype(float)
    weights = Weights(np.float32(w), np.float32(v) if of.train_output else None)
    x = np.asarray(batch.x)
    targets = oracle.forward(x, *graph, teacher.w, teacher.v)[1]
    assert np.array_equal(targets, np.asarray(batch.y))

    def energy(w, v):
        return oracle.energy(oracle.forward(x, *graph, w, v)[1], targets)

    accepted = jax.jit(functools.partial(taken, world))
    for link in range(flips.proposals(of)):
        change, after, fresh = accepted(weights, batch, jnp.int32(link))
        assert int(change) == energy(*oracle.flip(w, v, link, of.train_output)) - energy(w, v)
        assert np.array_equal(after.g, fresh.g)
        assert np.array_equal(after.s, fresh.s)


def transition_matrix(of, teacher, batch, law, temperature):
    """(states, states): one proposal of the random order, by enumeration; a state is all trained weights."""
    energies, n = energies_of(of, teacher, batch), flips.proposals(of)
    matrix = np.zeros((2**n, 2**n))
    for state in range(2**n):
        for link in range(n):
            other = state ^ (1 << link)
            chance = law(energies[other] - energies[state], temperature) / n
            matrix[state, other] += chance
            matrix[state, state] += 1 / n - chance
    return matrix


def energies_of(of, teacher, batch):
    """E of every state on a mini-batch; bit i of a state is set where trained weight i is -1, outputs first."""
    graph, n = (teacher.hidden_sources, teacher.output_sources), flips.proposals(of)
    targets = oracle.forward(batch, *graph, teacher.w, teacher.v)[1]
    found = []
    for state in range(2**n):
        signs = 1 - 2 * ((state >> np.arange(n)) & 1)
        v, w = np.split(signs, [teacher.v.size])
        outputs = oracle.forward(batch, *graph, w.reshape(teacher.w.shape), v.reshape(teacher.v.shape))[1]
        found.append(oracle.energy(outputs, targets))
    return found


@pytest.mark.parametrize(
    ("rule", "temperature"),
    [
        ("metropolis", 0.8),
        ("heat-bath", 0.0),
        pytest.param("metropolis", 0.0, marks=pytest.mark.slow),
        pytest.param("heat-bath", 0.8, marks=pytest.mark.slow),
    ],
)
def test_a_sweep_on_a_fresh_batch_is_the_mean_power_of_a_proposal(rule, temperature):
    check_sweep(rule, temperature)


def check_sweep(rule, temperature):
    """The distribution of all weights after one sweep from one start on a fresh mini-batch, of which there are 64:
    χ² over 16 states.
    """
    of = Problem(3, 1, 1, 3, 1, "sparse", "binary", True, rule, {"order": "random", "refresh": "sweep"})
    m, students = 2, 40_000
    teacher, labels, shared = world_of(of, m, temperature, students=students)
    # All students have the first one's weights; examples, orders and acceptances are their own.
    same = jax.tree.map(lambda x: np.broadcast_to(x[:1], x.shape), labels.keys.weights)
    labels = labels._replace(keys=labels.keys._replace(weights=same))
    orders = np.random.default_rng(SEED).integers(0, 2**32, (students, 2), dtype=np.uint32)
    law = RULES[rule]

    teacher, shared = jax.tree.map(jnp.asarray, (teacher, shared))

    def sweep(own, order_key):
        world = World(of, teacher, own, {**shared, "order_key": order_key}, m)
        state, _ = law.step(world, law.init(world), Moment(jnp.uint32(0), jnp.uint32(0), jnp.int32(0)))
        return state.weights

    weights = jax.jit(jax.vmap(sweep))(jax.tree.map(jnp.asarray, labels), jnp.asarray(orders))
    start = jax.jit(lambda: law.init(single(of, m, temperature)).weights)()
    known = jax.tree.map(np.asarray, teacher)
    patterns = np.array(list(itertools.product([-1, 1], repeat=of.N)))
    batches = [patterns[list(pair)] for pair in itertools.product(range(len(patterns)), repeat=m)]
    n = flips.proposals(of)
    powers = [
        np.linalg.matrix_power(transition_matrix(of, known, batch, LAWS[rule], temperature), n)
        for batch in batches
    ]

    def index(w, v):
        signs = np.concatenate([np.asarray(v).reshape(len(w), -1), np.asarray(w).reshape(len(w), -1)], axis=1)
        return ((signs < 0) << np.arange(signs.shape[1])).sum(axis=1)

    [begin] = index(start.w[None], start.v[None])
    expected = students * np.mean(powers, axis=0)[begin]
    counts = np.bincount(index(weights.w, weights.v), minlength=len(expected))
    assert counts[expected == 0].sum() == 0, "an impossible transition happened"
    common = expected > 5
    rest = [counts[~common].sum()], [expected[~common].sum()]
    counts, expected = np.append(counts[common], rest[0]), np.append(expected[common], rest[1])
    keep = expected > 0
    assert stats.chisquare(counts[keep], expected[keep]).pvalue > 1e-7, "the sweeps do not have their law"


# Faults put into the law on purpose


def reversed_acceptance(patch):
    cost = flips.cost
    patch.setattr(flips, "cost", lambda *given: -cost(*given))


def refused_ties(patch):
    cost = flips.cost
    patch.setattr(flips, "cost", lambda *given: cost(*given) + (cost(*given) == 0))


def doubled_temperature(patch):
    table = flip_rule.chances
    patch.setattr(flip_rule, "chances", lambda law, T, most: table(law, 2 * T, most))


def one_batch_for_all(patch):
    batch = World.batch
    patch.setattr(World, "batch", lambda world, number: batch(in_the_first_world(world), number))


def in_the_first_world(world):
    keys = world.labels.keys
    same = type(keys.examples)(*(half * 0 + jnp.uint32(7) for half in keys.examples))
    return world._replace(labels=world.labels._replace(keys=keys._replace(examples=same)))


def one_example_too_many(patch):
    """The last example of a batch counts twice."""
    batch = World.batch

    def doubled(world, number):
        right = batch(world, number)
        return Batch(*(jnp.concatenate([part, part[-1:]]) for part in right))

    patch.setattr(World, "batch", doubled)


def one_weight_never_proposed(patch):
    proposed = metropolis.random_order
    patch.setattr(
        metropolis, "random_order", lambda key, sweeps, n: jnp.minimum(proposed(key, sweeps, n), n - 2)
    )


@pytest.mark.parametrize(
    "mutant",
    [
        reversed_acceptance,
        *(
            pytest.param(mutant, marks=pytest.mark.slow)
            for mutant in (
                refused_ties,
                doubled_temperature,
                one_batch_for_all,
                one_example_too_many,
                one_weight_never_proposed,
            )
        ),
    ],
)
def test_law_notices(mutant, monkeypatch):
    mutant(monkeypatch)
    with pytest.raises(AssertionError, match=r"their law|impossible"):
        check_sweep("metropolis", 0.8)


def test_the_sequential_order_proposes_each_weight_once():
    teacher = TEACHERS["sparse"].draw(problem("metropolis", "irregular"), SEED, 0)
    found = order.sequential_order(teacher.output_sources, 3, 5, True)
    assert sorted(found) == list(range(3 * 3 + 5 * 3))
    assert sorted(found[:9]) == list(range(9))


def test_batches_do_not_depend_on_slots():
    of = problem("metropolis", "vector")
    narrow, wide = (jax.jit(single(of, 3, 0.0, slots=slots).batch)(jnp.uint32(2)) for slots in (3, 70))
    assert isinstance(narrow, Batch)
    assert np.array_equal(narrow.x, wide.x[:3])
    assert int(wide.used.sum()) == 3
