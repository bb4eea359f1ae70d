"""From work units to the one labelled dataset that users analyse.

Dimensions are those of `variables.dims`, less the rule's axes where `[grid]` does not list them (they stay as
scalar coordinates). The join is outer: where a combination was not asked for, or has not run, floats are NaN and
`status` is 0. What is small is read whole, unit by unit, into arrays of the final size. A larger run is opened
lazily: dask reads and verifies blocks of teachers when their numbers are asked for.
"""

import importlib
import itertools
import math
import os
import warnings
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import xarray as xr

from mbsim.config.configuration import Config
from mbsim.data import netcdf_units
from mbsim.data import provenance as prov
from mbsim.data.registered import ATTRIBUTE, as_json
from mbsim.data.store import RunFolder
from mbsim.data.variables import Contents, Variable, contents_of, labelled, unit_arrays, unit_labels
from mbsim.engines.devices import cores
from mbsim.errors import DatasetError, RunFolderError
from mbsim.physics.observables import order_parameter
from mbsim.plan.memory import dataset_bytes
from mbsim.plan.units import Unit, units

Block = tuple[Unit, Mapping[str, np.ndarray], Mapping[str, str]]  # unit, its arrays, its provenance
EAGER_BYTES = 2**31  # a dataset of so many bytes is read at once
LAZY_TEACHERS = 1024  # of one block of a lazy dataset, at least


def open_run(path: str | os.PathLike[str], lazy: bool | None = None, over_time: bool = True) -> xr.Dataset:
    """All finished units of a run folder as one dataset.

    Checksums are verified of all that is read. A damaged unit counts as not run, with a warning that names it; in a
    lazy dataset it is an error, when its numbers are asked for.

    Args:
        path: a run folder, finished or not, also while it is being written.
        lazy: whether numbers are read when they are asked for; by default if they take more than 2 GiB.
        over_time: whether what was measured over time is read. m_c takes none of it, and it is most of a run. (A lazy
            dataset has it anyway.)

    Raises:
        RunFolderError: `path` is no run folder.
    """
    folder = RunFolder.open(path)
    if netcdf_units.is_old(folder.path):
        old = netcdf_units.OldUnits(folder.path, folder.config, folder.times, folder.contents)
        blocks = _sound(old, old.read_arrays)
        return _joined(folder.config, folder.times, blocks, folder.contents, tuple(old), lacking=True)
    if lazy if lazy is not None else dataset_bytes(folder.config) > EAGER_BYTES:
        return _telling(folder.registered, _lazy(folder))
    names = [name for name, kept in folder.variables.items() if over_time or "time" not in kept.dims]
    blocks = _sound(folder.units, lambda unit: folder.read_arrays(unit, names))
    whole = _joined(folder.config, folder.times, blocks, folder.contents, folder.units, names)
    return _telling(folder.registered, whole)


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
    everything = units(config)
    blocks = ((unit, unit_arrays(unit, result, times), provenance) for unit, result in results.items())
    whole = _joined(config, times, blocks, contents_of(everything[0]), everything)
    return _telling(as_json(config), whole)


def _telling(registered: bytes, dataset: xr.Dataset) -> xr.Dataset:
    """The dataset with what it uses of a user's own, if anything: other processes read it without the script."""
    return dataset.assign_attrs({ATTRIBUTE: registered.decode()}) if registered else dataset


def _sound(some: Iterable[Unit], read: Any) -> Iterator[Block]:
    """The units that are there and verify; all cores read, a few units ahead."""
    left, count = iter(some), cores()
    with ThreadPoolExecutor(count) as pool:
        pool.submit(
            importlib.import_module, "dask.array"
        )  # xarray's first array asks for it, which takes as long
        ahead = deque((unit, pool.submit(read, unit)) for unit in itertools.islice(left, 2 * count))
        while ahead:
            unit, reading = ahead.popleft()
            ahead.extend((later, pool.submit(read, later)) for later in itertools.islice(left, 1))
            try:
                arrays, provenance = reading.result()
            except FileNotFoundError:
                continue
            except RunFolderError as error:
                warnings.warn(str(error), stacklevel=5)  # at the caller of mbsim.open_run
                continue
            yield unit, arrays, provenance


def _joined(
    config: Config,
    times: np.ndarray,
    blocks: Iterable[Block],
    contents: Contents,
    everything: Sequence[Unit],
    names: Collection[str] | None = None,
    lacking: bool = False,
) -> xr.Dataset:
    """The dataset of these units. `names`: of the variables that are read, if not all; `lacking`: some units may lack
    variables, as those of older versions.
    """
    labels = all_labels(everything, times)
    variables = {name: kept for name, kept in contents.variables().items() if names is None or name in names}
    sizes = {dim: len(values) for dim, values in labels.items()}
    # Where the grid is dense, every place is written once below, and need not be filled before.
    students = math.prod(sizes[dim] for dim in contents.dims[:-1])
    dense = not lacking and sum(unit.students for unit in everything) == students
    whole = {name: _empty(variable, sizes, written=dense) for name, variable in variables.items()}
    provenances = []
    left = set(everything) if dense else set()
    for unit, arrays, provenance in blocks:
        own = unit_labels(unit, times)
        places = {
            some: _place({dim: own[dim] for dim in some}, labels)
            for some in {variable.dims for variable in variables.values()}
        }
        for name, array in arrays.items():
            whole[name][places[variables[name].dims]] = array
        provenances.append(provenance)
        left.discard(unit)
    for unit in left:
        for name, variable in variables.items():
            own = {dim: unit_labels(unit, times)[dim] for dim in variable.dims}
            whole[name][_place(own, labels)] = variable.empty
    return _dataset(config, whole, labels, prov.joined(provenances), contents)


