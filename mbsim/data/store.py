r"""A run as a folder: each unit of work is one file, which either verifies or counts as not computed.

    config.toml        the resolved configuration, under a header with its hash; written once
    <unit.stem>.nc     a finished unit: a self-contained netCDF-4 file, a block of the dataset, then a seal
    registered.json    what it uses of a user's own observables, activations and optimisers, if anything
    .lock              locked (flock) by the one process that writes
    .tmp-*             being written, or left over by a process that was killed

The seal is the last `SEAL_SIZE` bytes of a unit's file, "\nmbsim sha256 <64 hexadecimal digits>\n": the
SHA-256 of all bytes before it and of the unit's identity (`RunFolder.identity`: the configuration's hash and
the labels). netCDF and HDF5 readers ignore bytes after the end that the file itself records. A checksum in a
second file would need two renames with a moment between them, and a copy can part it from its data; with a
seal, one rename makes both appear at once. Thanks to the identity, a sound file under a wrong name or from
another run fails just as a flipped bit does.

A file is made in memory, written under a temporary name, synced, renamed, and its folder synced: SIGKILL or a
power cut leaves the state before or the state after. Files hold no times of day: the same numbers give the
same bytes.
"""

import hashlib
import io
import json
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np
import xarray as xr

from mbsim.config import Config, stored_config
from mbsim.data import provenance as prov
from mbsim.data.files import LOCK, TEMPORARY, locked, netcdf_bytes, one_line_errors, sync, write_atomically
from mbsim.data.registered import REGISTERED, as_json, changed, described
from mbsim.data.variables import Contents, contents_of, labelled, unit_arrays, unit_labels
from mbsim.errors import RunFolderError
from mbsim.plan.units import Unit, measurement_times

CONFIG = "config.toml"
SEAL = re.compile(rb"\nmbsim sha256 ([0-9a-f]{64})\n")
SEAL_SIZE = 79
HEADER = """\
# Written by mbsim, and part of every result in this folder: for another configuration use another folder.
# config_hash = {config_hash}
# sha256 of what follows = {sha256}
"""
HEADER_PATTERN = re.compile(re.sub(r"\\{\w+\\}", "([0-9a-f]{64})", re.escape(HEADER)))


