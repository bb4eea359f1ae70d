"""Estimators of m_c: what one is, and the list of those that are known.

An estimator is one object: a key, its words, what it needs of the dataset, and a function that gives
records, each with a value and interval, or the reason why not. What is registered here appears in
`mbsim.fss.estimates`, `mbsim.fss.analyze`, tables, reports and figures. One of your own, in a file of your
own::

    from mbsim import fss

    @fss.estimator("first_success", title="first m at which a student succeeds", short="first success",
                   needs=("success",))
    def first_success(study):
        \"\"\"min {m : P(success) > 0}, without an interval.\"\"\"
        for one in study.curves:
            m = one.ensemble.m[one.quantities["success"].estimate > 0]
            if len(m):
                yield study.number(one.ensemble.labels, m[0])
            else:
                yield study.unknown(one.ensemble.labels, fss.note("no student succeeds"))
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from mbsim.errors import DatasetError
from mbsim.fss import names
from mbsim.fss.critical import Critical
from mbsim.fss.design import Design
from mbsim.fss.interval import Label
from mbsim.fss.reasons import Reason, because, distinct
from mbsim.fss.resampled import Resampled
from mbsim.fss.summaries import Summary, summarise
from mbsim.registry import RegistrationError, Registry, needs_function


class Found(Protocol):
    """What a search on a curve gives: a place with its resamples, or None, and `because` says why there is none.

    half_gap: how far the place may be off because the grid steps over what is sought. systematic: how far it moves,
    (down, up), with what the data do not settle.
    """

    @property
    def place(self) -> Resampled | None: ...  # noqa: D102
    @property
    def half_gap(self) -> float: ...  # noqa: D102
    @property
    def systematic(self) -> tuple[float, float]: ...  # noqa: D102
    @property
    def because(self) -> tuple[Reason, ...]: ...  # noqa: D102


@dataclass(frozen=True)
class Study:
    """What an estimator works on: the dataset, the name of its order parameter, and the design.

    times: whether the curves hold the median time of success too.
    """

    ds: xr.Dataset
    order_parameter: str
    design: Design
    times: bool = False

    @cached_property
    def curves(self) -> list[Summary]:
        """Resampled summaries of every combination of labels, computed once for all estimators."""
        return summarise(self.ds, self.order_parameter, self.design, self.times)

    def notes(self, labels: dict[str, Label]) -> Iterator[Reason]:
        """What must be known of the students behind a record with these labels, where curves were needed."""
        if "curves" not in vars(self):
            return
        size = self.design.size
        ends = [labels.get(size), labels.get(f"{size}_next")]
        for one in self.curves:
            if one.ensemble.labels[size] in ends and one.ensemble.others(size).items() <= labels.items():
                yield from one.ensemble.because

    def on_curves(
        self, quantity: str, find: Callable[[NDArray[np.float64], Resampled, str], Found]
    ) -> Iterator[Critical]:
        """A record for each combination of labels, of what `find(m, curve, name of the control)` gives.

        Args:
            quantity: whose curve against the control is searched, a key of `Summary.quantities`.
            find: m has shape (point,), and the curve is resampled over the same points.
        """
        control = self.design.control
        for one in self.curves:
            labels, m = one.ensemble.labels, one.ensemble.m
            if quantity not in one.quantities:
                yield self.unknown(labels, because("no_data", control=control))
                continue
            found = find(m, one.quantities[quantity], control)
            if found.place is None:
                yield self.unknown(labels, *found.because)
            else:
                ends = (float(m[0]), float(m[-1]))
                yield self.record(labels, found.place, ends, found.half_gap, found.systematic)

    def record(
        self,
        labels: dict[str, Label],
        place: Resampled,
        ends: tuple[float, float],
        half_gap: float = 0.0,
        systematic: tuple[float, float] = (0.0, 0.0),
    ) -> Critical:
        """m_c with the interval of its resamples, no narrower than half a gap either way, within the ends.

        `systematic`: how far m_c moves, (down, up), with what the data do not settle.
        """
        value, low, high = place.interval()
        if not np.isfinite(value):
            return self.unknown(labels, because("few_resamples", share=place.share))
        low, high = max(min(low, value - half_gap), ends[0]), min(max(high, value + half_gap), ends[1])
        down, up = systematic
        return Critical(
            labels,
            value,
            max(value - float(np.hypot(value - low, down)), ends[0]),
            min(value + float(np.hypot(high - value, up)), ends[1]),
            "undecided",
            "",
            statistical=(low, high),
            systematic=systematic,
            draws=place.deviates(),
        )

    def number(
        self, labels: dict[str, Label], value: float, low: float = np.nan, high: float = np.nan
    ) -> Critical:
        """m_c with an interval of the estimator's own, or without."""
        return Critical(labels, float(value), float(low), float(high), "undecided", "")

    def unknown(self, labels: dict[str, Label], *why: Reason) -> Critical:
        """No number, and why."""
        return Critical(labels, np.nan, np.nan, np.nan, "undecided", "", because=why)


@runtime_checkable
class Estimator(Protocol):
    """One way to read m_c off a dataset.

    key: its name in records, in JSON and on the command line. title: its words, with the place
    {order_parameter} where they depend on it. short: for axes, legends and columns. needs: variables beside
    the order parameter; where the dataset lacks one, the estimator is left out.
    """

    @property
    def key(self) -> str: ...  # noqa: D102
    @property
    def title(self) -> str: ...  # noqa: D102
    @property
    def short(self) -> str: ...  # noqa: D102
    @property
    def needs(self) -> tuple[str, ...]: ...  # noqa: D102

    def records(self, study: Study) -> Iterable[Critical]:
        """One for each combination of labels; the key is filled in, as is the order parameter where empty."""
        ...


