"""How a run lies on disk: a Zarr v3 hierarchy, one group for each box of the grid (`mbsim.plan.boxes`).

    zarr.json                    what is below, and the provenance of the configuration
    N64-d3/zarr.json             the group of N = 64, d = 3
    N64-d3/overlap/zarr.json     one array: its dimensions, type, chunks and attributes
    N64-d3/overlap/c.0.0.0...    one chunk: of one work unit
    N64-d3/m/zarr.json, c.0      the labels of one dimension

Arrays have all dimensions of the dataset, N and d of length one. `zarr.json` at the top repeats the metadata of all
that is below ("consolidated"), so that xarray opens a run with one file read. All of these metadata follow from the
run's configurations. The format: zarr-specs.readthedocs.io, core specification v3.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mbsim.data.chunks import codecs, encoded
from mbsim.data.variables import Contents, coordinates, unit_labels
from mbsim.plan.units import Unit

ROOT = "zarr.json"


def chunk_name(unit: Unit, dims: int) -> str:
    """The name of a unit's chunk in an array with so many dimensions, of which time, the last, may be left out."""
    of_m, of_teachers = unit.place
    index = [0, 0, *(0 for _ in unit.axes), of_m, of_teachers, 0, 0]
    return "c." + ".".join(map(str, index[:dims]))


def metadata(
    groups: Mapping[str, Sequence[Unit]], times: np.ndarray, contents: Contents, attributes: Mapping[str, Any]
) -> dict[str, bytes]:
    """The content of every file of the hierarchy but the chunks of variables, by its path in the folder.

    Args:
        groups: the units of each group.
        times: the measured times.
        contents: the variables of the run.
        attributes: of the whole.
    """
    files: dict[str, bytes] = {}
    nodes: dict[str, dict[str, Any]] = {}
    for name, units in groups.items():
        nodes[name] = _group({})
        labels = _labels(units, times)
        for dim, values in labels.items():
            long_name, unit_of_dim, _ = coordinates()[dim]
            unit_of_dim = contents.rule.time.one if dim == "time" else unit_of_dim
            array = _array([dim], values.shape, values.shape, values.dtype, 0, long_name, unit_of_dim)
            nodes[f"{name}/{dim}"] = array
            files[f"{name}/{dim}/c.0"] = encoded(values, values.shape, 0)
        sizes = {dim: len(values) for dim, values in labels.items()}
        first = {dim: len(values) for dim, values in unit_labels(units[0], times).items()}
        for variable, kept in contents.variables().items():
            nodes[f"{name}/{variable}"] = _array(
                kept.dims,
                [sizes[dim] for dim in kept.dims],
                [first[dim] for dim in kept.dims],
                np.dtype(kept.dtype),
                kept.empty,
                kept.long_name,
                kept.units,
            )
    files |= {f"{path}/{ROOT}": _text(node) for path, node in nodes.items()}
    inline = {"kind": "inline", "must_understand": False, "metadata": nodes}
    files[ROOT] = _text(_group(attributes) | {"consolidated_metadata": inline})
    return files


def attributes_of(folder: Path) -> dict[str, Any]:
    """The attributes of the hierarchy in a folder; empty where they cannot be read."""
    try:
        return dict(json.loads((folder / ROOT).read_bytes())["attributes"])
    except (OSError, KeyError, TypeError, ValueError):
        return {}


def _labels(units: Sequence[Unit], times: np.ndarray) -> dict[str, np.ndarray]:
    """The ascending labels of each dimension of a group."""
    found = [unit_labels(unit, times) for unit in units]
    return {dim: np.unique(np.concatenate([labels[dim] for labels in found])) for dim in found[0]}


def _group(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {"zarr_format": 3, "node_type": "group", "attributes": dict(attributes)}


def _array(
    dims: Sequence[str],
    shape: Sequence[int],
    chunk: Sequence[int],
    dtype: np.dtype[Any],
    empty: float,
    long_name: str,
    units: str,
) -> dict[str, Any]:
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(shape),
        "data_type": dtype.name,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(chunk)}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "."}},
        "fill_value": "NaN" if np.isnan(empty) else dtype.type(empty).item(),
        "codecs": codecs(dtype),
        "attributes": {"long_name": long_name, "units": units},
        "dimension_names": list(dims),
        "storage_transformers": [],
    }


def _text(node: Mapping[str, Any]) -> bytes:
    return json.dumps(node, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n"
