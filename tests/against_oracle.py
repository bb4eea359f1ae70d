"""Students trained by an engine and, one by one, by the oracle, on the same random numbers."""

import numpy as np
import oracle
import pytest
from students import SEED, Student, drawn, labels, pick

from mbsim.engines import ensemble
from mbsim.physics.problem import Teacher

# (N, K, M, d, train_output)
VECTOR = (12, 12, 12, 3, True)  # terms are kept, with d = 3 alone
FIVE = (12, 12, 12, 5, True)  # sums are
WIDE = (11, 15, 9, 3, True)  # unequal sides: units with different numbers of readers, some with none
COMMITTEE = (10, 10, 10, 5, False)  # output weights fixed to one
SCALAR = (15, 9, 1, 3, False)
SCALAR_BOTH = (13, 13, 1, 5, True)
NETWORKS = [VECTOR, FIVE, WIDE, COMMITTEE, SCALAR, SCALAR_BOTH]

COLD = 0.0
WARM = (0.0, 0.7, 0.7, 2.0)


def examples_to_test(network):
    """Test examples: partial words, and of a scalar output more than are done at a time."""
    return 300 if network[2] == 1 else 40


def train(network, students, order, refresh, sweeps):
    """Train students of teachers number 0, 1, ..., and measure them after every sweep."""
    numbers = np.arange(1 + max(students.teacher))
    teachers = drawn(network, numbers)
    result = ensemble.train(
        teachers,
        numbers,
        students,
        np.arange(sweeps + 1),
        seed=SEED,
        N=network[0],
        train_output=network[4],
        dynamics=ensemble.Dynamics(order, refresh),
        test_size=examples_to_test(network),
        workers=2,
    )
    return teachers, *result


def check(network, order, refresh, m, temperature, init_overlap=0.0, sweeps=3, replicas=2, teachers=1):
    """Train students with the engine of CPUs and one by one with the oracle."""
    N, _, M, _, train_output = network
    students = labels(m, replicas, init_overlap, temperature, teachers)
    known, records, weights = train(network, students, order, refresh, sweeps)
    for i, number in enumerate(students.teacher.tolist()):
        teacher = Teacher(*(part[number] for part in known))
        one = Student(teacher, N, pick(students, [i]), train_output, order, number)
        trained = one.oracle(sweeps, refresh)
        np.testing.assert_array_equal(weights.w[i], trained.w)
        np.testing.assert_array_equal(weights.v[i], trained.v)
        np.testing.assert_array_equal(records.accepted[i, 1:], trained.accepted)
        overlap = oracle.path_overlap(trained.w, trained.v, teacher.w, teacher.v, teacher.output_sources)
        assert records.agreement[i, -1] / records.paths == pytest.approx(overlap, abs=1e-12)
        if refresh is None or refresh == records.proposals:
            wrong = np.array(trained.training_errors) * one.m * M
            np.testing.assert_allclose(records.batch_wrong[i, :sweeps], wrong, atol=1e-9)