@dataclass(frozen=True)
class FunctionEstimator:
    """An estimator whose records are those of a function; `formula` is its docstring."""

    key: str
    title: str
    short: str
    needs: tuple[str, ...]
    function: Callable[[Study], Iterable[Critical]]

    @property
    def formula(self) -> str:
        """What is computed, as the function says it."""
        return (self.function.__doc__ or "").strip()

    def records(self, study: Study) -> Iterable[Critical]:
        """What the function gives."""
        return self.function(study)


ESTIMATORS: Registry[Estimator] = names.REGISTRY
"""Every estimator that is registered, by key, in order."""


def register(estimator: Estimator, *, built_in: bool = False) -> None:
    """Make an estimator known.

    Args:
        estimator: an object with the parts of `Estimator`.
        built_in: whether mbsim brings it; such a one is not forgotten.

    Raises:
        RegistrationError: it lacks a part, its key or short name is taken, or its title has another place than
            {order_parameter}.

    >>> class Middle:
    ...     "m_c = (m_1 + m_n) / 2."
    ...     key, title, short, needs = "middle", "middle of the grid", "middle", ()
    ...     def records(self, study):
    ...         return [study.number(one.ensemble.labels, one.ensemble.m.mean()) for one in study.curves]
    >>> register(Middle())
    >>> "middle" in ESTIMATORS
    True
    >>> unregister("middle")
    """
    if not isinstance(estimator, Estimator):
        parts = [
            part for part in ("key", "title", "short", "needs", "records") if not hasattr(estimator, part)
        ]
        raise RegistrationError(f"{type(estimator).__name__} is no estimator: it has no {', '.join(parts)}")
    key = estimator.key
    try:
        estimator.title.format(order_parameter="")
    except (KeyError, IndexError, ValueError):
        raise RegistrationError(
            f"estimator {key!r}: title = {estimator.title!r}: the only place allowed is {{order_parameter}}"
        ) from None
    for other, known in ESTIMATORS.items():
        if known.short == estimator.short and other != key:
            raise RegistrationError(
                f"estimator {key!r}: the short name {known.short!r} is taken, by {other!r}"
            )
    ESTIMATORS.add(key, estimator, built_in=built_in)


def unregister(key: str) -> None:
    """Forget an estimator, so that its key is free again, as when a cell of a notebook runs twice.

    Raises:
        RegistrationError: it is built in.

    >>> unregister("not_there")  # nothing happens
    """
    if key in ESTIMATORS:
        ESTIMATORS.remove(key)


def estimator(
    key: str, *, title: str, short: str, needs: tuple[str, ...] = ()
) -> Callable[[Callable[[Study], Iterable[Critical]]], FunctionEstimator]:
    """Register a function of a `Study` as an estimator; see the head of `mbsim.fss.estimators`.

    Args:
        key: its name in records; not yet taken.
        title: its words, with {order_parameter} where they depend on it.
        short: for axes and columns.
        needs: variables that the dataset must hold beside the order parameter.

    Raises:
        RegistrationError: the key or the short name is taken, or what is registered is no function.

    >>> from mbsim import fss
    >>> @fss.estimator("largest_step", title="largest step of {order_parameter}", short="largest step")
    ... def largest_step(study):
    ...     "Half-way between the neighbours m_i, m_i+1 with the largest ⟨q⟩(m_i+1) - ⟨q⟩(m_i)."
    ...     for one in study.curves:
    ...         at = np.argmax(np.diff(one.quantities["mean"].estimate))
    ...         yield study.number(one.ensemble.labels, one.ensemble.m[at : at + 2].mean())
    >>> fss.estimates(fss.planted([64]), ["largest_step"], bootstrap=100)
    [<Critical N = 64: m_c = 18.5 (no interval), largest step of q>]
    >>> fss.unregister("largest_step")
    """

    def registered(function: Callable[[Study], Iterable[Critical]]) -> FunctionEstimator:
        needs_function("estimator", key, function)
        for part, text in (("key", key), ("title", title), ("short", short)):
            if not isinstance(text, str) or not text:
                raise RegistrationError(f"estimator {key!r}: {part} = {text!r}: must be text")
        if isinstance(needs, str) or not all(isinstance(name, str) for name in needs):
            raise RegistrationError(f"estimator {key!r}: needs = {needs!r}: must be a tuple of names")
        made = FunctionEstimator(key, title, short, tuple(needs), function)
        register(made)
        return made

    return registered


def records_of(one: Estimator, study: Study) -> list[Critical]:
    """The records of an estimator, each with its key and the order parameter.

    Raises:
        DatasetError: the estimator gives something else.
    """
    found: list[Critical] = []
    given: Any = one.records(study)
    if not isinstance(given, Iterable):
        raise DatasetError(
            f"estimator {one.key!r} gives {type(given).__name__}: must give or yield fss.Critical"
        )
    for record in given:
        if not isinstance(record, Critical):
            kind: Any = type(record).__name__
            raise DatasetError(
                f"estimator {one.key!r} gives {kind}: must give fss.Critical, as study.record does"
            )
        name = record.order_parameter or study.order_parameter
        notes = distinct((*record.because, *study.notes(record.labels)))
        found.append(replace(record, estimator=one.key, order_parameter=name, because=notes))
    return found
