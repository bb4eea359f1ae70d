"""How near to the machine's ceilings the proposals of ±1 weights come.

    python benchmarks/roofline.py [--seconds S] [--students N] [--out FILE.md]

For each case: what a proposal takes by the algorithm (`roofline_counts.py`), the rate at which it is done (sweeps
alone, as `mbsim bench`), and what this machine can do at most, measured in the same run:

    logic       bit-sliced counting (&, ^) on registers that never leave the core
    popcounts   of such registers
    bytes       a copy between arrays that together are as large as the state of the students, so that they lie
                where the state does: in a level of the cache, or in memory

The time that a proposal takes at least is the longer of  logic / ceiling + popcounts / ceiling  and
bytes / ceiling; the fraction is this over the time that it takes. On a CPU it is the registers of one core, by CPU
time; where jax finds an accelerator, the Pallas engine on it by the clock, rows of words in place of registers.
"""

import argparse
from functools import cache
from pathlib import Path
from time import perf_counter, process_time
from typing import NamedTuple

import jax

jax.config.update("jax_num_cpu_devices", 1)  # before jax looks for devices: one core

import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
import roofline_counts as counts  # noqa: E402
from accelerator import launch_of, seconds_a_sweep  # noqa: E402
from jax import lax  # noqa: E402
from jax.experimental import pallas as pl  # noqa: E402
from numba import njit, types  # noqa: E402
from numba.extending import intrinsic  # noqa: E402

from mbsim.engines import networks  # noqa: E402
from mbsim.engines.mesh import student_mesh  # noqa: E402
from mbsim.engines.pallas import memory, targets  # noqa: E402
from mbsim.engines.registers import sizes  # noqa: E402
from mbsim.engines.registers.calls import words_at  # noqa: E402
from mbsim.engines.registers.loading import address, load, store  # noqa: E402
from mbsim.engines.registers.vectors import popcount  # noqa: E402
from mbsim.running import bench, timings  # noqa: E402

TURNS = 3
WORDS = 8  # of 64 bits in a register
CASES = tuple(case for case in bench.QUICK if case.order == "random")


@njit
def count_bits(place, turns):
    """A counter of four planes, and a term in every turn: 7 operations. All fits in the machine's registers."""
    rows = words_at(place)
    a, b, c, d = load(rows, 0), load(rows, WORDS), load(rows, 2 * WORDS), load(rows, 3 * WORDS)
    for turn in range(turns):
        x = load(rows, (turn & 7) * WORDS)
        a, x = a ^ x, a & x
        b, x = b ^ x, b & x
        c, x = c ^ x, c & x
        d = d ^ x
    store(rows, 0, a ^ b ^ c ^ d)


@cache
def count_ones(bits):
    """Compile a loop with two popcounts of words of so many bits a turn, and four operations that fit beside them."""
    kind, words = types.CPointer(getattr(types, f"uint{bits}")), sizes.students_in(bits)

    @intrinsic
    def at(typing, place):
        return kind(types.int64), lambda context, builder, signature, values: builder.inttoptr(
            values[0], context.get_value_type(kind)
        )

    @njit
    def run(place, turns):
        rows = at(place)
        a, b = load(rows, 0), load(rows, words)
        for turn in range(turns):
            x = load(rows, (turn & 7) * words)
            a, b = popcount(a ^ x) + a, popcount(b ^ x) + b
        store(rows, 0, a ^ b)

    return run


@njit
def copy(source, target, words, turns):
    """All registers of an array of so many words, so many times."""
    for _ in range(turns):
        for at in range(0, words, WORDS):
            store(words_at(target), at, load(words_at(source), at))


class Ceilings(NamedTuple):
    """Operations and popcounts on registers a second, bytes read and written a second."""

    logic: float
    popcounts: float
    bytes: float


def per_second(work, each: float, clock) -> float:
    """`each` of something for each turn of work(turns), a second: the best of three turns of a tenth of a second."""
    work(1)
    turns, taken = 1, 0.0
    while taken < 0.05:
        turns *= 2
        began = clock()
        work(turns)
        taken = clock() - began
    turns = max(1, int(turns * 0.1 / taken))
    best = np.inf
    for _ in range(TURNS):
        began = clock()
        work(turns)
        best = min(best, clock() - began)
    return each * turns / best


