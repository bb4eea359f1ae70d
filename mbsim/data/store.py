"""A run as a folder: a Zarr v3 hierarchy that xarray opens, and beside it what is done.

    config.toml          the resolved configuration, under a header with its hash
    config.1.toml, ...   those that it grew from, oldest first (`mbsim.plan.boxes`)
    zarr.json, N64-d3/   the data (`layout`)
    done/                a record of each finished work unit (`records`)
    order_parameter.png  drawn by `mbsim run` at its end; taken away by whoever writes a unit
    registered.json      what it uses of a user's own observables, activations and optimisers, if anything
    .lock                locked (flock): by the one process that writes, or shared by the parts of a job array
    .tmp-*               being written, or left over by a process that was killed

Whatever is written appears by a rename, whole. A unit's record comes last, and holds the checksums of its chunks:
a process that is killed, a full disk, a flipped bit or a lost chunk leave a unit that is not done, which is found and
computed again, never numbers that are wrong. Only configurations are waited for until they are on the disk. The rest
is not, since that would cost more than the training of small units: should the power fail, chunks of the last seconds
may not be what their records say, and are computed again as well. Files hold no times of day: the same numbers give
the same bytes.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any, Self

import numpy as np
import xarray as xr

from mbsim.config import Config
from mbsim.data import chunks, configs, layout, records
from mbsim.data import provenance as prov
from mbsim.data.configs import CONFIG, another, read_config
from mbsim.data.files import TEMPORARY, folder_of, locked, one_line_errors, put
from mbsim.data.netcdf_units import how_to_go_on, is_old
from mbsim.data.registered import ATTRIBUTE, REGISTERED, as_json, changed, chosen, described
from mbsim.data.variables import Contents, Variable, contents_of, labelled, unit_arrays, unit_labels
from mbsim.errors import RunFolderError
from mbsim.plan.boxes import extends
from mbsim.plan.times import measurement_times
from mbsim.plan.units import Unit, units

FIGURE = "order_parameter.png"


@dataclass(frozen=True)
class RunFolder:
    """A run on disk, by `create_or_open` or `open`.

    history: its configurations, oldest first: more than one if its grid has grown.
    written: how many of them are on the disk.
    """

    path: Path
    history: tuple[Config, ...]
    written: int
    registered: bytes = b""  # the content of `REGISTERED`

    @classmethod
    def create_or_open(cls, path: str | os.PathLike[str], config: Config) -> Self:
        """The run folder at `path`, made where there is none, for this configuration, for one that its grid contains,
        and for no other. `prepare` makes it ready for writing.

        Raises:
            RunFolderError: when `path` is a file, holds something else, holds another configuration (the line gives
                each key that differs, with both values) or other streams, or cannot be written. Nothing is then.
            OSError: when the disk is full.
        """
        path = folder_of(path)
        with _usable(path):
            if not configs.holds_run(path):
                configs.create(path, config, as_json(config))
        if is_old(path):
            raise RunFolderError(how_to_go_on(path, config))
        folder = cls.open(path)
        if differing := changed(folder.registered, config):
            raise another(path, differing)
        if folder.config.hash != config.hash:
            if not extends(config, folder.config):
                raise another(path, configs.in_the_way(folder.config, config))
            folder = replace(folder, history=(*folder.history, config))
        old, new = folder.drawn_with(), prov.generator(config)
        if old not in ("", new):
            raise RunFolderError(
                f"{path} was drawn with {old!r}, and this mbsim draws with {new!r}: choose another folder; it can be "
                "analysed, and the version that began it goes on"
            )
        return folder

    @classmethod
    def create(cls, path: Path, config: Config, registered: bytes) -> Self:
        """A new run folder, of a run that uses this of a user's own (`REGISTERED`), which need not be known here."""
        configs.create(path, config, registered)
        return cls.open(path)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """The run folder at `path`, with the configuration in it; `RunFolderError` where there is none."""
        path = folder_of(path)
        with _usable(path):
            if not path.exists():
                raise RunFolderError(f"{path} does not exist: no run folder there")
            if not configs.holds_run(path):
                raise RunFolderError(f"{path} is not an mbsim run folder: it holds no {CONFIG}")
            config = read_config(path / CONFIG)
            repeated = str(layout.attributes_of(path).get(ATTRIBUTE, "")).encode()
            own = chosen(path / REGISTERED, repeated, config)
            older = configs.read_earlier(path)
        # A process that was killed while the run grew has left the configuration in both places.
        history = (*(one for one in older if one.hash != config.hash), config)
        return cls(path, history, len(history), own)

    @property
    def config(self) -> Config:
        """The configuration: the last and largest."""
        return self.history[-1]

    @property
    def config_hash(self) -> str:
        """Its hash."""
        return self.config.hash

    @cached_property
    def units(self) -> tuple[Unit, ...]:
        """All units of the run."""
        return units(self.history)

    @cached_property
    def times(self) -> np.ndarray:
        """The measured times of this run, in sweeps or steps, shape (time,)."""
        return measurement_times(self.config.dynamics.length, self.config.measure.measurements)

    @cached_property
    def contents(self) -> Contents:
        """What the variables of the run are."""
        return contents_of(self.units[0], described(self.registered))

    @cached_property
    def variables(self) -> dict[str, Variable]:
        """Those variables, by name."""
        return self.contents.variables()

    @cached_property
    def _identities(self) -> records.Identities:
        return records.identities(self.config, self.times)

    def lock(self, shared: bool = False) -> AbstractContextManager[None]:
        """Keep other processes from writing this folder; or share it with those that share it, the parts of a job
        array. The system frees the lock of a process that dies.

        Raises:
            RunFolderError: when another process holds it, or the folder cannot be written.
        """
        return locked(self.path, shared)

    def prepare(self, alone: bool = True) -> None:
        """Make the folder ready for the chunks of all units: what it grows to is written, and metadata that is
        missing or damaged. The caller holds `lock`; if alone, what killed processes left half-written is removed.
        """
        if alone:
            for path in self.path.glob(f"{TEMPORARY}*"):
                path.unlink(missing_ok=True)
        with one_line_errors(RunFolderError, f"{self.path} cannot be written"):
            # Of what was opened, not of what is there now: another part may have written the larger one meanwhile.
            now, earlier = configs.sound_hash(self.path / CONFIG), self.history[:-1]
            if now and now not in (one.hash for one in self.history):
                raise RunFolderError(f"{self.path} has grown otherwise since it was looked at: start again")
            for number, config in enumerate(earlier, start=1):
                if configs.sound_hash(self.path / configs.earlier_name(number)) != config.hash:
                    configs.write_config(self.path / configs.earlier_name(number), config)
            if now != self.config.hash:
                configs.write_config(self.path / CONFIG, self.config)
            (self.path / records.FOLDER).mkdir(exist_ok=True)
            attributes = prov.of_config(self.config, self.config_hash)
            if earlier:
                attributes[configs.EARLIER] = [prov.of_config(one, one.hash) for one in earlier]
            if self.registered:
                attributes[ATTRIBUTE] = self.registered.decode()
                if not (path := self.path / REGISTERED).is_file() or path.read_bytes() != self.registered:
                    put(path, self.registered, self.path)
            groups = {name: list(some) for name, some in groupby(self.units, key=lambda unit: unit.group)}
            for name, content in layout.metadata(groups, self.times, self.contents, attributes).items():
                path = self.path / name
                if not path.is_file() or path.read_bytes() != content:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    put(path, content, self.path)

    def record_path(self, unit: Unit) -> Path:
        """Where the unit's record is or will be."""
        return self.path / records.FOLDER / f"{unit.stem}.json"

    def chunk_path(self, unit: Unit, variable: str) -> Path:
        """Where one chunk of the unit is or will be."""
        return Path(self._chunk(unit, variable))

    def _chunk(self, unit: Unit, variable: str) -> str:
        name = layout.chunk_name(unit, len(self.variables[variable].dims))
        return f"{self.path}/{unit.group}/{variable}/{name}"

    def done(self, unit: Unit) -> bool:
        """Whether the unit is there, and verifies."""
        try:
            for _ in self._verified(unit):
                pass
        except (FileNotFoundError, RunFolderError):
            return False
        return True

    def missing(self, units: Iterable[Unit] | None = None) -> list[Unit]:
        """The units that are not done, in the order given; all units of the run by default."""
        return [unit for unit in (self.units if units is None else units) if not self.done(unit)]

    def unrecorded(self) -> int:
        """How many units have never been done; nothing is verified, so that this takes no time."""
        return sum(not self.record_path(unit).exists() for unit in self.units)

    def damaged(self, todo: Iterable[Unit]) -> int:
        """How many of some units that are not done were so once."""
        return sum(self.record_path(unit).exists() for unit in todo)

    def write(self, unit: Unit, result: Mapping[str, Any], times: Any, provenance: Mapping[str, str]) -> None:
        """Write the unit. The caller holds `lock`, and has called `prepare`.

        Args:
            unit: what was computed.
            result: its arrays, as `unit_arrays` takes them.
            times: the measured times; those of this run.
            provenance: a text for each of `provenance.FIELDS`.

        Raises:
            OSError: when the disk is full or fails; the unit is not done then.
            ValueError: when the result is not this unit's.
        """
        if not np.array_equal(np.asarray(times), self.times):
            raise ValueError(f"the measured times of {unit} are not those of the configuration")
        arrays = unit_arrays(unit, result, self.times, self.contents)
        with suppress(OSError):  # a folder of that name, say, which is told when the figure is drawn
            os.unlink(self.path / FIGURE)  # it would be that of a smaller run
        full = self._chunk_sizes(unit)
        kept: dict[str, tuple[int, int]] = {}
        for name, variable in self.variables.items():
            shape = [full[dim] for dim in variable.dims]
            chunk = chunks.encoded(arrays[name], shape, variable.empty)
            put(self.chunk_path(unit, name), chunk, self.path)
            kept[name] = len(chunk), int.from_bytes(chunk[-chunks.CRC_BYTES :], "little")
        record = records.Record(self._identities.of(unit), kept, prov.joined([provenance]))
        put(self.record_path(unit), record.content(), self.path)

    def read(self, unit: Unit) -> xr.Dataset:
        """The unit's block of the dataset, with all dimensions.

        Raises:
            FileNotFoundError: when the unit has no record.
            RunFolderError: when something of it does not verify.
        """
        arrays, provenance = self.read_arrays(unit)
        attrs = prov.of_config(self.config, self.config_hash) | dict(provenance)
        return labelled(arrays, unit_labels(unit, self.times), attrs, self.contents)

    def read_arrays(
        self, unit: Unit, names: Sequence[str] | None = None
    ) -> tuple[dict[str, np.ndarray], Mapping[str, str]]:
        """As `read`, but plain arrays of some variables, all by default, and the provenance."""
        own = {dim: len(values) for dim, values in unit_labels(unit, self.times).items()}
        full = self._chunk_sizes(unit)
        arrays: dict[str, np.ndarray] = {}
        for name, chunk in self._verified(unit, names):
            variable = self.variables[name]
            array = chunks.decoded(chunk, np.dtype(variable.dtype), [full[dim] for dim in variable.dims])
            arrays[name] = array[tuple(slice(own[dim]) for dim in variable.dims)]
        return arrays, self._record(unit).provenance

    def drawn_with(self) -> str:
        """The generator of random numbers of the first unit that is there; "" where none is."""
        for unit in self.units:
            if self.record_path(unit).exists():
                with suppress(RunFolderError):
                    return self._record(unit).provenance.get("prng", "")
        return ""

    def provenance(self) -> dict[str, str]:
        """What computed the units that are there."""
        found = []
        for unit in self.units:
            try:
                found.append(self._record(unit).provenance)
            except (FileNotFoundError, RunFolderError):
                continue
        return prov.joined(found)

    def _chunk_sizes(self, unit: Unit) -> dict[str, int]:
        """The lengths of a whole chunk of the unit's group: those of its first unit."""
        first = self._first_units[unit.group]
        return {dim: len(values) for dim, values in unit_labels(first, self.times).items()}

    @cached_property
    def _first_units(self) -> dict[str, Unit]:
        found: dict[str, Unit] = {}
        for unit in self.units:
            found.setdefault(unit.group, unit)
        return found

    def _record(self, unit: Unit) -> records.Record:
        path = self.record_path(unit)
        record = records.Record.parsed(_content(path))
        if record is None or record.identity != self._identities.of(unit):
            raise RunFolderError(f"{path} is damaged, its checksum does not match: run again to recompute")
        return record

    def _verified(self, unit: Unit, names: Sequence[str] | None = None) -> Iterator[tuple[str, bytes]]:
        """Names and chunks of a unit; `RunFolderError` at the first that is not what was written."""
        record = self._record(unit)
        for name in self.variables if names is None else names:
            path = self._chunk(unit, name)  # a text: a run may have a hundred thousand
            try:
                chunk = _content(path)
            except FileNotFoundError:
                raise RunFolderError(f"{path} is missing: run again to recompute") from None
            if record.chunks.get(name) != (len(chunk), chunks.checksum(chunk)):
                raise RunFolderError(
                    f"{path} is damaged, its checksum does not match: run again to recompute"
                )
            yield name, chunk


def _content(path: str | Path) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read()
    except FileNotFoundError:
        raise
    except OSError as error:  # a bad sector, a folder of that name
        raise RunFolderError(f"{path} is unreadable ({error.strerror}): run again to recompute") from None


def _usable(path: Path) -> AbstractContextManager[None]:
    return one_line_errors(RunFolderError, f"{path} cannot be used as a run folder")
