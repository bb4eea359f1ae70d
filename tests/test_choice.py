"""Which engine trains: one that answers wrongly on this device is named and passed over."""

import jax
import numpy as np
import pytest

import mbsim
from mbsim.config import load_config
from mbsim.engines import binary, by_pallas, choice, choose, known_answers, remembered, shares
from mbsim.engines.by_pallas import PALLAS
from mbsim.engines.by_registers import REGISTERS
from mbsim.engines.pallas import refusals, vector
from mbsim.engines.registers import kept
from mbsim.plan.tasks import task_of
from mbsim.plan.units import units
from mbsim.running.runner import UnitsFailed
from mbsim.running.training import SelfCheckFailed

CONFIG = {
    "name": "choice",
    "model": {"output": "vector", "weights": "binary"},
    "grid": {"N": [5], "d": [3], "m": [2, 4], "teachers": 1, "replicas": 1},
    "dynamics": {"sweeps": 32},
    "measure": {"measurements": 12, "test_size": 8},
}


@pytest.fixture
def apart(monkeypatch, tmp_path):
    """Nothing remembered from elsewhere, or for others."""
    monkeypatch.setattr(kept, "folder", lambda: tmp_path)
    monkeypatch.setattr(choice, "UNFIT", {})
    monkeypatch.setattr(by_pallas, "_CHECKED", set())
    return tmp_path


@pytest.fixture
def wrong(monkeypatch, apart):
    """A kernel of the registers that compiles and answers wrongly."""
    right = known_answers.run

    def one_flip_more(kind, thermal, order, engine="registers", **rule):
        return right(kind, thermal, order, engine, **rule)[::-1]

    monkeypatch.setattr(known_answers, "run", one_flip_more)


@pytest.mark.usefixtures("wrong")
def test_a_kernel_that_answers_wrongly_is_named_and_the_next_engine_trains():
    said = []
    found = mbsim.run(CONFIG, report=lambda progress: said.append(progress.doing))
    named = "engine registers: the compiled random-order vector kernel gives wrong numbers on this device"
    assert f"{named}; another engine is used" in said
    assert found.attrs["engine"] == "reference"
    assert "gives wrong numbers on this device" in found.attrs["engine_reason"]
    choice.UNFIT.clear()
    asked = mbsim.run(CONFIG, engine="reference")
    for name in ("overlap", "generalization_error", "success"):
        np.testing.assert_array_equal(found[name], asked[name])


@pytest.mark.usefixtures("wrong")
def test_an_engine_that_was_asked_for_is_not_replaced(tmp_path):
    with pytest.raises(SelfCheckFailed, match="gives wrong numbers on this device: nothing was kept"):
        mbsim.run(CONFIG, tmp_path / "run", engine="registers")


class MadeUp:
    """A GPU that is not there, with so much memory."""

    platform, device_kind = "gpu", "made up"

    def __init__(self, memory):
        self.memory = memory

    def memory_stats(self):
        return {"bytes_limit": self.memory}


@pytest.fixture
def gpu(monkeypatch, apart):
    """A way to have a GPU, whose kernels are interpreted."""

    def there(memory):
        monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
        monkeypatch.setattr(by_pallas, "device", lambda: MadeUp(memory))

    return there


def test_pallas_is_chosen_where_there_is_an_accelerator(gpu):
    assert choose(task()) == (REGISTERS, choice.FASTEST)
    gpu(2**34)
    assert choose(task()) == (PALLAS, choice.FASTEST)
    assert choose(task(), here=False).engine is REGISTERS, "what is asked before JAX starts"
    choice.distrust(PALLAS, task())
    found = choose(task())
    assert found.engine is REGISTERS
    assert found.reason == "pallas: its random-order vector kernel gives wrong numbers on this device"


