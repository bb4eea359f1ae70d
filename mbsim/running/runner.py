"""Runs a configuration: units of work one after the other, written as they finish, whatever interrupts.

A unit that is in the run folder and verifies is done; the rest is computed. A unit that fails is reported and the
others go on. A signal (`interrupts`) and a full disk end the run in
good order: what is finished is safe, and the same command goes on from there. Importing this starts no JAX.
"""

import functools
import os
import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import xarray as xr

from mbsim.config.configuration import Config, load_config
from mbsim.data import dataset, provenance
from mbsim.data.store import RunFolder
from mbsim.engines import devices, shares
from mbsim.engines.choice import FASTEST
from mbsim.engines.settings import check_shell
from mbsim.errors import NO_ROOM, ConfigError, MbsimError
from mbsim.plan.memory import check_dataset, check_memory, host_memory
from mbsim.plan.parts import Part
from mbsim.plan.tasks import LIMITS, OF_ACCELERATORS, launches, task_of
from mbsim.plan.times import measurement_times
from mbsim.plan.units import Unit, count, foremost, units, whole_work, work_of
from mbsim.running import checks, training
from mbsim.running import cluster as distributed
from mbsim.running.ahead import prepared
from mbsim.running.interrupts import raise_if_asked
from mbsim.running.progress import Progress, Report, Reporter

if TYPE_CHECKING:
    from distributed import Client

Keep = Callable[[Unit, dict[str, np.ndarray], dict[str, str]], None]
Compute = Callable[[Config, Sequence[Unit], Keep, Reporter], dict[Unit, str]]


class DiskFull(MbsimError):  # noqa: N818 (says what happened)
    """There was no space left to write, or a quota or limit was reached; what was finished is kept."""

    @classmethod
    def at(cls, path: str | os.PathLike[str], error: OSError) -> Self:
        """What an error of the file system meant for a file or folder."""
        return cls(f"no space left to write {os.fspath(path)} ({error.strerror})")


class UnitsFailed(MbsimError):  # noqa: N818 (says what happened)
    """Some units could not be computed; the others are done. One line for each."""


def run(
    config: Config | Mapping[str, Any] | str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    overrides: tuple[str, ...] = (),
    report: Report | None = None,
    dask: str | None = None,
    part: Part | None = None,
) -> xr.Dataset:
    """`mbsim.run` without a display: see there for arguments, result and errors. `Interrupted` is raised by a
    signal within `interrupts.interruptible`.
    """
    settings = load_config(config, overrides)
    if out is not None:
        train(settings, out, report=report, dask=dask, part=part)
        return dataset.open_run(out)
    if part is not None:
        raise ConfigError(f"part {part.index}/{part.count}: parts meet in a run folder; name one as out")
    if dask is None:
        check_shell()
    check(settings)
    check_dataset(settings, host_memory())
    everything = units(settings)
    times = measurement_times(settings.dynamics.length, settings.measure.measurements)
    results: dict[Unit, dict[str, np.ndarray]] = {}
    origins: list[dict[str, str]] = []

    def hold(unit: Unit, result: dict[str, np.ndarray], origin: dict[str, str]) -> None:
        results[unit] = result
        origins.append(origin)

    reporter = Reporter(outset(settings, everything, everything), report)
    with _computer(dask) as compute:
        _raise_failed(compute(settings, everything, hold, reporter))
    return dataset.from_results(settings, results, times, provenance.joined(origins))


def train(
    config: Config,
    out: str | os.PathLike[str],
    *,
    report: Report | None = None,
    dask: str | None = None,
    label: str = "dask",
    part: Part | None = None,
) -> RunFolder:
    """Train what is missing of a run folder, or of one part of it, and write it as it is finished.

    Args:
        config: what the folder holds, or what it is to grow to.
        out: the folder.
        report: called with a `Progress` now and then.
        dask: address of a scheduler whose workers compute.
        label: what errors call that address.
        part: which units this process takes, if not all; of several hosts of one JAX program, each takes its own.
    """
    if dask is None:
        check_shell()
    check(config)
    part = part or _part_of_host()
    with _computer(dask, label) as compute, _disk_full_is_told(out):
        folder = RunFolder.create_or_open(out, config)
        with folder.lock(shared=part is not None):
            folder.prepare(alone=part is None)
            mine = folder.units if part is None else part.of(folder.units)
            todo = folder.missing(mine)
            reporter = Reporter(outset(config, mine, todo, folder.damaged(todo)), report)
            failed = compute(
                config,
                todo,
                lambda unit, result, origin: folder.write(unit, result, folder.times, origin),
                reporter,
            )
    _raise_failed(failed)
    return folder


