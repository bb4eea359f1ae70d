"""The Pallas engine gives the bits of the engine for CPUs in every mode.

Rows have the layout of a GPU or of a TPU. Where jax finds a GPU, kernels for GPUs are compiled and run on it;
elsewhere, and those for TPUs, they are interpreted on CPU. What compiled kernels are on devices that are not there
is read off by `benchmarks/aot.py`.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from students import SEED, drawn, labels

from mbsim.engines import ensemble, known_answers, networks
from mbsim.engines.mesh import student_mesh
from mbsim.engines.pallas import (
    batches,
    bitwise,
    blocks,
    layout,
    programs,
    refusals,
    tables,
    targets,
    training,
    vector,
)
from mbsim.engines.pallas.targets import Target
from mbsim.engines.task import Dynamics, StudentLabels, Task, TrainingSet
from mbsim.physics.problem import Teacher
from mbsim.sampling import streams


@pytest.fixture(autouse=True)
def apart(monkeypatch):
    """Each width of words has a layout of its own, as where a device is full of students."""
    monkeypatch.setattr(targets, "AT_ONCE", {"gpu": 0, "tpu": 0})


GPU, TPU = Target("gpu", interpret=jax.default_backend() != "gpu"), Target("tpu", interpret=True)
INTERPRETED = Target("gpu", interpret=True)
SLOW = pytest.mark.slow


class Case(NamedTuple):
    """Sizes (N, K, M, d), values of m, three replicas each with temperatures, and how they are trained."""

    sizes: tuple[int, int, int, int]
    m: tuple[int, ...]
    target: Target = GPU
    temperatures: tuple[float, float, float] = (0.0, 0.0, 0.0)
    train_output: bool = True
    init_overlap: float = 0.0
    dynamics: Dynamics = Dynamics()
    times: tuple[int, ...] = (0, 1, 3)
    teachers: int = 1


WARM = (0.0, 0.6, 1.5)
VECTOR = (12, 12, 12, 3)
IRREGULAR = Case(
    (11, 9, 13, 3), (6,), temperatures=WARM, dynamics=Dynamics("sequential", 20), times=(0, 1), teachers=2
)
CASES = {
    # Two teachers, two students in a word; units differ in their readers; batches end within sweeps.
    "irregular": pytest.param(IRREGULAR, marks=SLOW),
    "smallest": Case(VECTOR, (5,), times=(0, 1)),
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


def task_of(case: Case) -> Task:
    N, K, M, d = case.sizes
    numbers = np.arange(case.teachers)
    taught = drawn((N, K, M, d, case.train_output), numbers)
    temperatures = np.tile(case.temperatures, len(case.m))
    students = labels(case.m, 3, case.init_overlap, temperatures, case.teachers)
    shape = networks.shape_of(taught, N, case.train_output)
    return Task(taught, numbers, shape, students, np.array(case.times), SEED, case.dynamics, 100)


def expected(task: Task) -> list[np.ndarray]:
    """What the engine for CPUs makes of a task."""
    records, weights = ensemble.train(
        task.teachers,
        task.numbers,
        task.labels,
        task.times,
        seed=task.seed,
        N=task.shape.N,
        train_output=task.shape.train_output,
        dynamics=task.dynamics,
        test_size=task.test_size,
        engine="registers",
    )
    counts = records.agreement, records.test_wrong, records.batch_wrong, records.accepted
    return [*counts, *(layer.reshape(len(layer), -1) for layer in weights)]


def trained(task: Task, target: Target, devices: int = 1, most: int | None = None):
    found = jax.devices("cpu" if target.interpret else None)[:devices]
    return training.train(task, student_mesh(found), lambda done: None, target, most)


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
    """As in the smallest case, whose programs are compiled; a word counts to 30, a sweep has 72 proposals."""
    task = task_of(Case(VECTOR, (5,), times=(0, 1), dynamics=Dynamics(refresh=10)))
    monkeypatch.setattr(training, "MOST_COUNTED", 30)
    np.testing.assert_array_equal(trained(task, GPU).accepted, expected(task)[3])


def many(replicas: int) -> Task:
    """Students of four a word; a program of a kernel has 128."""
    small = Case(VECTOR, (5, 8), times=(0, 2))
    return task_of(small)._replace(labels=labels((5, 8), replicas), test_size=32)


@pytest.mark.slow
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


def reversed_acceptance(patch):
    patch.setattr(bitwise, "at_most", lambda numbers, limits, fields: AT_MOST(limits, numbers, fields))


def stale_readers(patch):
    """A hidden link flips, but what outputs make of its unit stays as it was."""
    flip = vector._flip
    patch.setattr(
        vector, "flip_hidden", lambda body, own, record, reads, i: FLIP(body, own, record, reads, i)
    )
    patch.setattr(vector, "each", lambda first, stop, do: None)
    seen = []

    def first_only(body, row, where):
        seen.append(row)
        if len(seen) % (1 + body.shape.readers) == 1:
            flip(body, row, where)

    patch.setattr(vector, "_flip", first_only)


def forgotten_mask(patch):
    patch.setattr(batches, "mask", lambda of, m: MASK(of, np.int32(of.examples) + 0 * m))


AT_MOST, FLIP, MASK = bitwise.at_most, vector.flip_hidden, batches.mask


@pytest.mark.parametrize(
    "mutant",
    [
        pytest.param(reversed_acceptance, marks=SLOW),
        pytest.param(stale_readers, marks=SLOW),
        pytest.param(forgotten_mask, marks=SLOW),
    ],
)
def test_mutants_are_noticed(mutant, monkeypatch):
    monkeypatch.setattr(programs, "_once", functools.cache(lambda *of: programs._Once()))
    mutant(monkeypatch)
    task = many(6)
    assert (trained(task, GPU).w != expected(task)[4]).any()


@SLOW
def test_known_answers_notice_the_tables_of_another_teacher(monkeypatch):
    """A kernel that is right for one teacher, and takes the first of several for all."""
    case = "vector", False, "random", "pallas"
    assert known_answers.passes(*case)
    right = training._Launch._teachers

    def first_for_all(launch):
        return jax.tree.map(lambda table: np.repeat(table[:1], len(table), axis=0), right(launch))

    monkeypatch.setattr(training._Launch, "_teachers", first_for_all)
    assert known_answers.run(*case) == known_answers.DIGESTS[case[:3]]
    assert not known_answers.passes(*case)


@pytest.mark.parametrize(("fields", "most"), [(1, 40), (2, 9), (2, 60), (4, 14)])
def test_sums_of_fields(fields, most):
    """Planes of random counts, summed over the examples of each field."""
    rng = np.random.default_rng(0)
    counts = rng.integers(0, most + 1, (50, 32))
    planes = [
        ((counts >> i & 1) << np.arange(32)).sum(axis=1).astype(np.uint32).view(np.int32)
        for i in range(most.bit_length())
    ]
    total = np.asarray(bitwise.field_sums([jax.numpy.asarray(p) for p in planes], fields, most)).view(
        np.uint32
    )
    width = 32 // fields
    for f in range(fields):
        part = total >> np.uint32(f * width) & np.uint32((1 << width) - 1) if fields > 1 else total
        np.testing.assert_array_equal(part, counts[:, f * width : (f + 1) * width].sum(axis=1))


@pytest.mark.parametrize("terms", [1, 3, 5, 7, 9, 13, 31])
def test_decisive_terms(terms):
    """A term decides a sum where the others cancel; and a majority is the sign of a sum."""
    rng = np.random.default_rng(1)
    bits = rng.integers(0, 2, (terms, 200, 32))
    words = [
        jax.numpy.asarray((term << np.arange(32)).sum(axis=1).astype(np.uint32).view(np.int32))
        for term in bits
    ]

    def unpacked(word):
        return np.asarray(word).view(np.uint32)[:, None] >> np.arange(32, dtype=np.uint32) & 1

    signs = 1 - 2 * bits
    cancel = signs.sum(axis=0) - signs[0] == 0
    np.testing.assert_array_equal(unpacked(bitwise.decisive(words, words[0])), cancel)
    np.testing.assert_array_equal(unpacked(bitwise.majority(words)), signs.sum(axis=0) < 0)


def test_parts_of_sweeps():
    """Sweeps of 6 proposals, batches of 4."""
    assert list(training.parts_of(0, 2, 6, 4)) == [(0, 0, 0, 4), (0, 1, 4, 6), (1, 1, 0, 2), (1, 2, 2, 6)]
    assert list(training.parts_of(1, 2, 6, 100)) == [(1, 0, 0, 6)]


def test_batches_are_numbered_in_32_bits():
    """Numbers that an int32 does not hold are labels as any other."""
    number = 2**31 + 5
    key = streams.folded(SEED, np.arange(4))
    of_batch = jax.jit(batches.folded)(
        jax.tree.map(jnp.asarray, key), jnp.asarray(training._words((7, number))[1])
    )
    for half, right in zip(of_batch, streams.fold(key, number), strict=True):
        np.testing.assert_array_equal(half, right)


def test_tables_name_rows_of_readers():
    task = task_of(IRREGULAR)
    teacher = Teacher(*(part[0] for part in task.teachers))
    rows = tables.readers(teacher, task.shape, 2).reshape(task.shape.K, -1)
    for k, (number, *pairs) in enumerate(rows.tolist()):
        links = np.flatnonzero(teacher.output_sources.ravel() == k)
        assert number == len(links)
        assert pairs[: 2 * number : 2] == (2 * links).tolist()
        assert pairs[1 : 2 * number : 2] == (2 * (links // 3 * 3)).tolist()


def test_refusals_are_one_line():
    small = networks.Shape(12, 12, 12, 3, 3, True, True)
    m, cold = np.array([5, 8]), np.zeros(2)
    assert refusals.refuses(small, m, cold, GPU) == refusals.refuses(small, m, cold, TPU, 2**30) == ""
    deep = small._replace(d=33), m, cold
    wide = small._replace(N=2**14, K=2**14, M=2**14), m, cold
    large = small._replace(N=1000, K=1000, M=1000), np.array([8, 2048]), cold
    hot = small, np.array([2000]), np.array([100.0])
    for case, words in ((deep, "d = 33"), (wide, "N = 16384"), (large, "m = 2048"), (hot, "T = 100")):
        reason = refusals.refuses(*case, TPU)
        assert words in reason and "\n" not in reason
    assert refusals.refuses(*wide, GPU, 80 * 2**30) == ""
    assert "need 0.053 GiB, the device has 0.031 GiB" in refusals.refuses(*wide, GPU, 2**25)
    deep_task = many(1)._replace(shape=small._replace(d=33))
    with pytest.raises(ValueError, match="d = 33"):
        training.train(deep_task, student_mesh(jax.devices()[:1]), lambda done: None, GPU)


def test_a_tpu_holds_the_largest_batches():
    """Batches of 1,024 with many outputs, 4,096 with one."""
    vector_shape = networks.Shape(128, 128, 128, 3, 3, True, True)
    scalar_shape = networks.Shape(63, 63, 1, 3, 1, True, False)
    for shape, m in ((vector_shape, 1024), (scalar_shape, 4096)):
        of = layout.layout_for(Target("tpu"), shape, m, 10**4)
        assert of is not None and of.examples >= m
