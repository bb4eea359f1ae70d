"""A run that is killed while it grows goes on to the bits of one from scratch: SIGKILL at random moments."""

import os
import random
import signal
import subprocess

import pytest
from processes import Place, python

import mbsim

pytestmark = pytest.mark.slow  # real processes

CONFIG = """
name = "grown"
model = "sparse-vector"
dynamics = { sweeps = 32 }
[grid]
N = [9, 11, 13, 15]
d = [3, 5]
m = [2, 5, 8, 11]
teachers = 4
replicas = 3
temperature = [0.0, 0.5]
"""
SMALLEST = {"N": [9, 13], "d": [3], "m": [5, 8], "teachers": 2, "replicas": 1, "temperature": [0.0]}
STEPS = [
    {"m": [2, 5, 8, 11]},
    {"teachers": 4},
    {"replicas": 3, "temperature": [0.0, 0.5]},
    {"N": [9, 11, 13, 15], "d": [3, 5]},
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory, cache) -> Place:
    """The run from scratch."""
    place = Place(tmp_path_factory.mktemp("whole"), cache, CONFIG)
    place.finish()
    return place


def command(grid: dict) -> str:
    values = (f"--set grid.{key}={value}".replace(", ", ",") for key, value in grid.items())
    return " ".join(["mbsim run config.toml --out run", *values])


@pytest.mark.parametrize("seed", range(2))
def test_a_run_killed_while_it_grows_has_the_bits_of_one_from_scratch(tmp_path, cache, whole, seed):
    place, chance = Place(tmp_path, cache, CONFIG), random.Random(seed)
    grid = dict(SMALLEST)
    place.finish(command(grid))
    cut = 0
    for step in STEPS:
        grid |= step
        before = place.written()
        code, _ = place.stop(signal.SIGKILL, len(before) + 1, chance.uniform(0, 0.02), command(grid))
        assert code == -signal.SIGKILL
        cut += len(place.verified()) < len(place.folder().units)
        while True:
            process = place.start(command(grid))
            try:
                process.communicate(timeout=chance.uniform(0.1, 12.0))
                break
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
            place.verified()
        assert process.returncode == 0
        assert before.items() <= place.written().items()  # what was there was not computed again
        assert len(place.verified()) == len(place.folder().units)
    assert cut > 0  # some were killed between two units
    assert mbsim.open_run(place.run).identical(mbsim.open_run(whole.run))


GROW = """if True:
    import os, random, shutil, signal, sys, time
    from pathlib import Path
    from mbsim.data.store import RunFolder
    from small_runs import contents, fill, small_config

    small, work = (Path(sys.argv[1]) / name for name in ("small", "run"))
    folder = RunFolder.create_or_open(small, small_config(N=[9], d=[3]))
    fill(folder)
    larger = small_config(N=[9, 11], d=[3], m=[4, 5, 6, 40], teachers=4)

    def again():
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(small, work)

    def grow():
        folder = RunFolder.create_or_open(work, larger)
        with folder.lock():
            folder.prepare()
            fill(folder, folder.missing())

    def bytes_of_it():
        return {name: content for name, content in contents(work).items() if name != ".lock"}

    again()
    grow()
    whole = bytes_of_it()
    again()
    began = time.perf_counter()
    grow()
    duration = time.perf_counter() - began
    chance, stopped = random.Random(1), set()
    for attempt in range(25):
        again()
        if not (child := os.fork()):
            grow()
            os._exit(0)
        time.sleep(duration * chance.uniform(0, 1) ** 2)  # early more often: configurations come first
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        left = RunFolder.open(work)
        assert left.missing(folder.units) == []
        grown, done = left.config == larger, len(left.units) - len(left.missing())
        stopped.add("before" if not grown else "after" if done == len(left.units) else "amid")
        grow()
        assert bytes_of_it() == whole
    print(*sorted(stopped))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_at_any_moment_of_the_growth_on_disk(tmp_path):
    """Also between the two configurations, among the metadata, and within a unit."""
    with python(GROW, tmp_path) as process:
        out, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    assert {"before", "amid"} <= set(out.split())
