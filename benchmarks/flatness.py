"""What a proposal costs in a large network, beside what it costs in a small one.

    python benchmarks/flatness.py [--N 16384] [--out FILE.md]

Sweeps alone, on one core, in CPU seconds, in networks of N = 256 and of the given sizes: the same number of
sweeps from random starts, so that students accept equally often, by the kernel and by the sequential program
of `baseline.py`. 1 is flat; the sequential program shows what the machine's memory itself does to one that
holds a single student. The two sizes take turns, three times, and each counts by its fastest turn.
"""

import argparse
from pathlib import Path

import jax

jax.config.update("jax_num_cpu_devices", 1)  # before jax looks for devices: the kernel on one core

from table import TURNS, train_students  # noqa: E402

from mbsim.engines.mesh import student_mesh  # noqa: E402
from mbsim.engines.networks import shape_of, stacked  # noqa: E402
from mbsim.engines.registers import sizes  # noqa: E402
from mbsim.physics.teachers import draw_teacher  # noqa: E402
from mbsim.running import bench  # noqa: E402

SMALL = 256
SWEEPS = 40
REGISTERS = 4  # full of students in the largest network, and as many proposals in the smallest
HEADINGS = "d", "m", "order", "N", "accepted", "M/s at 256", "M/s at N", "ratio", "ratio, sequential program"


def prepared(N, d, m, order, largest, mesh):
    """A case with as many proposals at every N."""
    case = bench.Case("vector", N, d, m, order)
    teacher = draw_teacher(N, N, N, d, True, bench.SEED, 0)
    register = sizes.students_in(sizes.word_bits(m, sizes.readers_of(shape_of(stacked([teacher]), N, True))))
    return bench.prepare(case, mesh, students=register * max(1, min(64, REGISTERS * largest // N)))


def line(d, m, order, N, mesh):
    """Measure one case: the cells of its line."""
    cases = [prepared(size, d, m, order, N, mesh) for size in (SMALL, N)]
    starts, runs, sequential = ([], []), ([], []), ([], [])
    for turn in range(TURNS + 1):
        for place, case in enumerate(cases):
            start, timing = bench.run(case, 0), bench.run(case, SWEEPS)
            baseline, _ = train_students(case, SWEEPS, 0.3, 1000 * turn)
            if turn:  # the first compiles
                starts[place].append(start.cpu)
                runs[place].append(timing.cpu)
                sequential[place].append(baseline)
    small, large = (
        SWEEPS * case.students * 2 * case.case.N * d / (min(run) - min(start)) / 1e6
        for case, run, start in zip(cases, runs, starts, strict=True)
    )
    fast, slow = map(max, sequential)
    accepted = timing.accepted / timing.work  # of the last: the large network
    rates = f"{small:.0f}", f"{large:.0f}", f"{small / large:.2f}", f"{fast / slow:.2f}"
    return d, m, order, N, f"{accepted:.3f}", *rates


def main():
    """Print the table line by line, and write it to a file if asked."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    parser.add_argument("--N", type=int, nargs="+", default=(16384,))
    parser.add_argument("--out", type=Path, help="write the table to this file too")
    options = parser.parse_args()
    mesh = student_mesh(jax.local_devices()[:1])
    lines = ["| " + " | ".join(HEADINGS) + " |", "|" + " ---: |" * len(HEADINGS)]
    print("\n".join(lines), flush=True)
    for N in options.N:
        for d in (3, 5, 9):
            for m in (8, 16, 64):
                for order in bench.ORDERS:
                    lines.append("| " + " | ".join(map(str, line(d, m, order, N, mesh))) + " |")
                    print(lines[-1], flush=True)
    if options.out:
        options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
