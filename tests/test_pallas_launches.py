"""Students of the Pallas engine are the same however launches are made of them: on how many devices, beside which
others, in how many launches, in which layout.
"""

import jax
import numpy as np
import pytest
from pallas_tasks import GPU, INTERPRETED, TPU, VECTOR, WARM, Case, expected, many, task_of, trained
from students import SEED, drawn, labels

from mbsim.engines import networks
from mbsim.engines.mesh import student_mesh
from mbsim.engines.pallas import blocks, layout, targets, training
from mbsim.engines.task import Dynamics, StudentLabels, Task

pytestmark = pytest.mark.usefixtures("layouts_apart")
SLOW = pytest.mark.slow


@SLOW
def test_eight_devices_change_nothing():
    """Students on all of eight devices have the bits of the engine for CPUs, which has one."""
    task = many(8 * 64 - 10)
    done: list[int] = []
    result = training.train(task, student_mesh(jax.devices("cpu")), done.append, INTERPRETED)
    for column, right in zip(result, expected(task), strict=True):
        np.testing.assert_array_equal(column, right)
    assert sum(done) == len(task.labels.m) * task.shape.proposals * 2


@SLOW
def test_devices_and_launches_change_nothing():
    task = many(129)
    one, eight, launches = (trained(task, INTERPRETED, *how) for how in ((1,), (8,), (1, 1)))
    for column in range(len(one)):
        np.testing.assert_array_equal(one[column], eight[column])
        np.testing.assert_array_equal(one[column], launches[column])


@SLOW
def test_a_launch_without_memory_is_halved(monkeypatch):
    task, run, sizes = many(70), training._Launch.run, []

    def run_small(launch, progress):
        sizes.append(launch.size.programs)
        if launch.size.programs > 1:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: out of memory")
        return run(launch, progress)

    monkeypatch.setattr(training._Launch, "run", run_small)
    with pytest.warns(UserWarning, match="device out of memory: a launch of 140 students is halved"):
        result = trained(task, GPU)
    assert sizes == [2, 1, 1]
    for column, right in zip(result, expected(task), strict=True):
        np.testing.assert_array_equal(column, right)


def uneven(sizes, students, counts) -> Task:
    """A task whose teachers have so many of these students each."""
    taught = drawn((*sizes, sizes[2] > 1), range(len(counts)))
    kept = np.concatenate([np.flatnonzero(students.teacher == t)[:n] for t, n in enumerate(counts)])
    some = StudentLabels(*(column[np.random.default_rng(0).permutation(kept)] for column in students))
    shape = networks.shape_of(taught, sizes[0], sizes[2] > 1)
    return Task(taught, np.arange(len(counts)), shape, some, np.array([0, 2]), SEED, Dynamics(), 32)


TEACHERS = {
    # Two of a word, one of a word, two words; teachers with more students than a program has, and with one.
    "vector": (VECTOR, labels((6, 14, 40), 200, temperature=WARM[1], teachers=4), (600, 30, 1, 400), GPU),
    "scalar": ((9, 9, 1, 3), labels((6, 20), 8, teachers=3), (16, 5, 9), GPU),
    "vector of a TPU": (VECTOR, labels((6, 40), 6, teachers=3), (12, 5, 9), TPU),
    "scalar of a TPU": ((9, 9, 1, 3), labels((20, 250), 6, teachers=3), (12, 5, 9), TPU),
}


@SLOW
@pytest.mark.parametrize(("case", "devices"), [*((case, 1) for case in TEACHERS), ("scalar", 8)])
def test_a_launch_has_students_of_many_teachers(case, devices, monkeypatch):
    """One launch for each layout, whose students have the bits that they have elsewhere."""
    sizes, students, counts, target = TEACHERS[case]
    task, run, launched = uneven(sizes, students, counts), training._Launch.run, []

    def seen(launch, progress):
        launched.append(set(launch.blocks.teacher[launch.blocks.used > 0]))
        return run(launch, progress)

    monkeypatch.setattr(training._Launch, "run", seen)
    for column, right in zip(trained(task, target, devices), expected(task), strict=True):
        np.testing.assert_array_equal(column, right)
    layouts = {layout.words_for(m) if m > 16 else -m for m in task.labels.m.tolist()}
    assert len(launched) == len(layouts)
    assert set(range(len(counts))) in launched


