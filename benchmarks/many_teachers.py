"""A hundred thousand teachers on this machine: what each command of mbsim takes, from start to end.

    python benchmarks/many_teachers.py [--teachers 10000] [--folder DIR]

Wall and CPU seconds of whole processes, and their memory. 10 (N, d), 4 values of m, 2 replicas of each teacher, 32
sweeps: 7.54 G proposals with 10,000 teachers. Last, the share of a run's wall time in which it writes, the cores that
are busy while it trains, in 200 teachers of 8 students too, and the time that drawing teachers takes.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CONFIG = """
name = "many"
model = "sparse-vector"
[grid]
N = [16, 24, 32, 48, 64]
d = [3, 5]
m = [4, 8, 12, 16]
teachers = {teachers}
replicas = 2
[dynamics]
sweeps = 32
[measure]
measurements = 12
test_size = 32
"""
FEW = """
name = "few"
model = "sparse-vector"
[grid]
N = [64]
d = [5]
m = [8, 16]
teachers = 200
replicas = 4
[dynamics]
sweeps = 1000
"""
HEAD = "| command | wall s | CPU s | most memory so far, GiB |\n| --- | ---: | ---: | ---: |"
OPEN = "import sys, mbsim; mbsim.open_run(sys.argv[1])"
WRITING = """
import sys, time
from mbsim.data.store import RunFolder
from mbsim.config import load_config
from mbsim.running import runner
spent, busy = [0.0], [0.0, 0.0]
write, train_units = RunFolder.write, runner.training.train_units
def timed(*arguments):
    began = time.perf_counter()
    write(*arguments)
    spent[0] += time.perf_counter() - began
RunFolder.write = timed
def trained(*arguments, **named):
    wall, cpu = time.perf_counter(), time.process_time()
    found = train_units(*arguments, **named)
    busy[0] += time.perf_counter() - wall
    busy[1] += time.process_time() - cpu
    return found
runner.training.train_units = trained
began = time.perf_counter()
runner.train(load_config(sys.argv[1]), sys.argv[2])
print(f"{spent[0] / (time.perf_counter() - began):.1%} {busy[1] / busy[0]:.2f}")
"""
DRAWING = """
import time
import numpy as np
from mbsim.config import load_config
from mbsim.engines import devices
from mbsim.engines.drawing import teachers_of
from mbsim.plan.problems import problem_of
grid = {"N": [64], "d": [5], "m": [8], "teachers": 1}
problem = problem_of(load_config({"name": "drawing", "model": "sparse-vector", "grid": grid}), 64, 5)
with devices.cores_at_most(1):
    teachers_of(problem, 1, np.arange(2))
    began = time.perf_counter()
    teachers_of(problem, 1, np.arange(10_000))
    print(f"{time.perf_counter() - began:.2f}")
"""


def timed(name: str, *words: str) -> str:
    """Run a command, and print what it took; returns what it said."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    said = subprocess.run([sys.executable, *words], check=True, capture_output=True, text=True).stdout
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"| {name} | {wall:.1f} | {cpu:.1f} | {after.ru_maxrss / 2**20:.2f} |", flush=True)
    return said


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--teachers", type=int, default=10_000, help="of each (N, d)")
    parser.add_argument("--folder", type=Path, help="where to write; by default a temporary one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        place = options.folder or Path(temporary)
        place.mkdir(parents=True, exist_ok=True)
        config, run = place / "many.toml", str(place / "run")
        config.write_text(CONFIG.format(teachers=options.teachers))
        print(f"{10 * options.teachers:,} teachers on {len(os.sched_getaffinity(0))} cores\n")
        print(HEAD)
        mbsim = ("-m", "mbsim.cli")
        timed("mbsim run", *mbsim, "run", str(config), "--out", run)
        timed("mbsim status", *mbsim, "status", run)
        timed("mbsim.open_run", "-c", OPEN, run)
        timed("mbsim run, nothing to do", *mbsim, "run", str(config), "--out", run)
        timed("mbsim analyze", *mbsim, "analyze", run)
        ten_million = f"grid.teachers={100 * options.teachers}"
        timed("mbsim run --dry-run, a hundred times the teachers", *mbsim, "run", str(config), "--out",
              str(place / "none"), "--set", ten_million, "--dry-run")  # fmt: skip
        share = timed("the grid again", "-c", WRITING, str(config), str(place / "again"))
        writing, cores = share.split()
        print(f"\nwriting: {writing} of the time of a run; cores busy while it trains: {cores}")
        few = place / "few.toml"
        few.write_text(FEW)
        cores = timed("200 teachers of 8 students", "-c", WRITING, str(few), str(place / "few")).split()[1]
        print(f"\ncores busy while 200 teachers of 8 students train: {cores}")
        drawing = subprocess.run(
            [sys.executable, "-c", DRAWING], check=True, capture_output=True, text=True
        ).stdout
        print(f"drawing 10,000 teachers of N = 64, d = 5 on one core: {drawing.strip()} s")


if __name__ == "__main__":
    main()
