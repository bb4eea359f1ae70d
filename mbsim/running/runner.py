"""Runs a configuration: units of work one after the other, written as they finish, whatever interrupts.

A unit that is in the run folder and verifies is done; the rest is computed. A unit that fails (out of memory
on the device, say) is reported and the others go on. A signal (`interrupts`) and a full disk end the run in
good order: what is finished is safe, and the same command goes on from there. Importing this starts no JAX.
"""

import errno
import functools
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from mbsim.config.configuration import Config, load_config
from mbsim.data import dataset, provenance
from mbsim.data.store import RunFolder
from mbsim.engines import choose
from mbsim.engines.choice import FASTEST
from mbsim.errors import MbsimError
from mbsim.plan.memory import check_dataset, check_memory, host_memory
from mbsim.plan.tasks import launches, task_of, work_of
from mbsim.plan.units import Unit, measurement_times, units
from mbsim.running import checks, training
from mbsim.running import cluster as distributed
from mbsim.running.interrupts import raise_if_asked
from mbsim.running.progress import Progress, Report, Reporter

if TYPE_CHECKING:
    from distributed import Client

Keep = Callable[[Unit, dict[str, np.ndarray], dict[str, str]], None]
Compute = Callable[[Config, Sequence[Unit], Keep, Reporter], dict[Unit, str]]


class DiskFull(MbsimError):  # noqa: N818 (says what happened)
    """There was no space left to write; what was finished is kept."""


class UnitsFailed(MbsimError):  # noqa: N818 (says what happened)
    """Some units could not be computed; the others are done. One line for each."""


def run(
    config: Config | Mapping[str, Any] | str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    overrides: tuple[str, ...] = (),
    report: Report | None = None,
    dask: str | None = None,
    label: str = "dask",
) -> xr.Dataset:
    """`mbsim.run` without a display: see there for arguments, result and errors. `Interrupted` is raised by a
    signal within `interrupts.interruptible`.
    """
    settings = load_config(config, overrides)
    check(settings)
    if dask is None:
        return _run(settings, out, report, _compute)
    with distributed.cluster(dask, label) as client:
        return _run(settings, out, report, functools.partial(_compute_on_cluster, client))


def _run(
    settings: Config, out: str | os.PathLike[str] | None, report: Report | None, compute: Compute
) -> xr.Dataset:
    everything = units(settings)
    times = measurement_times(settings.dynamics.length, settings.measure.measurements)
    if out is None:
        results: dict[Unit, dict[str, np.ndarray]] = {}
        origins: list[dict[str, str]] = []

        def hold(unit: Unit, result: dict[str, np.ndarray], origin: dict[str, str]) -> None:
            results[unit] = result
            origins.append(origin)

        reporter = Reporter(outset(settings, everything), report)
        _raise_failed(compute(settings, everything, hold, reporter))
        return dataset.from_results(settings, results, times, provenance.joined(origins))
    with _disk_full_is_told(out):
        folder = RunFolder.create_or_open(out, settings)
        with folder.lock():
            folder.clean_temporaries()
            todo = folder.missing(everything)
            damaged = sum(folder.unit_path(unit).exists() for unit in todo)
            reporter = Reporter(outset(settings, todo, damaged), report)
            failed = compute(
                settings,
                todo,
                lambda unit, result, origin: folder.write(unit, result, times, origin),
                reporter,
            )
    _raise_failed(failed)
    return dataset.open_run(out)


def check(config: Config) -> None:
    """Refuse a run whose counts exceed integers, which exceeds the memory, or names what is not registered, before
    anything is written.

    Raises ConfigError, one line with what would fit.
    """
    everything = units(config)
    checks.counts(config, everything)
    checks.registered(config)
    checks.engine(config, everything[0])
    available = host_memory()
    check_dataset(config, available)
    check_memory(everything, lambda unit: training.unit_bytes(unit, config), available)


def outset(config: Config, todo: Sequence[Unit], damaged: int = 0) -> Progress:
    """How far a run is when it begins and has the units `todo` to compute, `damaged` of them again."""
    everything = units(config)
    total = sum(work_of(unit, config) for unit in everything)
    left = sum(work_of(unit, config) for unit in todo)
    counted = config.rule.work.many
    done = len(everything) - len(todo), len(everything), total - left, total, damaged
    return Progress(*done, counted=counted)


def _compute(config: Config, todo: Sequence[Unit], keep: Keep, reporter: Reporter) -> dict[Unit, str]:
    """Check the device, then compute units and hand each to `keep`. Returns what failed, with the reason."""
    if not todo:
        reporter.begin("nothing to do")
        return {}
    import jax

    from mbsim.engines import devices

    def advance(work: int) -> None:
        raise_if_asked()
        reporter.advance(work)

    devices.use_all_cores()
    choice = choose(task_of(todo[0], config), config.run.engine)
    named = "kernels" if choice.reason == FASTEST else f"engine {choice.engine.name} ({choice.reason})"
    reporter.begin(f"checking known answers of the {named}")
    training.self_check(config, todo[0], reporter.begin)
    here = training.origin(config, todo[0])
    failed: dict[Unit, str] = {}
    waiting = deque(launches(todo, config))
    while waiting:
        launch = waiting.popleft()
        raise_if_asked()
        reporter.begin_launch(launch)
        try:
            found = training.train_units(launch, config, advance)
        except (jax.errors.JaxRuntimeError, MemoryError) as error:
            reporter.launch_failed()
            if len(launch) > 1:  # what does not fit together may do so apart
                half = len(launch) // 2
                waiting.extendleft((launch[half:], launch[:half]))
            else:
                failed[launch[0]] = (str(error).strip().splitlines() or [type(error).__name__])[0]
            continue
        for unit, result in zip(launch, found, strict=True):
            keep(unit, result, here)
            reporter.unit_kept()
    return failed


def _compute_on_cluster(
    client: "Client", config: Config, todo: Sequence[Unit], keep: Keep, reporter: Reporter
) -> dict[Unit, str]:
    """As `_compute`, on the workers of a dask cluster."""
    reporter.begin("handing out units" if todo else "nothing to do")
    failed: dict[Unit, str] = {}
    for answer in distributed.answers(client, todo, config):
        reporter.begin_launch([answer.unit])
        if answer.failure:
            failed[answer.unit] = answer.failure
            reporter.launch_failed()
        else:
            keep(answer.unit, answer.arrays, answer.provenance)
            reporter.advance(work_of(answer.unit, config))
            reporter.unit_kept()
    return failed


@contextmanager
def _disk_full_is_told(out: str | os.PathLike[str]) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DiskFull(f"no space left to write {os.fspath(out)}: what is finished is kept") from error


def _raise_failed(failed: Mapping[Unit, str]) -> None:
    if failed:
        raise UnitsFailed(*(f"{unit.stem}: {reason}" for unit, reason in failed.items()))
