"""Finite training sets: orders are permutations, draws are uniform, both dynamics use them as they say."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from sgd_students import Case, labels
from students import drawn
from students import labels as students_of

import mbsim
from mbsim.engines import ensemble
from mbsim.engines.task import Dynamics, TrainingSet
from mbsim.sampling.example_sets import example_numbers, example_set, permuted, scaled_pair
from mbsim.sampling.streams import Key

LEVEL = 1e-7  # of one test of chance


def keys(count, seed=3):
    words = np.random.default_rng(seed).integers(0, 2**32, (2, count, 1), dtype=np.uint32)
    return Key(jnp.asarray(words[0]), jnp.asarray(words[1]))


@jax.jit
def _permuted(index, key, of):
    return permuted(index, key, of)


def on_device(size):
    return jax.tree.map(lambda n: jnp.full((1, 1), n, jnp.uint32), example_set(size))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 16, 100, 1000])
def test_an_order_holds_every_example_once(size):
    index = jnp.arange(size, dtype=jnp.uint32)[None]
    orders = np.asarray(_permuted(index, keys(50), on_device(size)))
    assert (np.sort(orders, axis=1) == np.arange(size)).all()


def test_large_sets_cost_no_memory_and_repeat_nothing():
    size = 10**8
    index = jnp.asarray(np.random.default_rng(0).choice(size, 4096, replace=False).astype(np.uint32))[None]
    order = np.asarray(_permuted(index, keys(1), on_device(size)))[0]
    assert order.max() < size
    assert len(np.unique(order)) == 4096
    assert stats.kstest(order / size, "uniform").pvalue > LEVEL


@pytest.mark.parametrize("size", [3, 4, 5, 6])
def test_all_orders_of_a_small_set_are_equally_likely(size):
    index = jnp.arange(size, dtype=jnp.uint32)[None]
    orders = np.asarray(_permuted(index, keys(40_000), on_device(size)))
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == np.prod(np.arange(1, size + 1))
    assert stats.chisquare(counts).pvalue > LEVEL


def test_pairs_of_an_order_of_24_are_uniform():
    """As a batch of two without replacement: any two different examples."""
    pair = np.asarray(_permuted(jnp.arange(2, dtype=jnp.uint32)[None], keys(200_000), on_device(24)))
    counts = np.bincount(pair[:, 0] * 24 + pair[:, 1], minlength=576).reshape(24, 24)
    assert (np.diag(counts) == 0).all()
    assert stats.chisquare(counts[~np.eye(24, dtype=bool)]).pvalue > LEVEL


def test_scaled_pairs_are_exact():
    rng = np.random.default_rng(1)
    high, low, n = (rng.integers(0, 2**32, 500, dtype=np.uint32) for _ in range(3))
    edge = np.array([0, 1, 2**16 - 1, 2**16, 2**32 - 1], np.uint32)
    high, low, n = (np.concatenate([x, np.roll(edge, i)]) for i, x in enumerate((high, low, n)))
    found = np.asarray(scaled_pair(jnp.asarray(high), jnp.asarray(low), jnp.asarray(n)))
    exact = [(int(h) * 2**32 + int(b)) * int(k) >> 64 for h, b, k in zip(high, low, n, strict=True)]
    assert found.tolist() == exact


def numbers(sampling, m, size, batches):
    draw = jax.jit(example_numbers, static_argnums=0)
    slot, count = jnp.arange(m, dtype=jnp.uint32)[None], jnp.full((1, 1), m, jnp.uint32)
    one = keys(1)
    return np.stack(
        [
            np.asarray(draw(sampling, one, jnp.full((1, 1), b, jnp.uint32), slot, count, on_device(size)))[0]
            for b in range(batches)
        ]
    )


def test_epochs_use_every_example_once_before_any_twice():
    found = numbers("epochs", 4, 12, 9).reshape(3, 12)
    assert (np.sort(found, axis=1) == np.arange(12)).all()
    assert (found[0] != found[1]).any(), "a new order in each epoch"
    left_out = numbers("epochs", 5, 12, 8).reshape(4, 10)  # two of twelve are left over
    assert all(len(set(epoch)) == 10 for epoch in left_out.tolist())


def test_without_replacement_a_batch_has_no_example_twice_and_batches_are_independent():
    found = numbers("without", 5, 6, 200)
    assert all(len(set(batch)) == 5 for batch in found.tolist())
    assert (np.sort(numbers("without", 6, 6, 5), axis=1) == np.arange(6)).all()
    assert stats.chisquare(np.bincount(found.ravel(), minlength=6)).pvalue > LEVEL


def test_with_replacement_draws_are_uniform():
    found = numbers("with", 50, 7, 100)
    assert stats.chisquare(np.bincount(found.ravel(), minlength=7)).pvalue > LEVEL
    assert any(len(set(batch)) < 7 for batch in found[:, :7].tolist())


@pytest.mark.slow
def test_full_batches_of_one_set_are_the_same_batch_in_another_order():
    case = Case(examples=6, sampling="epochs", noise=0.5)
    student = case.student(6, 0.1)
    first, second = (case.examples(student, step) for step in (0, 1))
    rows = [np.hstack(batch) for batch in (first, second)]
    assert (rows[0] != rows[1]).any()
    np.testing.assert_array_equal(*(row[np.lexsort(row.T)] for row in rows))


def test_a_small_training_set_is_learned_by_heart():
    """Errors part: on the set it vanishes, on fresh examples it does not."""
    records, _ = Case(12, 24, 1, examples=8, test_size=512).train(labels(8, lr=0.05), [0, 2000])
    assert records.training_error[0, -1] < 1e-3
    assert records.generalization_error[0, -1] > 0.2


# Metropolis


def metropolis(training, m, replicas, sweeps):
    return ensemble.train(
        drawn((9, 9, 9, 3, True)),
        np.zeros(1, int),
        students_of(m, replicas),
        np.array([0, sweeps]),
        seed=5,
        N=9,
        train_output=True,
        dynamics=Dynamics(training=training),
    )[0]


@pytest.mark.slow
def test_metropolis_learns_a_small_set_by_heart():
    records = metropolis(TrainingSet(3, "epochs"), 3, replicas=16, sweeps=200)
    assert records.batch_wrong[:, -1].mean() / 27 < 0.05
    assert records.test_wrong[:, -1].mean() / records.test_outputs > 0.15


@pytest.mark.slow
def test_the_gap_is_in_the_dataset():
    config = {
        "model": "sparse-vector",
        "grid": {"N": [9], "d": [3], "m": [4], "teachers": 1, "replicas": 2},
        "dynamics": {"sweeps": 32},
        "data": {"examples": {"unit": "N*d", "value": 1}, "sampling": "with"},
    }
    ds = mbsim.run(config)
    gap = ds.generalization_error - ds.training_error
    np.testing.assert_allclose(ds.generalization_gap, gap, atol=1e-6)
    assert "generalization_gap" not in mbsim.run({**config, "data": {"examples": "online"}})
