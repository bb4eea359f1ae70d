"""The Pallas engine gives the bits of the engine for CPUs in every mode.

Rows have the layout of a GPU or of a TPU. Where jax finds a GPU, kernels for GPUs are compiled and run on it;
elsewhere, and those for TPUs, they are interpreted on CPU. What compiled kernels are on devices that are not there
is read off by `benchmarks/aot.py`.
"""

import numpy as np
import pytest
from pallas_tasks import GPU, IRREGULAR, TPU, VECTOR, WARM, Case, expected, task_of, trained

from mbsim.engines.pallas import training
from mbsim.engines.task import Dynamics, TrainingSet

pytestmark = pytest.mark.usefixtures("layouts_apart")
SLOW = pytest.mark.slow

SMALLEST = Case((9, 7, 12, 3), (5,), times=(0, 1))
CASES = {
    "irregular": pytest.param(IRREGULAR, marks=SLOW),
    "smallest": pytest.param(Case(VECTOR, (5,), times=(0, 1)), marks=SLOW),
    "smallest, irregular": SMALLEST,
    "smallest, scalar with a set": Case(
        (9, 9, 1, 3), (12,), times=(0, 1), dynamics=Dynamics("sequential", training=TrainingSet(50, "epochs"))
    ),
    # Eight words side by side.
    "scalar": pytest.param(Case((9, 9, 1, 3), (250,), TPU, WARM, times=(0, 1)), marks=SLOW),
    "vector": pytest.param(Case(VECTOR, (5, 8)), marks=SLOW),
    # Words one after the other; a batch lasts for several sweeps.
    "many words": pytest.param(
        Case(VECTOR, (70,), TPU, train_output=False, init_overlap=0.5, dynamics=Dynamics(refresh=50)),
        marks=SLOW,
    ),
    "one after the other": pytest.param(Case(VECTOR, (5,), dynamics=Dynamics("sequential", 7)), marks=SLOW),
    "layouts": pytest.param(Case(VECTOR, (6, 14, 20), temperatures=WARM), marks=SLOW),
    "layouts of a TPU": pytest.param(Case(VECTOR, (6, 14, 40), TPU, WARM), marks=SLOW),
    "side by side": pytest.param(Case((10, 10, 10, 5), (250,), TPU, WARM, times=(0, 2)), marks=SLOW),
    "both ways": pytest.param(Case(VECTOR, (600,), TPU, times=(0, 2)), marks=SLOW),
    "most examples": pytest.param(Case(VECTOR, (1024,), times=(0, 1)), marks=SLOW),
    "most examples of one output": pytest.param(Case((9, 9, 1, 3), (4096,), TPU, times=(0, 1)), marks=SLOW),
    "irregular on a TPU": pytest.param(Case((9, 7, 12, 3), (5, 40), TPU), marks=SLOW),
    "one input a unit": pytest.param(Case((10, 10, 10, 1), (5,)), marks=SLOW),
    "seven": pytest.param(Case((15, 15, 15, 7), (5,)), marks=SLOW),
    "nine": pytest.param(Case((15, 15, 15, 9), (5, 33)), marks=SLOW),
    "thirty-one": pytest.param(Case((33, 33, 33, 31), (5,), times=(0, 1)), marks=SLOW),
    "scalar, four in a word": pytest.param(
        Case((9, 9, 1, 3), (6, 20), temperatures=WARM, train_output=False), marks=SLOW
    ),
    "scalar, sequential": pytest.param(
        Case((9, 9, 1, 3), (40,), dynamics=Dynamics("sequential", 5)), marks=SLOW
    ),
    "scalar, one word and one unit more": pytest.param(Case((9, 33, 1, 5), (12, 40)), marks=SLOW),
    "epochs": pytest.param(
        Case(VECTOR, (5, 30), dynamics=Dynamics(training=TrainingSet(50, "epochs"))), marks=SLOW
    ),
    "without": pytest.param(
        Case(VECTOR, (40,), TPU, dynamics=Dynamics(training=TrainingSet(50, "without"))), marks=SLOW
    ),
    "epochs, side by side": pytest.param(
        Case((9, 9, 1, 3), (250, 70), TPU, dynamics=Dynamics(training=TrainingSet(999, "epochs"))), marks=SLOW
    ),
    "with": pytest.param(
        Case((9, 9, 1, 3), (250,), TPU, dynamics=Dynamics(training=TrainingSet(999, "with"))), marks=SLOW
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_same_bits(case):
    task = task_of(case)
    for column, result, right in zip(
        ("agreement", "test_wrong", "batch_wrong", "accepted", "w", "v"),
        trained(task, case.target),
        expected(task),
        strict=True,
    ):
        np.testing.assert_array_equal(result, right, err_msg=column)


def test_flips_that_a_word_cannot_count_are_kept(monkeypatch):
    """As in the smallest case, whose programs are compiled; a word counts to 30, a sweep has 57 proposals."""
    task = task_of(SMALLEST._replace(dynamics=Dynamics(refresh=10)))
    monkeypatch.setattr(training, "MOST_COUNTED", 30)
    np.testing.assert_array_equal(trained(task, GPU).accepted, expected(task)[3])
