"""A dataset as one file, as one store, or as a run folder; and several runs as one."""

import os
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from mbsim.config import Config
from mbsim.data import given
from mbsim.data import provenance as prov
from mbsim.data.files import must_be_new, netcdf_bytes, one_line_errors, sync
from mbsim.data.store import RunFolder
from mbsim.data.variables import unit_labels
from mbsim.errors import DatasetError, RunFolderError
from mbsim.plan.times import measurement_times
from mbsim.plan.units import Unit, units
from mbsim.text import counted


def export(dataset: xr.Dataset, path: str | os.PathLike[str], leave_out: bool = False) -> None:
    """Write a dataset as one file or store: .nc, .netcdf, .h5 netCDF-4, .zarr Zarr v3, without an ending a run
    folder (`leave_out`: see `to_run_folder`).

    It is there whole or not at all.

    Raises:
        DatasetError: the ending is another, something is at `path` already, or it cannot be written.
        OSError: the disk is full.
    """
    path = _named(path)
    if not path.suffix:
        to_run_folder(dataset, path, leave_out)
        return
    write = WRITERS.get(path.suffix.lower())
    if write is None:
        raise DatasetError(
            f"{path}: the ending must be one of {', '.join(WRITERS)}, or none for a run folder"
        )
    with _whole_or_not_at_all(path) as temporary:
        try:
            write(dataset.drop_encoding(), temporary)
        except (
            TypeError,
            ValueError,
            NotImplementedError,
            RecursionError,
        ) as error:  # of what users have added
            told = (str(error).splitlines() or [type(error).__name__])[0]
            raise DatasetError(f"{path}: the dataset cannot be written as {path.suffix}: {told}") from error
        for entry in [*temporary.rglob("*"), temporary]:
            sync(entry)


def to_run_folder(dataset: xr.Dataset, path: Path, leave_out: bool = False) -> RunFolder:
    """Write a dataset as a new run folder, which `mbsim run` goes on with: each work unit of which every student has
    run is done there. The folder is there whole or not at all.

    leave_out: whether students of units in which others have not run are left out, with a warning that says how
    many; otherwise they are an error, since they were computed and would be lost.

    Raises:
        DatasetError: it does not say which configuration it is of or where its numbers belong, lacks variables, or
        has students that no whole unit holds.
    """
    if "config" not in dataset.attrs:
        raise DatasetError(
            f"{path}: a run folder needs a dataset with its configuration in the attribute config"
        )
    config = given.config_of(dataset, str(path))
    registered = given.registered_of(dataset, config, str(path))
    dataset = given.with_all_dims(dataset, config, str(path))
    given.need_variables(dataset, given.contents_in(config, registered), str(path))
    _need_all_times(dataset, config, path)
    kept = _whole_units(dataset, config)
    left = int((dataset.status != 0).sum()) - sum(unit.students for unit in kept)
    if left:
        _tell_left(left, path, leave_out)
    origin = {field: str(dataset.attrs.get(field, "")) for field in prov.FIELDS}
    with _whole_or_not_at_all(path) as temporary:
        folder = RunFolder.create(temporary, config, registered)
        with folder.lock():
            folder.prepare()
            for unit in kept:
                folder.write(unit, _of_unit(dataset, unit, folder), folder.times, origin)
    return RunFolder.open(path)


def _named(path: str | os.PathLike[str]) -> Path:
    """The path, which must end in a name: that of what will be written."""
    text = os.fsdecode(path)
    if not Path(text).name or "\0" in text:
        raise DatasetError(f"path {text!r}: must name a new file or folder")
    return Path(text)


def _need_all_times(dataset: xr.Dataset, config: Config, path: Path) -> None:
    times = measurement_times(config.dynamics.length, config.measure.measurements)
    if lacking := int((~np.isin(times, dataset.time)).sum()):
        raise DatasetError(
            f"{path}: time: a run folder needs all {len(times)} measured times, and the dataset lacks {lacking}"
        )


def _whole_units(dataset: xr.Dataset, config: Config) -> list[Unit]:
    """The work units of which every student has run."""
    status = dataset.status.compute()  # asked for each unit
    times = dataset.time.values

    def whole(unit: Unit) -> bool:
        labels = unit_labels(unit, times)
        try:
            return bool((status.sel({dim: labels[dim] for dim in status.dims}) != 0).all())
        except KeyError:  # labels that are not in the dataset
            return False

    return [unit for unit in units(config) if whole(unit)]


def _tell_left(left: int, path: Path, leave_out: bool) -> None:
    """Students have run that a run folder cannot hold: an error, or if they may be left out a warning."""
    told = f"{path}: {counted(left, 'student')} that have run are of work units in which others have not"
    if not leave_out:
        raise DatasetError(
            f"{told}, and a run folder keeps whole units only: write a .nc or .zarr, or run first what is missing "
            "beside them"
        )
    warnings.warn(f"{told}; they are left out, and `mbsim run` trains them again", stacklevel=4)


@contextmanager
def _whole_or_not_at_all(path: Path) -> Iterator[Path]:
    """A name beside `path`, which must be new, for what will be renamed to it. On any error nothing is left, and an
    error of the file system names `path`: users know of no temporary name.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with one_line_errors(DatasetError, f"{path} cannot be written"):
        must_be_new(path)
        try:
            yield temporary
            os.rename(temporary, path)
        except BaseException as error:
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.unlink(missing_ok=True)
            # A run folder tells what the system said with its own, temporary name.
            cause = error.__cause__ if isinstance(error, RunFolderError) else error
            if isinstance(cause, OSError):
                cause.filename = os.fspath(path)
                raise cause from None
            raise
        sync(path.parent)


def _of_unit(dataset: xr.Dataset, unit: Unit, folder: RunFolder) -> Mapping[str, np.ndarray]:
    """The result of a unit that is wholly there, as `variables.unit_arrays` takes it."""
    block = dataset.sel(unit_labels(unit, folder.times))
    return {
        name: block[name].transpose(*variable.dims).values[0, 0]
        for name, variable in folder.variables.items()
    }


def _write_netcdf(dataset: xr.Dataset, path: Path) -> None:
    path.write_bytes(netcdf_bytes(dataset))


def _write_zarr(dataset: xr.Dataset, path: Path) -> None:
    import zarr  # here, for it takes a while

    # In memory first: zarr's writers, when one meets a full disk, go on in the background and leave files.
    parts: dict[str, Any] = {}
    with warnings.catch_warnings():
        # Consolidated metadata, an addition to Zarr v3 that other readers ignore, make zarr warn here;
        # without them xarray warns at every opening.
        warnings.filterwarnings("ignore", message="Consolidated metadata", category=UserWarning)
        store = zarr.storage.MemoryStore(parts)
        dataset.to_zarr(store, mode="w-", zarr_format=3, consolidated=True)
    for name, part in parts.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(part.to_bytes())


WRITERS = {".nc": _write_netcdf, ".netcdf": _write_netcdf, ".h5": _write_netcdf, ".zarr": _write_zarr}
