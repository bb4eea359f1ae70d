"""The tables of a configuration: their keys, types, ranges and defaults.

One class for each table of the file. Every field's `description` completes the sentence "must be ...": it is
all that an error message says about the field, so it names the type and the range; of a list, "each ..." says
what an item must be. What relates one table to another (d ≤ N, K odd) is in `config_relations`.

Types are strict: "64" and true are no integers; 1 is a fine float; infinities and NaN are refused. Lists in
`[grid]` become dataset coordinates: they hold no value twice, and are kept in ascending order however they
were written, so that two ways to write one grid are one run.
"""

import math
from itertools import pairwise
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    field_validator,
    model_validator,
)

from mbsim.config.problems import Problem, refused

LARGEST = 2**24  # of a size or a mini-batch: counts up to here are exact in float32
LARGEST_COUNT = 2**31 - 1  # of sweeps or proposals: what a 32-bit counter holds
MOST_M = 65_536  # values of m in one grid

NAMED_MODELS: dict[str, dict[str, str]] = {
    "sparse-vector": {"output": "vector", "student": "sparse", "weights": "binary"},
    "sparse-scalar": {"output": "scalar", "student": "sparse", "weights": "binary"},
    "dense-vector": {"output": "vector", "student": "dense", "weights": "real"},
    "dense-scalar": {"output": "scalar", "student": "dense", "weights": "real"},
}
# Keys of [model] that real weights have, with their defaults; with ±1 weights they are None.
REAL_WEIGHTS = {
    "activation": "tanh",
    "inputs": "sign",
    "scaling": "standard",
    "teacher_weights": "sign",
    "noise": 0.0,
}

Number = TypeVar("Number", int, float)


def ascending(values: tuple[Number, ...]) -> tuple[Number, ...]:
    """The values in ascending order; an empty list or a value given twice is an error."""
    if not values:
        raise refused(Problem("", [], "must not be empty"))
    ordered = sorted(values)
    twice = sorted({a for a, b in pairwise(ordered) if a == b})
    if twice:
        raise refused(
            *(Problem("", value, "appears more than once; give each value once") for value in twice)
        )
    return tuple(ordered)


def without_minus_zero(value: float) -> float:
    """-0.0 and 0.0 are one temperature: they must not give two labels or two hashes."""
    return value + 0.0


Size = Annotated[int, Field(strict=True, ge=1, le=LARGEST)]
Count = Annotated[int, Field(strict=True, ge=1, le=LARGEST_COUNT)]
Unsigned = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False), AfterValidator(without_minus_zero)]
Fraction = Annotated[
    float, Field(strict=True, ge=0, le=1, allow_inf_nan=False), AfterValidator(without_minus_zero)
]
Positive = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
Sizes = Annotated[tuple[Size, ...], AfterValidator(ascending)]

SIZE = f"an integer from 1 to {LARGEST}"
SIZES = f"a list of different values, each {SIZE}"


