"""The compiled loops of CPUs: made once for a kind of network, and in as much memory as was estimated before."""

from types import SimpleNamespace

import jax
import numpy as np
import pytest
from against_oracle import SCALAR, VECTOR, examples_to_test
from numba import njit
from numba.core import event
from students import drawn, labels

from mbsim.engines import devices, ensemble, networks
from mbsim.engines.registers import sizes, training
from mbsim.engines.task import Task, TrainingSet

GIBIBYTE = 2**30


def launch(network, order, numbers, seed, m, times, workers=1, examples=None):
    """Train students of some teachers."""
    students = labels(m, 3, temperature=0.3, teachers=len(numbers))
    records, _ = ensemble.train(
        drawn(network, numbers, seed),
        np.array(numbers),
        students,
        np.array(times),
        seed=seed,
        N=network[0],
        train_output=network[4],
        dynamics=ensemble.Dynamics(order, training=examples),
        test_size=examples_to_test(network),
        workers=workers,
    )
    return records.agreement


@pytest.mark.parametrize(
    ("network", "order"), [(VECTOR, "random"), pytest.param(SCALAR, "sequential", marks=pytest.mark.slow)]
)
def test_a_second_launch_compiles_nothing(network, order):
    """Other teachers and more of them, another seed, other batches of the same words, other times; and another size
    shares its loops.
    """
    launch(network, order, [0], seed=1, m=[2, 5], times=[0, 2])
    with event.install_recorder("numba:compile") as loops:
        second = launch(network, order, [1, 5], seed=2, m=[1, 4, 7, 8, 3, 6], times=[0, 1, 5, 130], workers=2)
    assert second.shape == (36, 4)
    assert loops.buffer == []
    N, K, M, d, train_output = network
    with event.install_recorder("numba:compile") as loops:
        launch((N + 8, K + 8, M if M == 1 else M + 8, d, train_output), order, [0], 1, m=[8], times=[0, 1])
    # An output that reads more units may have wider counters.
    assert M == 1 or loops.buffer == []
    # The recorder does see what is compiled.
    with event.install_recorder("numba:compile") as loops:
        njit(lambda x: x + 1)(2)
    assert loops.buffer != []


@pytest.mark.parametrize("order", ["random", pytest.param("sequential", marks=pytest.mark.slow)])
def test_a_bunch_of_teachers_is_each_of_them(order, monkeypatch):
    """Seven teachers, of two kinds of blocks each, in bunches of three, three and one, two sweeps and then one; and
    one teacher after the other.
    """
    numbers = [0, 2, 3, 7, 8, 9, 12]
    given = {"order": order, "seed": 3, "m": [3, 5, 7, 69, 70], "times": [0, 1, 3]}
    alone = [launch(VECTOR, numbers=[number], **given) for number in numbers]
    monkeypatch.setattr(training, "limits", lambda *given: training.Limits(2, 3, 4))
    together = launch(VECTOR, numbers=numbers, workers=2, **given)
    np.testing.assert_array_equal(together, np.concatenate(alone))


@pytest.mark.parametrize(
    ("teachers", "blocks", "workers"),
    [(4, 432, 2), (8, 856, 2), (4, 1008, 8), (10, 1000, 2), (1, 1000, 16), (500, 500, 2)],
)
def test_every_core_has_jobs_enough(teachers, blocks, workers):
    """However many blocks a teacher has: the last jobs keep nobody waiting for long."""
    shape = networks.shape_of(drawn(VECTOR), VECTOR[0], True)
    zeros = np.zeros(teachers)
    task = Task(drawn(VECTOR), zeros, shape, labels([5]), np.array([300]), 1, ensemble.Dynamics(), 8)
    groups = [SimpleNamespace(teacher=np.repeat(np.arange(teachers), blocks // teachers))]
    most = training.limits(task, blocks, 1, True, workers)
    jobs = training.jobs_of(groups, most)
    assert sum(job.last - job.first for job in jobs) == len(groups[0].teacher)
    assert min(training.JOBS * workers, blocks) <= len(jobs) <= 3 * training.JOBS * workers
    assert all(np.ptp(groups[0].teacher[job.first : job.last] // most.bunch) == 0 for job in jobs)


@pytest.mark.parametrize(
    ("network", "order", "m", "examples"),
    [
        (VECTOR, "random", [5], None),
        (VECTOR, "sequential", [5], None),  # unit by unit, with room for effects
        (VECTOR, "random", [3, 70, 200], None),
        (VECTOR, "random", [5], TrainingSet(300, "with")),
        pytest.param(SCALAR, "random", [8, 40], None, marks=pytest.mark.slow),
        pytest.param(VECTOR, "sequential", [5, 200], TrainingSet(300, "epochs"), marks=pytest.mark.slow),
    ],
)
def test_memory_of_a_core(network, order, m, examples, monkeypatch):
    """What a thread allocates is what was estimated, however many widths it meets."""
    rooms, make = [], training.Room

    def remembered(*given):
        rooms.append(make(*given))
        return rooms[-1]

    monkeypatch.setattr(training, "Room", remembered)
    launch(network, order, [0, 1], seed=1, m=m, times=[0, 1], examples=examples)
    shape = networks.shape_of(drawn(network, [0, 1], 1), network[0], network[4])
    bits = sizes.word_bits(max(m), sizes.readers_of(shape))
    [room] = rooms
    needed = room.memory.size + sizes.weight_bytes(shape, sizes.students_in(bits))
    # The estimate is made for a training set, whether there is one or not.
    needed += 0 if examples else sizes.ROOM * sizes.BYTES
    assert needed <= sizes.core_bytes(shape, max(m)) <= 2 * needed


def test_available_memory_is_shared_by_the_devices(monkeypatch):
    """A CPU device may take its share of half the free memory of the host."""
    pages = {"SC_PAGE_SIZE": 4096, "SC_AVPHYS_PAGES": GIBIBYTE // 4096}
    monkeypatch.setattr(devices.os, "sysconf", pages.__getitem__)
    assert devices.available_bytes(jax.devices()[0]) == GIBIBYTE // 2 // 8
