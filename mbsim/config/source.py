"""Where the values of a configuration come from: a TOML file or a dict, then overrides.

An override is text, `key=value`, with the key in full (`grid.d`, `grid.m.step`) and the value as TOML writes
it; a value that is not TOML is a bare string, so that `dynamics.order=sequential` needs no quotes. Overrides
apply in the order given.
"""

import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mbsim.config.problems import Problem, config_error, unknown_key
from mbsim.config.tables import NAMED_MODELS
from mbsim.errors import ConfigError
from mbsim.physics.rules import axes


def read_toml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The tables of a TOML file; raises `ConfigError` (one line) if it cannot be read."""
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; a configuration file is needed") from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: is a folder; a configuration file is needed") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from None
    except ValueError:  # a null character, for one
        raise ConfigError(f"{os.fspath(path)!r}: no file can have this name") from None
    try:
        # Some editors begin a file with a byte order mark, which utf-8-sig skips.
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: byte {error.start} is not UTF-8 text") from None
    except RecursionError:
        raise ConfigError(f"{path}: not valid TOML: nested too deeply") from None
    except ValueError as error:  # wrong syntax, or a number with thousands of digits
        raise ConfigError(f"{path}: not valid TOML: {error}") from None


def plain(value: Any) -> Any:
    """A deep copy in TOML's types: NumPy arrays and scalars become lists and numbers, tuples lists.

    Raises:
        ConfigError: a table holds itself, or tables are nested a thousand deep.
    """
    try:
        return _plain(value)
    except RecursionError:
        raise ConfigError("config: is nested too deeply, or a table holds itself") from None


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | range):
        return [_plain(item) for item in value]
    return value.tolist() if hasattr(value, "tolist") else value


def parse_value(text: str) -> Any:
    """The value of an override: TOML, or else the text itself."""
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return parsed["value"] if parsed.keys() == {"value"} else text  # a line break may hide a second key


def apply_overrides(
    values: dict[str, Any], overrides: Iterable[str], keys: Mapping[str, str], label: str
) -> set[str]:
    """Write the overrides into `values`; returns their keys. `keys` are the valid ones.

    `label` says in errors where the overrides were written: `--set`, or `overrides` of a call.

    A named model becomes its table when one of its keys is overridden. `temperature` and `init_overlap` may
    stand in `[grid]` or in `[dynamics]`: an override of one takes the place of the other in the file.

    Raises `ConfigError`, one line for each override that is not `key=value` or whose key is unknown.
    """
    lines, written = [], []
    for override in [overrides] if isinstance(overrides, str) else overrides:
        key, _, text = (part.strip() for part in str(override).partition("="))
        if not (key and text):
            lines.append(f"{label} {override}: must be KEY=VALUE, for example grid.d=[3,5]")
        elif key not in keys:
            lines.extend(config_error([unknown_key(key, parse_value(text), keys)], label).lines)
        else:
            written.append((key, parse_value(text)))
    if lines:
        raise ConfigError(*lines)

    overridden = {key for key, _ in written}
    for name in axes():
        for here, there in (("grid", "dynamics"), ("dynamics", "grid")):
            if f"{here}.{name}" in overridden and isinstance(values.get(there), dict):
                values[there].pop(name, None)
    for key, value in written:
        _write(values, key, value, label)
    return overridden


def _write(values: dict[str, Any], key: str, value: Any, label: str) -> None:
    *tables, name = key.split(".")
    table, path = values, ""
    for part in tables:
        path = f"{path}.{part}" if path else part
        inner = table.setdefault(part, {})
        if path == "model" and isinstance(inner, str) and inner in NAMED_MODELS:
            inner = table[part] = dict(NAMED_MODELS[inner])
        if not isinstance(inner, dict):
            problem = Problem(key, value, f"cannot be set, for {path} is not a table here")
            raise config_error([problem], label)
        table = inner
    table[name] = value
