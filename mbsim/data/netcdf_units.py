r"""Runs that an older mbsim wrote: one netCDF-4 file for each unit, which was one teacher with a block of m.

    config.toml                               as today
    N00064-d003-t0000-m00004-00016.nc         a unit: a block of the dataset, then a seal

The seal, "\nmbsim sha256 <64 hexadecimal digits>\n", is of the bytes before it and of what the unit is. Such folders
are read, and exported as new ones; nothing is added to them.
"""

import hashlib
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from mbsim.config import Config
from mbsim.data import provenance as prov
from mbsim.data.records import State
from mbsim.data.variables import Contents, unit_labels
from mbsim.errors import RunFolderError
from mbsim.plan.boxes import boxes
from mbsim.plan.units import Unit

SEAL = re.compile(rb"\nmbsim sha256 ([0-9a-f]{64})\n")
SEAL_SIZE = 79
NARROWEST_BLOCK = 5  # log2 of the largest m of the first block


def is_old(path: Path) -> bool:
    """Whether a run folder was written by an older mbsim."""
    return not (path / "zarr.json").exists() and next(path.glob("N*-d*-t*-m*.nc"), None) is not None


def how_to_go_on(path: Path, config: Config) -> str:
    """What is said where such a folder would be gone on with."""
    then = f"mbsim export {path} NEW, then go on there"
    if not config.model.real:
        then = "choose another folder, for ±1 weights are drawn otherwise now"
    return f"{path} holds a run of an older mbsim, one file a unit: {then}"


@dataclass(frozen=True)
class OldUnits:
    """The files of an older run."""

    path: Path
    config: Config
    times: np.ndarray
    contents: Contents

    def __iter__(self) -> Iterator[Unit]:
        """What the units were, in order."""
        for box, config in boxes([self.config]):
            for teacher in box.teachers:
                for _, block in groupby(box.m, key=lambda m: max(NARROWEST_BLOCK, (m - 1).bit_length())):
                    yield Unit(
                        N=box.N,
                        K=config.model.hidden_units(box.N),
                        M=config.model.outputs(box.N),
                        d=box.d,
                        m=tuple(block),
                        teachers=1,
                        replicas=len(box.replicas),
                        first_teacher=teacher,
                        axis_values=box.axis_values,
                        examples=config.training_set(box.N, box.d),
                        rule=config.rule.name,
                        observables=config.observables,
                        group=box.name,
                    )

    def read_arrays(self, unit: Unit) -> tuple[dict[str, np.ndarray], dict[str, str]]:
        """A unit's arrays, with all dimensions, and its provenance.

        Raises:
            FileNotFoundError: it has no file.
            RunFolderError: its file does not verify.
        """
        size = f"N{unit.N:05d}-d{unit.d:03d}-t{unit.first_teacher:04d}"
        path = self.path / f"{size}-m{unit.m[0]:05d}-{unit.m[-1]:05d}.nc"
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise
        except OSError as error:
            raise RunFolderError(f"{path} is unreadable ({error.strerror})") from None
        import h5py  # here, for it takes a while, and runs of today need none of it

        payload = memoryview(content)[:-SEAL_SIZE]
        seal = SEAL.fullmatch(content[-SEAL_SIZE:])
        labels = {dim: values.tolist() for dim, values in unit_labels(unit, self.times).items()}
        digest = hashlib.sha256(payload)
        digest.update(json.dumps([self.config.hash, labels], separators=(",", ":")).encode())
        if seal is None or seal[1].decode() != digest.hexdigest():
            raise RunFolderError(f"{path} is damaged, its checksum does not match")
        with h5py.File(io.BytesIO(content), "r") as file:
            arrays = {name: file[name][...] for name in self.contents.variables() if name in file}
            return arrays, {field: str(file.attrs.get(field, "")) for field in prov.FIELDS}


def states(path: Path, config: Config, times: np.ndarray, contents: Contents) -> dict[Unit, State]:
    """The state of every unit; everything is read and verified."""
    units = OldUnits(path, config, times, contents)

    def state(unit: Unit) -> State:
        try:
            units.read_arrays(unit)
        except FileNotFoundError:
            return "left"
        except RunFolderError:
            return "damaged"
        return "done"

    return {unit: state(unit) for unit in units}
