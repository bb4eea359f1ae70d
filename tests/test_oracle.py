"""The compiled kernel against a plain NumPy simulation fed the same random numbers: bit-equal weights in
every mode.
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
        test_size=40,
        mesh=one_device(),
    )
    for i in range(len(lanes.m)):
        lane = Lane(
            teacher, N, ensemble.LaneLabels(*(c[i : i + 1] for c in lanes)), train_output, order=order
        )
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


@pytest.mark.parametrize("network", [VECTOR, WIDE, COMMITTEE, SCALAR, SCALAR_BOTH])
@pytest.mark.parametrize("order", ["random", "sequential"])
@pytest.mark.parametrize("temperature", [0.0, [0.0, 0.7, 0.7, 2.0]])
def test_weights_are_the_oracles(network, order, temperature):
    check(network, order, None, [3, 8], temperature)


@pytest.mark.parametrize("network", [VECTOR, SCALAR_BOTH])
@pytest.mark.parametrize("refresh", [1, 7, 100, 1000])
def test_any_refresh(network, refresh):
    check(network, "random", refresh, [5], 0.5)


def test_refresh_within_a_sequential_sweep():
    check(VECTOR, "sequential", 19, [5], 0.0)


@pytest.mark.parametrize("m", [1, 9, 16, 17, 32, 33, 70])
@pytest.mark.parametrize("network", [VECTOR, SCALAR])
def test_every_word_type_and_partial_words(network, m):
    check(network, "random", None, [m, max(1, m - 1)], 0.4, sweeps=2)


def test_initial_overlap():
    check(VECTOR, "random", None, [6], 0.0, init_overlap=[0.5, 1.0], sweeps=2)


@pytest.mark.parametrize("d", [1, 7, 9])
def test_degrees(d):
    check((13, 13, 13, d, True), "random", None, [10], 0.0, sweeps=2)
