"""From the keys that objects of physics declare to the fields of the configuration's tables.

Types are strict: "64" and true are no integers; 1 is a fine float; infinities and NaN are refused. Where names
may be registered later, a field asks the registry when it is checked. A run folder is read without the script
that registered them: within `any_name` every name will do.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import pairwise
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field

from mbsim.config.problems import Problem, refused
from mbsim.physics.keys import Key, OneOf, Real, Whole
from mbsim.registry import NAME

Number = TypeVar("Number", int, float)
_ANY = ContextVar("any name will do", default=False)


@contextmanager
def any_name() -> Iterator[None]:
    """Within, names that may be registered are not looked up."""
    token = _ANY.set(True)
    try:
        yield
    finally:
        _ANY.reset(token)


def any_name_will_do() -> bool:
    """Whether this is within `any_name`."""
    return _ANY.get()


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


def type_of(may_be: Whole | Real | OneOf) -> Any:
    """The type that pydantic checks."""
    if isinstance(may_be, Whole):
        whole = Annotated[int, Field(strict=True, ge=may_be.least, le=may_be.most)]
        return whole | Literal[may_be.word] if may_be.word else whole
    if isinstance(may_be, Real):
        bounds = {"ge": may_be.least, "gt": may_be.above, "le": may_be.most, "lt": may_be.below}
        limits: dict[str, Any] = {name: bound for name, bound in bounds.items() if bound is not None}
        checked = Field(strict=True, allow_inf_nan=False, **limits)
        return Annotated[float, checked, AfterValidator(without_minus_zero)]
    if not callable(may_be.names):
        return Literal[may_be.names]

    def registered(name: str) -> str:
        if name in may_be.allowed or (_ANY.get() and re.fullmatch(NAME, name)):
            return name
        raise ValueError("not registered")

    return Annotated[str, Field(strict=True), AfterValidator(registered)]


def field_of(key: Key, optional: bool = False) -> Any:
    """Type and field of one value; `optional`: it may be left out, and is then None."""
    kind, default = type_of(key.may_be), None if optional else key.default
    if default is None:
        kind = kind | None
    return Annotated[kind, key], Field(default=default, description=key.must_be)


def list_of(key: Key) -> Any:
    """Type and field of a list of values, which `[grid]` may have."""
    one: Any = type_of(key.may_be)
    values: Any = Annotated[tuple[one, ...], AfterValidator(ascending)]
    return values | None, Field(default=None, description=key.must_be_in_grid)
