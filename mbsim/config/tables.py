"""The tables of a configuration: their keys, types, ranges and defaults.

One class for each table of the file. Keys of rules, students and teachers are declared by these, in
`mbsim.physics`, and become fields here (`fields`). Every field's `description` completes the sentence "must be
...": it is all that an error message says about the field, so it names the type and the range; of a list, "each
..." says what an item must be. What relates one table to another (d ≤ N, K odd) is in `relations`.

Lists in `[grid]` become dataset coordinates: they hold no value twice, and are kept in ascending order however
they were written, so that two ways to write one grid are one run.
"""

import math
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    create_model,
    model_validator,
)

from mbsim.config.fields import any_name_will_do, ascending, field_of, list_of
from mbsim.config.problems import Problem, refused
from mbsim.engines import ENGINES
from mbsim.physics.keys import LARGEST, LARGEST_COUNT, Key, OneOf, listed
from mbsim.physics.observables import OBSERVABLES
from mbsim.physics.rules import axes
from mbsim.physics.students import STUDENTS
from mbsim.physics.teachers import TEACHERS
from mbsim.registry import NAME

MOST_M = 65_536  # values of m in one grid

NAMED_MODELS: dict[str, dict[str, str]] = {
    "sparse-vector": {"output": "vector", "student": "sparse", "weights": "binary"},
    "sparse-scalar": {"output": "scalar", "student": "sparse", "weights": "binary"},
    "dense-vector": {"output": "vector", "student": "dense", "weights": "real"},
    "dense-scalar": {"output": "scalar", "student": "dense", "weights": "real"},
}
Size = Annotated[int, Field(strict=True, ge=1, le=LARGEST)]
Count = Annotated[int, Field(strict=True, ge=1, le=LARGEST_COUNT)]
Positive = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
Sizes = Annotated[tuple[Size, ...], AfterValidator(ascending)]

SIZE = f"an integer from 1 to {LARGEST}"
SIZES = f"a list of different values, each {SIZE}"


class Table(BaseModel):
    """One table: immutable, and with no keys but its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def teachers_told() -> str:
    """The teachers for the help, each with the students that can learn it where not all can."""
    return " or ".join(
        f'"{name}"' + (f" for {' and '.join(one.students)} students" if one.students else "")
        for name, one in TEACHERS.items()
    )


TEACHER = Key("teacher", OneOf(lambda: tuple(TEACHERS)), help=teachers_told(), example="parity")


def model_keys() -> dict[str, Key]:
    """The keys of `[model]` that students and teachers declare."""
    return {key.name: key for student in STUDENTS.values() for key in student.keys} | {"teacher": TEACHER}


def real_student(name: str) -> str:
    """The name of a kind of student with real weights. With ±1 weights there is one kind, whose links are "sparse".

    Raises:
        ValueError: no such kind is registered.
    """
    if name in STUDENTS and STUDENTS[name].weights == "real":
        return name
    raise ValueError("not registered")


class ModelTable(Table):
    """`[model]`: what teacher and student are. `hidden` None means K = N, `student_hidden` None as many hidden
    units as the teacher, `teacher` None the sparse one, `teacher_activation` None the student's; `train_output`
    is never None. Keys of real weights are None with ±1 weights.
    """

    output: Literal["vector", "scalar"] = Field(description='"vector" or "scalar"')
    student: Annotated[str, Field(strict=True), AfterValidator(real_student)] = Field(
        default="sparse", description='"sparse", or "dense" with real weights'
    )
    weights: Literal["binary", "real"] = Field(default="binary", description='"binary" or "real"')
    hidden: Size | None = Field(default=None, description=f"{SIZE}; leave it out for K = N")
    train_output: Annotated[bool, Field(strict=True)] = Field(
        default=True,
        description="true or false (default: true, but false with a scalar output of ±1 weights)",
    )

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        real = values.get("weights") == "real"
        fixed_output = values.get("output") == "scalar" and not real
        student = values.get("student", "sparse") if real else "binary"
        known = STUDENTS[student].keys if isinstance(student, str) and student in STUDENTS else ()
        defaults = {key.name: key.default for key in known if key.default is not None}
        return {"train_output": not fixed_output, **defaults, **values}

    @property
    def kind_name(self) -> str:
        """The named model that this one is, or varies: student, output, teacher where it is not the sparse one; as in
        "sparse-vector", "dense-scalar-parity".
        """
        name = f"{self.student}-{self.output}"
        name = f"{name}-real" if self.real and self.student == "sparse" else name
        return name if self.teacher_kind == "sparse" else f"{name}-{self.teacher_kind}"

    @property
    def real(self) -> bool:
        """Whether weights are real numbers, trained by SGD."""
        return self.weights == "real"

    @property
    def student_kind(self) -> str:
        """The student's key in `students.STUDENTS`."""
        return self.student if self.real else "binary"

    @property
    def teacher_kind(self) -> str:
        """The teacher's key in `teachers.TEACHERS`."""
        return str(self.teacher or "sparse")

    def hidden_units(self, N: int) -> int:
        """K, the number of hidden units at N inputs."""
        return N if self.hidden is None else self.hidden

    def outputs(self, N: int) -> int:
        """M, the number of outputs at N inputs."""
        return N if self.output == "vector" else 1


