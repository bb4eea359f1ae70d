"""Other processes compile what will be needed; what they do not manage is compiled here."""

import os
import subprocess
import sys

import pytest

from mbsim.engines import beforehand, known_answers

THERE = """
from collections import deque
from mbsim.engines import beforehand, known_answers
from mbsim.engines.beforehand import COMMON, Need

needs = [*map(Need, COMMON), beforehand.needs_of(known_answers.task("scalar", False, "random"))[1]]
assert not any(need.there() for need in needs)
left = deque(needs)
beforehand._compile_elsewhere(left)
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
    beforehand.compile_all(needs)
    wanted = {*needs, *map(beforehand.Need, beforehand.COMMON)}
    assert set(here) <= wanted
    assert len(here) >= len(wanted) - 1  # one may have been handed to the process


def test_nothing_is_started_where_nothing_is_missing(monkeypatch):
    def started(*command, **named):
        raise AssertionError(command)

    monkeypatch.setattr(beforehand.subprocess, "Popen", started)
    monkeypatch.setattr(beforehand.Need, "there", lambda need: True)
    beforehand.compile_all(beforehand.needs_of(known_answers.task("vector", True, "random")))


@pytest.mark.parametrize("case", known_answers.DIGESTS)
def test_what_is_foreseen_is_what_is_needed(case):
    """All functions that the students of a known answer have, and no others."""
    from mbsim.engines.registers import training

    kind, thermal, order = case
    task = known_answers.task(kind, thermal, order)
    shared = training.shared_of(task)
    groups = training.groups_of(task, shared)
    found = {made for group in groups for made in (("trainer", group.kind), ("examiner", group.examiner))}
    assert {tuple(need) for need in beforehand.needs_of(task)} == found
