"""Arguments of the theory: one clear line for each that cannot be right."""

import math

from mbsim.errors import MbsimError


class TheoryError(MbsimError):
    """The theory was asked for something that it does not cover, or that does not exist."""


def positive(**values: float) -> None:
    """Refuse what is not a positive finite number."""
    for name, value in values.items():
        if not (math.isfinite(value) and value > 0):
            raise TheoryError(f"{name} = {value}: must be a positive number")


def not_negative(**values: float) -> None:
    """Refuse what is not zero or a positive finite number."""
    for name, value in values.items():
        if not (math.isfinite(value) and value >= 0):
            raise TheoryError(f"{name} = {value}: must be zero or a positive number")


def at_least_one(**values: float) -> None:
    """Refuse what is below one; infinity stands for the limit."""
    for name, value in values.items():
        if not value >= 1:
            raise TheoryError(f"{name} = {value}: must be at least 1 (math.inf for the limit)")


def one_of(allowed: tuple[str, ...], **values: str) -> None:
    """Refuse a word that is not in the list."""
    for name, value in values.items():
        if value not in allowed:
            raise TheoryError(f"{name} = {value!r}: must be {' or '.join(map(repr, allowed))}")