def ceilings_of_core(state: int, bits: int) -> Ceilings:
    """Of one core, for a state of so many bytes in words of so many bits."""
    rows = np.random.default_rng(0).integers(0, 2**63, 128)
    source = np.ones(max(WORDS, state // 16 // WORDS * WORDS), int)
    target = np.zeros_like(source)
    places = address(source), address(target), len(source)
    return Ceilings(
        per_second(lambda turns: count_bits(address(rows), turns), 7, process_time),
        per_second(lambda turns: count_ones(bits)(address(rows), turns), 2, process_time),
        per_second(lambda turns: copy(*places, turns), 2 * source.nbytes, process_time),
    )


PROGRAMS, IN_A_CALL = 2**14, 2**14  # enough to fill any device, and turns enough that a call does not count
LOGIC, ONES = 8, 2  # operations, popcounts of a turn


def counted(i, rows):
    """A counter of four planes, and a term in every turn."""
    a, b, c, d, x = rows
    term = x ^ i
    a, term = a ^ term, a & term
    b, term = b ^ term, b & term
    c, term = c ^ term, c & term
    return a, b, c, d ^ term, x


def ones(i, rows):
    """Two popcounts, beside four other operations."""
    a, b, c, d, x = rows
    term = x ^ i
    return lax.population_count(a ^ term) + a, lax.population_count(b ^ term) + b, c, d, x


def on_rows(turn, target: targets.Target, row: tuple[int, ...]):
    """run(calls): a kernel whose programs take rows through turns that never leave a program's registers."""

    def kernel(given, found):
        rows = lax.fori_loop(0, IN_A_CALL, turn, tuple(given[i] for i in range(5)))
        found[0] = rows[0] ^ rows[1] ^ rows[2] ^ rows[3]

    def block(rows: int) -> pl.BlockSpec:
        return pl.BlockSpec((rows, *row), lambda g: (0, g, *(0 for _ in row[1:])))

    many = (row[0] * PROGRAMS, *row[1:])
    call = jax.jit(
        pl.pallas_call(
            kernel,
            grid=(PROGRAMS,),
            in_specs=[block(5)],
            out_specs=block(1),
            out_shape=jax.ShapeDtypeStruct((1, *many), jnp.int32),
            **targets.options(target),
        )
    )
    given = jnp.arange(5 * int(np.prod(many)), dtype=jnp.int32).reshape(5, *many)

    def run(calls):
        for _ in range(calls):
            result = call(given)
        result.block_until_ready()

    return run


def copied(words: int):
    """run(calls): words are read and written, always the same."""
    add = jax.jit(lambda x: x + 1, donate_argnums=0)
    kept = [jnp.zeros(words, jnp.int32)]

    def run(calls):
        for _ in range(calls):
            kept[0] = add(kept[0])
        kept[0].block_until_ready()

    return run


def ceilings_of_device(state: int, target: targets.Target, row: tuple[int, ...]) -> Ceilings:
    """Of one accelerator, operations and popcounts on rows of a program."""
    words, turns = max(2**10, min(state, 2**31) // 8), PROGRAMS * IN_A_CALL
    return Ceilings(
        per_second(on_rows(counted, target, row), LOGIC * turns, perf_counter),
        per_second(on_rows(ones, target, row), ONES * turns, perf_counter),
        per_second(copied(words), 8 * words, perf_counter),
    )


class Line(NamedTuple):
    """A case: what a proposal takes, proposals of registers or rows a second, ceilings, bytes of the state."""

    case: bench.Case
    work: counts.Work
    rate: float
    ceilings: Ceilings
    state: int

    @property
    def least(self) -> tuple[float, float]:
        """Seconds of a proposal at the ceilings: of its operations, of its bytes."""
        return (
            self.work.logic / self.ceilings.logic + self.work.popcounts / self.ceilings.popcounts,
            self.work.bytes / self.ceilings.bytes,
        )

    @property
    def fraction(self) -> float:
        """Of the roof."""
        return max(self.least) * self.rate


def of_core(case: bench.Case, seconds: float) -> Line:
    """Time a case on one core, and its ceilings."""
    prepared = bench.prepare(case, student_mesh(jax.local_devices()[:1]))
    sweeps = bench.sweeps_for(prepared, seconds)
    turns = [(bench.run(prepared, sweeps), bench.run(prepared, 0)) for _ in range(TURNS)]
    # The fastest of each, since a difference of two that belong together is too small as often as too large.
    timing, start = (timings.fastest(prepared, some) for some in zip(*turns, strict=True))
    rate = timings.rate(prepared, timing, start)
    shape = networks.shape_of(networks.stacked([prepared.teacher]), case.N, case.kind == "vector")
    bits = sizes.word_bits(case.m, sizes.readers_of(shape))
    state = sizes.block_bytes(shape, bits, -(-case.m // bits))
    work = counts.of_registers(shape, bits, case.m, timing.accepted / timing.work)
    return Line(case, work, rate / sizes.students_in(bits), ceilings_of_core(state, bits), state)


def of_accelerator(case: bench.Case, seconds: float, students: int) -> Line:
    """Time the sweeps of a case on an accelerator, and its ceilings."""
    launch = launch_of(case, students)
    size, shape = launch.size, launch.task.shape
    work = counts.of_pallas(shape, size.layout)
    state = launch._program("init")(launch.students, launch.teachers)
    sweep, _ = seconds_a_sweep(launch, shape.proposals, seconds, state)
    state_bytes = size.programs * memory.program_bytes(shape, size.layout, 0)
    ceilings = ceilings_of_device(state_bytes, size.target, size.layout.row)
    return Line(case, work, size.programs * shape.proposals / sweep, ceilings, state_bytes)


HEADINGS = (
    "case",
    "operations",
    "popcounts",
    "bytes",
    "state, KiB",
    "ns a proposal",
    "least by operations, ns",
    "least by bytes, ns",
    "fraction of the roof",
)


def text(lines: list[Line]) -> str:
    """The page."""
    mesh = student_mesh(jax.local_devices()[:1])
    cpu = mesh.devices.flat[0].platform == "cpu"
    unit = "a register of 64 bytes" if cpu else "a program's rows"
    first = lines[0].ceilings
    result = [
        "# Roofline",
        "",
        f"`python benchmarks/roofline.py` on {timings.device_name(mesh)}, jax {jax.__version__}.",
        f"A proposal is that of all students in {unit}; what it takes is counted in the algorithm, ceilings and",
        "times are measured in one run.",
        "",
        f"Ceilings: {first.logic / 1e9:.3g} G operations a second on {unit}; popcounts in words as wide as the case",
        "has, and bytes at the size of its state: "
        + ", ".join(
            f"{line.ceilings.popcounts / 1e9:.2g} G and {line.ceilings.bytes / 1e9:.0f} GB/s"
            for line in lines
        )
        + ".",
        "",
        "| " + " | ".join(HEADINGS) + " |",
        "|---|" + "--:|" * (len(HEADINGS) - 1),
    ]
    for line in lines:
        least = (f"{1e9 * part:.1f}" for part in line.least)
        cells = f"{line.work.logic:.0f}", f"{line.work.popcounts:.1f}", f"{line.work.bytes:,.0f}"
        result.append(
            "| "
            + " | ".join(
                (
                    str(line.case),
                    *cells,
                    f"{line.state / 2**10:.0f}",
                    f"{1e9 / line.rate:.1f}",
                    *least,
                    f"{line.fraction:.0%}",
                )
            )
            + " |"
        )
    result += [
        "",
        "Operations: two-input &, |, ^, ~, +, -. State: what a core or an accelerator works on at a time. Least: at",
        "the ceilings; the roof is the larger of the two, and the fraction is that over the time of a proposal.",
        "`benchmarks/roofline_counts.py` says what is counted.",
    ]
    return "\n".join(result) + "\n"


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=0.7, help="aim for each turn of a case")
    parser.add_argument("--students", type=int, default=524288, help="on an accelerator, which they fill")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "roofline.md")
    given = parser.parse_args()
    lines = []
    cpu = jax.default_backend() == "cpu"
    for case in CASES:
        try:
            if cpu:
                lines.append(of_core(case, given.seconds))
            else:
                lines.append(of_accelerator(case, given.seconds, given.students))
        except NotImplementedError as error:
            print(f"{case}: left out: {error}", flush=True)
            continue
        print(case, f"{lines[-1].fraction:.0%} of the roof", flush=True)
    page = text(lines)
    given.out.write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
