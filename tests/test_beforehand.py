"""Other processes compile what will be needed; what they do not manage is compiled here."""

import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext

import pytest

from mbsim.config import load_config
from mbsim.engines import beforehand, binary, devices, known_answers
from mbsim.engines.registers import kept, orders, training
from mbsim.plan.tasks import task_of
from mbsim.plan.units import units
from mbsim.running.interrupts import Interrupted

THERE = """
from collections import deque
from mbsim.engines import beforehand, known_answers
from mbsim.engines.beforehand import COMMON, Need

needs = [*map(Need, COMMON), beforehand.needs_of(known_answers.task("scalar", False, "random"))[1]]
assert not any(need.there() for need in needs)
left = deque(needs)
beforehand._compile_elsewhere(left, [])
assert not left and all(need.there() for need in needs)
assert not any(need.function()[0].overloads for need in needs)
"""


def test_another_process_leaves_its_code_where_this_one_finds_it(tmp_path):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", THERE], env=environment, check=True, timeout=300)


@pytest.mark.parametrize("executable", ["/bin/false", "/nowhere/python"])
def test_a_process_that_does_not_start_costs_nothing(monkeypatch, executable):
    here = []
    monkeypatch.setattr(beforehand, "cores", lambda: 2)
    monkeypatch.setattr(beforehand.sys, "executable", executable)
    monkeypatch.setattr(beforehand.Need, "there", lambda need: False)
    monkeypatch.setattr(beforehand.Need, "compile", lambda need: here.append(need))
    needs = beforehand.needs_of(known_answers.task("vector", True, "sequential"))
    beforehand.compile_all(lambda: needs)
    wanted = {*needs, *map(beforehand.Need, beforehand.COMMON)}
    assert set(here) <= wanted
    assert len(here) >= len(wanted) - 1  # one may have been handed to the process


def missing_one(monkeypatch, cores=2):
    """Everything is missing, and compiling takes no time; returns what was compiled here."""
    here = []
    monkeypatch.setattr(beforehand, "cores", lambda: cores)
    monkeypatch.setattr(beforehand.Need, "there", lambda need: False)
    monkeypatch.setattr(beforehand.Need, "compile", lambda need: here.append(need))
    return here


def no_process(monkeypatch):
    def started(*command, **named):
        raise AssertionError(command)

    monkeypatch.setattr(beforehand.subprocess, "Popen", started)


def of_vector():
    return beforehand.needs_of(known_answers.task("vector", True, "random"))


def test_nothing_is_started_where_nothing_is_missing(monkeypatch):
    no_process(monkeypatch)
    monkeypatch.setattr(beforehand.Need, "there", lambda need: True)
    beforehand.compile_all(of_vector)


@pytest.mark.parametrize("why", ["one core", "a thread of one core", "nowhere to keep it", "no home"])
def test_nothing_is_compiled_ahead_where_it_would_gain_nothing(monkeypatch, why):
    no_process(monkeypatch)
    here = missing_one(monkeypatch, cores=1 if why == "one core" else 2)
    limit = nullcontext()
    if why == "a thread of one core":
        monkeypatch.setattr(beforehand, "cores", devices.cores)
        limit = devices.cores_at_most(1)
    elif why == "nowhere to keep it":
        monkeypatch.setattr(kept.os, "access", lambda path, mode: False)
    elif why == "no home":

        def homeless():
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        monkeypatch.setattr(kept, "closed", lambda path: False)
        monkeypatch.setattr(kept.Path, "home", homeless)
    with limit:
        beforehand.compile_all(of_vector)
    assert not here


ASLEEP = [sys.executable, "-c", "import time; time.sleep(1000)"]


def asleep(monkeypatch):
    """The other process hears nothing; returns it, when it has been started."""
    processes, popen = [], subprocess.Popen

    def start(command, **named):
        assert command[1] == "-P", "modules of the folder at hand would be run"
        processes.append(popen(ASLEEP, **named))
        return processes[-1]

    monkeypatch.setattr(beforehand.subprocess, "Popen", start)
    return processes


