"""The configuration of a run on disk: TOML that can be run again, under a header by which an edit is noticed."""

import hashlib
import json
import re
import tomllib
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mbsim.config import Config, stored_config
from mbsim.data import records
from mbsim.data.files import LOCK, TEMPORARY, put_new, sync, write_atomically
from mbsim.data.layout import ROOT, attributes_of
from mbsim.data.registered import REGISTERED
from mbsim.errors import MbsimError, RunFolderError
from mbsim.plan.boxes import extends

CONFIG = "config.toml"
EARLIER = "earlier"
"""The attribute of the hierarchy in a run folder that repeats what the run has grown from."""
HEADER = """\
# Written by mbsim, and part of every result in this folder: for another configuration use another folder.
# config_hash = {config_hash}
# sha256 of what follows = {sha256}
"""
CONFIG_HASH = re.compile(r"^# config_hash = ([0-9a-f]{64})$", re.MULTILINE)
BODY = re.compile(r"^# sha256 of what follows = ([0-9a-f]{64})\n(.*)", re.MULTILINE | re.DOTALL)


def earlier_name(number: int) -> str:
    """The name of the file of an earlier configuration, the first of which is 1."""
    return f"config.{number}.toml"


def holds_run(folder: Path) -> bool:
    """Whether a folder is one of a run, which its metadata tell too where its configuration was lost."""
    path = folder / CONFIG
    return path.exists() or ((folder / records.FOLDER).is_dir() and _of_metadata(path) is not None)


def read_config(path: Path) -> Config:
    """The configuration that a run wrote. Where its file was lost, is so damaged that none can be read, or is an
    older one of the same run, it is taken from the metadata beside it, with a warning.

    Raises:
        RunFolderError: the file was not written by a run, what it says was changed, or it is that of another run:
            results of the old and the new configuration would be mixed unnoticed.
    """
    own = _of_metadata(path)
    if body := sound_body(path):
        return _of_this_run(path, stored_config(tomllib.loads(body)), own)
    text = _text(path)
    stated = CONFIG_HASH.search(text)
    if not (own or stated or BODY.search(text)):
        raise RunFolderError(
            f"{path.parent} is not an mbsim run folder: its {path.name} was not written by a run"
        )
    try:
        there = stored_config(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, MbsimError):
        there = None
    if there and there.hash in (own and own.hash, stated and stated[1]):
        return there  # in the header, or a comment
    if own and there is None:
        state = "damaged" if path.exists() else "lost"
        warnings.warn(
            f"{path} is {state}: its content is taken from {ROOT} beside it, and `mbsim run` puts it back",
            stacklevel=1,  # so that a command which reads it twice tells it once
        )
        return own
    told = differences(own, there, "in the run", "in the file") if own and there else []
    what = f" ({'; '.join(told)})" if told else ""
    raise RunFolderError(f"{path} was changed since the run began{what}: put it back, or use another folder")


def _of_this_run(path: Path, there: Config, own: Config | None) -> Config:
    """What a sound file says, if it agrees with the metadata, `own`. A process that was killed while the run grew has
    left a larger one than they tell; a smaller one was put back by somebody.
    """
    if own is None or own.hash == there.hash or (path.name == CONFIG and extends(there, own)):
        return there
    if not extends(own, there):
        told = "; ".join(differences(own, there, "in the run", "in the file"))
        raise RunFolderError(
            f"{path} is that of another run ({told}): put its own back, or use another folder"
        )
    warnings.warn(
        f"{path} is older than this run: its content is taken from {ROOT} beside it, and `mbsim run` puts it back",
        stacklevel=1,
    )
    return own


def sound_body(path: Path) -> str:
    """What the file of a run's configuration says under its header; empty if that is not what was written."""
    found = BODY.search(_text(path))
    return found[2] if found and found[1] == hashlib.sha256(found[2].encode()).hexdigest() else ""


def sound_hash(path: Path) -> str:
    """The hash of the configuration in a file; empty if that is not what was written."""
    body = sound_body(path)
    return stored_config(tomllib.loads(body)).hash if body else ""


