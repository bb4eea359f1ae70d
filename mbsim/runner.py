"""Runs a configuration: units of work one after the other, written as they finish, whatever interrupts.

A unit that is in the run folder and verifies is done; the rest is computed. A unit that fails (out of memory
on the device, say) is reported and the others go on. A signal (`interrupts`) and a full disk end the run in
good order: what is finished is safe, and the same command goes on from there. Importing this starts no JAX.
"""

import errno
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import xarray as xr

from mbsim import dataset, provenance
from mbsim.config import Config, load_config
from mbsim.errors import ConfigError, MbsimError
from mbsim.grid import Unit, check_dataset, check_memory, host_memory, measurement_times, units
from mbsim.interrupts import raise_if_asked
from mbsim.progress import Progress, Report, Reporter
from mbsim.store import RunFolder

Keep = Callable[[Unit, dict[str, np.ndarray]], None]

MOST_OUTPUTS = 2**31  # of all examples of a batch or a test, counted in 32 bits
OVERLAP_TAIL = 0.75  # moments are taken over measured times later than this part of the run


class DiskFull(MbsimError):  # noqa: N818 (says what happened)
    """There was no space left to write; what was finished is kept."""


class UnitsFailed(MbsimError):  # noqa: N818 (says what happened)
    """Some units could not be computed; the others are done. One line for each."""


class SelfCheckFailed(MbsimError):  # noqa: N818 (says what happened)
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
        out: the run folder. If it holds part of the same run, only what is missing is computed. None: nothing
            is written.
        overrides: settings such as "grid.d=[3,5]", as the command line's --set.
        report: called with a `Progress` now and then.

    Returns:
        The dataset that `open_run(out)` gives.

    Raises:
        ConfigError, RunFolderError: bad input; nothing was written.
        UnitsFailed: some units failed; the rest was computed and, with `out`, kept.
        SelfCheckFailed: the compiled kernels give wrong numbers on this device.
        DiskFull: the disk is full; run again when there is space.
        Interrupted: a signal, within `interrupts.interruptible`. (Elsewhere Ctrl-C raises KeyboardInterrupt.)
    """
    settings = load_config(config, overrides)
    check(settings)
    everything = units(settings)
    if out is None:
        results: dict[Unit, dict[str, np.ndarray]] = {}
        reporter = Reporter(outset(settings, everything), report)
        _raise_failed(_compute(settings, everything, results.__setitem__, reporter))
        return dataset.from_results(settings, results, _times(settings), _provenance())
    with _disk_full_is_told(out):
        folder = RunFolder.create_or_open(out, settings)
        with folder.lock():
            folder.clean_temporaries()
            todo = folder.missing(everything)
            damaged = sum(folder.unit_path(unit).exists() for unit in todo)
            reporter = Reporter(outset(settings, todo, damaged), report)
            origin, times = _provenance() if todo else {}, _times(settings)
            failed = _compute(
                settings, todo, lambda unit, result: folder.write(unit, result, times, origin), reporter
            )
    _raise_failed(failed)
    return dataset.open_run(out)


def check(config: Config) -> None:
    """Refuse a run whose counts exceed integers or which exceeds the memory, before anything is written.

    Raises ConfigError, one line with what would fit.
    """
    for unit in units(config):
        size, key = max((unit.m[-1], "grid.m"), (_test_size(config), "measure.test_size"))
        if unit.M * size >= MOST_OUTPUTS:
            most = (MOST_OUTPUTS - 1) // unit.M
            raise ConfigError(
                f"{key} = {size}: must be at most {most} at N = {unit.N}, for outputs are counted in 32 bits"
            )
    available = host_memory()
    check_dataset(config, available)
    check_memory(units(config), lambda unit: unit_bytes(unit, config), available)


def outset(config: Config, todo: Sequence[Unit], damaged: int = 0) -> Progress:
    """How far a run is when it begins and has the units `todo` to compute, `damaged` of them again."""
    everything = units(config)
    total = sum(proposals_of(unit, config) for unit in everything)
    left = sum(proposals_of(unit, config) for unit in todo)
    return Progress(len(everything) - len(todo), len(everything), total - left, total, damaged)


def unit_bytes(unit: Unit, config: Config) -> int:
    """Estimate of the host's memory for one unit.

    Its records and final weights, and what trains: a block of students on each core, or, on an accelerator,
    one student with its schedule at the least.
    """
    from mbsim.kernel import memory
    from mbsim.kernel.native.sizes import core_bytes
    from mbsim.kernel.networks import Shape

    equal = unit.K == unit.M
    readers = 1 if unit.M == 1 else unit.d if equal else unit.d * (unit.M // unit.K + 1) + 8
    shape = Shape(unit.N, unit.K, unit.M, unit.d, readers, equal, config.model.train_output)
    setting = memory.setting_of(shape, max(unit.m), _test_size(config), max(unit.temperature) > 0)
    records = unit.lanes * len(_times(config)) * 8 * 8
    weights = unit.lanes * (shape.hidden_links + shape.output_links) * 2
    on_cores = core_bytes(shape, max(unit.m)) * (os.cpu_count() or 1)
    return records + weights + max(on_cores, memory.lane_bytes(setting) + memory.schedule_bytes(shape))


def proposals_of(unit: Unit, config: Config) -> int:
    """Number of proposals in a unit: trained weights times sweeps times lanes."""
    hidden = unit.K * unit.d
    output = unit.M * (unit.K if unit.M == 1 else unit.d) if config.model.train_output else 0
    return (hidden + output) * config.dynamics.sweeps * unit.lanes


def train_unit(
    unit: Unit, config: Config, progress: Callable[[int], None] = lambda proposals: None
) -> dict[str, np.ndarray]:
    """Train the lanes of one unit on all devices; returns arrays as `variables.unit_arrays` takes them."""
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
    shape = (*unit.shape, len(times))
    result = {name: values.reshape(shape).astype(np.float32) for name, values in series.items()}
    return result | {name: values.reshape(unit.shape) for name, values in lanes.items()}


def _success(learned: np.ndarray, times: np.ndarray) -> dict[str, np.ndarray]:
    """Whether a lane has learned at the end, when it first had, and that it has finished.

    learned has shape (lanes, times), the results (lanes,).
    """
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


def _compute(config: Config, todo: Sequence[Unit], keep: Keep, reporter: Reporter) -> dict[Unit, str]:
    """Check the device, then compute units and hand each to `keep`. Returns what failed, with the reason."""
    if not todo:
        reporter.begin("nothing to do")
        return {}
    import jax

    from mbsim import devices

    def advance(proposals: int) -> None:
        raise_if_asked()
        reporter.advance(proposals)

    devices.use_all_cores()
    reporter.begin("checking known answers of the kernels")
    _self_check("scalar" if todo[0].M == 1 else "vector")
    failed: dict[Unit, str] = {}
    for unit in todo:
        raise_if_asked()
        reporter.begin_unit(unit)
        try:
            result = train_unit(unit, config, advance)
        except (jax.errors.JaxRuntimeError, MemoryError) as error:
            failed[unit] = (str(error).strip().splitlines() or [type(error).__name__])[0]
        else:
            keep(unit, result)
        reporter.end_unit(kept=unit not in failed)
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