class Table(BaseModel):
    """One table: immutable, and with no keys but its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Model(Table):
    """`[model]`: what teacher and student are. `hidden` None means K = N, `student_hidden` None as many
    hidden units as the teacher; `train_output` is never None. Keys of real weights are None with ±1 weights.
    """

    output: Literal["vector", "scalar"] = Field(description='"vector" or "scalar"')
    student: Literal["sparse", "dense"] = Field(
        default="sparse", description='"sparse", or "dense" with real weights'
    )
    weights: Literal["binary", "real"] = Field(default="binary", description='"binary" or "real"')
    hidden: Size | None = Field(default=None, description=f"{SIZE}; leave it out for K = N")
    train_output: Annotated[bool, Field(strict=True)] = Field(
        default=True,
        description="true or false (default: true, but false with a scalar output of ±1 weights)",
    )
    student_hidden: Size | None = Field(
        default=None, description=f"{SIZE}; leave it out for as many as the teacher has"
    )
    activation: Literal["tanh", "erf", "relu", "linear"] | None = Field(
        default=None, description='"tanh", "erf", "relu" or "linear"'
    )
    inputs: Literal["sign", "normal"] | None = Field(default=None, description='"sign" or "normal"')
    scaling: Literal["standard", "ntk"] | None = Field(default=None, description='"standard" or "ntk"')
    teacher_weights: Literal["sign", "normal"] | None = Field(default=None, description='"sign" or "normal"')
    noise: Unsigned | None = Field(
        default=None, description="a number not below 0, the standard deviation of what labels are off by"
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        real = values.get("weights") == "real"
        fixed_output = values.get("output") == "scalar" and not real
        return {"train_output": not fixed_output, **(REAL_WEIGHTS if real else {}), **values}

    @property
    def kind_name(self) -> str:
        """The named model that this one is, or varies: student and output, as in "sparse-vector"."""
        name = f"{self.student}-{self.output}"
        return f"{name}-real" if self.real and self.student == "sparse" else name

    @property
    def real(self) -> bool:
        """Whether weights are real numbers, trained by SGD."""
        return self.weights == "real"

    def hidden_units(self, N: int) -> int:
        """K, the number of hidden units at N inputs."""
        return N if self.hidden is None else self.hidden

    def outputs(self, N: int) -> int:
        """M, the number of outputs at N inputs."""
        return N if self.output == "vector" else 1


class RangeOfM(Table):
    """`{start, stop, step}`: start, start + step, ... up to and including stop where it is met."""

    start: Size = Field(description=SIZE)
    stop: Size = Field(description=SIZE)
    step: Size = Field(default=1, description=SIZE)

    @model_validator(mode="after")
    def _not_empty_nor_endless(self) -> "RangeOfM":
        if self.stop < self.start:
            raise refused(Problem("stop", self.stop, f"must be at least grid.m.start = {self.start}"))
        if (count := len(self.values())) > MOST_M:
            raise refused(Problem("step", self.step, f"gives {count} values of m, more than {MOST_M}"))
        return self

    def values(self) -> range:
        """The values of m."""
        return range(self.start, self.stop + 1, self.step)


UNITS_OF_M = '"N", "d", "K", "N*d", "K*d" or "d*log(N)"'


class RelativeM(Table):
    """`{unit, values}`: m = values × unit, rounded to the nearest integer, at least 1, at every (N, d)."""

    unit: Literal["N", "d", "K", "N*d", "K*d", "d*log(N)"] = Field(description=UNITS_OF_M)
    values: Annotated[tuple[Positive, ...], AfterValidator(ascending)] = Field(
        description="a list of different values, each a positive number"
    )

    def resolve(self, N: int, K: int, d: int) -> tuple[int, ...]:
        """The values of m, ascending; values that round to the same integer are one."""
        units = {"N": N, "d": d, "K": K, "N*d": N * d, "K*d": K * d, "d*log(N)": d * math.log(N)}
        # Clipped just above what is allowed, where `config_relations` sees it, so that nothing overflows.
        sizes = (min(value * units[self.unit], 2.0 * LARGEST) for value in self.values)
        return tuple(sorted({max(1, math.floor(size + 0.5)) for size in sizes}))


def kind_of_m(value: Any) -> str:
    """Which of the three ways to write m this is."""
    if isinstance(value, dict):
        return "relative" if {"unit", "values"} & value.keys() else "range"
    if isinstance(value, RelativeM | RangeOfM):
        return "relative" if isinstance(value, RelativeM) else "range"
    return "list"


def expand_range(m: tuple[int, ...] | RangeOfM | RelativeM) -> tuple[int, ...] | RelativeM:
    """A range becomes the list that it stands for."""
    return tuple(m.values()) if isinstance(m, RangeOfM) else m


ValuesOfM = Annotated[
    Annotated[Sizes, Tag("list")] | Annotated[RangeOfM, Tag("range")] | Annotated[RelativeM, Tag("relative")],
    Discriminator(kind_of_m),
    AfterValidator(expand_range),
]


class Grid(Table):
    """`[grid]`: the dimensions of the dataset. `init_overlap` and `temperature`: None unless listed here."""

    N: Sizes = Field(description=SIZES)
    d: Sizes = Field(description=SIZES)
    m: ValuesOfM = Field(description=f"{SIZES}; or a table {{start, stop, step}}, or {{unit, values}}")
    teachers: Size = Field(default=4, description=SIZE)
    replicas: Size = Field(default=32, description=SIZE)
    init_overlap: Annotated[tuple[Fraction, ...], AfterValidator(ascending)] | None = Field(
        default=None,
        description="a list of different values, each a number from 0 to 1; "
        "one number alone goes in dynamics.init_overlap",
    )
    temperature: Annotated[tuple[Unsigned, ...], AfterValidator(ascending)] | None = Field(
        default=None,
        description="a list of different values, each a number not below 0; "
        "one number alone goes in dynamics.temperature",
    )
    lr: Annotated[tuple[Positive, ...], AfterValidator(ascending)] | None = Field(
        default=None,
        description="a list of different values, each a positive number; "
        "one number alone goes in dynamics.lr",
    )


class Dynamics(Table):
    """`[dynamics]` of ±1 weights, Metropolis. Times are in sweeps, `refresh` in proposals unless "sweep"."""

    algorithm: Literal["metropolis"] | None = Field(
        default=None, description='"metropolis" with ±1 weights, "sgd" with real ones; or left out'
    )
    sweeps: Annotated[int, Field(strict=True, ge=32, le=LARGEST_COUNT)] = Field(
        default=300,
        description=f"an integer from 32 to {LARGEST_COUNT}, so that the last quarter has eight sweeps",
    )
    order: Literal["random", "sequential"] = Field(default="random", description='"random" or "sequential"')
    refresh: Count | Literal["sweep"] = Field(
        default="sweep", description=f'"sweep" or a number of proposals, an integer from 1 to {LARGEST_COUNT}'
    )
    temperature: Unsigned = Field(
        default=0.0, description="a number not below 0; a list of temperatures goes in grid.temperature"
    )
    init_overlap: Fraction = Field(
        default=0.0, description="a number from 0 to 1; a list of overlaps goes in grid.init_overlap"
    )

    @field_validator("algorithm")
    @classmethod
    def _one_way_to_say_it(cls, value: str | None) -> None:
        return None

    @property
    def length(self) -> int:
        """Length of the run in sweeps."""
        return self.sweeps


class SgdDynamics(Table):
    """`[dynamics]` of real weights: gradient descent. Times are in steps, one mini-batch each."""

    algorithm: Literal["sgd"] = Field(default="sgd", description='"sgd" with real weights; or left out')
    steps: Annotated[int, Field(strict=True, ge=32, le=LARGEST_COUNT)] = Field(
        default=1000,
        description=f"an integer from 32 to {LARGEST_COUNT}, so that the last quarter has eight steps",
    )
    optimizer: Literal["sgd", "adam"] = Field(default="sgd", description='"sgd" or "adam"')
    momentum: Annotated[float, Field(strict=True, ge=0, lt=1), AfterValidator(without_minus_zero)] = Field(
        default=0.0, description="a number from 0 to below 1"
    )
    lr: Positive = Field(default=0.1, description="a positive number; a list of rates goes in grid.lr")
    lr_scaling: Literal["constant", "linear", "sqrt"] = Field(
        default="constant", description='"constant", "linear" or "sqrt", of m'
    )
    lr_multipliers: Literal["none", "mup"] = Field(default="none", description='"none" or "mup"')

    @property
    def length(self) -> int:
        """Length of the run in steps."""
        return self.steps


class RelativeExamples(Table):
    """`{unit, value}`: P = value × unit, rounded to the nearest integer, at every (N, d)."""

    unit: Literal["N", "d", "K", "N*d", "K*d"] = Field(description='"N", "d", "K", "N*d" or "K*d"')
    value: Positive = Field(description="a positive number")

    def resolve(self, N: int, K: int, d: int) -> int:
        """The number of examples; clipped just above what is allowed, where `config_relations` sees it."""
        unit = {"N": N, "d": d, "K": K, "N*d": N * d, "K*d": K * d}[self.unit]
        return math.floor(min(self.value * unit, 2.0 * LARGEST_COUNT) + 0.5)


class Data(Table):
    """`[data]`: a finite training set; fresh examples for ever where the table is left out."""

    examples: Literal["online"] | Count | RelativeExamples = Field(
        default="online",
        description=f'"online", a number of examples from 1 to {LARGEST_COUNT}, or a table {{unit, value}}',
    )
    sampling: Literal["epochs", "with", "without"] = Field(
        default="epochs", description='"epochs", "with" or "without"'
    )

    @property
    def online(self) -> bool:
        """Whether every batch is fresh."""
        return self.examples == "online"


class Measure(Table):
    """`[measure]`: when and on how much. `test_size` defaults to 256, or to 4,096 with a scalar output."""

    measurements: Annotated[int, Field(strict=True, ge=12, le=LARGEST)] = Field(
        default=32,
        description=f"an integer from 12 to {LARGEST}: eight go to the last quarter of the run, "
        "for its moments, and the others before it",
    )
    test_size: Size = Field(default=256, description=SIZE)
    success_threshold: Positive = Field(default=1e-2, description="a positive number")


class RunOptions(Table):
    """`[run]`: what belongs to the run as a whole."""

    seed: Annotated[int, Field(strict=True, ge=0, lt=2**32)] = Field(
        default=1, description=f"an integer from 0 to {2**32 - 1}"
    )
