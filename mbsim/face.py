"""The functions of `import mbsim`: run a configuration, open a run, export its dataset.

This is the top layer, beside the command line; `mbsim.run` and its like are these. Importing it gives every
dataset its accessor, `ds.mbsim`, and starts no JAX.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import xarray as xr

import mbsim.accessor  # noqa: F401 (registers ds.mbsim)
from mbsim.config.configuration import Config, load_config
from mbsim.data import dataset as datasets
from mbsim.data import export as exports
from mbsim.errors import ConfigError, DatasetError, RunFolderError
from mbsim.physics.activations import ACTIVATIONS
from mbsim.physics.keys import listed
from mbsim.physics.observables import OBSERVABLES
from mbsim.physics.optimisers import OPTIMISERS
from mbsim.registry import RegistrationError, Registry
from mbsim.running.progress import Progress

Report = Callable[[Progress], None]


def run(
    config: str | os.PathLike[str] | Mapping[str, Any] | Config,
    out: str | os.PathLike[str] | None = None,
    *,
    overrides: Iterable[str] = (),
    progress: bool = True,
    report: Report | None = None,
    dask: str | None = None,
    engine: str | None = None,
    part: str | None = None,
) -> xr.Dataset:
    """Train the whole grid of a configuration, or what is missing of it, and return its dataset.

    Args:
        config: the path of a TOML file, a dict of the same shape, or a `Config`.
        out: the run folder. If it holds part of the same run, or one whose grid this one contains, only what is
            missing is computed. None: nothing is written.
        overrides: "key=value" texts, such as "grid.d=[3,5]", that take the place of what `config` says.
        progress: whether to show how it goes, on standard error: a bar on a terminal and in a notebook, and
            elsewhere a line every ten seconds. False is silent.
        report: called with a `Progress` now and then, for whoever wants to show it otherwise.
        dask: address of a dask scheduler, such as "tcp://head:8786", whose workers compute the work units; by
            default this process does, on all its devices.
        engine: which engine trains, "reference" for one; by default the fastest that is right here.
        part: "i/n", to compute part i of n, each a process that writes to the same `out`; "auto" asks Slurm or PBS.
            The dataset has what all parts have done so far.

    Returns:
        The dataset that `open_run(out)` gives: dimensions N, d, m, teacher, replica, time.

    Raises:
        ConfigError, RunFolderError: bad input; nothing was written.
        UnitsFailed: some work units failed; the rest was computed and, with `out`, kept.
        SelfCheckFailed: the compiled kernels give wrong numbers on this device.
        DiskFull: the disk is full; run again when there is space.

    >>> config = {"model": "sparse-vector", "grid": {"N": [5], "d": [3], "m": [2], "replicas": 2}}
    >>> ds = run(config, overrides=["grid.teachers=1", "dynamics.sweeps=40"])
    >>> dict(ds.status.sizes)
    {'N': 1, 'd': 1, 'm': 1, 'teacher': 1, 'replica': 2}
    """
    from mbsim.plan.parts import part_of
    from mbsim.running import runner

    _check_arguments(out, overrides, report, dask, part)
    if isinstance(config, xr.Dataset | xr.DataArray):
        kind = type(config).__name__
        raise ConfigError(f"config: must be the path of a TOML file, a dict or a Config, not a {kind}")
    settings = load_config(config, overrides)
    if engine is not None:
        settings = load_config(settings, [f"run.engine={engine}"], "engine")
    share = None if part is None else part_of(part)
    if not progress:
        return runner.run(settings, out, report=report, dask=dask, part=share)
    with _shown(report) as tell:
        return runner.run(settings, out, report=tell, dask=dask, part=share)


def _check_arguments(out: object, overrides: object, report: object, dask: object, part: object) -> None:
    """Refuse arguments of `run` that are of another kind, before anything is written."""
    if not (out is None or isinstance(out, str | os.PathLike)):
        raise RunFolderError(f"out: must be the path of a run folder, or None, not {_a(out)}")
    if not isinstance(overrides, Iterable):
        raise ConfigError(
            f'overrides: must be a list of texts, such as ["grid.d=[3,5]"], not {_a(overrides)}'
        )
    if not (report is None or callable(report)):
        raise ConfigError(f"report: must be a function of a Progress, or None, not {_a(report)}")
    if not (dask is None or isinstance(dask, str)):
        raise ConfigError(f'dask: must be an address such as "tcp://head:8786", or None, not {_a(dask)}')
    if not (part is None or isinstance(part, str)):
        raise ConfigError(f'part: must be a text such as "3/16", "auto", or None, not {_a(part)}')


def open_run(path: str | os.PathLike[str], lazy: bool | None = None) -> xr.Dataset:
    """All that is done of a run, as one labelled dataset.

    Dimensions are N, d, m, teacher, replica and time, and the other axes that `[grid]` lists. Where a
    combination was not asked for, or has not run, floats are NaN and `status` is 0. Checksums are verified; what is
    damaged counts as not run, with a warning that names it.

    Args:
        path: a run folder, finished or not, also while it is being written.
        lazy: whether dask reads numbers when they are asked for (what is damaged is an error then); by default if the
            dataset takes more than 2 GiB.

    Raises:
        RunFolderError: `path` is no run folder.

    >>> ds = open_run("runs/quickstart")    # doctest: +SKIP
    >>> ds.mbsim.analyze()                  # doctest: +SKIP
    """
    if not isinstance(path, str | os.PathLike):
        raise RunFolderError(f"path: must be the path of a run folder, not {_a(path)}")
    return datasets.open_run(path, lazy)


def export(dataset: xr.Dataset, path: str | os.PathLike[str]) -> None:
    """Write a dataset as one file or store, whole or not at all.

    Args:
        dataset: what `open_run` or `run` gave, or part of it.
        path: where to; its ending says as what. .nc, .netcdf, .h5: netCDF-4. .zarr: a Zarr v3 store. No ending: a
            run folder, with which `run` goes on; a selection must say there which labels it has.

    Raises:
        DatasetError: the ending is another, something is at `path` already, or it cannot be written; a run folder
            would lose students that have run, or does not learn their labels.
        OSError: the disk is full.

    >>> export(open_run("runs/quickstart"), "quickstart.nc")    # doctest: +SKIP
    """
    if not isinstance(dataset, xr.Dataset):
        hint = "; open a run folder with mbsim.open_run" if isinstance(dataset, str | os.PathLike) else ""
        raise DatasetError(f"dataset: must be an xarray.Dataset, not {_a(dataset)}{hint}")
    if not isinstance(path, str | os.PathLike):
        raise DatasetError(f"path: must be the path of a file to write, not {_a(path)}")
    exports.export(dataset, path)


def unregister(what: str, name: str) -> None:
    """Forget what a script or a notebook has registered, so that its name is free again.

    Args:
        what: "observable", "activation", "optimizer" or "estimator".
        name: under which it was registered. If it is not there nothing happens, so that this may stand at the head
            of a cell that runs again.

    Raises:
        RegistrationError: it is built in, or nothing of that kind is registered by users.

    >>> import mbsim
    >>> mbsim.unregister("observable", "magnetization")
    >>> @mbsim.observable("magnetization", long_name="mean of the hidden weights")
    ... def magnetization(student, teacher, examples):
    ...     return student.w.mean()
    >>> mbsim.unregister("observable", "magnetization")
    """
    from mbsim.fss.estimators import ESTIMATORS

    registries: dict[str, Registry[Any]] = {
        one.what: one for one in (OBSERVABLES, ACTIVATIONS, OPTIMISERS, ESTIMATORS)
    }
    if what not in registries:
        raise RegistrationError(f"unregister: what = {what!r}: must be {listed(tuple(registries))}")
    if name in registries[what]:
        registries[what].remove(name)


def _a(thing: object) -> str:
    """What a thing is: "the text 'a/b'", "a Dataset", "an int"."""
    kind = type(thing).__name__
    return (
        f"the text {thing!r}" if isinstance(thing, str) else f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
    )


@contextmanager
def _shown(report: Report | None) -> Iterator[Report]:
    """A function that shows reports until the end, and hands them on to `report`."""
    from mbsim.running.display import best_display

    display = best_display(patient=True)

    def tell(now: Progress) -> None:
        if now.units_done < now.units:
            display.show(now)
        if report is not None:
            report(now)

    try:
        yield tell
    finally:
        display.close()
