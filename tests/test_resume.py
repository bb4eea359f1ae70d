"""A stopped run goes on to the same bytes as one that never was stopped: real processes, real signals.

Processes run a copy of the package, so that who edits it or commits meanwhile changes neither what they write nor
the commit in it.
"""

import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import mbsim
from mbsim.config.configuration import load_config
from mbsim.data.store import RunFolder
from mbsim.plan.units import units

pytestmark = pytest.mark.slow  # real processes, a minute in all; `test_store` kills at any moment too

CONFIG = """
name = "resumed"
model = "sparse-vector"
grid = { N = [9], d = [3], m = [2, 5, 8, 11], teachers = 12, replicas = 3 }
dynamics = { sweeps = 32 }
"""
UNITS = 12
PROMPT = 60  # seconds from a signal to the end, on a busy machine


class Place:
    """A folder with a configuration, and processes that work there."""

    def __init__(self, path: Path, cache: Path):
        self.path = path
        self.run = path / "run"
        (path / "config.toml").write_text(CONFIG)
        self.environment = os.environ | {
            "JAX_COMPILATION_CACHE_DIR": str(cache / "jax"),  # compiled programs, made once for all processes
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "PYTHONPATH": str(cache),  # where the copy is
        }

    def start(self, command: str = "mbsim run config.toml --out run") -> subprocess.Popen:
        program, *arguments = shlex.split(command)
        assert program == "mbsim"
        return subprocess.Popen(
            [sys.executable, "-m", "mbsim.cli", *arguments],
            cwd=self.path,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, command: str = "mbsim run config.toml --out run") -> tuple[str, str]:
        """Run to the end; standard output and error."""
        process = self.start(command)
        output, errors = process.communicate()
        assert process.returncode == 0, errors
        return output, errors

    def stop(self, number: signal.Signals, done: int, delay: float = 0.0) -> tuple[int, str]:
        """Send a signal `delay` seconds after `done` units are there; exit code and standard error."""
        process = self.start()
        while len(self.units()) < done and process.poll() is None:
            time.sleep(0.001)
        time.sleep(delay)
        process.send_signal(number)
        _, errors = process.communicate(timeout=PROMPT)
        return process.returncode, errors

    def units(self) -> set[str]:
        return {path.name for path in self.run.glob("*.nc")}

    def verified(self) -> set[str]:
        """Names of the units that are whole; all that have their final name must be."""
        folder = RunFolder.open(self.run)
        done = {folder.unit_path(unit).name for unit in units(folder.config) if folder.done(unit)}
        assert done == self.units()
        return done

    def contents(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.run.iterdir() if path.name != ".lock"}

    def written(self) -> dict[str, int]:
        return {name: (self.run / name).stat().st_mtime_ns for name in self.units()}


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    """A folder with a copy of the package, and with what its processes compile."""
    folder = tmp_path_factory.mktemp("cache")
    shutil.copytree(
        Path(mbsim.__file__).parent, folder / "mbsim", ignore=shutil.ignore_patterns("__pycache__")
    )
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory, cache) -> Place:
    """A run that nothing stopped; it fills the cache of compiled programs too."""
    place = Place(tmp_path_factory.mktemp("whole"), cache)
    output, errors = place.finish()
    place.output, place.errors = output, errors
    return place


@pytest.fixture
def place(tmp_path, cache, whole) -> Place:
    return Place(tmp_path, cache)


def assert_same(place: Place, whole: Place) -> None:
    assert place.contents() == whole.contents()  # and no other file is left
    assert mbsim.open_run(place.run).identical(mbsim.open_run(whole.run))


def test_an_uninterrupted_run_is_complete(whole):
    assert len(units(load_config(whole.path / "config.toml"))) == len(whole.verified()) == UNITS
    dataset = mbsim.open_run(whole.run)
    assert (dataset.status == 1).all()
    assert dataset.attrs["git_commit"] == ""


def test_progress_is_plain_lines_where_there_is_no_terminal(whole):
    lines = whole.errors.splitlines()
    assert lines[0] == f"0 of {UNITS} units, 0%: checking known answers of the kernels"
    assert all(re.match(r"\d+ of 12 units, \d+%", line) for line in lines)
    assert "\x1b" not in whole.output + whole.errors
    assert "\r" not in whole.output + whole.errors
    assert re.search(r"^trained 12 units in .*; training alone .* proposals/s$", whole.output, re.MULTILINE)


@pytest.mark.slow
def test_kill_interrupt_and_terminate_change_nothing(place, whole):
    chance = random.Random(20230506)
    for number, done in ((signal.SIGKILL, 1), (signal.SIGINT, 4), (signal.SIGTERM, 7)):
        before = place.written()
        code, errors = place.stop(number, done, chance.uniform(0, 0.3))
        safe = place.verified()
        assert done <= len(safe) < UNITS
        assert before.items() <= place.written().items()  # what was there was not computed again
        if number == signal.SIGKILL:
            assert code == -signal.SIGKILL
            continue
        assert code == 75
        stopped, advice = errors.splitlines()[-2:]
        state = f"{len(safe)} of {UNITS} units are done and safe in run"
        assert stopped == f"interrupted by {number.name}: {state}"
        assert advice == "go on with: mbsim run config.toml --out run"
        assert "Traceback" not in errors
        assert not list(place.run.glob(".tmp-*"))
    place.finish(advice.removeprefix("go on with: "))
    assert_same(place, whole)


def test_only_what_is_damaged_or_missing_is_computed(place, whole):
    shutil.copytree(whole.run, place.run)
    for name in ("config.toml", *place.units()):
        os.utime(place.run / name, (1, 1))
    damaged, missing = sorted(place.units())[3:5]
    content = bytearray((place.run / damaged).read_bytes())
    content[len(content) // 2] ^= 1
    (place.run / damaged).write_bytes(content)
    (place.run / missing).unlink()
    output, _ = place.finish("mbsim run run/config.toml --out run")  # the resolved configuration runs too
    assert "run: 10 of 12 units are done, 2 to go, 1 of them because the file was damaged" in output
    assert "trained 2 units" in output
    assert {name for name, when in place.written().items() if when > 10**9} == {damaged, missing}
    assert_same(place, whole)


@pytest.mark.slow
def test_a_second_signal_does_no_harm(place, whole):
    """Ctrl-C twice, at any moment after the start: one clean end, no traceback."""
    chance = random.Random(1)
    for first, second in ((signal.SIGINT, signal.SIGINT), (signal.SIGTERM, signal.SIGINT)):
        for _ in range(6):
            process = place.start()
            lock = place.run / ".lock"
            while not (lock.exists() and f"process {process.pid} on" in lock.read_text()):
                time.sleep(0.01)  # until the run has begun
            time.sleep(chance.uniform(0, 2))
            process.send_signal(first)
            time.sleep(chance.uniform(0, 0.1))
            process.send_signal(second)
            _, errors = process.communicate(timeout=PROMPT)
            assert process.returncode == 75, errors
            assert "Traceback" not in errors
    place.finish()
    assert_same(place, whole)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_killed_at_random_moments_until_it_is_done(place, whole, seed):
    chance = random.Random(seed)
    kills = 0
    while True:
        process = place.start()
        try:
            process.communicate(timeout=chance.uniform(0.1, 5.0))
            break
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        kills += 1
        if (place.run / "config.toml").exists():
            place.verified()
    assert process.returncode == 0
    assert kills > 0
    assert_same(place, whole)
