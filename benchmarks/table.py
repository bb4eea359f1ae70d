"""One table: mbsim's kernel against a sequential program (`baseline.py`), measured in turn in one process.

    python benchmarks/table.py [--full] [--only TEXT] [--seconds S] [--out FILE.md]

Kernel: `ensemble.train` from call to results on one device, that is one core, or one accelerator where jax
finds one; "sweeps alone" leaves out start and measurement (`mbsim.running.bench`). Baseline: the compiled run
of one student after another on one core, without setting it up and no measurement. Both train on the same
teacher's graph, from random starts, for the same number of sweeps, since both accept less, and the
baseline gets faster, as students learn. Their accepted fractions should agree, up to the noise of the few
students that the baseline has time for.

On CPU both are timed in CPU seconds of the process, so that other work on the machine does not count; an
accelerator is timed by the wall clock. The two take turns, three times, and each shows its fastest turn: what
disturbs a run only ever makes it slower. `ratio` is the kernel from call to results over the baseline.
"""

import argparse
from pathlib import Path

import jax

jax.config.update("jax_num_cpu_devices", 1)  # before jax looks for devices: the kernel on one core

import baseline  # noqa: E402
import numba  # noqa: E402

from mbsim.engines.mesh import student_mesh  # noqa: E402
from mbsim.running import bench, timings  # noqa: E402

TURNS = 3
HEADINGS = (
    "case",
    "students",
    "sweeps",
    "kernel M/s",
    "sweeps alone M/s",
    "baseline M/s",
    "ratio",
    "accepted, kernel",
    "accepted, baseline",
    "compile s",
    "memory",
)


def train_students(prepared, sweeps, seconds, first_seed):
    """Run students one by one for `seconds` of CPU time: (proposals per second, accepted fraction)."""
    kind, N, d, m, order = prepared.case
    graphs = [prepared.teacher.hidden_sources]
    if kind == "vector":
        graphs.append(prepared.teacher.output_sources)
    proposals = accepted = used = 0
    while used < seconds:
        student = getattr(baseline, kind)(N, d, m, sweeps, order, first_seed, *graphs)
        proposals += student.proposals
        accepted += student.accepted
        used += student.seconds
        first_seed += 1
    return proposals / used, accepted / proposals


def line(case, seconds, mesh):
    """Measure one case: the cells of its line."""
    prepared = bench.prepare(case, mesh)
    sweeps = bench.sweeps_for(prepared, seconds)
    train_students(prepared, 1, 0.01, 0)  # compiles
    starts, runs, sequential = [], [], []
    for turn in range(TURNS):
        starts.append(bench.run(prepared, 0))
        runs.append(bench.run(prepared, sweeps))
        sequential.append(train_students(prepared, sweeps, seconds / 2, 1000 * turn))
    rate, accepted = max(sequential)
    start, timing = timings.fastest(prepared, starts), timings.fastest(prepared, runs)
    kernel, alone = timings.rate(prepared, timing), timings.rate(prepared, timing, start)
    return (
        str(case),
        str(prepared.students),
        str(sweeps),
        f"{kernel / 1e6:.1f}",
        # A start that takes more than half of the run leaves nothing to say of the rest.
        f"{alone / 1e6:.1f}" if alone < 2 * kernel else "-",
        f"{rate / 1e6:.1f}",
        f"{kernel / rate:.2f}",
        f"{timing.accepted / timing.work:.3f}",
        f"{accepted:.3f}",
        f"{prepared.compile_seconds:.1f}",
        timings.size_text(prepared.memory),
    )


def main():
    """Print the table line by line, and write it to a file if asked."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    parser.add_argument("--full", action="store_true", help="every size (98 cases) instead of eight")
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--seconds", type=float, default=0.7, help="aim for each turn of the kernel")
    parser.add_argument("--out", type=Path, help="write the table to this file too")
    options = parser.parse_args()
    mesh = student_mesh(jax.local_devices()[:1])
    lines = []

    def show(text):
        print(text, flush=True)
        lines.append(text)
        if options.out:  # after every line, so that an interrupted table is not lost
            options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")

    show(f"Kernel on {timings.device_name(mesh)}, jax {jax.__version__}.")
    show(f"Baseline on one core, numba {numba.__version__}.")
    show("Millions of proposals per second; how they are measured: `benchmarks/table.py`.\n")
    show("| " + " | ".join(HEADINGS) + " |")
    show("|" + " --- |" + " ---: |" * (len(HEADINGS) - 1))
    for case in [case for case in (bench.FULL if options.full else bench.QUICK) if options.only in str(case)]:
        show("| " + " | ".join(line(case, options.seconds, mesh)) + " |")


if __name__ == "__main__":
    main()
