"""A lane gives the same bits wherever it is trained: alone, among others, with any words, groups, devices."""

import functools

import jax
import numpy as np
import pytest
from against_oracle import SCALAR, VECTOR, blind, examples_to_test
from students import SEED, labels, one_device

from mbsim.engines import ensemble
from mbsim.engines.mesh import student_mesh
from mbsim.engines.xla import memory
from mbsim.physics import teachers

TIMES = np.array([0, 1, 4])
# Seven replicas of three m's: 21 lanes, which neither 2 nor 8 devices divide.
LANES = labels([3, 8, 5], 7, init_overlap=0.2, temperature=np.tile([0.0, 0.6, 1.5], 7))


def devices(count):
    return student_mesh(jax.devices()[:count])


def train(network, order, lanes, mesh, lanes_per_device, engine="xla"):
    """Final weights and records of the lanes, all in one array with a row for each lane."""
    N, K, M, d, train_output = network
    records, weights = ensemble.train(
        teachers.draw_teacher(N, K, M, d, train_output, SEED, 0),
        lanes,
        TIMES,
        seed=SEED,
        N=N,
        teacher_label=0,
        train_output=train_output,
        dynamics=ensemble.Dynamics(order),
        test_size=examples_to_test(network),
        mesh=mesh,
        lanes_per_device=lanes_per_device,
        engine=engine,
    )
    columns = (*weights, records.accepted, records.agreement, records.test_wrong, records.batch_wrong)
    return np.concatenate([column.reshape(len(lanes.m), -1) for column in columns], axis=1)


@functools.cache
def reference(network, order):
    """All lanes on one device, sixteen at a time: the second launch is filled up with copies."""
    result = train(network, order, LANES, one_device(), 16)
    assert len(np.unique(result, axis=0)) == len(result), "lanes should differ"
    return result


def trained(rows):
    """The part of what `train` returns that is known without measuring: weights and accepted proposals."""
    return rows[:, : -3 * len(TIMES)]


def pick(lanes, index):
    return ensemble.StudentLabels(*(column[index] for column in lanes))


def with_others(m):
    """LANES with a lane of this m before and after each of them, and where LANES are in it."""
    count = len(LANES.m)
    others = labels(m, 2 * count, temperature=0.4)
    index = np.insert(np.arange(count), np.arange(count), count + np.arange(count))
    index = np.concatenate([index, 2 * count + np.arange(count)])
    mixed = [np.concatenate(pair)[index] for pair in zip(LANES, others, strict=True)]
    return ensemble.StudentLabels(*mixed), np.arange(count) * 2 + 1


@pytest.mark.parametrize(("network", "order"), [(VECTOR, "random"), (SCALAR, "sequential")])
@pytest.mark.parametrize("count", [1, 8])
def test_registers_of_students(network, order, count):
    """The engine of CPUs, on one thread and on eight: what XLA's programs give, alone or beside any
    others.
    """
    index = np.random.default_rng(2).permutation(len(LANES.m))
    moved = train(network, order, pick(LANES, index), devices(count), None, "native")
    np.testing.assert_array_equal(moved, reference(network, order)[index])
    alone = train(network, order, pick(LANES, [4]), devices(count), None, "native")
    np.testing.assert_array_equal(alone, reference(network, order)[[4]])
    for m in (12, 70):
        lanes, ours = with_others(m)
        mixed = train(network, order, lanes, devices(count), None, "native")
        np.testing.assert_array_equal(mixed[ours], reference(network, order))


def test_alone():
    """Launches of one lane; these three are warm, so that they share a compiled program."""
    index = [1, 11, 19]
    with blind():
        alone = train(VECTOR, "sequential", pick(LANES, index), one_device(), 1)
    np.testing.assert_array_equal(trained(alone), trained(reference(VECTOR, "sequential"))[index])


@pytest.mark.parametrize(("network", "order"), [(VECTOR, "random"), (SCALAR, "sequential")])
def test_another_place(network, order):
    """In any order, and with some left out: the place of a lane is not a label."""
    index = np.random.default_rng(1).permutation(len(LANES.m))[:-3]
    moved = train(network, order, pick(LANES, index), one_device(), 16)
    np.testing.assert_array_equal(moved, reference(network, order)[index])


def test_eight_devices_and_wide_batches(monkeypatch):
    """Three words of 32 bits instead of one of eight, other groups, and launches over eight devices."""
    monkeypatch.setattr(memory, "group_size", lambda shape, platform: 5)
    lanes, ours = with_others(70)
    with blind():
        mixed = train(VECTOR, "random", lanes, devices(8), 3)
    np.testing.assert_array_equal(trained(mixed)[ours], trained(reference(VECTOR, "random")))


def test_two_devices_and_wide_groups(monkeypatch):
    """Words of 16 bits, the groups of an accelerator, wider than all levels, and as many lanes as fit."""
    monkeypatch.setattr(memory, "group_size", lambda shape, platform: memory.WIDE_GROUP)
    lanes, ours = with_others(12)
    with blind():
        mixed = train(VECTOR, "sequential", lanes, devices(2), None)
    np.testing.assert_array_equal(trained(mixed)[ours], trained(reference(VECTOR, "sequential")))


@pytest.mark.slow
def test_one_output():
    """A scalar output: eight devices, more words, lanes beside; measurements too."""
    lanes, ours = with_others(70)
    mixed = train(SCALAR, "sequential", lanes, devices(8), 3)
    np.testing.assert_array_equal(mixed[ours], reference(SCALAR, "sequential"))


@pytest.mark.slow
def test_greedy_program():
    """Lanes at zero temperature: the program that knows no temperature agrees with the one that does."""
    cold = np.flatnonzero(LANES.temperature == 0)
    assert len(cold) == 7
    greedy = train(VECTOR, "random", pick(LANES, cold), one_device(), 16)
    np.testing.assert_array_equal(greedy, reference(VECTOR, "random")[cold])


@pytest.mark.slow
@pytest.mark.parametrize("network", [VECTOR, SCALAR])
@pytest.mark.parametrize("order", ["random", "sequential"])
@pytest.mark.parametrize(("count", "each"), [(1, 1), (1, 5), (2, 11), (3, 4), (8, 2), (8, 16)])
def test_any_launch(network, order, count, each):
    spread = train(network, order, LANES, devices(count), each)
    np.testing.assert_array_equal(spread, reference(network, order))


@pytest.mark.slow
@pytest.mark.parametrize("m", [9, 17, 33, 70])
@pytest.mark.parametrize("network", [VECTOR, SCALAR])
def test_any_words(network, m):
    lanes, ours = with_others(m)
    mixed = train(network, "random", lanes, one_device(), 16)
    np.testing.assert_array_equal(mixed[ours], reference(network, "random"))


@pytest.mark.slow
@pytest.mark.parametrize("order", ["random", "sequential"])
@pytest.mark.parametrize("size", [1, 2, 3, 8, 100])
def test_any_group(order, size, monkeypatch):
    expected = reference(VECTOR, order)
    monkeypatch.setattr(memory, "group_size", lambda shape, platform: size)
    np.testing.assert_array_equal(train(VECTOR, order, LANES, one_device(), 16), expected)
