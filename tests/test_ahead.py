"""Launches that come next are prepared while one trains; each program is compiled once, whoever asks first."""

import threading
import time

import jax
import numpy as np
import pytest

from mbsim.config import Config
from mbsim.engines import binary
from mbsim.engines.pallas import kept_programs, programs, training
from mbsim.plan.tasks import task_of
from mbsim.plan.units import units
from mbsim.running.ahead import LAUNCHES, Ended, prepared


def test_the_next_launches_are_prepared_while_one_trains():
    others = threading.Event()
    seen = set()

    def prepare(launch, progress):
        seen.add(launch)
        if seen >= {0, 1, 2}:
            others.set()

    trained = []
    for launch in prepared(range(30), prepare):
        assert others.wait(30), "nothing is prepared before the first has trained"
        trained.append(launch)
    assert trained == list(range(30))


def test_no_more_are_known_than_are_needed():
    taken = []
    following = prepared((taken.append(n) or n for n in range(10**6)), lambda launch, progress: None)
    assert next(following) == 0
    assert len(taken) <= LAUNCHES + 1
    following.close()


def test_what_cannot_be_prepared_is_trained_all_the_same():
    def fails(launch, progress):
        raise RuntimeError

    assert list(prepared("abc", fails)) == ["a", "b", "c"]


def test_an_end_before_the_end_prepares_nothing_more():
    """What has begun is told at its next sign of life, what has not is never begun."""
    go_on, asked, ended = threading.Event(), [], []

    def waits(launch, progress):
        asked.append(launch)
        go_on.wait(30)
        try:
            progress(0)
        except Ended:
            ended.append(launch)
            raise

    before = set(threading.enumerate())
    following = prepared(range(100), waits)
    next(following)
    mine = set(threading.enumerate()) - before
    while len(asked) < len(mine):
        time.sleep(0.01)
    following.close()
    go_on.set()
    for thread in mine:
        thread.join(30)
    assert sorted(asked) == sorted(ended) == list(range(len(mine)))


def test_a_program_is_compiled_once_by_who_asks_first(monkeypatch):
    both, made = threading.Barrier(2), []

    class Compiled:
        def lower(self, *arguments):
            return self

        def compile(self, options):
            made.append(self)
            time.sleep(0.3)  # the other one comes here too, or waits
            return self

    monkeypatch.setattr(kept_programs, "compiled", lambda name, plan, mesh, make: make())
    monkeypatch.setattr(programs, "mapped", lambda plan, mesh: {"init": Compiled()})
    monkeypatch.setattr(programs, "arguments", lambda plan, mesh: {"init": ()})
    monkeypatch.setattr(programs.targets, "compiler_options", lambda target: None)
    plan = programs.Plan(programs.Size(None, None, None, 0, 0, 0), 0, None, False, False)
    mesh, found = object(), []

    def ask():
        both.wait(30)
        found.append(programs.program(plan, mesh, "init"))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(made) == 1 and found == made * 2


def test_a_program_that_did_not_compile_is_asked_for_again(monkeypatch):
    answers = iter([jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED"), "a program"])

    def compiled(name, plan, mesh, make):
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(kept_programs, "compiled", compiled)
    mesh = object()
    with pytest.raises(jax.errors.JaxRuntimeError):
        programs.program(None, mesh, "init")
    assert programs.program(None, mesh, "init") == "a program"


class Asked(Exception):  # noqa: N818 (says what happened)
    """What stands in for the engine ends here."""


@pytest.mark.parametrize("model", [{}, {"hidden": 12}])
def test_what_is_prepared_is_what_is_trained(monkeypatch, model):
    """All that kernels are told but the teachers, where units have as many readers and where they have not."""
    named = {"output": "vector", "student": "sparse", "weights": "binary"} | model
    grid = {"N": [9], "d": [3], "m": [4, 6], "teachers": 2, "replicas": 2, "temperature": [0.0, 0.5]}
    config = Config(model=named, grid=grid, dynamics={"sweeps": 40, "order": "sequential"})
    task, told = task_of(units(config)[0], config), []

    def ask(whole, mesh, progress):
        told.append(whole)
        raise Asked

    for name, call in (
        ("prepare", binary.prepare),
        ("train", lambda *of: binary.train(of[0], "pallas", of[1])),
    ):
        monkeypatch.setattr(training, name, ask)
        with pytest.raises(Asked):
            call(task, lambda work: None)
    ahead, now = told
    for field, one, other in zip(ahead._fields, ahead, now, strict=True):
        if field != "teachers":
            np.testing.assert_equal(one, other, err_msg=field)