def test_what_does_not_fit_an_accelerator_is_trained_on_the_cpu(gpu):
    """The line names the sizes; an engine that was asked for is refused by the same words."""
    gpu(2**14)
    found = choose(task())
    assert found.engine is REGISTERS
    words = "N = 5, d = 3, m = 2: the fewest students that a kernel takes need "
    assert found.reason.startswith(f"pallas: {words}") and "\n" not in found.reason
    with pytest.raises(mbsim.ConfigError, match=f'^run.engine = "pallas": {words}'):
        choose(task(), "pallas")


def test_sizes_of_batches_that_an_accelerator_lacks_are_trained_on_the_cpu(monkeypatch, known):
    """The others stay where they are; every student has its own numbers, and the dataset names both engines."""
    expected = mbsim.run(WIDE, engine="registers")
    monkeypatch.setattr(by_pallas, "_train", lambda task, progress: binary.train(task, "registers", progress))
    [whole] = shares(task(WIDE))
    assert whole.choice == (PALLAS, choice.FASTEST)
    right = refusals.refuses

    def lacks(shape, m, *rest):
        return f"m = {max(m)}: no room" if 40 in m else right(shape, m, *rest)

    monkeypatch.setattr(refusals, "refuses", lacks)
    said, trained = [], []
    monkeypatch.setattr(
        by_pallas,
        "_train",
        lambda task, still: trained.append(task) or binary.train(task, "registers", still),
    )
    found = mbsim.run(WIDE, report=lambda progress: said.append(progress))
    assert {m for task in trained for m in task.students.m.tolist()} == {4, 250}
    assert said[-1].proposals_done == 3 * 32 * 2 * 15
    named = "engine pallas (the fastest here) and engine registers (pallas: m = 40: no room)"
    assert f"checking known answers of the {named}" in {progress.doing for progress in said}
    assert found.attrs["engine"] == "pallas, registers"
    assert found.attrs["engine_reason"] == "pallas: m = 40: no room, the fastest here"
    for name in ("overlap", "generalization_error", "acceptance", "success"):
        np.testing.assert_array_equal(found[name], expected[name])
    with pytest.raises(mbsim.ConfigError, match="m = 250: no room"):
        mbsim.run(WIDE, engine="pallas")


def test_what_another_engine_has_trained_is_not_lost_with_a_kernel_that_proves_unfit(monkeypatch, known):
    expected = mbsim.run(WIDE, engine="registers")
    trained, right = [], REGISTERS.train

    def train(task, progress):
        trained.append(sorted(set(task.students.m.tolist())))
        return right(task, progress)

    monkeypatch.setattr(type(REGISTERS), "train", lambda engine, task, progress: train(task, progress))
    monkeypatch.setattr(refusals, "refuses", lambda shape, m, *rest: "no room" if 4 in m else "")
    monkeypatch.setattr(by_pallas, "_train", raising(NO_CODE))
    monkeypatch.setattr(by_pallas, "compiles", lambda: False)  # nobody trains some of them again
    done = []
    with pytest.warns(UserWarning, match="does not compile or run here: INTERNAL: ptxas"):
        found = mbsim.run(WIDE, report=lambda progress: done.append(progress.proposals_done))
    assert trained == [[4], [40, 250]]
    assert done[-1] == 3 * 32 * 2 * 15
    for name in ("overlap", "generalization_error", "acceptance", "success"):
        np.testing.assert_array_equal(found[name], expected[name])


def test_sizes_that_fit_alone_but_not_together_are_trained_by_one_engine(monkeypatch, known):
    def lacks(shape, m, *rest):
        return "no room" if len(np.unique(m)) > 1 else ""

    monkeypatch.setattr(refusals, "refuses", lacks)
    [whole] = shares(task(WIDE))
    assert whole.choice == (REGISTERS, "pallas: no room")
    np.testing.assert_array_equal(whole.places, np.arange(len(whole.task.students.m)))


@pytest.mark.slow
def test_an_accelerator_trains_to_the_same_bits(gpu):
    """Two teachers, through the whole of a run."""
    config = {**CONFIG, "grid": {**CONFIG["grid"], "teachers": 2}}
    expected = mbsim.run(config)
    gpu(2**34)
    found = mbsim.run(config)
    assert (expected.attrs["engine"], found.attrs["engine"]) == ("registers", "pallas")
    for name in ("overlap", "generalization_error", "acceptance", "success"):
        np.testing.assert_array_equal(found[name], expected[name])


