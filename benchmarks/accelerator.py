"""The Pallas engine on the accelerator that JAX finds, beside one core of the CPU engine, in the same run.

    python benchmarks/accelerator.py [--students 4096,65536,524288] [--seconds S] [--out FILE.md]

For each case and number of students of one teacher, sweeps alone: a sweep by the clock (calls follow each other, the
last is waited for; the best of three turns), and the same without proposals, that is drawing inputs, unfolding and
folding weights. From these the rate; the bytes that rows read and write a second, where `roofline_counts.py` counts
them, to be held against the memory's; the rate of one core of this machine (`mbsim bench`, sweeps alone); and the
ratio of the two. A whole run of 32 sweeps, from call to results with one measurement, is given beside them, and what
comes before the first sweep. For what bounds a case: `python benchmarks/roofline.py`.
"""

import argparse
from pathlib import Path
from time import perf_counter

import jax
import numpy as np
import roofline_counts as counts

from mbsim.engines import networks
from mbsim.engines.mesh import student_mesh
from mbsim.engines.pallas import programs, targets, training
from mbsim.engines.pallas.blocks import cut
from mbsim.engines.pallas.body import readers_written_out, words_written_out
from mbsim.engines.pallas.kernels import Size
from mbsim.engines.task import Dynamics, StudentLabels, Task
from mbsim.physics import teachers
from mbsim.running import bench, timings

TURNS, WHOLE = 3, 32
CASES = tuple(case for case in bench.QUICK if case.order == "random")
HEADINGS = (
    "case",
    "students",
    "G proposals/s",
    "a sweep, ms",
    "without proposals, ms",
    "rows, TB/s",
    "one core, G/s",
    "ratio",
    "whole run, G/s",
    "before it, s",
    "measuring, ms",
)


def launch_of(case: bench.Case, students: int) -> training._Launch:
    """Students of one teacher in one launch, compiled."""
    device, vector = jax.local_devices()[0], case.kind == "vector"
    mesh, target = student_mesh([device]), targets.target_of(device)
    outputs = case.N if vector else 1
    teacher = teachers.draw_teacher(case.N, case.N, outputs, case.d, vector, bench.SEED, 0)
    taught = networks.stacked([teacher])
    shape = networks.shape_of(taught, case.N, vector)
    zeros = np.zeros(students)
    labels = StudentLabels(zeros.astype(int), np.full(students, case.m), np.arange(students), zeros, zeros)
    tests = bench.TEST_SIZE[case.kind]
    task = Task(
        taught, np.zeros(1, int), shape, labels, np.array([1]), bench.SEED, Dynamics(case.order), tests, False
    )
    [blocks] = cut(task, target, 1, 0)
    size = Size(target, shape, blocks.layout, 0, 0, 0)
    plan = training._plan_of(task, size, blocks, 1, len(blocks.used), True)
    programs.prepare([plan], mesh, lambda work: None)
    return training._Launch(task, plan, mesh, blocks)


def seconds_a_sweep(launch: training._Launch, stop: int, seconds: float, state: tuple) -> tuple[float, tuple]:
    """Of sweeps that do `stop` proposals; and the weights after them."""
    given, advance, calls, best = (launch.students, launch.teachers), launch._program("advance"), 2, np.inf
    for turn in range(TURNS + 1):
        began = perf_counter()
        for sweep in range(calls):
            part = np.array([sweep, sweep, 0, stop], np.int32)
            *state, accepted = advance(*given, *state, launch.none, part)
        accepted.block_until_ready()
        taken = (perf_counter() - began) / calls
        if turn:  # the first warms up, and says how many calls take long enough
            best = min(best, taken)
        else:
            calls = max(4, min(200, round(seconds / TURNS / taken)))
    return best, tuple(state)


def line(case: bench.Case, students: int, core: float, seconds: float) -> tuple[str, ...]:
    """One row of the table. core: proposals/s of one core."""
    began = perf_counter()
    launch = launch_of(case, students)
    state = launch._program("init")(launch.students, launch.teachers)
    jax.block_until_ready(state)
    before = perf_counter() - began
    n = launch.task.shape.proposals
    whole, state = seconds_a_sweep(launch, n, seconds, state)
    without, state = seconds_a_sweep(launch, 0, seconds / 4, state)
    times = []
    for batch in (1, 2):
        began = perf_counter()
        jax.block_until_ready(
            launch._program("observe")(
                launch.students, launch.teachers, *state, np.array([1, batch], np.int32)
            )
        )
        times.append(perf_counter() - began)
    of = launch.size.layout
    began = perf_counter()
    task = launch.task._replace(times=np.array([WHOLE]))
    training.train(task, launch.mesh, lambda work: None)
    run = perf_counter() - began
    moved = ""
    if words_written_out(launch.task.shape, of) and readers_written_out(launch.task.shape, of):
        moved = (
            f"{counts.of_pallas(launch.task.shape, of).bytes * n * launch.size.programs / whole / 1e12:.2f}"
        )
    rate = students * n / whole
    return (
        str(case),
        f"{students:,}",
        f"{rate / 1e9:.1f}",
        f"{1e3 * whole:.3f}",
        f"{1e3 * without:.3f}",
        moved,
        f"{core / 1e9:.2f}",
        f"{rate / core:.0f}",
        f"{students * n * WHOLE / run / 1e9:.1f}",
        f"{before:.1f}",
        f"{1e3 * times[1]:.1f}",
    )


def main() -> None:
    """Print the table line by line, and write it to a file if asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--students", default="4096,65536,524288")
    parser.add_argument("--seconds", type=float, default=0.5, help="aim for each measured turn")
    parser.add_argument("--out", type=Path, help="write the table to this file too")
    given = parser.parse_args()
    if jax.default_backend() == "cpu":
        raise SystemExit(
            "no accelerator: jax finds CPUs only; `make aot` compiles for devices that are not there"
        )
    cores = student_mesh(jax.devices("cpu")[:1])
    lines = [
        f"Pallas on {timings.device_name(student_mesh(jax.local_devices()[:1]))}, jax {jax.__version__};"
        " one core of the same machine.",
        "",
        "| " + " | ".join(HEADINGS) + " |",
        "|---|" + "--:|" * (len(HEADINGS) - 1),
    ]
    print("\n".join(lines), flush=True)
    for case in CASES:
        [measured] = bench.measure([case], given.seconds, cores)
        core = timings.rate(measured.prepared, measured.run, measured.start)
        for students in map(int, given.students.split(",")):
            try:
                row = line(case, students, core, given.seconds)
            except jax.errors.JaxRuntimeError as error:
                row = (str(case), f"{students:,}", f"not trained: {str(error).splitlines()[0]}")
            lines.append("| " + " | ".join(row) + " |")
            print(lines[-1], flush=True)
            if given.out:
                given.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