def check(config: Config) -> None:
    """Refuse a run whose counts exceed integers, which has too many units or one that exceeds the memory, or which
    names what is not registered, before anything is written.

    Raises ConfigError, one line with what would fit.
    """
    checks.planned(config)
    some = tuple(foremost(config))
    checks.counts(config, some)
    checks.registered(config)
    widest = {(unit.N, unit.d): unit for unit in sorted(some, key=lambda unit: unit.m[-1])}
    for unit in widest.values():
        checks.engine(config, unit)
    check_memory(some, lambda unit: training.unit_bytes(unit, config), host_memory())


def outset(config: Config, everything: Sequence[Unit], todo: Sequence[Unit], damaged: int = 0) -> Progress:
    """How far a run is when it begins and has the units `todo` to compute, `damaged` of them again."""
    total = sum(work_of(unit, config) for unit in everything)
    left = sum(work_of(unit, config) for unit in todo)
    counted = config.rule.work.many
    done = len(everything) - len(todo), len(everything), total - left, total, damaged
    return Progress(*done, counted=counted)


def outset_of_new(config: Config) -> Progress:
    """The same of a run that has not begun, whose units, a million perhaps, need not be listed for it."""
    return Progress(0, count(config), 0, whole_work(config), 0, counted=config.rule.work.many)


def _part_of_host() -> Part | None:
    """The share of this host, where a program has joined several with `jax.distributed.initialize`."""
    if "jax" not in sys.modules:  # it takes a second to import, and then nothing has joined
        return None
    from mbsim.lazy import jax

    if not jax.distributed.is_initialized() or jax.process_count() == 1:
        return None
    return Part(jax.process_index() + 1, jax.process_count())


@contextmanager
def _computer(dask: str | None, label: str = "dask") -> Iterator[Compute]:
    """What trains: this process, or the workers of a cluster."""
    if dask is None:
        yield _compute
        return
    with distributed.cluster(dask, label) as client:
        yield functools.partial(_compute_on_cluster, client)


def _compute(config: Config, todo: Sequence[Unit], keep: Keep, reporter: Reporter) -> dict[Unit, str]:
    """Check the device, then compute units and hand each to `keep`. Returns what failed, with the reason."""
    if not todo:
        reporter.begin("nothing to do")
        return {}

    def advance(work: int) -> None:
        raise_if_asked()
        if work:  # while programs are compiled, it is only asked whether to go on
            reporter.advance(work)

    backend = devices.backend()
    said, right = "", set[tuple[str, str]]()
    most = LIMITS.get(backend, OF_ACCELERATORS)
    failed: dict[Unit, str] = {}
    following: Generator[list[Unit]] = launches(todo, config, most)
    if backend != "cpu":
        following = prepared(following, lambda launch, still: training.prepare(launch, config, still))
    with closing(following):
        for launch in following:
            raise_if_asked()
            choices = [share.choice for share in shares(task_of(launch, config), config.run.engine)]
            named = "kernels"
            if any(choice.reason != FASTEST for choice in choices):
                named = " and ".join(f"engine {choice.engine.name} ({choice.reason})" for choice in choices)
            if named != said:  # that of other sizes may be another
                reporter.begin(f"checking known answers of the {named}")
                said = named
            training.self_check(config, launch, reporter.begin, right)
            reporter.begin_launch(launch)
            try:
                found = training.train_units(launch, config, advance)
            except devices.errors() as error:
                reporter.launch_failed()
                reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
                failed |= dict.fromkeys(launch, reason)
                continue
            here = training.origin(config, launch)  # now it is known what has trained it
            for unit, result in zip(launch, found, strict=True):
                raise_if_asked()
                keep(unit, result, here)
                reporter.unit_kept()
    return failed


def _compute_on_cluster(
    client: "Client", config: Config, todo: Sequence[Unit], keep: Keep, reporter: Reporter
) -> dict[Unit, str]:
    """As `_compute`, on the workers of a dask cluster."""
    reporter.begin("handing out units" if todo else "nothing to do")
    failed: dict[Unit, str] = {}
    for answer in distributed.answers(client, todo, config, reporter.handed_out):
        reporter.received(answer.unit)
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
        if error.errno not in NO_ROOM:
            raise
        raise DiskFull.at(out, error) from error


def _raise_failed(failed: Mapping[Unit, str]) -> None:
    if failed:
        raise UnitsFailed(*(f"{unit}: {reason}" for unit, reason in failed.items()))
