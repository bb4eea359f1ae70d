"""Compile the programs of accelerators for devices that are not there, and say what became of them.

    python benchmarks/aot.py [--only gpu|tpu] [--case TITLE] [--out FILE]

Every program of the Pallas engine and of gradient descent is compiled for a described H100 and a
described TPU v5e. Nothing is timed but compilers: kernels and waits for the host are counted in the optimised
program, instructions in the Hopper machine code of the kernel, bundles in its schedule for the TPU, a bundle being a
cycle if nothing stalls. Exits with 1 if a program does not compile or breaks its budget; with 0 and a reason if what
it takes is not installed.

It takes, beside the same jax, the plugins without their libraries (extra `aot`), and the wheel triton for the
machine code. Host side only; some forty minutes of a core.
"""

import argparse
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib import metadata, util
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import aot_devices as devices
import aot_programs as read
import aot_sgd as sgd
import jax

from mbsim.engines.networks import Shape
from mbsim.engines.pallas import layout, programs, targets
from mbsim.engines.pallas.body import at_a_time, readers_written_out, words_written_out
from mbsim.engines.pallas.kernels import Size
from mbsim.engines.pallas.programs import Plan
from mbsim.engines.pallas.targets import Target
from mbsim.engines.task import TrainingSet

STUDENTS = 65536
SWEEP_KERNELS, ALL_KERNELS, TPU_SECONDS = 2, 25, 30


HEAD = """# Compiled for devices that were not there

**Read off the compiled program, not timed.** `python benchmarks/aot.py`, {versions};
launches of {students:,} students, or of one program of a kernel where that has more. Seconds are a processor's, spent
on tracing and compiling; for the TPU each program may take 30 where a rate is asked for, and each of SGD. What is
over a budget stands at the end. A call of `advance` is one sweep.
Kernels in loops count as often as the loops turn where the program says so (that for a TPU does not). A wait is a
loop whose end the host must read.

- H100: instructions (loads) of one word of students on the way through a proposal: of an output link, where output
  weights are trained, and of a hidden link; or of its longest loop, where it loops over words, readers or
  temperatures. A whole sweep is these and the unfolding and folding of weights, for each
  proposal; only the drawing of inputs is left out.
- TPU v5e: bundles of a proposal of all students of a program, of an output link and of a hidden link, and the rate
  that they imply at 1.5 GHz if nothing stalls and nothing else is done.
- A teacher each program: each has the tables and the order of its own teacher, as in launches of many teachers;
  otherwise all programs share one.
- SGD: kernels of one turn of the loop over steps. Batches are drawn before it, for some steps at a time.
- Inputs cost a threefry block for every 8 inputs and 8 examples of a student in a sweep.
"""


class Case(NamedTuple):
    """Students of one kind; budgets: instructions of a proposal on H100, G proposals/s on a TPU v5e. many: each
    program of a kernel has a teacher of its own. random_order: of proposals.
    """

    title: str
    shape: Shape
    m: int
    heat: int = 0
    training: TrainingSet | None = None
    instructions: float | None = None
    rate: float | None = None
    many: bool = False
    random_order: bool = True


def vector(N: int, d: int, train_output: bool = True) -> Shape:
    """N units everywhere, every unit read by d outputs."""
    return Shape(N, N, N, d, d, True, train_output)


def scalar(N: int, d: int, train_output: bool = False) -> Shape:
    """One output that reads all N units."""
    return Shape(N, N, 1, d, 1, True, train_output)


CASES = (
    Case("N=256 d=3 m=8", vector(256, 3), 8, instructions=150, rate=150),
    Case("N=128 d=5 m=16", vector(128, 5), 16, instructions=400, rate=50),
    Case("N=64 d=9 m=64", vector(64, 9), 64, rate=6),
    Case("N=128 d=3 m=1,024", vector(128, 3), 1024),
    Case("N=64 d=31 m=32", vector(64, 31), 32),
    Case("N=64 d=3 m=8, T > 0", vector(64, 3), 8, heat=16),
    Case("N=64 d=3 m=8, a teacher each program", vector(64, 3), 8, many=True),
    Case("N=64 d=3 m=8, outputs fixed", vector(64, 3, False), 8),
    Case("N=64 K=48 M=80 d=3 m=8", Shape(64, 48, 80, 3, 16, False, True), 8),
    Case("N=64 d=3 m=8, sequential", vector(64, 3), 8, random_order=False),
    Case("N=64 d=3 m=8, set of 1,000 in epochs", vector(64, 3), 8, training=TrainingSet(1000, "epochs")),
    Case(
        "N=64 d=3 m=8, set of 1,000, with replacement", vector(64, 3), 8, training=TrainingSet(1000, "with")
    ),
    Case("N=64 d=3 m=8, set of 1,000, without", vector(64, 3), 8, training=TrainingSet(1000, "without")),
    Case("one output, N=63 d=3 m=256", scalar(63, 3), 256, rate=3),
    Case("one output, N=63 d=3 m=4,096", scalar(63, 3), 4096),
    Case("one output, N=63 d=3 m=256, T > 0, trained", scalar(63, 3, True), 256, heat=16),
    Case("one output, N=63 d=3 m=256, sequential", scalar(63, 3), 256, random_order=False),
)


