"""What is done of a run: a small file for each finished work unit, written after all its chunks.

    done/N64-d3.m0.t0.json       one line of JSON, then the SHA-256 of that line

The line holds what the unit is (`identity`: a hash of all that its numbers follow from), the size and the checksum of
each of its chunks, and what computed it. A unit counts as done only if this file is sound, is this unit's, and every
chunk is what it says. One file for each unit, instead of one journal to which all append, needs no order between the
processes that write, no lock, and can be torn nowhere but in itself.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mbsim.config import Config
from mbsim.data.variables import unit_labels
from mbsim.plan.boxes import without_grid
from mbsim.plan.units import Unit

FOLDER = "done"
State = Literal["done", "damaged", "left"]
"""Of a unit."""


@dataclass(frozen=True)
class Record:
    """chunks: for each variable the size of its chunk in bytes, and its checksum. provenance: what computed it."""

    identity: str
    chunks: Mapping[str, tuple[int, int]]
    provenance: Mapping[str, str]

    def content(self) -> bytes:
        """The file."""
        fields = {"unit": self.identity, "chunks": self.chunks, "provenance": self.provenance}
        line = json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()
        return line + b"\n" + hashlib.sha256(line).hexdigest().encode() + b"\n"

    @classmethod
    def parsed(cls, content: bytes) -> "Record | None":
        """What a file says; None if it is damaged."""
        line, _, rest = content.partition(b"\n")
        if rest != hashlib.sha256(line).hexdigest().encode() + b"\n":
            return None
        fields: dict[str, Any] = json.loads(line)
        chunks = {name: (int(size), int(crc)) for name, (size, crc) in fields["chunks"].items()}
        return cls(fields["unit"], chunks, fields["provenance"])


def identities(config: Config, times: np.ndarray) -> "Identities":
    """What units of a run are told apart by, and from those of other runs."""
    text = json.dumps(without_grid(config), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return Identities(hashlib.sha256(text.encode()).hexdigest(), times)


class Identities:
    """SHA-256 of what a unit's numbers follow from: the configuration without its grid, and the unit's labels. A grid
    that has grown leaves it as it is.
    """

    def __init__(self, common: str, times: np.ndarray):
        self._common, self._times = common, times

    def of(self, unit: Unit) -> str:
        """In hexadecimal."""
        labels = {dim: values.tolist() for dim, values in unit_labels(unit, self._times).items()}
        text = json.dumps([self._common, labels], separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()