@dataclass(frozen=True)
class RunFolder:
    """A run on disk, by `create_or_open` or `open`. Results are tied to `config_hash`."""

    path: Path
    config: Config
    config_hash: str
    registered: bytes = b""  # the content of `REGISTERED`

    @classmethod
    def create_or_open(cls, path: str | os.PathLike[str], config: Config) -> Self:
        """The run folder at `path`, made where there is none, for this configuration and no other.

        Raises:
            RunFolderError: when `path` is a file, holds something else, holds another configuration (the line
                gives each key that differs, with both values) or cannot be written. Nothing is written then.
            OSError: when the disk is full.
        """
        path = Path(path)
        with _usable(path):
            if not (path / CONFIG).exists():
                _create(path, config)
        folder = cls.open(path)
        differing = _differences(folder.config, config) or changed(folder.registered, config)
        if differing:
            raise RunFolderError(
                f"{path} holds a run of another configuration; choose another folder, or make equal: "
                + "; ".join(differing)
            )
        return folder

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """The run folder at `path`, with the configuration in it; `RunFolderError` where there is none."""
        path = Path(path)
        with _usable(path):
            if not path.exists():
                raise RunFolderError(f"{path} does not exist: no run folder there")
            if not (path / CONFIG).exists():
                raise RunFolderError(f"{path} is not an mbsim run folder: it holds no {CONFIG}")
            text = (path / CONFIG).read_bytes().decode(errors="replace")
        header = HEADER_PATTERN.match(text)
        if header is None:
            raise RunFolderError(f"{path} is not an mbsim run folder: its {CONFIG} was not written by a run")
        body = text[header.end() :]
        if header[2] != hashlib.sha256(body.encode()).hexdigest():
            # Results of the old and the new configuration would be mixed unnoticed.
            raise RunFolderError(
                f"{path / CONFIG} was changed since the run began: put it back, or use another folder"
            )
        own = (path / REGISTERED).read_bytes() if (path / REGISTERED).exists() else b""
        return cls(path, stored_config(tomllib.loads(body)), header[1], own)

    def contents(self, unit: Unit) -> Contents:
        """What the unit's variables are."""
        return contents_of(unit, described(self.registered))

    def unit_path(self, unit: Unit) -> Path:
        """Where the unit's file is or will be."""
        return self.path / f"{unit.stem}.nc"

    def times(self) -> np.ndarray:
        """The measured times of this run, in sweeps or steps, shape (time,)."""
        return measurement_times(self.config.dynamics.length, self.config.measure.measurements)

    def identity(self, unit: Unit) -> bytes:
        """What the unit's file claims to be: the configuration's hash and the values of each dimension."""
        labels = {dim: values.tolist() for dim, values in unit_labels(unit, self.times()).items()}
        return json.dumps([self.config_hash, labels], separators=(",", ":")).encode()

    def done(self, unit: Unit) -> bool:
        """Whether the unit's file is there and verifies."""
        try:
            self._verified(unit)
        except (FileNotFoundError, RunFolderError):
            return False
        return True

    def missing(self, units: Iterable[Unit]) -> list[Unit]:
        """The units that are not done, in the order given."""
        return [unit for unit in units if not self.done(unit)]

    def write(self, unit: Unit, result: Mapping[str, Any], times: Any, provenance: Mapping[str, str]) -> None:
        """Write the unit's file, whole or not at all. The caller holds `lock`.

        Args:
            unit: what was computed.
            result: its arrays, as `unit_arrays` takes them.
            times: the measured times; those of this run.
            provenance: a text for each of `provenance.FIELDS`.

        Raises:
            OSError: when the disk is full or fails; the temporary file is gone then.
            ValueError: when the result is not this unit's.
        """
        times = np.asarray(times)
        if not np.array_equal(times, self.times()):
            raise ValueError(f"the measured times of {unit.stem} are not those of the configuration")
        contents = self.contents(unit)
        arrays, labels = unit_arrays(unit, result, times, contents), unit_labels(unit, times)
        attrs = prov.of_config(self.config, self.config_hash) | prov.joined([provenance])
        payload = netcdf_bytes(labelled(arrays, labels, attrs, contents))
        seal = f"\nmbsim sha256 {_digest(payload, self.identity(unit))}\n".encode()
        write_atomically(self.unit_path(unit), payload, seal)

    def read(self, unit: Unit) -> xr.Dataset:
        """The unit's block of the dataset, with all dimensions of the unit.

        Raises:
            FileNotFoundError: when the unit has no file.
            RunFolderError: when its file does not verify.
        """
        arrays, provenance = self.read_arrays(unit)
        attrs = prov.of_config(self.config, self.config_hash) | provenance
        return labelled(arrays, unit_labels(unit, self.times()), attrs, self.contents(unit))

    def read_arrays(self, unit: Unit) -> tuple[dict[str, np.ndarray], dict[str, str]]:
        """As `read`, but plain arrays and the provenance: ten times faster, for hundreds of units."""
        with h5py.File(io.BytesIO(self._verified(unit)), "r") as file:
            arrays = {name: file[name][...] for name in self.contents(unit).variables() if name in file}
            return arrays, prov.joined([{field: str(file.attrs.get(field, "")) for field in prov.FIELDS}])

    def clean_temporaries(self) -> None:
        """Remove what killed processes left half-written. The caller holds `lock`."""
        for path in self.path.glob(f"{TEMPORARY}*"):
            path.unlink(missing_ok=True)

    def lock(self) -> AbstractContextManager[None]:
        """Keep other processes from writing this folder. The system frees the lock of a process that dies.

        Raises:
            RunFolderError: when another process holds it, or the folder cannot be written.
        """
        return locked(self.path)

    def _verified(self, unit: Unit) -> bytes:
        """The bytes of the unit's file; `RunFolderError` when they are not what was written."""
        path = self.unit_path(unit)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise
        except OSError as error:  # a bad sector, a folder of that name
            raise RunFolderError(f"{path} is unreadable ({error.strerror}): run again to recompute") from None
        payload = memoryview(content)[:-SEAL_SIZE]
        seal = SEAL.fullmatch(content[-SEAL_SIZE:])
        if seal is None or seal[1].decode() != _digest(payload, self.identity(unit)):
            raise RunFolderError(f"{path} is damaged, its checksum does not match: run again to recompute")
        return content


def _create(path: Path, config: Config) -> None:
    """Make the folder and write its configuration, unless another process does so first."""
    if path.exists():
        if not path.is_dir():
            raise RunFolderError(f"{path} is a file, not a folder: choose another name for the run")
        left = (
            LOCK,
            TEMPORARY,
            REGISTERED,
        )  # all that is there when a run was killed before it wrote its configuration
        if strangers := sorted(entry.name for entry in path.iterdir() if not entry.name.startswith(left)):
            raise RunFolderError(f"{path} holds {strangers[0]} but no run: choose an empty or a new folder")
    path.mkdir(parents=True, exist_ok=True)
    sync(path.parent)
    body = config.to_toml()
    header = HEADER.format(config_hash=config.hash, sha256=hashlib.sha256(body.encode()).hexdigest())
    with locked(path):
        if not (path / CONFIG).exists():
            if own := as_json(config):
                write_atomically(path / REGISTERED, own)
            write_atomically(path / CONFIG, header.encode(), body.encode())


def _differences(there: Config, here: Config) -> list[str]:
    """One text for each key whose values differ."""
    old, new = _flat(there.identity()), _flat(here.identity())
    return [
        f"{key} is {_short(old, key)} there and {_short(new, key)} here"
        for key in dict.fromkeys([*old, *new])
        if old.get(key) != new.get(key)
    ]


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables as one, with dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: value}
    return flat


def _short(values: Mapping[str, Any], key: str) -> str:
    text = json.dumps(values[key]) if key in values else "not set"
    return text if len(text) <= 80 else f"{text[:60]} ... {text[-15:]}"


def _digest(payload: bytes | memoryview, identity: bytes) -> str:
    digest = hashlib.sha256(payload)
    digest.update(identity)
    return digest.hexdigest()


def _usable(path: Path) -> AbstractContextManager[None]:
    return one_line_errors(RunFolderError, f"{path} cannot be used as a run folder")
