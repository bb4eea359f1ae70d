"""A student gives the same bits wherever it is trained: by the reference engine, alone, among others, beside those of
other teachers, on any number of cores or devices.
"""

import numpy as np
import pytest
from against_oracle import SCALAR, VECTOR, WIDE
from against_reference import check, pick, problem_of, students_of, task_of, train, with_training_set

from mbsim.engines import ensemble
from mbsim.engines.registers import training

SLOW = pytest.mark.slow
SETS = ("with", "without", "epochs")


@pytest.fixture(scope="module")
def task():
    """36 students of three teachers, of two widths."""
    return task_of(problem_of(VECTOR), students_of(m=(3, 8, 70), temperatures=(0.0, 0.7)))


@pytest.fixture(scope="module")
def expected(task):
    """By the reference engine."""
    found = train("reference", task)
    # A student at T > 0 may happen to accept what its twin at T = 0 does.
    assert len(np.unique(found, axis=0)) > 0.9 * len(found), "students should differ"
    return found


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_registers_are_the_reference(task, expected, workers, monkeypatch):
    """On one core and on several, in any order; runs cut into stretches of one sweep."""
    monkeypatch.setattr(ensemble, "cores", lambda: workers)
    if workers == 2:
        monkeypatch.setattr(training, "ORDER_ENTRIES", 1)
    index = np.random.default_rng(workers).permutation(len(expected))
    np.testing.assert_array_equal(train("registers", pick(task, index)), expected[index])


def test_registers_of_students_alone_and_with_some_left_out(task, expected):
    narrow = np.flatnonzero(task.students.m == 3)
    for index in ([4], narrow, np.arange(len(expected))[:-5]):
        np.testing.assert_array_equal(train("registers", pick(task, index)), expected[index])


@SLOW
def test_the_reference_of_one_teacher(task, expected):
    """Launches of many teachers have another program than those of one; and other widths."""
    index = np.flatnonzero((task.students.teacher == 2) & (task.students.m < 70))
    np.testing.assert_array_equal(train("reference", pick(task, index)), expected[index])


@SLOW
def test_the_reference_of_each_teacher_alone(task, expected):
    for number in (1, 2, 5):
        index = np.flatnonzero(task.students.teacher == number)
        np.testing.assert_array_equal(train("reference", pick(task, index)), expected[index])
        np.testing.assert_array_equal(train("registers", pick(task, index)), expected[index])


ON_SETS = [
    (SCALAR, "random", "sweep", "epochs", (12,)),
    pytest.param(SCALAR, "sequential", "sweep", "epochs", (30, 70), marks=SLOW),
    pytest.param(VECTOR, "random", 7, "without", (5, 12), marks=SLOW),
]


@pytest.mark.parametrize(("network", "order", "refresh", "sampling", "m"), ON_SETS)
def test_training_sets_on_registers(network, order, refresh, sampling, m):
    task, expected = with_training_set(network, order, refresh, sampling, m)
    assert len(np.unique(expected, axis=0)) == len(expected), "students should differ"
    np.testing.assert_array_equal(train("registers", task), expected)


@SLOW
@pytest.mark.parametrize("m", [5, 12, 30, 70, 130])
@pytest.mark.parametrize("sampling", SETS)
@pytest.mark.parametrize("order", ["random", "sequential"])
@pytest.mark.parametrize("network", [VECTOR, WIDE, SCALAR])
def test_training_sets_in_every_mode(network, order, sampling, m):
    problem = problem_of(network, order, sampling=sampling)
    check(task_of(problem, students_of((m, max(1, m // 3))), examples=151))


@SLOW
@pytest.mark.parametrize("sampling", SETS)
@pytest.mark.parametrize(("network", "order"), [(VECTOR, "random"), (SCALAR, "sequential")])
def test_training_sets_refreshed_within_a_sweep(network, order, sampling):
    """Also where a batch is the whole set, and with more inputs than a word of a training set has."""
    problem = problem_of(network, order, 7, sampling=sampling)
    check(task_of(problem, students_of((5, 40)), examples=40))
    wide = problem_of((70, 70, 70, 3, True), order, sampling=sampling)
    check(task_of(wide, students_of((5, 70), (0.0,), (0,)), examples=700))


@SLOW
@pytest.mark.parametrize("network", [VECTOR, WIDE, SCALAR])
@pytest.mark.parametrize("order", ["random", "sequential"])
@pytest.mark.parametrize(("refresh", "rule"), [(7, "metropolis"), ("sweep", "heat-bath"), (100, "heat-bath")])
def test_every_law_and_refresh(network, order, refresh, rule):
    check(task_of(problem_of(network, order, refresh, rule), students_of((3, 12, 70))))
