"""From units of work to the one labelled dataset that users analyse, and from there to one file.

Dimensions are those of `variables.dims`, less the rule's axes where `[grid]` does not list them (they stay as
scalar coordinates). The join is outer: where a combination was not asked for, or
has not run, floats are NaN and `status` is 0. Arrays are allocated whole and filled unit by unit, so that
opening a run takes the memory of its dataset and of one unit.
"""

import os
import shutil
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from mbsim.config.configuration import Config
from mbsim.data import provenance as prov
from mbsim.data.files import must_be_new, netcdf_bytes, one_line_errors, sync
from mbsim.data.store import RunFolder
from mbsim.data.variables import Contents, contents_of, dims, labelled, unit_arrays, unit_labels
from mbsim.errors import DatasetError, RunFolderError
from mbsim.physics.observables import order_parameter
from mbsim.plan.units import Unit, units

Block = tuple[Unit, Mapping[str, np.ndarray], Mapping[str, str]]  # unit, its arrays, its provenance


def open_run(path: str | os.PathLike[str]) -> xr.Dataset:
    """All finished units of a run folder as one dataset in memory.

    Every file's checksum is verified. A damaged file counts as not run, with a warning that names it.

    Args:
        path: a run folder, finished or not, also while it is being written.

    Raises:
        RunFolderError: `path` is no run folder.
    """
    folder = RunFolder.open(path)

    def finished() -> Iterator[Block]:
        for unit in units(folder.config):
            try:
                arrays, provenance = folder.read_arrays(unit)
            except FileNotFoundError:
                continue
            except RunFolderError as error:
                warnings.warn(str(error), stacklevel=5)  # at the caller of mbsim.open_run
                continue
            yield unit, arrays, provenance

    contents = folder.contents(units(folder.config)[0])
    return _joined(folder.config, folder.config_hash, folder.times(), finished(), contents)


def from_results(
    config: Config, results: Mapping[Unit, Mapping[str, Any]], times: Any, provenance: Mapping[str, str]
) -> xr.Dataset:
    """The same dataset from results in memory; units that are not in `results` count as not run.

    Args:
        config: the run's configuration.
        results: for each unit its arrays, as `variables.unit_arrays` takes them.
        times: the measured times.
        provenance: a text for each of `provenance.FIELDS`.
    """
    times = np.asarray(times)
    blocks = ((unit, unit_arrays(unit, result, times), provenance) for unit, result in results.items())
    return _joined(config, config.hash, times, blocks, contents_of(units(config)[0]))


def export(dataset: xr.Dataset, path: str | os.PathLike[str]) -> None:
    """Write a dataset as one file or store: .nc, .netcdf, .h5 netCDF-4, .zarr Zarr v3; whole or not at all.

    Raises:
        DatasetError: the ending is another, something is at `path` already, or it cannot be written.
        OSError: the disk is full.
    """
    path = Path(path)
    write = WRITERS.get(path.suffix.lower())
    if write is None:
        raise DatasetError(f"{path}: the ending must be one of {', '.join(WRITERS)}")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with one_line_errors(DatasetError, f"{path} cannot be written"):
        must_be_new(path)
        try:
            write(dataset.drop_encoding(), temporary)
            for entry in [*temporary.rglob("*"), temporary]:
                sync(entry)
            os.rename(temporary, path)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.unlink(missing_ok=True)
            raise
        sync(path.parent)


def _joined(
    config: Config, config_hash: str, times: np.ndarray, blocks: Iterable[Block], contents: Contents
) -> xr.Dataset:
    labels = _all_labels(config, times)
    whole: dict[str, np.ndarray] = {
        name: np.full([len(labels[dim]) for dim in variable.dims], variable.empty, variable.dtype)
        for name, variable in contents.variables().items()
    }
    provenances = []
    for unit, arrays, provenance in blocks:
        place = _place(unit, labels)
        for name, array in arrays.items():
            whole[name][place[: array.ndim]] = array
        provenances.append(provenance)
    names = [one.name for one in contents.observables]
    main = order_parameter(config.model.weights, config.model.output == "scalar", names)
    attrs = prov.of_config(config, config_hash) | prov.joined(provenances) | {"order_parameter": main}
    dataset = labelled(whole, labels, attrs, contents)
    single = [dim for dim in config.axes if getattr(config.grid, dim) is None]
    return dataset.squeeze(single)


def _all_labels(config: Config, times: np.ndarray) -> dict[str, np.ndarray]:
    """The ascending values of each dimension over all units of the run."""
    found: dict[str, list[np.ndarray]] = {dim: [] for dim in dims(tuple(config.axes))}
    for unit in units(config):
        for dim, values in unit_labels(unit, times).items():
            found[dim].append(values)
    return {dim: np.unique(np.concatenate(values)) for dim, values in found.items()}


def _place(unit: Unit, labels: Mapping[str, np.ndarray]) -> tuple[Any, ...]:
    """The index of the unit's block. Its m may lie among those of other (N, d); the rest is dense."""
    place: dict[str, Any] = dict.fromkeys(dims(tuple(unit.axes)), slice(None))
    for dim, value in (("N", unit.N), ("d", unit.d), ("teacher", unit.teacher)):
        i = int(np.searchsorted(labels[dim], value))
        place[dim] = slice(i, i + 1)
    place["m"] = np.searchsorted(labels["m"], unit.m)
    return tuple(place.values())


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
