"""Which engine trains: one that answers wrongly on this device is named and passed over."""

import numpy as np
import pytest

import mbsim
from mbsim.config import load_config
from mbsim.engines import choice, known_answers, remembered
from mbsim.engines.by_registers import REGISTERS
from mbsim.engines.registers import kept
from mbsim.plan.tasks import task_of
from mbsim.plan.units import units
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
    monkeypatch.setattr(choice, "WRONG", set())
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
    choice.WRONG.clear()
    asked = mbsim.run(CONFIG, engine="reference")
    for name in ("overlap", "generalization_error", "success"):
        np.testing.assert_array_equal(found[name], asked[name])


@pytest.mark.usefixtures("wrong")
def test_an_engine_that_was_asked_for_is_not_replaced(tmp_path):
    with pytest.raises(SelfCheckFailed, match="gives wrong numbers on this device: nothing was computed"):
        mbsim.run(CONFIG, tmp_path / "run", engine="registers")


def task():
    config = load_config(CONFIG)
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
