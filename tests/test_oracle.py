"""The compiled kernel against a NumPy simulation fed the same random numbers: equal weights, bit by bit.

Compiling takes nearly all the time. So the quick tests meet every mode, word type and degree, each in some
combination, and the slow ones go through the combinations.
"""

import numpy as np
import oracle
import pytest
from students import SEED, Lane, labels, one_device

from mbsim.kernel import ensemble, networks

# (N, K, M, d, train_output)
VECTOR = (12, 12, 12, 3, True)
WIDE = (11, 15, 9, 3, True)  # unequal sides: units with different numbers of readers, some with none
COMMITTEE = (10, 10, 10, 5, False)  # output weights fixed to one
SCALAR = (15, 9, 1, 3, False)
SCALAR_BOTH = (13, 13, 1, 5, True)
NETWORKS = [VECTOR, WIDE, COMMITTEE, SCALAR, SCALAR_BOTH]

COLD = 0.0
WARM = (0.0, 0.7, 0.7, 2.0)


def of_degree(d):
    return (13, 13, 13, d, True)


def tests_of(network):
    """Test examples: partial words, and of a scalar output more than are done at a time."""
    return 300 if network[2] == 1 else 40


def check(network, order, refresh, m, temperature, init_overlap=0.0, sweeps=3):
    """Train lanes of one teacher with the kernel and one by one with the oracle."""
    N, K, M, d, train_output = network
    teacher = networks.draw_teacher(N, K, M, d, train_output, SEED, 0)
    lanes = labels(m, 2, init_overlap, temperature)
    times = np.arange(sweeps + 1)
    records, weights = ensemble.train(
        teacher,
        lanes,
        times,
        seed=SEED,
        N=N,
        teacher_label=0,
        train_output=train_output,
        dynamics=ensemble.Dynamics(order, refresh),
        test_size=tests_of(network),
        mesh=one_device(),
        lanes_per_device=16,
    )
    for i in range(len(lanes.m)):
        lane = Lane(teacher, N, ensemble.LaneLabels(*(c[[i]] for c in lanes)), train_output, order=order)
        trained = lane.oracle(sweeps, refresh)
        np.testing.assert_array_equal(weights.w[i], trained.w)
        np.testing.assert_array_equal(weights.v[i], trained.v)
        np.testing.assert_array_equal(records.accepted[i, 1:], trained.accepted)
        overlap = oracle.path_overlap(trained.w, trained.v, teacher.w, teacher.v, teacher.output_sources)
        assert records.agreement[i, -1] / records.paths == pytest.approx(overlap, abs=1e-12)
        n = records.proposals
        if refresh is None or refresh == n:
            wrong = np.array(trained.training_errors) * lane.m * M
            np.testing.assert_allclose(records.batch_wrong[i, :sweeps], wrong, atol=1e-9)


@pytest.mark.parametrize(
    ("network", "order", "m", "temperature"),
    [
        (VECTOR, "random", [3, 8], WARM),
        (VECTOR, "sequential", [3, 8], WARM),
        (WIDE, "random", [9, 16], COLD),
        (WIDE, "sequential", [1, 5], WARM),
        (COMMITTEE, "random", [3, 8], WARM),
        (COMMITTEE, "sequential", [17, 32], COLD),
        (SCALAR, "random", [33, 70], COLD),
        (SCALAR, "sequential", [3, 8], WARM),
        (SCALAR_BOTH, "random", [3, 8], WARM),
        (SCALAR_BOTH, "sequential", [9, 16], COLD),
        (of_degree(1), "sequential", [17, 32], WARM),
        (of_degree(7), "random", [9, 16], COLD),
        (of_degree(9), "sequential", [33, 70], COLD),
    ],
)
def test_weights_are_the_oracles(network, order, m, temperature):
    check(network, order, None, m, temperature)


@pytest.mark.parametrize("network", [VECTOR, SCALAR_BOTH])
@pytest.mark.parametrize("refresh", [1, 7, 100, 1000])
def test_any_refresh(network, refresh):
    check(network, "random", refresh, [3, 8], WARM)


def test_refresh_within_a_sequential_sweep():
    check(VECTOR, "sequential", 19, [3, 8], COLD)


def test_initial_overlap():
    check(VECTOR, "random", None, [3, 8], WARM, init_overlap=(0.5, 1.0, 0.0, 0.3), sweeps=2)


@pytest.mark.slow
@pytest.mark.parametrize("network", [*NETWORKS, *(of_degree(d) for d in (1, 7, 9))])
@pytest.mark.parametrize("order", ["random", "sequential"])
@pytest.mark.parametrize("temperature", [COLD, WARM])
def test_every_mode(network, order, temperature):
    check(network, order, None, [3, 8], temperature)


@pytest.mark.slow
@pytest.mark.parametrize("m", [1, 9, 16, 17, 32, 33, 70])
@pytest.mark.parametrize("network", [VECTOR, SCALAR])
@pytest.mark.parametrize("order", ["random", "sequential"])
def test_every_word_type_and_partial_words(network, m, order):
    check(network, order, None, [m, max(1, m - 1)], WARM, sweeps=2)


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("order", ["random", "sequential"])
@pytest.mark.parametrize("refresh", [1, 7, 19, 1000])
def test_every_refresh(network, order, refresh):
    check(network, order, refresh, [3, 8], WARM)
