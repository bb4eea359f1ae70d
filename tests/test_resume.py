"""A stopped run goes on to the same bytes as one that never was stopped: real processes, real signals."""

import os
import random
import re
import resource
import shutil
import signal
import subprocess
import time

import pytest
from processes import PROMPT, Place, small_disk

import mbsim
from mbsim.config.configuration import load_config
from mbsim.data.store import RunFolder
from mbsim.plan.units import units

pytestmark = pytest.mark.slow  # real processes, a minute in all; `test_store` kills at any moment too

CONFIG = """
name = "resumed"
model = "sparse-vector"
grid = { N = [9, 11, 13, 15], d = [3, 5, 7], m = [2, 5, 8, 11], teachers = 3, replicas = 3 }
dynamics = { sweeps = 32 }
"""
UNITS = 12  # one for each (N, d)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, cache) -> Place:
    """A run that nothing stopped; it fills the cache of compiled programs too."""
    place = Place(tmp_path_factory.mktemp("whole"), cache, CONFIG)
    output, errors = place.finish()
    place.output, place.errors = output, errors
    return place


@pytest.fixture
def place(tmp_path, cache, whole) -> Place:
    return Place(tmp_path, cache, CONFIG)


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
        done = max(done, len(before) + 1)  # more than there was, so that the run has begun
        code, errors = place.stop(number, done, chance.uniform(0, 0.02))
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
    for name in place.units():
        os.utime(place.run / "done" / name, (1, 1))
    folder = RunFolder.open(place.run)
    damaged, missing = folder.units[3:5]
    chunk = folder.chunk_path(damaged, "overlap")
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 1
    chunk.write_bytes(content)
    folder.record_path(missing).unlink()
    output, _ = place.finish("mbsim run run/config.toml --out run")  # the resolved configuration runs too
    assert "run: 10 of 12 units are done, 2 to go, 1 of them because it was damaged" in output
    assert "trained 2 units" in output
    anew = {folder.record_path(unit).name for unit in (damaged, missing)}
    assert {name for name, when in place.written().items() if when > 10**9} == anew
    assert_same(place, whole)


@pytest.mark.slow
def test_a_second_signal_does_no_harm(place, whole):
    """Ctrl-C twice, at any moment after the start: one clean end, no traceback."""
    chance = random.Random(1)
    for first, second in ((signal.SIGINT, signal.SIGINT), (signal.SIGTERM, signal.SIGINT)):
        stopped = 0
        while stopped < 6:
            process = place.start()
            lock = place.run / ".lock"
            while not (lock.exists() and f"process {process.pid} on" in lock.read_text()):
                time.sleep(0.01)  # until the run has begun
            time.sleep(chance.uniform(0, 2))
            if process.poll() is not None:  # what was left was done before the signal: a new run
                process.communicate()
                shutil.rmtree(place.run)
                continue
            stopped += 1
            process.send_signal(first)
            time.sleep(chance.uniform(0, 0.1))
            process.send_signal(second)
            said, errors = process.communicate(timeout=PROMPT)
            if process.returncode == 0:  # it came when all was done and said
                assert "mbsim.open_run" in said
                shutil.rmtree(place.run)
                continue
            assert process.returncode == 75, errors
            assert "Traceback" not in errors
    place.finish()
    assert_same(place, whole)


@pytest.mark.parametrize("seed", range(5))
def test_killed_at_random_moments_until_it_is_done(place, whole, seed):
    """Some kills each, 30 or so in all: the whole is the run that nothing stopped."""
    chance = random.Random(seed)
    kills = 0
    while True:
        process = place.start()
        try:
            # Later and later, for a busy machine starts slowly.
            process.communicate(timeout=chance.uniform(0.1, 5.0 + kills))
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


