"""A whole configuration: read, checked, and written back so that it can be run again.

`load_config` and `Config(...)` are the ways in for users: they raise `ConfigError` with one line for each
thing that is wrong, and touch nothing but the file that is read. A `Config` is immutable and complete: every
default is filled in (`measure.test_size` and `model.train_output` follow the output), every list of `[grid]`
is ascending, a range of m is the list that it stands for. Two files that mean the same run give equal
configurations with equal hashes.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import tomli_w
from pydantic import Field, SerializeAsAny, ValidationError, field_validator, model_validator

from mbsim.config.dynamics import DynamicsTable, dynamics_of, table_of
from mbsim.config.fields import any_name
from mbsim.config.problems import Problem, config_error, descriptions, problems_of, refused
from mbsim.config.relations import relation_problems
from mbsim.config.source import apply_overrides, plain, read_toml
from mbsim.config.tables import (
    NAMED_MODELS,
    Data,
    Grid,
    Measure,
    Model,
    RelativeM,
    RunOptions,
    Table,
    grid_table,
)
from mbsim.errors import ConfigError
from mbsim.physics.keys import listed
from mbsim.physics.observables import default_names
from mbsim.physics.rules import RULES, Rule, axes

__all__ = [
    "Config",
    "Data",
    "Grid",
    "Measure",
    "Model",
    "RelativeM",
    "RunOptions",
    "known_keys",
    "load_config",
]

NAME = "[A-Za-z0-9_][A-Za-z0-9._-]{0,63}"  # a run's name becomes the name of a folder
NAMES_OF_MODELS = ", ".join(f'"{name}"' for name in NAMED_MODELS)
TEST_SIZE = {"vector": 256, "scalar": 4096}


class Config(Table):
    """What one run computes: a name and one attribute for each table of the file.

    Raises:
        ConfigError: with one line for each thing that is wrong: its key, its value, what is allowed.

    >>> Config(model="sparse-vector", grid={"N": [64], "d": [3], "m": [4, 8]}).dynamics.sweeps
    300
    """

    model: Model = Field(description=f"one of {NAMES_OF_MODELS}, or a table [model] with output")
    name: str = Field(
        default="",
        validate_default=True,
        pattern=f"^(?:{NAME})?$",
        strict=True,
        description="1 to 64 of the characters A-Z a-z 0-9 . _ -, the first no dot or hyphen",
    )
    grid: SerializeAsAny[Grid] = Field(description="a table, [grid], with N, d and m")
    dynamics: SerializeAsAny[DynamicsTable] = Field(
        default={}, validate_default=True, description="a table, [dynamics]"
    )
    data: Data | None = Field(default=None, description="a table, [data], for a finite training set")
    measure: Measure = Field(default=Measure(), validate_default=True, description="a table, [measure]")
    run: RunOptions = Field(default=RunOptions(), description="a table, [run]")

    if TYPE_CHECKING:  # tables may be given as dicts, which the types of the attributes do not say

        def __init__(
            self,
            *,
            model: str | Mapping[str, Any] | Model,
            grid: Mapping[str, Any] | Grid,
            name: str = "",
            dynamics: Mapping[str, Any] | Table = ...,
            data: Mapping[str, Any] | Data | None = None,
            measure: Mapping[str, Any] | Measure = ...,
            run: Mapping[str, Any] | RunOptions = ...,
        ) -> None: ...

    @field_validator("model", mode="before")
    @classmethod
    def _look_up_name(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if value in NAMED_MODELS:
            return NAMED_MODELS[value]
        nearest = get_close_matches(value, NAMED_MODELS, n=1, cutoff=0.0)[0]
        text = f'must be one of {NAMES_OF_MODELS}, or a table [model]; nearest is "{nearest}"'
        raise refused(Problem("", value, text))

    @field_validator("name", mode="after")
    @classmethod
    def _name_after_model(cls, value: str, info: Any) -> str:
        return value or (info.data["model"].kind_name if "model" in info.data else value)

    @field_validator("dynamics", mode="wrap")
    @classmethod
    def _by_the_rule(cls, value: Any, handler: Any, info: Any) -> Any:
        # Which table it is follows from the model and the rule, which pydantic cannot see in the value.
        return dynamics_of(info.data.get("model"), value)

    @field_validator("grid", mode="wrap")
    @classmethod
    def _with_all_axes(cls, value: Any, handler: Any) -> Any:
        if isinstance(value, Grid):
            value = value.model_dump(exclude_unset=True)
        return grid_table().model_validate(value) if isinstance(value, dict) else handler(value)

    @field_validator("data", mode="after")
    @classmethod
    def _nothing_if_online(cls, value: Data | None) -> Data | None:
        if value is None or not value.online:
            return value
        if "sampling" in value.model_fields_set:
            text = "is about a finite training set, and examples are fresh: set data.examples, or remove it"
            raise refused(Problem("sampling", value.sampling, text))
        return None

    @field_validator("measure", mode="before")
    @classmethod
    def _test_size_by_output(cls, value: Any, info: Any) -> Any:
        if isinstance(value, Measure):
            value = value.model_dump(exclude_unset=True)
        if isinstance(value, dict) and "test_size" not in value and "model" in info.data:
            return {**value, "test_size": TEST_SIZE[info.data["model"].output]}
        return value

    @model_validator(mode="after")
    def _check_relations(self) -> "Config":
        if problems := relation_problems(self):
            raise refused(*problems)
        return self

    @model_validator(mode="wrap")
    @classmethod
    def _faults_in_lines(cls, values: Any, handler: Any, info: Any) -> Any:
        # The last validator is the outermost: whoever makes a Config meets a ConfigError, and no other.
        if not isinstance(values, Mapping | cls):
            raise ConfigError(f"config: must be a dict or a Config, not {type(values).__name__}")
        try:
            return handler(plain(values))
        except ValidationError as error:
            where = info.context or {"source": ""}
            raise config_error(problems_of(error, known_keys()), **where) from None

    def m_values(self, N: int, d: int) -> tuple[int, ...]:
        """The values of m at one (N, d), ascending."""
        m = self.grid.m
        if isinstance(m, RelativeM):
            return m.resolve(N, self.model.hidden_units(N), d)
        assert isinstance(m, tuple)  # a range was expanded when it was read
        return m

    def training_set(self, N: int, d: int) -> int | None:
        """The number of training examples at one (N, d); None where every batch is fresh."""
        if self.data is None:
            return None
        examples = self.data.examples
        if isinstance(examples, int):
            return examples
        assert not isinstance(examples, str)  # then there is no table
        return examples.resolve(N, self.model.hidden_units(N), d)

    @property
    def rule(self) -> Rule:
        """What trains the students."""
        return self.dynamics.of

    @property
    def observables(self) -> tuple[str, ...]:
        """What is measured over time, by name."""
        return self.measure.observables or default_names(self.model.weights)

    @property
    def axes(self) -> dict[str, tuple[float, ...]]:
        """The values of each axis of this rule: the list in `[grid]`, or the one of `[dynamics]`."""
        own = {key.name for key in self.rule.keys}
        names = [name for name in axes() if name in own]
        return {name: getattr(self.grid, name) or (getattr(self.dynamics, name),) for name in names}

    def resolved(self) -> dict[str, Any]:
        """Every key with its value, in TOML's types; `load_config` makes an equal configuration of it."""
        values = self.model_dump(mode="json", exclude_none=True)
        for name in axes():
            if name in values["grid"]:  # [dynamics] may not give it as well
                del values["dynamics"][name]
        return {"name": values.pop("name"), **values}

    def __reduce__(self) -> Any:  # the tables' classes are made at run time, and cannot be pickled
        return stored_config, (self.resolved(),)

    def identity(self) -> dict[str, Any]:
        """`resolved()` without what changes no result: how it is computed."""
        values = self.resolved()
        values["run"].pop("engine", None)
        return values

    def to_toml(self) -> str:
        """`resolved()` as the text of a TOML file."""
        return tomli_w.dumps(self.resolved())

    @property
    def hash(self) -> str:
        """SHA-256, in hexadecimal, of `identity()` as JSON with sorted keys and no spaces."""
        text = json.dumps(self.identity(), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()


def known_keys() -> dict[str, str]:
    """{full key: what it must be} for every key that a configuration may hold, whatever its rule."""
    found: dict[str, str] = {}
    for key, words in descriptions(Config).items():
        if key.startswith(("grid.", "dynamics.")):
            continue
        found[key] = words
        if key == "grid":
            found |= descriptions(grid_table(), "grid.")
        if key == "dynamics":
            for name in RULES:
                found |= {
                    k: v for k, v in descriptions(table_of(name), "dynamics.").items() if k not in found
                }
            found["dynamics.rule"] = listed(tuple(RULES))
    return found


def load_config(
    source: "str | os.PathLike[str] | Mapping[str, Any] | Config",
    overrides: Iterable[str] = (),
    overrides_label: str = "overrides",
) -> Config:
    """The configuration in a TOML file, or in a dict of the same shape, with overrides applied.

    Args:
        source: path of a TOML file, a dict (NumPy arrays and tuples may stand for lists), or a `Config`.
        overrides: "key=value" texts, for example "grid.d=[3,5]", applied in order.
        overrides_label: where the overrides were written, for errors; `--set` on the command line.

    Raises:
        ConfigError: with one line for each thing that is wrong: its key, its value, what is allowed.

    >>> load_config({"model": "sparse-vector", "grid": {"N": [64], "d": [3], "m": [4, 8]}}).measure.test_size
    256
    """
    if isinstance(source, Config):
        values, label = source.resolved(), ""
    elif isinstance(source, Mapping):
        values, label = plain(source), ""
    elif isinstance(source, str | os.PathLike):
        values, label = read_toml(source), str(os.fspath(source))
    else:
        kind = type(source).__name__
        raise ConfigError(f"config: must be the path of a TOML file, a dict or a Config, not {kind}")
    overridden = apply_overrides(values, overrides, known_keys(), overrides_label)
    where = {"source": label, "overridden": overridden, "overrides_label": overrides_label}
    return Config.model_validate(values, context=where)


def stored_config(values: Mapping[str, Any]) -> Config:
    """What `Config.resolved` gave, with names that this process may not have registered."""
    with any_name():
        return load_config(values)
