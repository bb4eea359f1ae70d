"""The configuration of a run on disk: TOML that can be run again, under a header by which an edit is noticed."""

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mbsim.config import Config, stored_config
from mbsim.data.files import put_new, write_atomically
from mbsim.errors import RunFolderError

CONFIG = "config.toml"
HEADER = """\
# Written by mbsim, and part of every result in this folder: for another configuration use another folder.
# config_hash = {config_hash}
# sha256 of what follows = {sha256}
"""
HEADER_PATTERN = re.compile(re.sub(r"\\{\w+\\}", "([0-9a-f]{64})", re.escape(HEADER)))


def earlier_name(number: int) -> str:
    """The name of the file of an earlier configuration, the first of which is 1."""
    return f"config.{number}.toml"


def read_config(path: Path) -> Config:
    """The configuration that a run wrote; `RunFolderError` if it is damaged or was edited."""
    text = path.read_bytes().decode(errors="replace")
    header = HEADER_PATTERN.match(text)
    if header is None:
        raise RunFolderError(
            f"{path.parent} is not an mbsim run folder: its {path.name} was not written by a run"
        )
    body = text[header.end() :]
    if header[2] != hashlib.sha256(body.encode()).hexdigest():
        # Results of the old and the new configuration would be mixed unnoticed.
        raise RunFolderError(f"{path} was changed since the run began: put it back, or use another folder")
    return stored_config(tomllib.loads(body))


def write_config(path: Path, config: Config, new: bool = False) -> None:
    """Write the configuration of a run; if `new`, only where no other process has written one."""
    body = config.to_toml()
    header = HEADER.format(config_hash=config.hash, sha256=hashlib.sha256(body.encode()).hexdigest())
    content = header.encode() + body.encode()
    if new:
        put_new(path, content)
    else:
        write_atomically(path, content)


def differences(there: Config, here: Config) -> list[str]:
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