def _text(path: Path) -> str:
    """What is in a file; nothing if there is none."""
    return path.read_bytes().decode(errors="replace") if path.exists() else ""


def read_earlier(folder: Path) -> list[Config]:
    """The configurations that a run has grown from, the first one first."""
    told, found = len(attributes_of(folder).get(EARLIER, ())), list[Config]()
    while (path := folder / earlier_name(len(found) + 1)).exists() or len(found) < told:
        found.append(read_config(path))
    return found


def _of_metadata(path: Path) -> Config | None:
    """What the metadata beside the file of a configuration say that it is; None if they say nothing."""
    attributes = attributes_of(path.parent)
    try:
        if path.name != CONFIG:
            attributes = attributes[EARLIER][int(path.suffixes[0][1:]) - 1]
        config = stored_config(json.loads(attributes["config"]))
    except (LookupError, TypeError, ValueError, MbsimError):
        return None
    return config if config.hash == attributes.get("config_hash") else None


def create(path: Path, config: Config, registered: bytes) -> None:
    """Make the folder and write its configuration, unless another process does so first."""
    if path.exists():
        if not path.is_dir():
            raise RunFolderError(f"{path} is a file, not a folder: choose another name for the run")
        if others := strangers(path):
            raise RunFolderError(f"{path} holds {others[0]} but no run: choose an empty or a new folder")
    path.mkdir(parents=True, exist_ok=True)
    sync(path.parent)
    # No lock: the parts of a job array may all begin at once.
    if registered:
        write_atomically(path / REGISTERED, registered)
    write_config(path / CONFIG, config, new=True)


def strangers(path: Path) -> list[str]:
    """What is in a folder but what is there when a run was killed before it wrote its configuration."""
    left = (LOCK, TEMPORARY, REGISTERED)
    return sorted(entry.name for entry in path.iterdir() if not entry.name.startswith(left))


def write_config(path: Path, config: Config, new: bool = False) -> None:
    """Write the configuration of a run; if `new`, only where no other process has written one."""
    body = config.to_toml()
    header = HEADER.format(config_hash=config.hash, sha256=hashlib.sha256(body.encode()).hexdigest())
    content = header.encode() + body.encode()
    if new:
        put_new(path, content)
    else:
        write_atomically(path, content)


def another(path: Path, differing: Sequence[str]) -> RunFolderError:
    """What is said where a folder holds another run; `differing` as `differences`."""
    return RunFolderError(
        f"{path} holds a run of another configuration; choose another folder, or make equal: "
        + "; ".join(differing)
    )


def differences(there: Config, here: Config, place: str = "there", other: str = "here") -> list[str]:
    """One text for each key whose values differ; `place` and `other` say where each stands."""
    old, new = _flat(there.identity()), _flat(here.identity())
    return [
        f"{key} is {_short(old, key)} {place} and {_short(new, key)} {other}"
        for key in dict.fromkeys([*old, *new])
        if old.get(key) != new.get(key)
    ]


def in_the_way(there: Config, here: Config) -> list[str]:
    """The `differences` for which a run of one configuration cannot grow to another: not those of keys that
    only ask for more.
    """

    def grows(key: str) -> bool:
        values, name = there.resolved(), key.split(".")[1]
        if name in there.axes and name in here.axes:  # in [grid] or in [dynamics]
            values["dynamics"].pop(name, None)
            values["grid"][name] = list(here.axes[name])
        elif key.startswith("grid.") and name in (wanted := here.resolved()["grid"]):
            values["grid"][name] = wanted[name]
        else:
            return False
        try:
            return extends(stored_config(values), there)
        except MbsimError:  # not with the rest as it is
            return False

    told = differences(there, here)
    return [line for line in told if not grows(line.split()[0])] or told


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables as one, with dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: value}
    return flat


def _short(values: Mapping[str, Any], key: str) -> str:
    text = json.dumps(values[key]) if key in values else "not set"
    return text if len(text) <= 80 else f"{text[:60]} ... {text[-15:]}"