class Row(NamedTuple):
    """What is said of a program."""

    case: str
    program: str
    kernels: str
    waits: str
    memory: str
    seconds: float
    proposal: str
    broken: tuple[str, ...]


def plan_for(kind: str, case: Case) -> Plan:
    """A launch of many students."""
    target = Target(kind)
    of = layout.layout_for(target, case.shape, case.m, 1 if case.many else STUDENTS, case.heat)
    if of is None:
        raise SystemExit(f"{case.title}: no layout for {devices.NAMES[kind]}")
    count = max(1, STUDENTS // of.students)
    size = Size(target, case.shape, of, case.heat, count, 1 if case.many else count)
    return Plan(size, 256, case.training, case.random_order, not case.many)


def row_of(kind: str, case: Case, program: str, dumped: bool = True) -> Row:
    """Compile a program and read it; dumped: whether the compiler for TPUs leaves its schedules, as it does
    in this process. That takes it several times as long, so that its time is another process's (`apart`).
    """
    plan, mesh = plan_for(kind, case), devices.mesh_for(kind)
    before = set(devices.DUMP.iterdir())
    began = time.process_time()
    with jax.sharding.use_abstract_mesh(mesh.abstract_mesh):
        traced = programs.mapped(plan, mesh)[program].trace(*programs.arguments(plan, mesh)[program])
        lowered = traced.lower(lowering_platforms=(devices.PLATFORMS[kind],))
        compiled = lowered.compile(targets.compiler_options(plan.size.target))
    seconds = time.process_time() - began
    counted = read.launches(compiled.as_text())
    size = compiled.memory_analysis()
    used = size.argument_size_in_bytes + size.output_size_in_bytes - size.alias_size_in_bytes
    used += size.temp_size_in_bytes
    broken, proposal = [], ""
    if kind == "tpu" and case.rate and not dumped and seconds > TPU_SECONDS:
        broken.append(f"{program} compiled in {seconds:.0f} s of a processor, {TPU_SECONDS} are allowed")
    if program == "advance":
        if dumped:
            proposal, broken = _of_a_proposal(kind, case, plan, lowered, before)
        if counted.kernels > ALL_KERNELS and kind == "gpu":
            broken.append(f"{counted.kernels} kernels a sweep, {ALL_KERNELS} are allowed")
        if counted.own > SWEEP_KERNELS:
            broken.append(f"{counted.own} kernels for a sweep's proposals, {SWEEP_KERNELS} are allowed")
        if counted.waits and kind == "gpu":
            broken.append(f"{counted.waits} loops wait for the host in a sweep")
    for left in set(devices.DUMP.iterdir()) - before:
        left.unlink()
    return Row(
        f"{case.title} ({of_words(plan)})",
        program,
        str(counted.kernels),
        str(counted.waits) if kind == "gpu" else "",
        f"{used / 2**20:,.0f} MiB",
        seconds,
        proposal,
        tuple(f"{devices.NAMES[kind]}, {case.title}: {fault}" for fault in broken),
    )


def apart(kind: str, case: Case, program: str, pool: ProcessPoolExecutor) -> Row:
    """As `row_of`, with what a program for a TPU is compiled in where no schedule is left, in the pool's process."""
    if kind == "gpu":
        return row_of(kind, case, program)
    row = pool.submit(row_of, kind, case, program, False).result()
    if program != "advance":
        return row
    read_here = row_of(kind, case, program)
    return row._replace(proposal=read_here.proposal, broken=row.broken + read_here.broken)


def of_words(plan: Plan) -> str:
    """The layout in words."""
    of = plan.size.layout
    row = " x ".join(map(str, of.row))
    many = f", {of.words * of.inner} words each" if of.words * of.inner > 1 else ""
    return f"{of.fields} a word{many}, rows of {row}"


def _of_a_proposal(kind: str, case: Case, plan: Plan, lowered, before: set[Path]) -> tuple[str, list[str]]:
    """What a proposal is in machine code, and the budgets that it breaks."""
    of, shape = plan.size.layout, plan.size.shape
    whole = (
        not case.heat and words_written_out(shape, of) and (shape.scalar or readers_written_out(shape, of))
    )
    if kind == "gpu":
        if util.find_spec("triton") is None:
            return "no wheel triton", []
        # Of a vector output: hidden units and outputs are unfolded, proposals done, both folded.
        code = read.hopper(lowered, devices.DUMP, 2 if whole and not shape.scalar else None)
        if not whole:
            return f"{max(code.paths)[0]} instructions a word, {code.registers} registers", list(code.faults)
        turns = tuple(units // at_a_time(units, shape.d) for units in (shape.K, shape.M))
        text = read.in_words(code, shape.proposals, turns)
        broken = [f"{fault} in the kernel" for fault in code.faults]
        if case.instructions and code.mean > case.instructions:
            broken.append(f"{code.mean:.0f} instructions a proposal, {case.instructions:.0f} are allowed")
        return text, broken
    paths = read.bundles(set(devices.DUMP.iterdir()) - before)
    if paths is None:
        return "loops within a proposal", []
    mean = sum(paths) / len(paths)
    rate = of.students * devices.TPU_CLOCK / mean / 1e9
    broken = (
        [f"{rate:.1f} G proposals/s, {case.rate:g} are the least"] if case.rate and rate < case.rate else []
    )
    return f"{' and '.join(map(str, paths))} bundles: {rate:,.1f} G/s", broken


def report(rows: dict[str, list[Row]], verdict: str = "Not finished.") -> str:
    """The page."""
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in read.VERSIONS if read.installed(name))
    lines = [HEAD.format(versions=versions, students=STUDENTS)]
    for kind, some in rows.items():
        lines += [
            f"## {devices.NAMES[kind]}",
            "",
            "| case | program | kernels | waits | memory | seconds | a proposal |",
            "|---|---|--:|--:|--:|--:|---|",
        ]
        lines += [
            f"| {r.case} | {r.program} | {r.kernels} | {r.waits} | {r.memory} | {r.seconds:.1f} | {r.proposal} |"
            for r in some
        ]
        lines.append("")
    return "\n".join([*lines, verdict, ""])


def main() -> int:
    """Compile, write, and say what broke."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=sorted(devices.NAMES))
    parser.add_argument("--case", default="", help="only cases whose title holds this")
    parser.add_argument("--out", type=Path, help="by default results/aot.md, where every case is asked for")
    given = parser.parse_args()
    if given.out is None and not given.only and not given.case:
        given.out = Path(__file__).parent / "results" / "aot.md"
    devices.prepare()
    kinds = [given.only] if given.only else ["gpu", "tpu"]
    for kind in list(kinds):
        if not read.installed(wheel := devices.WHEELS[kind]):
            print(
                f"{devices.NAMES[kind]} is skipped: {wheel} is not installed beside jax {jax.__version__} (extra aot)"
            )
            kinds.remove(kind)
    if "gpu" in kinds and util.find_spec("triton") is None:
        print(
            "triton is not installed: instructions and registers of a proposal are not held to their budgets"
        )
    if len(kinds) < 2 and not given.only:
        given.out = None  # the page is of both
    if not kinds:
        return 0
    with ProcessPoolExecutor(1, get_context("spawn"), initializer=devices.prepare, initargs=(False,)) as pool:
        broken = compile_all(kinds, given.case, given.out, pool)
    for fault in broken:
        print("BROKEN:", fault)
    return 1 if broken else 0


class Page:
    """Rows as they come, written to a file if there is one, and what broke."""

    def __init__(self, out: Path | None):
        self.out = out
        self.rows: dict[str, list[Row]] = {}
        self.broken: list[str] = []

    def add(self, kind: str, title: str, program: str, compiled: Callable[[], Row]) -> None:
        """Compile a program, and show and keep its row."""
        try:
            row = compiled()
        except Exception as error:  # compilers have errors of their own, which they do not all name
            first = (str(error).splitlines() or [type(error).__name__])[0]
            self.broken.append(f"{devices.NAMES[kind]}, {title}: {program} does not compile: {first}")
            print(self.broken[-1], flush=True)
            return
        self.rows.setdefault(kind, []).append(row)
        self.broken += row.broken
        print(*row[:-1], sep=" | ", flush=True)
        if self.out:
            self.out.write_text(report(self.rows))

    def end(self) -> None:
        """Say on the page what broke."""
        faults = "\n".join(["## Over a budget", "", *(f"- {fault}" for fault in self.broken)])
        if self.out:
            self.out.write_text(report(self.rows, faults if self.broken else "All budgets hold."))


def compile_all(kinds: list[str], title: str, out: Path | None, pool: ProcessPoolExecutor) -> list[str]:
    """Compile the cases whose title holds this, show and write their rows, and say what broke."""
    page = Page(out)
    for kind in kinds:
        for case in CASES:
            for program in programs.Programs._fields if title in case.title else ():
                page.add(kind, case.title, program, partial(apart, kind, case, program, pool))
        for case in sgd.CASES:
            for program in sgd.PROGRAMS if title in case.title else ():
                page.add(kind, case.title, program, partial(of_descent, kind, case, program, pool))
    page.end()
    return page.broken


def of_descent(kind: str, case: sgd.Case, program: str, pool: ProcessPoolExecutor) -> Row:
    """A program of gradient descent, compiled in the pool's process."""
    columns, faults = pool.submit(sgd.read_case, kind, case, program).result()
    return Row(*columns, tuple(faults))


if __name__ == "__main__":
    sys.exit(main())