def test_a_process_that_hangs_is_not_waited_for_longer_than_is_said(monkeypatch):
    processes = asleep(monkeypatch)
    missing_one(monkeypatch)
    monkeypatch.setattr(beforehand, "PATIENCE", 1)
    start = time.monotonic()
    beforehand.compile_all(of_vector)
    assert time.monotonic() - start < 30
    assert [process.wait(30) for process in processes] == [-signal.SIGKILL]


def test_a_signal_ends_it_at_once_and_leaves_no_process(monkeypatch):
    """Every function takes a second, here and there, and the signal comes in the first."""
    processes = asleep(monkeypatch)
    missing_one(monkeypatch)

    def stopped(need):
        while not processes:
            time.sleep(0.01)
        raise Interrupted("SIGTERM")

    monkeypatch.setattr(beforehand.Need, "compile", stopped)
    start = time.monotonic()
    with pytest.raises(Interrupted):
        beforehand.compile_all(of_vector)
    assert time.monotonic() - start < 30
    assert [process.wait(30) for process in processes] == [-signal.SIGKILL]


def found_by(task):
    """What the groups of a task are compiled for, and what makes its order of proposals."""
    shared, coloured, colour = training.shared_of(task), [], orders.colour

    def noted(*given):
        coloured.append(("colours", None))
        colour(*given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(orders, "colour", noted)
        groups = list(training.groups_of(task, shared))
    ordered = {("orders", None)} if shared.random else set(coloured)
    sampling = {} if task.dynamics.training is None else {"sampling": task.dynamics.training.sampling}
    return ordered | {
        made
        for group in groups
        for made in (
            ("trainer", group.kind),
            ("examiner", group.examiner),
            ("examiner", group.examiner._replace(**sampling)),
        )
    }


@pytest.mark.parametrize("case", known_answers.DIGESTS)
def test_what_is_foreseen_is_what_is_needed(case):
    """All functions that the students of a known answer have, and no others."""
    kind, thermal, order = case
    task = known_answers.task(kind, thermal, order)
    assert {tuple(need) for need in beforehand.needs_of(task)} == found_by(task)


@pytest.mark.parametrize(
    ("changes", "m"),
    [
        ({"data": {"examples": 100, "sampling": "epochs"}}, [4, 40]),
        ({"dynamics": {"sweeps": 32, "rule": "heat-bath"}}, [9, 200]),
        ({"dynamics": {"sweeps": 32, "order": "sequential"}}, [3, 30, 70]),
        ({"dynamics": {"sweeps": 32, "order": "sequential", "refresh": 7}}, [3]),
        ({"model": {"output": "vector", "hidden": 16}}, [4, 60]),
        ({"model": {"output": "scalar"}}, [4, 500]),
    ],
    ids=["training set", "heat bath", "unit by unit", "fresh within a sweep", "irregular", "one output"],
)
def test_what_is_foreseen_of_a_run_is_what_is_needed(monkeypatch, changes, m):
    """Before its teachers are drawn."""
    model = {"output": "vector", "student": "sparse", "weights": "binary"}
    config = load_config(
        {
            "model": model | changes.get("model", {}),
            "grid": {"N": [15], "d": [5], "m": m, "teachers": 2, "replicas": 3},
            "dynamics": changes.get("dynamics", {"sweeps": 32}),
            "data": changes.get("data", {}),
        }
    )
    foreseen, told = set(), []
    task = task_of(units(config)[0], config)
    monkeypatch.setattr(
        beforehand, "compile_all", lambda needs: foreseen.update(tuple(need) for need in needs())
    )
    binary.compile_beforehand(task)
    monkeypatch.setattr(training, "Training", lambda task, workers: told.append(task) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        binary.train(task, "registers", lambda work: None)
    assert foreseen == found_by(told[0])