def test_two_processes_at_once_make_one_run(place, whole):
    """One trains, the other is told so; or, where the first has ended, finds all done."""
    both = [place.start(), place.start()]
    told = [process.communicate()[1] for process in both]
    codes = [process.returncode for process in both]
    assert sorted(codes) in ([0, 0], [0, 2])
    if 2 in codes:
        assert "error: run is being written by process" in told[codes.index(2)]
    assert_same(place, whole)


def test_parts_at_once_make_one_run(place, whole):
    """Four processes share the folder from the start on; whoever ends last prints m_c and draws the figure."""
    parts = [place.start(f"mbsim run config.toml --out run --part {i}/4") for i in (1, 2, 3, 4)]
    said = [process.communicate()[0] for process in parts]
    assert [process.returncode for process in parts] == [0, 0, 0, 0]
    assert any("figure: run/order_parameter.png" in text for text in said)
    assert sum("trained 3 units" in text for text in said) == 4
    assert_same(place, whole)


def test_a_run_that_grew_is_the_run_from_scratch(place, whole):
    smaller = "--set grid.N=[9,13] --set grid.teachers=2 --set grid.m=[5,8] --set grid.replicas=1"
    place.finish(f"mbsim run config.toml --out run {smaller}")
    output, _ = place.finish()
    assert "run: grows by N = 11, 15; m = 2, 11; teachers from 2 to 3; replicas from 1 to 3: " in output
    grown, scratch = mbsim.open_run(place.run), mbsim.open_run(whole.run)
    assert grown.identical(scratch)


@pytest.fixture
def disk(place):
    with small_disk(place.path / "disk") as mount:
        yield mount


@pytest.mark.parametrize("kilobytes", [60, 400, 1000, 1400])
def test_a_full_disk_ends_the_run_and_it_goes_on(place, whole, disk, kilobytes):
    """A file system of a few kilobytes, full at the metadata, at a chunk, a record or the figure."""
    disk(f"size={kilobytes}k")
    process = place.start("mbsim run config.toml --out disk/run")
    _, errors = process.communicate()
    assert process.returncode == 75, errors
    assert "no space left to write disk/run" in errors
    assert errors.splitlines()[-1] == "go on with: mbsim run config.toml --out disk/run"
    assert "Traceback" not in errors
    disk("size=64m")
    place.finish("mbsim run config.toml --out disk/run")
    shutil.copytree(place.path / "disk" / "run", place.run)
    assert_same(place, whole)


@pytest.mark.parametrize("longest", [1_000, 3_000, 30_000])
def test_a_limit_to_the_length_of_files_ends_the_run_and_it_goes_on(place, whole, longest):
    """As `ulimit -f` in a batch script: met at the metadata, at a chunk, at the figure."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (longest, hard))
    try:
        process = place.start()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    _, errors = process.communicate()
    assert process.returncode == 75, errors
    assert re.search(r"^error: no space left to write run\S* \(File too large\): ", errors, re.M), errors
    assert errors.splitlines()[-1] == "go on with: mbsim run config.toml --out run"
    place.finish()
    assert_same(place, whole)


def test_a_folder_that_may_not_be_written_is_one_line(place, whole, disk):
    disk("size=64m")
    shutil.copytree(whole.run, place.path / "disk" / "run")
    (place.path / "disk" / "run" / "done" / sorted(whole.units())[0]).unlink()
    disk("ro,size=64m")
    process = place.start("mbsim run config.toml --out disk/run")
    _, errors = process.communicate()
    assert process.returncode == 2
    assert errors.startswith("error: disk/run cannot be written")
    assert errors.count("\n") == 1
    disk("rw,size=64m")
    place.finish("mbsim run config.toml --out disk/run")
    shutil.copytree(place.path / "disk" / "run", place.run)
    assert_same(place, whole)


def test_a_clock_set_back_changes_nothing(place, whole):
    place.stop(signal.SIGKILL, 4)
    ahead = time.time() + 10**6
    for path in place.run.rglob("*"):
        os.utime(path, (ahead, ahead))
    place.finish()
    assert_same(place, whole)
