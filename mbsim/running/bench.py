"""How fast students are trained on this machine: behind `mbsim bench` and `benchmarks/table.py`.

What is timed is `ensemble.train` from call to results: drawing weights, batches and the order of proposals,
the sweeps, one measurement at the end with the usual number of test examples. Programs are compiled before,
and that time is given apart. Rates are in proposals per second, memory in bytes of one device, times in
seconds.

Wall clock and CPU time. On CPU the rate per core divides by the CPU time of the process, all its threads
together: other people's work on the machine then does not count, and a device that helps itself to two cores
pays for both. With the machine to itself, CPU time is the wall clock times the number of busy devices. On an
accelerator the wall clock counts, and the rate is that of one device.

Sweeps. The greedy dynamics accepts less and less as it learns, and what it rejects is cheaper for a
sequential program. So a rate belongs to a number of sweeps from a random start, which is given with it.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from time import perf_counter, process_time
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh
from rich.table import Table

from mbsim.data import provenance
from mbsim.engines import ensemble, networks
from mbsim.engines.mesh import student_mesh
from mbsim.engines.networks import Shape
from mbsim.engines.registers import sizes
from mbsim.physics import teachers
from mbsim.physics.problem import Teacher
from mbsim.sampling.streams import GENERATOR

SEED = 1
TEST_SIZE = {"vector": 256, "scalar": 4096}  # the defaults of a run
FEWEST_SWEEPS, MOST_SWEEPS = 32, 320  # with fewer, start and measurement dominate
MANY_STUDENTS = 65536  # on one accelerator
REGISTERS = 8  # full of students, on one core
WIDE_SIZE = 1024  # beyond this N, half as many


class Case(NamedTuple):
    """A line of the table: "vector" output, both layers trained, or "scalar", hidden layer trained; T = 0."""

    kind: str
    N: int
    d: int
    m: int
    order: str

    def __str__(self) -> str:
        return f"{self.kind} N={self.N} d={self.d} m={self.m} {self.order}"


ORDERS = ("random", "sequential")
SIZES = (("vector", 256, 3, 8), ("vector", 256, 5, 16), ("vector", 64, 9, 64), ("scalar", 63, 3, 256))
QUICK = tuple(Case(*sizes, order) for sizes in SIZES for order in ORDERS)
FULL = tuple(
    Case("vector", N, d, m, order)
    for N in (64, 256, 1024, 4096, 16384)
    for d in (3, 5, 9)
    for m in (8, 16, 64)
    for order in ORDERS
) + tuple(Case("scalar", N, 3, m, order) for N in (63, 255) for m in (256, 1024) for order in ORDERS)


class Prepared(NamedTuple):
    """A case compiled for so many students on each device, by an engine of `ensemble.train`."""

    case: Case
    teacher: Teacher
    mesh: Mesh
    engine: str
    students: int
    compile_seconds: float
    memory: int


class Timing(NamedTuple):
    """One run: sweeps, proposals of all students, how many were accepted, wall-clock and CPU seconds."""

    sweeps: int
    proposals: int
    accepted: int
    wall: float
    cpu: float


class Measurement(NamedTuple):
    """A case and its run; `start` is the same without a sweep: what start and measurement cost."""

    prepared: Prepared
    run: Timing
    start: Timing


def on_cpu(prepared: Prepared) -> bool:
    """Whether the devices are CPU cores, whose rates go by CPU time."""
    return prepared.mesh.devices.flat[0].platform == "cpu"


def seconds_of_a_device(prepared: Prepared, timing: Timing) -> float:
    """Seconds of one core (CPU time) or one accelerator (wall clock, times their number) that a run took."""
    return timing.cpu if on_cpu(prepared) else timing.wall * prepared.mesh.devices.size


def rate(prepared: Prepared, timing: Timing, start: Timing | None = None) -> float:
    """Proposals per second of one core or accelerator; without start and measurement if `start` is given."""
    seconds = seconds_of_a_device(prepared, timing)
    if start is not None:
        seconds -= seconds_of_a_device(prepared, start)
    return timing.proposals / seconds


def prepare(case: Case, mesh: Mesh | None = None, students: int | None = None) -> Prepared:
    """Draw the teacher and compile what `ensemble.train` will use: registers on CPU, Pallas on an accelerator.

    It is kept: prepared twice in a process, a case takes no time to compile. Compiling is what the first run takes
    longer than the second; or loading what an earlier process has compiled.

    Args:
        case: what to run.
        mesh: devices; all of this process by default.
        students: on each device; by default eight registers full on CPU, four beyond N = 1,024 so that sweeps do not
            take long, and 65,536 on an accelerator, which trains as many at a time as fit.
    """
    mesh = student_mesh() if mesh is None else mesh
    vector = case.kind == "vector"
    teacher = teachers.draw_teacher(case.N, case.N, case.N if vector else 1, case.d, vector, SEED, 0)
    shape = networks.shape_of(networks.stacked([teacher]), case.N, vector)
    if mesh.devices.flat[0].platform == "cpu":
        register = sizes.students_in(sizes.word_bits(case.m, sizes.readers_of(shape)))
        each = students or register * (REGISTERS if case.N <= WIDE_SIZE else REGISTERS // 2)
        needed = sizes.core_bytes(shape, case.m) + sizes.weight_bytes(shape, each)
        prepared = Prepared(case, teacher, mesh, "registers", each, 0.0, needed)
    else:
        each = students or MANY_STUDENTS
        prepared = Prepared(
            case, teacher, mesh, "pallas", each, 0.0, _launch_bytes(shape, case.m, each, mesh)
        )
    first, second = (seconds_of_a_device(prepared, run(prepared, 1)) for _ in range(2))
    return prepared._replace(compile_seconds=max(0.0, first - second))


def _launch_bytes(shape: Shape, m: int, students: int, mesh: Mesh) -> int:
    """Memory of the largest launch of the Pallas engine on one device.

    Raises:
        ValueError: no kernel has room for one student.
    """
    from mbsim.engines.pallas import layout, memory, targets  # Pallas is slow to import

    of = layout.layout_for(targets.target_of(mesh.devices.flat[0]), shape, m, students)
    if of is None:
        raise ValueError(f"N = {shape.N}, m = {m}: too large for the kernels of {device_name(mesh)}")
    programs = min(-(-students // of.students), memory.most_programs(shape, of, 0, mesh))
    return programs * memory.program_bytes(shape, of, 0)


def run(prepared: Prepared, sweeps: int) -> Timing:
    """Train every student from a random start for a number of sweeps (0: start and measure), and time it."""
    case, count = prepared.case, prepared.students * prepared.mesh.devices.size
    zeros = np.zeros(count)
    labels = ensemble.StudentLabels(
        np.zeros(count, int), np.full(count, case.m), np.arange(count), zeros, zeros
    )
    wall, cpu = perf_counter(), process_time()
    records, _ = ensemble.train(
        networks.stacked([prepared.teacher]),
        np.zeros(1, int),
        labels,
        np.array([sweeps]),
        seed=SEED,
        N=case.N,
        train_output=case.kind == "vector",
        dynamics=ensemble.Dynamics(case.order),
        test_size=TEST_SIZE[case.kind],
        engine=prepared.engine,
        workers=prepared.mesh.devices.size,
        mesh=prepared.mesh,
    )
    wall, cpu = perf_counter() - wall, process_time() - cpu
    return Timing(sweeps, sweeps * count * records.proposals, int(records.accepted.sum()), wall, cpu)


def sweeps_for(prepared: Prepared, seconds: float) -> int:
    """Sweeps that take about `seconds` by the wall clock, 32 to 320; warms up too."""
    run(prepared, 0)
    trial = run(prepared, FEWEST_SWEEPS)
    return round(max(FEWEST_SWEEPS, min(MOST_SWEEPS, FEWEST_SWEEPS * seconds / trial.wall)))


def measure(
    cases: Iterable[Case],
    seconds: float = 0.7,
    mesh: Mesh | None = None,
    progress: Callable[[Case], None] = lambda case: None,
) -> Iterator[Measurement]:
    """Compile and time one case after the other; `progress` hears of each before it begins."""
    for case in cases:
        progress(case)
        prepared = prepare(case, mesh)
        sweeps = sweeps_for(prepared, seconds)
        start = run(prepared, 0)
        yield Measurement(prepared, run(prepared, sweeps), start)


def device_name(mesh: Mesh) -> str:
    """Such as "2 x cpu" or "1 x NVIDIA H100"."""
    return f"{mesh.devices.size} x {mesh.devices.flat[0].device_kind}"


def size_text(size: int) -> str:
    """Bytes in MiB."""
    return f"{size / 2**20:.3g} MiB"


def record(measurement: Measurement) -> dict[str, Any]:
    """A measurement as plain numbers: proposals per second, seconds, and bytes of a device."""
    prepared, timing, start = measurement
    return {
        "case": str(prepared.case),
        "engine": prepared.engine,
        "students": prepared.students * prepared.mesh.devices.size,
        "sweeps": timing.sweeps,
        "proposals_per_second": timing.proposals / timing.wall,
        "proposals_per_second_of_a_device": rate(prepared, timing),
        "accepted": timing.accepted / timing.proposals,
        "wall_seconds": timing.wall,
        "cpu_seconds": timing.cpu,
        "start_seconds": start.wall,
        "compile_seconds": prepared.compile_seconds,
        "memory_bytes": prepared.memory,
    }


def as_json(measurements: Iterable[Measurement], mesh: Mesh | None = None) -> str:
    """The measurements as one JSON object: `device`, `timed_by` ("cpu" time or "wall" clock of a device), the
    versions of `provenance.collect`, and `cases`, a `record` each.
    """
    mesh = student_mesh() if mesh is None else mesh
    found = [record(one) for one in measurements]
    engines = ", ".join(sorted({one["engine"] for one in found}))
    cpu = mesh.devices.flat[0].platform == "cpu"
    head = {"device": device_name(mesh), "timed_by": "cpu" if cpu else "wall"}
    head |= provenance.collect(prng=GENERATOR, engine=engines)
    return json.dumps({**head, "cases": found}, indent=1) + "\n"


def table(measurements: Iterable[Measurement], mesh: Mesh | None = None) -> Table:
    """The measurements as one table, rates in millions of proposals per second."""
    mesh = student_mesh() if mesh is None else mesh
    one = "core" if mesh.devices.flat[0].platform == "cpu" else "device"
    result = Table(
        title=f"Millions of proposals per second on {device_name(mesh)}, jax {jax.__version__}",
        caption=f"total: by the wall clock, compiling left out. per {one}: "
        + ("by the CPU time, which others cannot disturb. " if one == "core" else "total over their number. ")
        + "start: its share of the run, with measuring. share: of compiling in compiling and run.",
    )
    result.add_column("case", no_wrap=True)
    headings = "students", "sweeps", "total", f"per {one}", "accepted", "start", "memory", "compile", "share"
    for heading in headings:
        result.add_column(heading, justify="right", no_wrap=True)
    for prepared, timing, start in measurements:
        result.add_row(
            str(prepared.case),
            str(prepared.students * prepared.mesh.devices.size),
            str(timing.sweeps),
            f"{timing.proposals / timing.wall / 1e6:.1f}",
            f"{rate(prepared, timing) / 1e6:.1f}",
            f"{timing.accepted / timing.proposals:.3f}",
            f"{start.wall / timing.wall:.0%}",
            size_text(prepared.memory),
            f"{prepared.compile_seconds:.1f} s",
            f"{prepared.compile_seconds / (prepared.compile_seconds + timing.wall):.0%}",
        )
    return result
