"""How fast students of ±1 weights are trained on this machine: behind `mbsim bench` and `benchmarks/table.py`.

What is timed is `ensemble.train` from call to results: drawing weights, batches and the order of proposals,
the sweeps, one measurement at the end with the usual number of test examples. Programs are compiled before,
and that time is given apart. How rates are made of times: `timings.py`.

Sweeps. The greedy dynamics accepts less and less as it learns, and what it rejects is cheaper for a
sequential program. So a rate belongs to a number of sweeps from a random start, which is given with it.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator
from time import perf_counter, process_time
from typing import NamedTuple

import numpy as np
from jax.sharding import Mesh

from mbsim.engines import ensemble, networks
from mbsim.engines.devices import available_bytes
from mbsim.engines.mesh import student_mesh
from mbsim.engines.networks import Shape
from mbsim.engines.registers import sizes
from mbsim.errors import MbsimError
from mbsim.physics import teachers
from mbsim.running import bench_sgd
from mbsim.running.timings import Measurement, Prepared, Timing, seconds_of_a_device, seconds_of_each

SEED = 1
TEST_SIZE = {"vector": 256, "scalar": 4096}  # the defaults of a run
FEWEST_SWEEPS, MOST_SWEEPS = 32, 320  # with fewer, start and measurement dominate
MANY_STUDENTS = 65536  # on one accelerator
REGISTERS = 8  # full of students, on one core
WIDE_SIZE = 1024  # beyond this N, half as many


class TooLarge(MbsimError):  # noqa: N818 (says what happened)
    """The device has no room for one student of a case."""


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
        TooLarge: no kernel has room for one student.
    """
    from mbsim.engines.pallas import layout, memory, refusals, targets  # Pallas is slow to import

    target = targets.target_of(mesh.devices.flat[0])
    of = layout.layout_for(target, shape, m, students)
    why = refusals.refuses(shape, np.array([m]), np.zeros(1), target, available_bytes(mesh.devices.flat[0]))
    if of is None or why:
        raise TooLarge(why)
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
        final_weights=False,
    )
    wall, cpu = perf_counter() - wall, process_time() - cpu
    return Timing(sweeps, sweeps * count * records.proposals, int(records.accepted.sum()), wall, cpu)


def sweeps_for(prepared: Prepared, seconds: float) -> int:
    """Sweeps that keep each device busy for about `seconds`, 32 to 320; warms up too."""
    run(prepared, 0)
    each = seconds_of_each(prepared, run(prepared, FEWEST_SWEEPS)) / FEWEST_SWEEPS
    return round(max(FEWEST_SWEEPS, min(MOST_SWEEPS, seconds / each)))


def measure(
    cases: Iterable[Case | bench_sgd.Case],
    seconds: float = 0.7,
    mesh: Mesh | None = None,
    progress: Callable[[object], None] = lambda case: None,
    left_out: Callable[[str], None] = warnings.warn,
) -> Iterator[Measurement]:
    """Compile and time one case after the other; `progress` hears of each before it begins, `left_out` of those that
    are too large for this device.
    """
    for case in cases:
        progress(case)
        if isinstance(case, bench_sgd.Case):
            yield bench_sgd.measure(case, seconds, mesh)
            continue
        try:
            prepared = prepare(case, mesh)
        except TooLarge as error:
            left_out(f"{case} is left out: {error}")
            continue
        sweeps = sweeps_for(prepared, seconds)
        start = run(prepared, 0)
        yield Measurement(prepared, run(prepared, sweeps), start)
