"""Registries: the places where teachers, students, rules, observables, engines and estimators are known by name.

A registered object is used by everything that follows from it: the configuration that may name it, the help,
the engines, the variables of the dataset, the analysis and the report. `mbsim.observable`, `activation`,
`optimizer` and `fss.estimator` are for users: they register what a script of their own defines.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Generic, TypeVar

from mbsim.errors import MbsimError

T = TypeVar("T")
NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")


class RegistrationError(MbsimError):
    """A name that cannot be registered, or something that cannot stand under it."""


class Registry(Mapping[str, T], Generic[T]):
    """Names and what they stand for, in the order of registration; `what` is the noun for messages."""

    def __init__(self, what: str):
        self.what = what
        self._things: dict[str, T] = {}
        self._built_in: set[str] = set()

    def add(self, name: str, thing: T, *, built_in: bool = False) -> T:
        """Register a thing.

        Raises:
            RegistrationError: the name is taken, or is no name for a key of a file and a variable.
        """
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise RegistrationError(
                f"{self.what} {name!r}: a name must be lower-case letters, digits, - and _, a letter first"
            )
        if name in self._things:
            own = name not in self._built_in
            free = f'mbsim.unregister("{self.what}", "{name}") frees it, or ' if own else ""
            raise RegistrationError(
                f"{self.what} {name!r}: this name is taken ({'registered already' if own else 'built in'}); "
                f"{free}choose another, taken are {', '.join(self._things)}"
            )
        self._things[name] = thing
        if built_in:
            self._built_in.add(name)
        return thing

    def remove(self, name: str) -> None:
        """Forget what a user has registered; what is built in stays.

        Raises:
            RegistrationError: it is built in, or not there.
        """
        if name in self._built_in:
            raise RegistrationError(f"{self.what} {name!r}: is built in, and stays")
        if name not in self._things:
            raise RegistrationError(f"{self.what} {name!r}: is not registered")
        del self._things[name]

    def built_in(self, name: str) -> bool:
        """Whether mbsim brings it."""
        return name in self._built_in

    def nearest(self, name: str, among: Iterable[str] | None = None) -> str:
        """The registered name, or that of some, most like `name`."""
        return get_close_matches(name, list(self if among is None else among), n=1, cutoff=0.0)[0]

    def __getitem__(self, name: str) -> T:
        return self._things[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._things)

    def __len__(self) -> int:
        return len(self._things)


def needs_function(what: str, name: str, thing: object) -> None:
    """Refuse what cannot be called."""
    if not callable(thing):
        raise RegistrationError(f"{what} {name!r}: must be a function, not {type(thing).__name__}")