def _lazy(folder: RunFolder) -> xr.Dataset:
    """The dataset of a folder in blocks, one for each (N, d) and some thousand teachers, that dask reads."""
    try:
        import dask.array as da
    except ImportError:
        raise DatasetError(
            f"{folder.path} is too large to be read at once, and dask is not installed: pip install 'dask[array]'"
        ) from None
    labels = all_labels(folder.units, folder.times)
    most = max(unit.teachers for unit in folder.units)
    teachers = -(-LAZY_TEACHERS // most) * most
    cuts = {dim: len(values) for dim, values in labels.items()} | {"N": 1, "d": 1, "teacher": teachers}
    whole = {}
    for name, variable in folder.contents.variables().items():
        shape = [len(labels[dim]) for dim in variable.dims]
        blocks = da.core.normalize_chunks([cuts[dim] for dim in variable.dims], shape)

        def read(block_info: Any, name: str = name, variable: Variable = variable) -> np.ndarray:
            location = block_info[None]["array-location"]
            here = {
                dim: labels[dim][begin:end] for dim, (begin, end) in zip(variable.dims, location, strict=True)
            }
            return _region(folder, name, variable, here)

        whole[name] = da.map_blocks(
            read, chunks=blocks, dtype=variable.dtype, meta=np.empty((0,) * len(shape), variable.dtype)
        )
    return _dataset(folder.config, whole, labels, folder.provenance(), folder.contents)


def _region(folder: RunFolder, name: str, variable: Variable, labels: Mapping[str, np.ndarray]) -> np.ndarray:
    """One variable where dimensions have these labels, in one (N, d)."""
    whole = _empty(variable, {dim: len(values) for dim, values in labels.items()})
    [N], [d], teachers = labels["N"], labels["d"], labels["teacher"]
    for unit in folder.units:
        if (unit.N, unit.d) != (N, d) or unit.first_teacher > teachers[-1]:
            continue
        if unit.first_teacher + unit.teachers <= teachers[0]:
            continue
        try:
            arrays, _ = folder.read_arrays(unit, [name])
        except FileNotFoundError:
            continue
        own = unit_labels(unit, folder.times)
        inside = np.isin(own["teacher"], teachers)
        axis = variable.dims.index("teacher")
        own["teacher"] = own["teacher"][inside]
        place = _place({dim: own[dim] for dim in variable.dims}, labels)
        whole[place] = np.compress(inside, arrays[name], axis=axis)
    return whole


def _dataset(
    config: Config,
    whole: Mapping[str, Any],
    labels: Mapping[str, np.ndarray],
    provenance: Mapping[str, str],
    contents: Contents,
) -> xr.Dataset:
    names = [one.name for one in contents.observables]
    main = order_parameter(config.model.weights, config.model.output == "scalar", names)
    attrs = prov.of_config(config, config.hash) | dict(provenance) | {"order_parameter": main}
    dataset = labelled(whole, labels, attrs, contents)
    single = [dim for dim in config.axes if getattr(config.grid, dim) is None]
    return dataset.squeeze(single)


def all_labels(everything: Iterable[Unit], times: np.ndarray) -> dict[str, np.ndarray]:
    """The ascending values of each dimension over some units."""
    found: dict[str, set[Any]] = {}
    for unit in everything:
        for dim, values in unit_labels(unit, times).items():
            found.setdefault(dim, set()).update(values.tolist())
    return {dim: np.array(sorted(values)) for dim, values in found.items()}


def _empty(variable: Variable, sizes: Mapping[str, int], written: bool = False) -> np.ndarray:
    """An array of what stands where nothing has run; of anything, if every place will be written."""
    shape = [sizes[dim] for dim in variable.dims]
    return np.empty(shape, variable.dtype) if written else np.full(shape, variable.empty, variable.dtype)


def _place(own: Mapping[str, np.ndarray], labels: Mapping[str, np.ndarray]) -> tuple[Any, ...]:
    """The index of labels in the whole: a slice for each dimension in which they follow one another, as all do but m
    and axes that differ between (N, d); arrays for all otherwise.
    """
    found = {dim: np.searchsorted(labels[dim], values) for dim, values in own.items()}
    if all(len(index) == index[-1] - index[0] + 1 for index in found.values()):
        return tuple(slice(int(index[0]), int(index[-1]) + 1) for index in found.values())
    return tuple(np.ix_(*found.values()))
