"""Why a number is missing, or what to mind: a key and named values, put into words here and nowhere else.

A record holds its reasons as `because`, a tuple; its `reason` is their text. Whoever wants to know what
happened reads the key and the values:

>>> found = because("few_points", count=3, control="m", needed=4)
>>> found.key, found["count"]
('few_points', 3)
>>> str(found)
'3 values of m hold data, at least 4 are needed'

In a template a tuple is joined by what stands behind the colon ("; " where nothing does), a mapping is a list of
its names and shares, and {count:value|values} is "value" for one and "values" for any other number. The words are
those of `mbsim.fss.wording`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from string import Formatter
from typing import Any

from mbsim.errors import DatasetError
from mbsim.fss.wording import WORDS, Words


@dataclass(frozen=True)
class Reason:
    """Why a number is missing, or what to mind: `key` is one of `WORDS`, `values` are what its words name."""

    key: str
    values: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def __str__(self) -> str:
        return self._said(WORDS[self.key].full)

    @property
    def line(self) -> str:
        """Without long lists of numbers, for a line of a terminal."""
        return self._said(WORDS[self.key].line or WORDS[self.key].full)

    @property
    def brief(self) -> str:
        """Without what the columns of a table tell, for the note below it."""
        return self._said(WORDS[self.key].brief) if WORDS[self.key].brief else self.line

    def _said(self, template: str | Callable[..., str]) -> str:
        if not isinstance(template, str):
            return template(**self.values)
        return template.format(**{name: _formatted(value) for name, value in self.values.items()})


def because(key: str, **values: Any) -> Reason:
    """The reason of that key, with the values that its words name.

    Raises:
        TypeError: the values are not those that the words of the key name.

    >>> str(because("no_data", control="m"))
    'no value of m holds data'
    """
    named = _named(WORDS[key].full)
    if named is not None and named != values.keys():
        raise TypeError(f"reason {key!r} takes {', '.join(sorted(named))}, not {', '.join(sorted(values))}")
    return Reason(key, values)


def note(text: str) -> Reason:
    """A reason in the words of whoever gives it, key "note": for estimators of your own.

    >>> str(note("no student succeeds"))
    'no student succeeds'
    """
    return because("note", text=text)


def register_reason(key: str, text: str) -> None:
    """A reason for estimators of your own: `because(key, name=value, ...)` with a template of `str.format`.

    Raises:
        DatasetError: the key is taken.

    >>> register_reason("half_fail", "{share:.0%} of the students fail at every {control}")
    >>> str(because("half_fail", share=0.62, control="m"))
    '62% of the students fail at every m'
    >>> del WORDS["half_fail"]  # the key is free again
    """
    if key in WORDS:
        raise DatasetError(f"reason {key!r}: the key is taken, by {WORDS[key].full!r}")
    WORDS[key] = Words(text)


def text_of(reasons: Iterable[Reason]) -> str:
    """All of them in one line; empty where there are none."""
    return "; ".join(map(str, reasons))


def distinct(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """Each once: those that read alike are the same."""
    return tuple({str(one): one for one in reversed(list(reasons))}.values())[::-1]


def extend(control: str, first: float, last: float, *, below: bool, above: bool) -> Reason:
    """Advice where the points, first to last, end within a transition."""
    ends = {"below": first if below else None, "above": last if above else None}
    return because("extend", control=control, **ends)


class _Joined(tuple[Any, ...]):
    """A tuple that the specification behind the colon joins."""

    def __format__(self, between: str) -> str:
        return (between or "; ").join(f"{one:g}" if isinstance(one, float) else str(one) for one in self)


class _Count(int):
    """A whole number, or the one of two words, singular|plural, that goes with it."""

    def __format__(self, form: str) -> str:
        one, bar, many = form.partition("|")
        return (one if self == 1 else many) if bar else super().__format__(form)


class _Shares(dict[str, float]):
    def __format__(self, _: str) -> str:
        return ", ".join(f"{name} {share:.2f}" for name, share in self.items())


def _formatted(value: Any) -> Any:
    if isinstance(value, tuple) and type(value) is tuple:
        return _Joined(value)
    if type(value) is int:
        return _Count(value)
    return _Shares(value) if isinstance(value, dict) else value


@cache
def _named(template: str | Callable[..., str]) -> frozenset[str] | None:
    """The values that a template names; None for a function, which checks its own."""
    if not isinstance(template, str):
        return None
    return frozenset(name for _, name, _, _ in Formatter().parse(template) if name)
