"""What `mbsim bench` shows and writes: a table for each kind of work, and one JSON object for all."""

import importlib.metadata
import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import jax
from jax.sharding import Mesh
from rich.table import Table

from mbsim.data import provenance
from mbsim.engines.mesh import student_mesh
from mbsim.engines.registers import kept
from mbsim.running.timings import Measurement, device_name, on_cpu, processor, rate
from mbsim.sampling.examples import IN_TILES
from mbsim.sampling.streams import GENERATOR


class Kind(NamedTuple):
    """How work is called: what is counted, in what unit, that many of it, and the length of a run."""

    counted: str
    unit: str
    size: float
    length: str


PROPOSALS = Kind("proposals", "M/s", 1e6, "sweeps")
STEPS = Kind("steps", "k/s", 1e3, "steps")


def kind_of(measurement: Measurement) -> Kind:
    """What a case counts: proposals of the engines of ±1 weights, steps of gradient descent."""
    return STEPS if measurement.prepared.engine == "batched" else PROPOSALS


def record(measurement: Measurement) -> dict[str, Any]:
    """A measurement as plain numbers: what `counted` names a second, seconds, and bytes of a device."""
    prepared, timing, start = measurement
    kind = kind_of(measurement)
    return {
        "case": str(prepared.case),
        "engine": prepared.engine,
        "counted": kind.counted,
        "students": prepared.students * prepared.mesh.devices.size,
        kind.length: timing.length,
        "per_second": timing.work / timing.wall,
        "per_second_of_a_device": rate(prepared, timing),
        "accepted": None if timing.accepted is None else timing.accepted / timing.work,
        "wall_seconds": timing.wall,
        "cpu_seconds": timing.cpu,
        "start_seconds": start.wall,
        "compile_seconds": prepared.compile_seconds,
        "memory_bytes": prepared.memory,
    }


def as_json(measurements: Iterable[Measurement], mesh: Mesh | None = None) -> str:
    """The measurements as one JSON object: `device`, `timed_by` ("cpu" time or "wall" clock of a device), the
    `processor` with what it can do and the versions of numba and llvmlite, which compile for it, the versions of
    `provenance.collect`, what the `columns` mean, and `cases`, a `record` each.
    """
    mesh = student_mesh() if mesh is None else mesh
    found = [record(one) for one in measurements]
    engines = ", ".join(sorted({one["engine"] for one in found}))
    cpu = mesh.devices.flat[0].platform == "cpu"
    head = {"device": device_name(mesh), "timed_by": "cpu" if cpu else "wall"}
    head |= {"processor": processor(), "processor_features": kept.processor()[2]}
    head |= {f"{name}_version": importlib.metadata.version(name) for name in ("numba", "llvmlite")}
    head |= provenance.collect(prng=f"{GENERATOR}, {IN_TILES}", engine=engines)
    return json.dumps({**head, "columns": MEANINGS, "cases": found}, indent=1) + "\n"


MEANINGS = {
    "counted": "what the rates count",
    "students": "trained together, on all devices",
    "sweeps": "of each student, from a random start",
    "steps": "of each student, one mini-batch each",
    "per_second": "of all students, by the wall clock from call to results; compiling is left out",
    "per_second_of_a_device": "of one core by CPU time, which other programs hardly disturb; of one accelerator by "
    "the wall clock; start and measurement are part of it",
    "accepted": "part of the proposals that were",
    "wall_seconds": "of the run by the clock",
    "cpu_seconds": "of the run, all threads together",
    "start_seconds": "of the same run of length 0: drawing weights, and measuring once",
    "compile_seconds": "before the first run, or spent on loading what an earlier process has compiled",
    "memory_bytes": "of a core's or an accelerator's, estimated",
}
"""What each key of a `record` means."""


def tables(measurements: Iterable[Measurement]) -> Iterator[Table]:
    """A table for each kind of work, columns explained below it."""
    some = list(measurements)
    for kind in dict.fromkeys(map(kind_of, some)):
        yield table([one for one in some if kind_of(one) == kind])


def table(measurements: list[Measurement]) -> Table:
    """Measurements of one kind."""
    first, kind = measurements[0].prepared, kind_of(measurements[0])
    one = "core" if on_cpu(first) else "device"
    proposals = kind is PROPOSALS
    clock = "by CPU time, which other programs hardly disturb" if one == "core" else "all over their number"
    heading = f"{'Millions of' if proposals else 'Thousands of'} {kind.counted} a second"
    lines = [
        f"students: trained together. {kind.length}: of each of them, from a random start.",
        f"all: {kind.counted} of all students a second by the wall clock, from call to results, compiling left out.",
        f"a {one}: of one {one}, {clock}.",
        *(["accepted: part of the proposals."] if proposals else []),
        "start: part of the time that drawing weights and one measurement take.",
        f"memory: of a {one}, estimated. compile: before the first run, or loading what was compiled before.",
    ]
    result = Table(
        title=f"{heading} on {device_name(first.mesh)}, jax {jax.__version__}",
        caption="\n".join(lines),
        caption_justify="left",
    )
    result.add_column("case", no_wrap=True)
    rates = f"all, {kind.unit}", f"a {one}, {kind.unit}"
    accepted = ("accepted, %",) if proposals else ()
    for name in ("students", kind.length, *rates, *accepted, "start, %", "memory, MiB", "compile, s"):
        result.add_column(name, justify="right", no_wrap=True)
    for prepared, timing, start in measurements:
        taken = () if timing.accepted is None else (f"{100 * timing.accepted / timing.work:.1f}",)
        result.add_row(
            str(prepared.case),
            f"{prepared.students * prepared.mesh.devices.size:,}",
            f"{timing.length:,}",
            f"{timing.work / timing.wall / kind.size:,.1f}",
            f"{rate(prepared, timing) / kind.size:,.1f}",
            *taken,
            f"{100 * start.wall / timing.wall:.0f}",
            f"{prepared.memory / 2**20:.3g}",
            f"{prepared.compile_seconds:.1f}",
        )
    return result