def wrong_with(m):
    """What a kernel might make of students with so many examples that has no loop over their words."""

    def train(task, progress):
        progress(10)
        found = binary.train(task, "registers", lambda work: None)
        found.series["training_error"][task.students.m == m, 1:] = 0
        return found

    return train


def raising(error, N=5):
    """A kernel that networks of this size meet with an error."""

    def train(task, progress):
        if task.problem.N == N:
            raise error
        return binary.train(task, "registers", progress)

    return train


NO_ROOM = refusals.Refused("more words than int32 can number")
NO_PRIMITIVE = NotImplementedError("Unimplemented primitive in Pallas TPU lowering\nand more")
NO_CODE = jax.errors.JaxRuntimeError("INTERNAL: ptxas")
NO_LAYOUT = type("MosaicError", (Exception,), {})("INTERNAL: Mosaic failed to compile TPU kernel\nand more")
WIDE = {**CONFIG, "grid": {**CONFIG["grid"], "m": [4, 40, 250]}}


@pytest.fixture
def known(monkeypatch, gpu):
    """A GPU whose known answers are right, and for which nothing is compiled."""
    gpu(2**34)
    monkeypatch.setattr(binary, "prepare", lambda task, progress: None)
    monkeypatch.setattr(remembered, "answers", lambda engine, task: (engine.kernel(task), True))


@pytest.mark.parametrize(
    ("train", "why", "asked_for"),
    [
        (
            wrong_with(250),
            r"gives wrong numbers on this device \(training_error of 1 of 3 students\)",
            SelfCheckFailed,
        ),
        (
            wrong_with(40),
            r"gives wrong numbers on this device \(training_error of 1 of 3 students\)",
            SelfCheckFailed,
        ),
        (raising(NO_ROOM), "cannot do this: more words than int32 can number", UnitsFailed),
        (
            raising(NO_PRIMITIVE),
            "does not compile or run here: Unimplemented primitive in Pallas TPU lowering",
            UnitsFailed,
        ),
        (raising(NO_CODE), "does not compile or run here: INTERNAL: ptxas", UnitsFailed),
        (raising(NO_LAYOUT), "does not compile or run here: INTERNAL: Mosaic failed to compile", UnitsFailed),
    ],
    ids=["widest", "of another layout", "room", "primitive", "code", "Mosaic"],
)
def test_what_known_answers_do_not_reach_is_noticed(monkeypatch, known, train, why, asked_for):
    """Students of each layout of the launch itself are trained again on the CPU, which takes over."""
    monkeypatch.setattr(by_pallas, "_train", lambda task, progress: binary.train(task, "registers", progress))
    expected = mbsim.run(WIDE)
    assert expected.attrs["engine"] == "pallas"
    by_pallas._CHECKED.clear()
    monkeypatch.setattr(by_pallas, "_train", train)
    done = []
    with pytest.warns(UserWarning, match=f"^engine pallas: the compiled random-order vector kernel {why}"):
        found = mbsim.run(WIDE, report=lambda progress: done.append(progress.proposals_done))
    assert found.attrs["engine"] == "registers"
    assert found.attrs["engine_reason"].startswith("pallas: its random-order vector kernel ")
    assert done[-1] == 3 * 32 * 2 * 15, "what was done twice counts once"
    for name in ("overlap", "generalization_error", "acceptance", "success"):
        np.testing.assert_array_equal(found[name], expected[name])
    choice.UNFIT.clear()
    with pytest.raises(asked_for, match=f"kernel {why}"):
        mbsim.run(WIDE, engine="pallas")


def test_what_one_size_cannot_have_others_have(monkeypatch, known):
    monkeypatch.setattr(by_pallas, "_train", raising(NO_ROOM, N=5))
    two = {**CONFIG, "grid": {**CONFIG["grid"], "N": [5, 9]}}
    with pytest.warns(UserWarning, match="cannot do this"):
        found = mbsim.run(two)
    assert found.attrs["engine"] == "pallas, registers"