def test_blocks_hold_each_student_once_beside_others_of_its_teacher():
    """Three teachers with 200, 1 and 200 students of four a word, 128 a program; others are wider."""
    students = labels((5, 40), 200, teachers=3)
    task = uneven(VECTOR, students, (400, 1, 300))
    found = blocks.cut(task, GPU, 1, 0)
    wide, narrow = found
    assert (narrow.layout.fields, wide.layout.fields) == (4, 1)
    assert narrow.used.tolist() == [128, 72, 1, 128, 72]
    assert narrow.teacher.tolist() == [0, 0, 1, 2, 2]
    everyone = np.concatenate([some.members[some.real] for some in found])
    assert sorted(everyone) == list(range(len(task.labels.m)))
    for some in found:
        assert (task.labels.teacher[some.members] == some.teacher[:, None]).all()
        first, rest = some.launch(len(some.used) - 1)
        assert first.students + rest.students == some.students
        last, nothing = rest.launch(3)
        assert last.students == some.used[-1] and (last.teacher == some.teacher[-1]).all()
        assert len(nothing.used) == 0


@pytest.mark.parametrize(
    ("at_once", "m", "expected"),
    [
        (0, (6, 14, 40), [[40], [14], [6]]),
        (6, (6, 14, 40), [[6, 14, 40]]),  # 2 teachers of 90 students, 32 a program
        (5, (6, 14, 40), [[14, 40], [6]]),
        (99, (6, 100, 300), [[100, 300], [6]]),  # 10 words of 32, 4 and 1
    ],
)
def test_few_students_of_several_widths_share_a_layout(monkeypatch, at_once, m, expected):
    """As long as all their programs run at once, and words are not wasted."""
    monkeypatch.setitem(targets.AT_ONCE, "gpu", at_once)
    task = task_of(Case(VECTOR, m, teachers=2))
    task = task._replace(labels=labels(m, 30, teachers=2))
    found = blocks.cut(task, GPU, 1, 0)
    assert [np.unique(task.labels.m[some.members[some.real]]).tolist() for some in found] == expected
    for some, values in zip(found, expected, strict=True):
        assert some.layout == layout.layout_for(GPU, task.shape, max(values), 1)


@SLOW
@pytest.mark.parametrize("target", [GPU, TPU])
def test_a_layout_that_is_shared_changes_nothing(monkeypatch, target):
    monkeypatch.setattr(targets, "AT_ONCE", {"gpu": 99, "tpu": 99})
    task = task_of(Case(VECTOR, (6, 14, 40), target, WARM, teachers=2))
    assert len(blocks.cut(task, target, 1, 8)) == 1
    for column, right in zip(trained(task, target), expected(task), strict=True):
        np.testing.assert_array_equal(column, right)


@pytest.mark.parametrize("target", [GPU, TPU])
@pytest.mark.parametrize("m", [8, 40, 250])
def test_students_of_programs_lie_one_after_the_other(target, m):
    """What is spread over an array and gathered again is itself; a program's students lie in its own block."""
    of = layout.layout_for(target, networks.Shape(12, 12, 12, 3, 3, True, True), m, 10)
    members = np.arange(3 * of.students).reshape(3, of.students)
    array = of.spread(members)
    assert array.shape == (of.fields, *of.many(of.single, 3))
    np.testing.assert_array_equal(of.gathered(array), members)
    own = np.take(array, range(of.single[of.axis]), axis=1 + of.axis)
    assert sorted(own.ravel()) == list(range(of.students))
    np.testing.assert_array_equal(of.gathered(np.stack([array, -array])), np.stack([members, -members]))
