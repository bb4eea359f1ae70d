"""Turns what is wrong with a configuration into lines to read: `source: key = value: what is allowed`.

Keys are written in full, with dots (`grid.m.start`). An item of a list is shown under the key of the list. An
unknown key comes with the nearest valid one, which may stand in another table.
"""

import json
import math
from collections.abc import Collection, Iterable, Mapping
from difflib import SequenceMatcher
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticCustomError

from mbsim.errors import ConfigError
from mbsim.physics.keys import Key

MISSING: Any = object()  # the value of a key that is not there
LONGEST_VALUE = 72  # characters of a value that a message shows

# Names from other programs and papers.
SYNONYMS = {
    "learning_rate": "dynamics.lr",
    "eta": "dynamics.lr",
    "P": "data.examples",
    "K": "model.hidden",
    "T": "dynamics.temperature",
    "batch": "grid.m",
    "batch_size": "grid.m",
}


class Problem(NamedTuple):
    """One thing that is wrong. An empty or partial key is completed by where the problem was found."""

    key: str
    value: Any
    text: str


def refused(*problems: Problem) -> PydanticCustomError:
    """The exception by which a validator reports its own problems; raise it."""
    return PydanticCustomError("refused", "refused", {"problems": problems})


def descriptions(table: type[BaseModel], prefix: str = "") -> dict[str, str]:
    """{full key: what it must be} for every key that a table and the tables inside it may hold."""
    found: dict[str, str] = {}
    for name, field in table.model_fields.items():
        key = f"{prefix}{name}"
        declared = next((one for one in field.metadata if isinstance(one, Key)), None)
        found[key] = declared.must_be if declared else field.description or "a table"
        for inner in tables_in(field.annotation):
            found |= descriptions(inner, f"{key}.")
    return found


def tables_in(annotation: Any) -> list[type[BaseModel]]:
    """The table classes that a field's type names, however deep."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [table for part in get_args(annotation) for table in tables_in(part)]


def shown(value: Any) -> str:
    """A value as TOML writes it, on one line, cut where it is long."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except ValueError:  # Python writes no integer beyond some thousand digits
        return "(a very large number)"
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"


def line(problem: Problem) -> str:
    """`key = value: text`."""
    if problem.value is MISSING:
        return f"{problem.key}: {problem.text}"
    return f"{problem.key} = {shown(problem.value)}: {problem.text}"


def nearest_key(key: str, keys: Iterable[str]) -> tuple[str, float]:
    """The valid key most like `key`, and how alike their last parts are, 0 to 1."""
    table, _, name = key.rpartition(".")
    if name in SYNONYMS:
        return SYNONYMS[name], 1.0
    keys = [other for other in keys if other.count(".") < 2 or other.rpartition(".")[0] == table]
    if "." in table and table in keys and not any(other.startswith(f"{table}.") for other in keys):
        return table, 1.0  # a key inside something that is no table

    def alike(other: str) -> tuple[float, float]:
        other_table, _, other_name = other.rpartition(".")
        by_name = SequenceMatcher(None, name.lower(), other_name.lower()).ratio()
        by_table = 1.0 if table == other_table else 0.5 * SequenceMatcher(None, table, other_table).ratio()
        # The same name in another table beats a like name, but not one that is nearly the same in this table.
        same = by_name == 1.0 or (table == other_table and by_name > 0.85)
        return by_name + same + 0.25 * by_table, by_name

    best = max(keys, key=lambda other: alike(other)[0])
    return best, alike(best)[1]


def unknown_key(key: str, value: Any, keys: Collection[str]) -> Problem:
    """The problem of a key that is not one of `keys`."""
    nearest, likeness = nearest_key(key, keys)
    text = f"unknown key; nearest valid key is {nearest}"
    table = key.rpartition(".")[0]
    siblings = [other.rpartition(".")[2] for other in keys if other.rpartition(".")[0] == table]
    if likeness < 0.6 and siblings:
        text += f" (valid here: {', '.join(siblings)})"
    return Problem(key, value, text)


def problems_of(error: ValidationError, allowed: Mapping[str, str]) -> list[Problem]:
    """What a failed validation found, once each, in the order of the file's tables."""
    found: dict[str, Problem] = {}
    for item in error.errors(include_url=False):
        for problem in _problems_of_item(item, allowed):
            found.setdefault(line(problem), problem)
    return list(found.values())


def _problems_of_item(item: Any, allowed: Mapping[str, str]) -> list[Problem]:
    location, kind, value = item["loc"], item["type"], item["input"]
    key = ""
    known = location[:-1] if kind == "extra_forbidden" else location
    for part in known:  # leaves out positions in lists and the names of alternatives, which are no keys
        if (longer := f"{key}.{part}" if key else str(part)) in allowed:
            key = longer
    if kind == "refused":
        found = item["ctx"]["problems"]
        return [problem._replace(key=".".join(filter(None, (key, problem.key)))) for problem in found]
    if kind == "extra_forbidden":
        extra = f"{key}.{location[-1]}" if key else str(location[-1])
        if extra in allowed:  # a key of another way to write the same table
            return [Problem(extra, value, f"does not go with the other keys of {key}")]
        return [unknown_key(extra, value, allowed)]
    if kind == "missing":
        return [Problem(key, MISSING, f"missing; must be {allowed[key]}")]
    if isinstance(location[-1], int):
        item = allowed[key].partition("each ")[2].partition(";")[0]
        return [Problem(key, value, f"each value must be {item}")]
    return [Problem(key, value, f"must be {allowed[key]}")]


def config_error(
    problems: Iterable[Problem], source: str, overridden: Collection[str] = (), overrides_label: str = ""
) -> ConfigError:
    """One line for each problem, each with where its key was written: the source, or the overrides."""
    lines = []
    for problem in problems:
        by_override = any(
            problem.key == key or problem.key.startswith(f"{key}.") or key.startswith(f"{problem.key}.")
            for key in overridden
        )
        where = overrides_label if by_override else source
        lines.append(f"{where}: {line(problem)}" if where else line(problem))
    return ConfigError(*lines)
