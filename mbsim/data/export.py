"""A dataset as one file, as one store, or as a run folder; and several runs as one."""

import json
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from mbsim.config import stored_config
from mbsim.data import provenance as prov
from mbsim.data.files import must_be_new, netcdf_bytes, one_line_errors, sync
from mbsim.data.store import RunFolder
from mbsim.data.variables import contents_of, unit_labels
from mbsim.errors import DatasetError
from mbsim.plan.units import Unit, units
from mbsim.text import counted


def export(dataset: xr.Dataset, path: str | os.PathLike[str]) -> None:
    """Write a dataset as one file or store: .nc, .netcdf, .h5 netCDF-4, .zarr Zarr v3, without an ending a run
    folder.

    It is there whole or not at all.

    Raises:
        DatasetError: the ending is another, something is at `path` already, or it cannot be written.
        OSError: the disk is full.
    """
    path = Path(path)
    if not path.suffix:
        to_run_folder(dataset, path)
        return
    write = WRITERS.get(path.suffix.lower())
    if write is None:
        raise DatasetError(
            f"{path}: the ending must be one of {', '.join(WRITERS)}, or none for a run folder"
        )
    with _whole_or_not_at_all(path) as temporary:
        write(dataset.drop_encoding(), temporary)
        for entry in [*temporary.rglob("*"), temporary]:
            sync(entry)


def to_run_folder(dataset: xr.Dataset, path: Path) -> RunFolder:
    """Write a dataset as a new run folder, which `mbsim run` goes on with: each work unit of which every student has
    run is done there; a warning says how many students are of others. The folder is there whole or not at all.

    Raises:
        DatasetError: it does not say which configuration it is of, or lacks variables of it.
    """
    if "config" not in dataset.attrs:
        raise DatasetError(
            f"{path}: a run folder needs a dataset with its configuration in the attribute config"
        )
    config = stored_config(json.loads(dataset.attrs["config"]))
    variables = contents_of(units(config)[0]).variables()
    if lacking := [name for name in variables if name not in dataset]:
        raise DatasetError(f"{path}: the dataset lacks {', '.join(lacking)} of its configuration")
    origin = {field: str(dataset.attrs.get(field, "")) for field in prov.FIELDS}
    students = 0
    with _whole_or_not_at_all(path) as temporary:
        folder = RunFolder.create_or_open(temporary, config)
        with folder.lock():
            folder.prepare()
            for unit in folder.units:
                if (result := _of_unit(dataset, unit, folder)) is not None:
                    folder.write(unit, result, folder.times, origin)
                    students += unit.students
    if left := int((dataset.status != 0).sum()) - students:
        warnings.warn(
            f"{path}: {counted(left, 'student')} that have run are of work units in which others have not; "
            "they are left out, and `mbsim run` trains them again",
            stacklevel=3,
        )
    return RunFolder.open(path)


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
            if isinstance(error, OSError):
                error.filename = os.fspath(path)
            raise
        sync(path.parent)


def _of_unit(dataset: xr.Dataset, unit: Unit, folder: RunFolder) -> Mapping[str, np.ndarray] | None:
    """The unit's result, as `variables.unit_arrays` takes it; None unless all of its students have run."""
    own = unit_labels(unit, folder.times)
    wanted = {dim: values for dim, values in own.items() if dim in dataset.dims}
    try:
        block = dataset.sel(wanted)
    except KeyError:  # labels that are not in the dataset
        return None
    if (block.status == 0).any():
        return None
    block = block.expand_dims([dim for dim in own if dim not in block.dims])
    return {
        name: block[name].transpose(*variable.dims).values[0, 0]
        for name, variable in folder.contents.variables().items()
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
