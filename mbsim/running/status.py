"""What is done of a run on disk, and how long the rest may take; JAX is not started, nothing is written.

A unit is "done" if it verifies, "damaged" if it has a record but does not, "left" if it has none. Files hold no times
of day, so the time left is read off the times at which the file system says that records were written.
"""

import shlex
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from itertools import accumulate, pairwise

from mbsim.data import netcdf_units
from mbsim.data import provenance as prov
from mbsim.data.configs import CONFIG
from mbsim.data.files import LOCK
from mbsim.data.layout import ROOT
from mbsim.data.records import State
from mbsim.data.store import RunFolder
from mbsim.plan.units import Unit, work_of
from mbsim.text import aligned, counted, duration

AT_ONCE = 0.25  # seconds between records of units that were trained together, at most


def text(folder: RunFolder) -> str:
    """What `mbsim status` prints."""
    if netcdf_units.is_old(folder.path):
        line = f"{folder.path} holds a run of an older mbsim, one file a unit; read and analyse it as it is"
        if not folder.config.model.real:
            return f"{line}; to go on, begin a new run, for ±1 weights are drawn otherwise now"
        return (
            f"{line}; to go on: {shlex.join(['mbsim', 'export', str(folder.path), 'NEW'])}, then "
            f"{shlex.join(['mbsim', 'run', str(folder.path / CONFIG), '--out', 'NEW'])}"
        )
    found = states(folder)
    number = counts(found)
    config = folder.config
    left = number["total"] - number["done"]
    lines = [f"{config.name}: {config.model.kind_name}, in {folder.path}"]
    if not left:
        whole = f"all {number['total']} units are" if number["total"] > 1 else "its one unit is"
        lines.append(f"{whole} done; m_c: {shlex.join(['mbsim', 'analyze', str(folder.path)])}")
        return "\n".join(lines)
    active = being_written(folder)
    state = "a process is computing them" if active else "no process is computing them"
    lines.append(f"{number['done']} of {counted(number['total'], 'unit')} are done, {left} to go; {state}")
    rows: list[list[object]] = [["N", "d", "done", "damaged", "left"]]
    for N, d in dict.fromkeys((unit.N, unit.d) for unit in found):
        here = [state for unit, state in found.items() if (unit.N, unit.d) == (N, d)]
        rows.append([N, d, *(here.count(state) for state in ("done", "damaged", "left"))])
    lines.append(aligned(rows))
    seconds = seconds_left(folder, found)
    time = "not known before more units are done" if seconds is None else duration(seconds)
    lines.append(f"time left, by the times of the records: {time}")
    drawn, now = folder.drawn_with(), prov.generator(config)
    if drawn not in ("", now):
        lines.append(
            f"drawn with {drawn!r}, and this mbsim draws with {now!r}: the version that began it can go on"
        )
    elif not active:
        resume = ["mbsim", "run", str(folder.path / CONFIG), "--out", str(folder.path)]
        lines.append(f"go on with: {shlex.join(resume)}")
    return "\n".join(lines)


def states(folder: RunFolder) -> dict[Unit, State]:
    """The state of every unit of the run; everything is read and its checksum verified."""
    if netcdf_units.is_old(folder.path):
        return netcdf_units.states(folder.path, folder.config, folder.times, folder.contents)

    def state(unit: Unit) -> State:
        if folder.done(unit):
            return "done"
        return "damaged" if folder.record_path(unit).exists() else "left"

    return {unit: state(unit) for unit in folder.units}


def counts(found: Mapping[Unit, State]) -> dict[str, int]:
    """How many units there are, and how many in each state."""
    values = list(found.values())
    return {"total": len(values), "done": values.count("done"), "damaged": values.count("damaged")} | {
        "left": values.count("left")
    }


def rate(folder: RunFolder, done: Iterable[Unit]) -> float | None:
    """How much work was done in a second, by the times of the records of units that are done; None if nobody
    knows when it began, or where a copy has made all files equally new.

    Units that were trained together are written one right after the other: their work took the time since those
    before them were written, or since the process began of which that is known. The median over all work leaves out
    other pauses and interruptions.
    """
    written = sorted(
        (folder.record_path(unit).stat().st_mtime, work_of(unit, folder.config)) for unit in done
    )
    begun = [path.stat().st_mtime for path in (folder.path / LOCK, folder.path / ROOT) if path.exists()]
    together: list[tuple[float, int]] = []
    for time, work in written:
        if together and time - together[-1][0] <= AT_ONCE:
            work += together.pop()[1]
        together.append((time, work))
    within, first = [], []  # rates and work
    for (before, _), (end, work) in pairwise([(0.0, 0), *together]):
        if starts := [time for time in begun if before < time < end]:
            if end - max(starts) > AT_ONCE:  # in less, files were copied
                first.append((work / (end - max(starts)), work))
        elif before:
            within.append((work / (end - before), work))
    rates = sorted(within or first)  # what a process does first takes compiling as well
    upto = list(accumulate(work for _, work in rates))
    return rates[bisect_left(upto, upto[-1] / 2)][0] if rates else None


def seconds_left(folder: RunFolder, found: Mapping[Unit, State]) -> float | None:
    """An estimate of what the units that are not done will take, None where nothing is known."""
    left = sum(work_of(unit, folder.config) for unit, state in found.items() if state != "done")
    speed = rate(folder, [unit for unit, state in found.items() if state == "done"])
    return left / speed if speed else None


def being_written(folder: RunFolder) -> bool:
    """Whether a process holds the folder's lock at this moment."""
    try:
        import fcntl

        with (folder.path / LOCK).open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # parts of a job array share it
    except BlockingIOError:
        return True
    except (ImportError, OSError):  # never locked, or no way to know
        return False
    return False
