"""Runs a configuration: units of work one after the other, written as they finish, whatever interrupts.

A unit that is in the run folder and verifies is done; the rest is computed. A unit that fails (out of memory on the device, say) is
reported and the others go on. A signal (`interrupts`) and a full disk end the run in good order: what is finished is safe,
and the same command goes on from there. Importing this does not start JAX.
"""

import errno
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from mbsim import dataset, provenance
from mbsim.config import Config, load_config
from mbsim.errors import MbsimError
from mbsim.grid import Unit, check_dataset, check_memory, host_memory, measurement_times, units
from mbsim.interrupts import Interrupted, raise_if_asked
from mbsim.store import RunFolder

OVERLAP_TAIL = 0.75  # moments are taken over measured times later than this part of the run


class Progress(NamedTuple):
    """How far a run is. The first report comes when it is known what is left, before anything is compiled.

    units_done, proposals_done: finished before and by this run, of `units` and `proposals` asked for.
    damaged: files that failed their checksum when this run began, and are computed again.
    doing: in words.
    seconds, timed: time of training without compiling, and the proposals done in it.
    """

    units_done: int
    units: int
    proposals_done: int
    proposals: int
    damaged: int
    doing: str
    seconds: float
    timed: int

    @property
    def rate(self) -> float:
        """Proposals per second of this run, compiling left out; 0 before the first."""
        return self.timed / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Estimate of the time left, None before there is a rate."""
        return (self.proposals - self.proposals_done) / self.rate if self.rate else None


Report = Callable[[Progress], None]


class DiskFull(MbsimError):
    """There was no space left to write; what was finished is kept."""


class UnitsFailed(MbsimError):
    """Some units could not be computed; the others are done. One line for each."""


class SelfCheckFailed(MbsimError):
    """The compiled kernels give wrong numbers on this device."""


def run(
    config: Config | Mapping[str, Any] | str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    overrides: tuple[str, ...] = (),
    report: Report | None = None,
) -> xr.Dataset:
    """Train the whole grid of a configuration and return its dataset.

    Args:
        config: a path to a TOML file, a dict, or a `Config`.
        out: the run folder. If it holds part of the same run, only what is missing is computed. None: nothing is written.
        overrides: settings such as "grid.d=[3,5]", as the command line's --set.
        report: called with a `Progress` now and then.

    Returns:
        The dataset that `open_run(out)` gives.

    Raises:
        ConfigError, RunFolderError: bad input; nothing was written.
        UnitsFailed: some units failed; the rest was computed and, with `out`, kept.
        SelfCheckFailed: the compiled kernels give wrong numbers on this device.
        DiskFull: the disk is full; run again when there is space.
        Interrupted: within `interrupts.interruptible`, a signal. (Elsewhere Ctrl-C raises KeyboardInterrupt, as ever.)
    """
    settings = load_config(config, overrides)
    check(settings)
    everything = units(settings)
    if out is None:
        results: dict[Unit, dict[str, np.ndarray]] = {}
        work = _Work(settings, everything, everything, 0, report)
        _raise_failed(_compute(work, results.__setitem__))
        return dataset.from_results(settings, results, _times(settings), _provenance())
    with _disk_full_is_told(out):
        folder = RunFolder.create_or_open(out, settings)
        with folder.lock():
            folder.clean_temporaries()
            todo = folder.missing(everything)
            damaged = sum(folder.unit_path(unit).exists() for unit in todo)
            origin = _provenance() if todo else {}
            work = _Work(settings, everything, tuple(todo), damaged, report)
            failed = _compute(work, lambda unit, result: folder.write(unit, result, _times(settings), origin))
    _raise_failed(failed)
    return dataset.open_run(out)


def check(config: Config) -> None:
    """Refuse a run that cannot fit in memory, before anything is written. Raises ConfigError with the estimate."""
    available = host_memory()
    check_dataset(config, available)
    check_memory(units(config), lambda unit: unit_bytes(unit, config), available)


def unit_bytes(unit: Unit, config: Config) -> int:
    """Estimate of the host's memory for one unit: its records and final weights, and one student in training with its schedule."""
    from mbsim.kernel import memory
    from mbsim.kernel.networks import Shape

    equal = unit.K == unit.M
    readers = 1 if unit.M == 1 else unit.d if equal else unit.d * (unit.M // unit.K + 1) + 8
    shape = Shape(unit.N, unit.K, unit.M, unit.d, readers, equal, config.model.train_output)
    setting = memory.setting_of(shape, max(unit.m), _test_size(config), max(unit.temperature) > 0)
    records = unit.lanes * len(_times(config)) * 8 * 8
    weights = unit.lanes * (shape.hidden_links + shape.output_links) * 2
    return records + weights + memory.lane_bytes(setting) + memory.schedule_bytes(shape)


def proposals_of(unit: Unit, config: Config) -> int:
    """Number of proposals in a unit: trained weights times sweeps times lanes."""
    hidden = unit.K * unit.d
    output = unit.M * (unit.K if unit.M == 1 else unit.d) if config.model.train_output else 0
    return (hidden + output) * config.dynamics.sweeps * unit.lanes


def train_unit(unit: Unit, config: Config, progress: Callable[[int], None] = lambda proposals: None) -> dict[str, np.ndarray]:
    """Train the lanes of one unit on all devices of the process; the arrays that `store` writes, see `variables.py`."""
    from mbsim.kernel.ensemble import Dynamics, LaneLabels, train
    from mbsim.kernel.networks import draw_teacher

    train_output = config.model.train_output
    teacher = draw_teacher(unit.N, unit.K, unit.M, unit.d, train_output, config.run.seed, unit.teacher)
    axes = (unit.init_overlap, unit.temperature, unit.m, range(unit.replicas))
    overlap, temperature, m, replica = (grid.ravel() for grid in np.meshgrid(*axes, indexing="ij"))
    times = _times(config)
    refresh = config.dynamics.refresh
    records, _ = train(
        teacher,
        LaneLabels(m, replica, overlap, temperature),
        times,
        seed=config.run.seed,
        N=unit.N,
        teacher_label=unit.teacher,
        train_output=train_output,
        dynamics=Dynamics(config.dynamics.order, None if refresh == "sweep" else int(refresh)),
        test_size=_test_size(config),
        progress=progress,
    )
    with np.errstate(invalid="ignore"):  # no time has passed at time 0: the accepted fraction is 0/0
        elapsed = np.diff(times, prepend=0) * records.proposals
        acceptance = records.accepted / elapsed
    series = {
        "overlap": records.agreement / records.paths,
        "generalization_error": records.test_wrong / records.test_outputs,
        "training_error": records.batch_wrong / (m * unit.M)[:, None],
        "acceptance": acceptance,
    }
    learned = records.test_wrong == 0 if unit.M == 1 else records.agreement == records.paths
    lanes = {**_tail_moments(series, times), **_success(learned, times)}
    result = {name: values.reshape(*unit.shape, len(times)).astype(np.float32) for name, values in series.items()}
    return result | {name: values.reshape(unit.shape) for name, values in lanes.items()}


def _success(learned: np.ndarray, times: np.ndarray) -> dict[str, np.ndarray]:
    """Whether a lane has learned at the end, when it first had, and that it has finished; learned (lanes, times)."""
    first = np.where(learned.any(axis=1), times[learned.argmax(axis=1)].astype(float), np.nan)
    return {
        "success": learned[:, -1].astype(np.int8),
        "success_time": first,
        "status": np.ones(len(learned), np.int8),
    }


def _tail_moments(series: Mapping[str, np.ndarray], times: np.ndarray) -> dict[str, np.ndarray]:
    """Mean, second and fourth moment over the measured times of the last quarter, for each lane."""
    tail = times > OVERLAP_TAIL * times[-1]
    moments = {}
    for name in ("overlap", "generalization_error"):
        for moment, power in (("mean", 1), ("second", 2), ("fourth", 4)):
            moments[f"{name}_{moment}"] = (series[name][:, tail] ** power).mean(axis=1)
    return moments


class _Work(NamedTuple):
    """What a run has to do: all units of the configuration, those to compute, how many of them are there but damaged."""

    config: Config
    everything: tuple[Unit, ...]
    todo: tuple[Unit, ...]
    damaged: int
    report: Report | None


class _Reporter:
    """Counts what was done, times it, and tells it."""

    def __init__(self, work: _Work):
        self.tell = work.report or (lambda progress: None)
        total = sum(proposals_of(unit, work.config) for unit in work.everything)
        left = sum(proposals_of(unit, work.config) for unit in work.todo)
        done = len(work.everything) - len(work.todo)
        self.progress = Progress(done, len(work.everything), total - left, total, work.damaged, "", 0.0, 0)
        self.shapes: set[Unit] = set()
        self.last: float | None = None

    def begin(self, doing: str) -> None:
        """Tell what comes next; what it takes until `advance` is not timed."""
        self.progress = self.progress._replace(doing=doing)
        self.last = None
        self.tell(self.progress)

    def begin_unit(self, unit: Unit) -> None:
        """As `begin`; the first unit of its shape is compiled first."""
        shape = replace(unit, teacher=0)
        first = shape not in self.shapes
        self.shapes.add(shape)
        span = f"m = {unit.m[0]}" + (f" to {unit.m[-1]}" if len(unit.m) > 1 else "")
        self.begin(f"{'compiling' if first else 'training'} N = {unit.N}, d = {unit.d}, {span}, teacher {unit.teacher}")

    def advance(self, proposals: int) -> None:
        """Count proposals done since the last call, and tell."""
        raise_if_asked()
        now = time.monotonic()
        p = self.progress
        if self.last is not None:
            p = p._replace(seconds=p.seconds + now - self.last, timed=p.timed + proposals)
        self.last = now
        self.progress = p._replace(
            proposals_done=p.proposals_done + proposals, doing=p.doing.replace("compiling", "training")
        )
        self.tell(self.progress)

    def finish_unit(self) -> None:
        """Count a unit as done, and tell."""
        self.progress = self.progress._replace(units_done=self.progress.units_done + 1)
        self.advance(0)


def _compute(work: _Work, keep: Callable[[Unit, dict[str, np.ndarray]], None]) -> dict[Unit, str]:
    """Check the device, then compute units and hand each to `keep`. Returns what failed, with the reason."""
    reporter = _Reporter(work)
    if not work.todo:
        reporter.begin("nothing to do")
        return {}
    import jax

    from mbsim import devices

    devices.use_all_cores()
    reporter.begin("checking known answers of the kernels")
    _self_check("scalar" if work.todo[0].M == 1 else "vector")
    raise_if_asked()
    failed: dict[Unit, str] = {}
    for unit in work.todo:
        reporter.begin_unit(unit)
        try:
            result = train_unit(unit, work.config, reporter.advance)
        except (jax.errors.JaxRuntimeError, MemoryError) as error:
            failed[unit] = (str(error).strip().splitlines() or [type(error).__name__])[0]
            continue
        keep(unit, result)
        reporter.finish_unit()
    return failed


@contextmanager
def _disk_full_is_told(out: str | os.PathLike[str]) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DiskFull(f"no space left to write {os.fspath(out)}: what is finished is kept") from error


def _self_check(kind: str) -> None:
    from mbsim.kernel import selfcheck

    if not selfcheck.passes(kind):
        raise SelfCheckFailed(
            f"the compiled {kind} kernel gives wrong numbers on this device: nothing was computed; "
            "run `mbsim doctor`, and try another version of jax"
        )


def _raise_failed(failed: Mapping[Unit, str]) -> None:
    if failed:
        raise UnitsFailed(*(f"{unit.stem}: {reason}" for unit, reason in failed.items()))


def _times(config: Config) -> np.ndarray:
    return measurement_times(config.dynamics.sweeps, config.measure.measurements)


def _test_size(config: Config) -> int:
    assert config.measure.test_size is not None  # filled in when the configuration was loaded
    return config.measure.test_size


def _provenance() -> dict[str, str]:
    from mbsim import devices
    from mbsim.kernel.streams import GENERATOR

    devices.use_all_cores()
    return provenance.collect(prng=GENERATOR)
