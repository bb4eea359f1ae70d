"""What a second worker of dask adds: the same grid on one worker of one core, and on two.

    python benchmarks/dask_workers.py [--teachers 1000] [--turns 2]

A scheduler and its workers are processes of this machine, as `dask scheduler` and `dask worker --nthreads 1` start
them. Each turn trains the grid of `many_teachers.py` into a new folder, after small runs by which every worker loads
what is compiled and asks for its known answers: in one such run each of two workers would meet half of the kernels.
The time is that of `train`, which creates the folder, hands out units and writes what comes back.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from many_teachers import CONFIG

from mbsim.config import load_config
from mbsim.running import runner

SMALL_RUNS = 5


def seconds(workers: int, teachers: int, place: Path) -> float:
    """Of the grid on so many workers."""
    meeting = place / "scheduler.json"
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--scheduler-file", str(meeting)]
    started = [subprocess.Popen([*dask, "--port", "0", "--no-dashboard"], stderr=subprocess.DEVNULL)]
    try:
        while not meeting.exists():
            time.sleep(0.1)
        for _ in range(workers):
            worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(meeting)]
            started.append(
                subprocess.Popen([*worker, "--nthreads", "1", "--no-dashboard"], stderr=subprocess.DEVNULL)
            )
        address = json.loads(meeting.read_text())["address"]
        small = [(f"small-{number}", 20) for number in range(SMALL_RUNS)]
        for name, count in [*small, ("grid", teachers)]:
            (place / f"{name}.toml").write_text(CONFIG.format(teachers=count))
            config = load_config(place / f"{name}.toml")
            began = time.perf_counter()
            runner.train(config, place / name, dask=address)
            taken = time.perf_counter() - began
        return taken
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait()


def main() -> None:
    """Print the times and their ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--teachers", type=int, default=1000, help="of each (N, d)")
    parser.add_argument("--turns", type=int, default=2)
    options = parser.parse_args()
    # All folders stay until the end: ext4 makes new files ten times slower for a while after some were removed.
    with tempfile.TemporaryDirectory() as place:
        for turn in range(options.turns):
            taken = []
            for workers in (1, 2):
                (mine := Path(place, f"turn-{turn}-workers-{workers}")).mkdir()
                taken.append(seconds(workers, options.teachers, mine))
            print(f"one worker {taken[0]:.1f} s, two {taken[1]:.1f} s: {taken[0] / taken[1]:.2f}", flush=True)


if __name__ == "__main__":
    main()