@pytest.mark.parametrize(
    "error", [ValueError("my plot"), AttributeError("my plot"), refusals.Refused("my plot")]
)
def test_an_error_of_who_is_told_is_theirs(monkeypatch, known, error):
    def train(task, progress):
        progress(10)
        return binary.train(task, "registers", progress)

    def report(progress):
        if progress.proposals_done:
            raise error

    monkeypatch.setattr(by_pallas, "_train", train)
    with pytest.raises(type(error), match="my plot"):
        mbsim.run(CONFIG, report=report)
    assert not choice.UNFIT


def test_a_comparison_that_fails_is_told(monkeypatch, known):
    monkeypatch.setattr(by_pallas, "_train", lambda task, progress: binary.train(task, "registers", progress))
    monkeypatch.setattr(type(REGISTERS), "train", lambda self, task, progress: 1 / 0)
    with pytest.warns(
        UserWarning, match="^what the device gives was not compared with the CPU: division by zero$"
    ):
        assert mbsim.run(CONFIG).attrs["engine"] == "pallas"


@pytest.mark.slow
def test_a_kernel_that_is_wrong_for_many_examples_alone_is_noticed(monkeypatch, gpu):
    """One that forgets all words of a batch but the first gives all known answers."""
    right = vector.over_words

    def first_word(body, number):
        return right(body, lambda word: number(word) * (word == 0))

    monkeypatch.setattr(vector, "over_words", first_word)
    gpu(2**34)
    config = {**CONFIG, "grid": {**CONFIG["grid"], "m": [40]}}
    assert PALLAS.known_answers(task())
    with pytest.warns(UserWarning, match="gives wrong numbers on this device"):
        assert mbsim.run(config).attrs["engine"] == "registers"


@pytest.mark.parametrize("error", [NO_CODE, NO_LAYOUT, NO_PRIMITIVE], ids=["code", "Mosaic", "primitive"])
def test_a_kernel_that_does_not_compile_gives_no_known_answer(monkeypatch, gpu, error):
    gpu(2**34)

    def fails(*case, **rule):
        raise error

    monkeypatch.setattr(known_answers, "run", fails)
    assert remembered.answers(PALLAS, task()) == ("random-order vector", False)


def task(given=CONFIG):
    config = load_config(given)
    return task_of(units(config)[0], config)


def test_right_answers_are_remembered_for_what_they_depend_on(monkeypatch, apart):
    asked = []
    monkeypatch.setattr(known_answers, "passes", lambda *case, **rule: asked.append(case) or True)
    assert remembered.answers(REGISTERS, task()) == ("random-order vector", True)
    assert remembered.answers(REGISTERS, task()) == ("random-order vector", True)
    assert len(asked) == 1
    monkeypatch.setattr(remembered.importlib.metadata, "version", lambda package: "another")
    assert remembered.answers(REGISTERS, task())[1]
    assert len(asked) == 2
    for file in apart.iterdir():  # anybody could have put it there
        file.chmod(0o666)
    assert remembered.answers(REGISTERS, task())[1]
    assert len(asked) == 3


def test_wrong_answers_are_asked_for_again(monkeypatch, apart):
    answers = iter([False, True])
    monkeypatch.setattr(known_answers, "passes", lambda *case, **rule: next(answers))
    assert not remembered.answers(REGISTERS, task())[1]
    assert list(apart.iterdir()) == []
    assert remembered.answers(REGISTERS, task())[1]


def test_code_that_others_may_write_is_not_loaded(tmp_path):
    file = tmp_path / "some.code"
    file.write_bytes(b"")
    file.chmod(0o644)
    tmp_path.chmod(0o755)
    assert kept.safe(file)
    for folder_mode, mode in ((0o755, 0o664), (0o755, 0o646), (0o775, 0o644), (0o757, 0o644)):
        tmp_path.chmod(folder_mode)
        file.chmod(mode)
        assert not kept.safe(file)
