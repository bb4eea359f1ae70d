"""A task may hold mini-batches of any widths: its students are those of the tasks that hold one width each, and a
narrow one has no more room than its own width.
"""

import numpy as np
import pytest
from against_oracle import VECTOR
from against_reference import MEASURED, nothing, pick, problem_of, rows, students_of, task_of
from students import SEED, drawn, labels

from mbsim.engines import ENGINES, Students, Task, networks, reference
from mbsim.engines import task as task_module
from mbsim.engines.pallas import blocks, layout, targets
from mbsim.engines.pallas.targets import Target
from mbsim.engines.protocol import Trained
from mbsim.engines.task import Dynamics
from mbsim.physics.problem import Problem

SLOW = pytest.mark.slow


def binary() -> Task:
    """±1 weights, of two teachers."""
    return task_of(problem_of(VECTOR), students_of(m=(4, 200), temperatures=(0.0,), teachers=(1, 2)))


def real() -> Task:
    """Gradient descent, of two teachers."""
    sizes = 9, 9, 9, 3, 9
    options = {"optimizer": "sgd", "momentum": 0.0, "lr_scaling": "constant", "lr_multipliers": "none"}
    kinds = {"activation": "tanh", "teacher_activation": "tanh", "scaling": "standard", "inputs": "sign"}
    problem = Problem(*sizes, "sparse", "dense", True, "sgd", options, **kinds)
    students = students_of(m=(4, 200), temperatures=(0.1,), teachers=(1, 2))
    students = Students(*students[:3], {"lr": students.axes["temperature"]})
    return Task(problem, students, np.array([0, 1, 4]), 23, 40, None, (*MEASURED, "loss"))


def interleaved(task: Task) -> Task:
    """Narrow students between wide ones."""
    return pick(task, np.random.default_rng(0).permutation(len(task.students.m)))


CASES = {
    "registers": ("registers", binary()),
    "batched": ("batched", real()),
    "pallas": ("pallas", binary()),
    "reference": ("reference", binary()),
    "reference, real": ("reference", real()),
}


@SLOW
@pytest.mark.parametrize(("engine", "task"), CASES.values(), ids=CASES)
def test_two_widths_together_are_two_tasks(engine, task):
    task = interleaved(task)
    together = rows(ENGINES[engine].train(task, nothing))
    assert len(np.unique(together, axis=0)) == len(together), "students should differ"
    for m in (4, 200):
        index = np.flatnonzero(task.students.m == m)
        np.testing.assert_array_equal(
            together[index], rows(ENGINES[engine].train(pick(task, index), nothing))
        )


@pytest.mark.parametrize(
    "name", [name if name == "registers" else pytest.param(name, marks=SLOW) for name in CASES]
)
def test_weights_that_nobody_wants_change_nothing(name):
    engine, task = CASES[name]
    wanted, not_wanted = (
        ENGINES[engine].train(task._replace(final_weights=asked), nothing) for asked in (True, False)
    )
    assert (len(wanted.w), len(not_wanted.w)) == (len(task.students.m), 0)
    for observable, values in wanted.series.items():
        np.testing.assert_array_equal(not_wanted.series[observable], values, err_msg=observable)


def test_the_reference_gives_a_narrow_batch_the_slots_of_its_own_width(monkeypatch):
    launched = []

    def launch(task, alike, progress):
        m = task.students.m[np.concatenate([one.students for one in alike])]
        launched.append(sorted(set(m.tolist())))
        return Trained({}, np.zeros((len(m), 1), bool), m[:, None], None)

    monkeypatch.setattr(reference, "_launch", launch)
    task = interleaved(task_of(problem_of(VECTOR), students_of(m=(4, 32, 33, 200))))
    trained = reference.REFERENCE.train(task, nothing)
    assert launched == [[4, 32], [33], [200]]
    np.testing.assert_array_equal(trained.w[:, 0], task.students.m)  # in the order of the task


def test_pallas_gives_a_narrow_batch_the_words_of_its_own_width(monkeypatch):
    monkeypatch.setitem(targets.AT_ONCE, "gpu", 0)  # where there are more students than run at once
    taught = drawn((12, 12, 12, 3, True))
    shape = networks.shape_of(taught, 12, True)
    students = labels((4, 200), 3)
    task = task_module.Task(taught, np.arange(1), shape, students, np.array([0]), SEED, Dynamics(), 8)
    found = {
        int(students.m[some.members].max()): (some.layout.fields, some.layout.words)
        for some in blocks.cut(task, Target("gpu"), 1, 0)
    }
    assert found == {4: (4, 1), 200: (1, layout.words_for(200))}
