"""Tables of these pages that follow from the code: written into the pages, so that nothing is said twice.

    python docs/tables.py

In a page, what stands between `<!-- table NAME -->` and `<!-- end -->` is such a table (`TABLES`). The tests
hold the pages to this.
"""

import inspect
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from mbsim import figures
from mbsim.config import Config, known_keys
from mbsim.config.dynamics import table_of
from mbsim.config.problems import tables_in
from mbsim.config.tables import NAMED_MODELS, grid_table, model_keys
from mbsim.data.variables import FIRST, GAP, LAST, Contents
from mbsim.engines import ENGINES
from mbsim.physics.observables import OBSERVABLES
from mbsim.physics.rules import RULES, axes
from mbsim.physics.students import STUDENTS

FOLDER = Path(__file__).parent
PLACE = re.compile(r"(<!-- table ([\w.]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
LEAST = {"N": [9], "d": [3], "m": [4]}  # a grid that every named model takes


def table(headings: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    """A table of Markdown."""
    cells = [headings, ("---",) * len(headings), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |\n" for row in cells)


def shown(value: Any) -> str:
    """A value as TOML writes it."""
    return f"`{json.dumps(value)}`"


def fields(of: type[BaseModel], prefix: str = "") -> dict[str, Any]:
    """{full key: field} of a table and the tables inside it."""
    found: dict[str, Any] = {}
    for name, field in of.model_fields.items():
        found[f"{prefix}{name}"] = field
        for inner in tables_in(field.annotation):
            found |= fields(inner, f"{prefix}{name}.")
    return found


def all_fields() -> dict[str, Any]:
    """{full key: field} of the whole configuration, whatever its rule."""
    found = fields(Config) | fields(grid_table(), "grid.")
    for name in RULES:
        found |= {key: one for key, one in fields(table_of(name), "dynamics.").items() if key not in found}
    return found


def default(key: str) -> str:
    """What a key is where it is left out: of all named models, then of those that differ."""
    field = all_fields()[key]
    if field.is_required():
        return "required"
    table, _, name = key.partition(".")
    values = {
        model: resolved.get(table, {}).get(name)
        for model in NAMED_MODELS
        for resolved in [Config(model=model, grid=LEAST).resolved()]
        if not key.startswith("grid.m")
    }
    known = {model: shown(value) for model, value in values.items() if value is not None}
    if not known:
        value = field.default
        return "none" if value is None or isinstance(value, BaseModel) else shown(value)
    if not owners(key):  # some models may leave out what all may have
        known = {model: known.get(model, "none") for model in values}
    texts = list(known.values())
    common = max(texts, key=texts.count)
    others = {text: [m for m in known if known[m] == text] for text in texts if text != common}
    return "; ".join([common, *(f"{text} for {' and '.join(models)}" for text, models in others.items())])


KINDS = {
    "binary": "±1 weights",
    "sparse": "real sparse",
    "dense": "real dense",
}  # what kinds of students are called


def owners(key: str) -> str:
    """The rules or the students that a key belongs to; empty where all have it."""
    table, _, name = key.partition(".")
    rules = [rule for rule, one in RULES.items() if name in {own.name for own in one.keys}]
    if table == "dynamics" or (table == "grid" and name in axes()):
        return ", ".join(rules)
    if table == "model" and name in model_keys():
        kinds = [kind for kind, one in STUDENTS.items() if name in {own.name for own in one.keys}]
        return ", ".join(KINDS.get(kind, kind) for kind in kinds)
    return ""


def keys_of(part: str) -> str:
    """The keys of one table of the configuration."""
    keys = {key: words for key, words in known_keys().items() if key.startswith(f"{part}.")}
    with_owners = any(map(owners, keys))

    def rows() -> Iterator[tuple[str, ...]]:
        for key, words in keys.items():
            row = f"`{key.removeprefix(f'{part}.')}`", default(key), f"{words}"
            yield (*row, owners(key) or "all") if with_owners else row

    what = {"model": "students", "grid": "rules", "dynamics": "rules"}.get(part, "")
    return table(("key", "default", "must be", *([what] if with_owners else [])), rows())


def models() -> str:
    """The named models."""
    rows = ((f"`{name}`", *(f"`{value}`" for value in one.values())) for name, one in NAMED_MODELS.items())
    return table(("model", "output", "student", "weights"), rows)


def rules() -> str:
    """The rules."""
    rows = ((f"`{name}`", one.weights, one.equation, one.time.one) for name, one in RULES.items())
    return table(("rule", "weights", "law", "unit of time"), rows)


def engines() -> str:
    """The engines, the fastest first."""
    rows = ((f"`{name}`", one.title) for name, one in ENGINES.items())
    return table(("engine", "how it trains, and on what"), rows)


def drawn() -> str:
    """The functions of `mbsim.figures`."""
    functions = {name: one for name in figures.__all__ if callable(one := getattr(figures, name))}

    def rows() -> Iterator[tuple[str, ...]]:
        for name, one in functions.items():
            taken = next(iter(inspect.signature(one).parameters))
            yield f"`{name}`", f"`{taken}`", " ".join(str(inspect.getdoc(one)).split("\n\n")[0].split())

    return table(("function", "takes", "draws"), rows())


def dimensions() -> str:
    """The dimensions of a dataset, in order."""

    def rows() -> Iterator[tuple[str, ...]]:
        for name, (long_name, _, _) in FIRST.items():
            yield f"`{name}`", long_name
        for name, key in axes().items():
            assert key.axis is not None
            yield f"`{name}`", f"{key.axis.long_name} (where `[grid]` lists it)"
        for name, (long_name, units, _) in LAST.items():
            yield f"`{name}`", long_name if units else f"{long_name}, in sweeps or steps"

    return table(("dimension", "meaning"), rows())


def variables() -> str:
    """The variables of all datasets without observables of users'."""
    found: dict[str, tuple[str, str]] = {}
    for weights, rule in (("binary", RULES["metropolis"]), ("real", RULES["sgd"])):
        observables = tuple(
            one
            for name, one in OBSERVABLES.items()
            if OBSERVABLES.built_in(name) and one.series and weights in one.weights and name != GAP
        )
        for name, one in Contents(rule, (), observables, True).variables().items():
            found.setdefault(name, (one.long_name, "each time" if "time" in one.dims else "each student"))
    return table(("variable", "meaning", "one for"), ((f"`{name}`", *row) for name, row in found.items()))


TABLES: dict[str, Callable[[], str]] = {
    **{
        part: lambda part=part: keys_of(part)
        for part in ("model", "grid", "dynamics", "data", "measure", "run")
    },
    "models": models,
    "rules": rules,
    "engines": engines,
    "figures": drawn,
    "dimensions": dimensions,
    "variables": variables,
}


def filled(page: str) -> str:
    """A page's text with its tables as they follow from the code."""
    return PLACE.sub(lambda found: found[1] + TABLES[found[2]]() + found[4], page)


if __name__ == "__main__":
    for path in sorted(FOLDER.glob("*.md")):
        path.write_text(filled(path.read_text()))
