"""Keys of a configuration as the objects of physics declare them: a name, what it may be, a default, and words.

An object (a rule, a student, a teacher) lists the keys that it adds. The configuration makes its checks, its
error messages and its help of them, so that nothing about a key is written in a second place. What a key may
be completes the sentence "must be ...":

>>> Whole(1, 16).words, Real(least=0).words, OneOf(("random", "sequential")).words
('an integer from 1 to 16', 'a number not below 0', '"random" or "sequential"')
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

LARGEST = 2**24  # of a size or a mini-batch: counts up to here are exact in float32
LARGEST_COUNT = 2**31 - 1  # of sweeps, steps or proposals: what a 32-bit counter holds


def listed(names: Sequence[str]) -> str:
    """Names as a sentence offers them: '"a", "b" or "c"'."""
    quoted = [f'"{name}"' for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"


@dataclass(frozen=True)
class Whole:
    """An integer from `least` to `most`, or, where `word` is given, that word."""

    least: int
    most: int
    word: str = ""

    @property
    def words(self) -> str:
        """What must be given."""
        return f"an integer from {self.least} to {self.most}"


@dataclass(frozen=True)
class Real:
    """A finite number: at least `least` or above `above`, at most `most` or below `below`, where given."""

    least: float | None = None
    above: float | None = None
    most: float | None = None
    below: float | None = None

    @property
    def words(self) -> str:
        """What must be given."""
        if self.above == 0:
            return "a positive number"
        if self.most is not None:
            return f"a number from {self.least:g} to {self.most:g}"
        if self.below is not None:
            return f"a number from {self.least:g} to below {self.below:g}"
        return f"a number not below {self.least:g}"


@dataclass(frozen=True)
class OneOf:
    """One of some names; a function where more may be registered later."""

    names: tuple[str, ...] | Callable[[], tuple[str, ...]]

    @property
    def allowed(self) -> tuple[str, ...]:
        """The names, as of now."""
        return self.names() if callable(self.names) else self.names

    @property
    def words(self) -> str:
        """What must be given."""
        return listed(self.allowed)


@dataclass(frozen=True)
class Axis:
    """What makes a key an axis of the grid: a list of its values in `[grid]` is a dimension of the dataset."""

    long_name: str
    units: str = "1"


@dataclass(frozen=True)
class Key:
    """One key of a table.

    name: in the file. may_be: its type and range. default: None where the key may be absent. words: completes
    "must be ..."; by default that of `may_be`. help: a comment in the help, where there is more to say than the
    other names. example: for the help, where there is no default. axis: where a list of values may
    stand in `[grid]`, which are then called `plural`. report: how a value is told in the report, {} standing for
    it; where it is empty, a value is told by the name of its key, and only if it is not the default.
    """

    name: str
    may_be: Whole | Real | OneOf
    default: Any = None
    words: str = ""
    help: str = ""
    axis: Axis | None = None
    plural: str = ""
    report: str = ""
    example: Any = None

    @property
    def comment(self) -> str:
        """What the help says beside the default: `help`, or what else a name may be."""
        if self.help or not isinstance(self.may_be, OneOf):
            return self.help
        others = [name for name in self.may_be.allowed if name != self.default]
        return f"or {listed(others)}" if others else ""

    def told(self, value: Any) -> str:
        """A value in the words of the report; empty for one that need not be told."""
        text = f"{value:g}" if isinstance(value, float) else str(value)
        if self.report:
            return self.report.replace("{}", text)
        return "" if value == self.default else f"{self.name.replace('_', ' ')} {text}"

    @property
    def must_be(self) -> str:
        """Completes "must be ...", of the one value."""
        words = self.words or self.may_be.words
        return f"{words}; a list of {self.plural} goes in grid.{self.name}" if self.axis else words

    @property
    def must_be_in_grid(self) -> str:
        """Completes "must be ...", of the list in `[grid]`."""
        each = f"a list of different values, each {self.may_be.words}"
        return f"{each}; one number alone goes in dynamics.{self.name}"