if TYPE_CHECKING:
    Model = ModelTable
else:
    _declared = {key.name: field_of(key, optional=True) for key in model_keys().values()}
    Model = create_model("Model", __base__=ModelTable, **_declared)


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
        # Clipped just above what is allowed, where `relations` sees it, so that nothing overflows.
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
    """`[grid]`: the dimensions of the dataset. The axes of rules (`grid_table`) are None unless listed here."""

    N: Sizes = Field(description=SIZES)
    d: Sizes = Field(description=SIZES)
    m: ValuesOfM = Field(description=f"{SIZES}; or a table {{start, stop, step}}, or {{unit, values}}")
    teachers: Size = Field(default=4, description=SIZE)
    replicas: Size = Field(default=32, description=SIZE)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...


@cache
def _grid_with(names: tuple[str, ...]) -> type[Grid]:
    return create_model("GridWithAxes", __base__=Grid, **{name: list_of(axes()[name]) for name in names})


def grid_table() -> type[Grid]:
    """`[grid]` with the axes of all rules."""
    return _grid_with(tuple(axes()))


class RelativeExamples(Table):
    """`{unit, value}`: P = value × unit, rounded to the nearest integer, at every (N, d)."""

    unit: Literal["N", "d", "K", "N*d", "K*d"] = Field(description='"N", "d", "K", "N*d" or "K*d"')
    value: Positive = Field(description="a positive number")

    def resolve(self, N: int, K: int, d: int) -> int:
        """The number of examples; clipped just above what is allowed, where `relations` sees it."""
        unit = {"N": N, "d": d, "K": K, "N*d": N * d, "K*d": K * d}[self.unit]
        return math.floor(min(self.value * unit, 2.0 * LARGEST_COUNT) + 0.5)


def registered_observable(name: str) -> str:
    """The name of something that is measured over time, as it is."""
    if not NAME.fullmatch(name) or not (
        any_name_will_do() or (name in OBSERVABLES and OBSERVABLES[name].series)
    ):
        series = [known for known, one in OBSERVABLES.items() if one.series]
        nearest = get_close_matches(name, series, n=1, cutoff=0.0)[0]
        text = f'no observable of this name is registered; nearest is "{nearest}" ({", ".join(series)})'
        raise refused(Problem("", name, text))
    return name


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


Observable = Annotated[str, Field(strict=True), AfterValidator(registered_observable)]


class Measure(Table):
    """`[measure]`: when and on how much. `test_size` defaults to 256, or to 4,096 with a scalar output."""

    measurements: Annotated[int, Field(strict=True, ge=12, le=LARGEST)] = Field(
        default=32,
        description=f"an integer from 12 to {LARGEST}: eight go to the last quarter of the run, "
        "for its moments, and the others before it",
    )
    test_size: Size = Field(default=256, description=SIZE)
    success_threshold: Positive = Field(default=1e-2, description="a positive number")
    observables: tuple[Observable, ...] | None = Field(
        default=None, description="a list of different names, each that of a registered observable"
    )


def registered_engine(name: str) -> str:
    """The name of an engine, as it is."""
    if name not in ENGINES:
        text = f'must be one of {listed(tuple(ENGINES))}; nearest is "{ENGINES.nearest(name)}"'
        raise refused(Problem("", name, text))
    return name


class RunOptions(Table):
    """`[run]`: what belongs to the run as a whole."""

    seed: Annotated[int, Field(strict=True, ge=0, lt=2**32)] = Field(
        default=1, description=f"an integer from 0 to {2**32 - 1}"
    )
    engine: Annotated[str, AfterValidator(registered_engine)] | None = Field(
        default=None, description="the name of an engine; left out, the fastest that can do it"
    )
