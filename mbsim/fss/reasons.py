"""Why a number is missing, or what to mind: a key and named values, put into words here and nowhere else.

A record holds its reasons as `because`, a tuple; its `reason` is their text. Whoever wants to know what
happened reads the key and the values:

>>> found = because("few_points", count=3, control="m", needed=4)
>>> found.key, found["count"]
('few_points', 3)
>>> str(found)
'3 values of m hold data, at least 4 are needed'

In a template a tuple is joined by what stands behind the colon ("; " where nothing does), and a mapping is
a list of its names and shares.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from string import Formatter
from typing import Any, NamedTuple

from mbsim.errors import DatasetError


class Words(NamedTuple):
    """How a reason is said: in full, in a line of a terminal, and below a table whose columns tell the rest.

    A template of `str.format`, or a function of the values. Where `line` or `brief` is empty the longer form
    serves.
    """

    full: str | Callable[..., str]
    line: str = ""
    brief: str = ""


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


class _Shares(dict[str, float]):
    def __format__(self, _: str) -> str:
        return ", ".join(f"{name} {share:.2f}" for name, share in self.items())


def _formatted(value: Any) -> Any:
    if isinstance(value, tuple) and type(value) is tuple:
        return _Joined(value)
    return _Shares(value) if isinstance(value, dict) else value


@cache
def _named(template: str | Callable[..., str]) -> frozenset[str] | None:
    """The values that a template names; None for a function, which checks its own."""
    if not isinstance(template, str):
        return None
    return frozenset(name for _, name, _, _ in Formatter().parse(template) if name)


def _extend(control: str, below: float | None, above: float | None) -> str:
    ends = [f"{word} {end:g}" for word, end in (("below", below), ("above", above)) if end is not None]
    if control == "m" and below == 1:  # there is no smaller batch
        one = "it begins below m = 1, so that single examples already teach"
        return one + (f"; extend grid.m {ends[1]}" if above is not None else "")
    return f"extend grid.{control} {' and '.join(ends)}"


def _few_sizes(count: int, needed: int, lost: tuple[Reason, ...]) -> str:
    why = f" ({text_of(lost)})" if lost else ""
    return f"{count} sizes have m_c with an interval, at least {needed} are needed{why}"


_RANGE = "{name} lies between {low:.2g} and {high:.2g} for {control} = {first:g} to {last:g}"
_SEARCHED = "its interval reaches the end of what was searched"

WORDS: dict[str, Words] = {
    "note": Words("{text}"),
    # samples and points
    "one_teacher": Words("one teacher tells nothing of the others"),
    "no_data": Words("no value of {control} holds data"),
    "equal_students": Words(
        "{count} of {of} teachers are copies of another, students and all, and count once: one seed for all?"
    ),
    "few_points": Words("{count} values of {control} hold data, at least {needed} are needed"),
    "points_left_out": Words(
        "{count} values of {control} are left out, which fewer than half of the teachers have"
    ),
    "few_resamples": Words("found in {share:.0%} of the resamples only"),
    "extend": Words(_extend),
    # the midpoint
    "no_rise": Words(_RANGE + ": no rise that is a transition, extend grid.{control}"),
    "no_step": Words(_RANGE + ", without a step of {least:g} or more: extend grid.{control}"),
    "part_of_rise": Words(_RANGE + ", part of a transition: {advice}"),
    "noisy_step": Words(
        _RANGE + ": the step of {rise:.2g} ± {noise:.1g} does not stand out, extend grid.{control}, "
        "or more teachers or replicas"
    ),
    "falls_again": Words("falls again from {control} = {at:g} on, fitted below that"),
    "no_plateau": Words(
        "no plateau is seen {sides: and } the transition: m_c depends on how the branch goes on under it, which "
        "the systematic part of the error holds",
        brief="no plateau on one side of the transition: the systematic part of the error holds what it does",
    ),
    "used_midpoint": Words("both plateaus are seen"),
    "used_steepest": Words(
        "the steepest slope needs no plateau, and the midpoint does: {why}",
        brief="a steepest slope where a plateau is not seen",
    ),
    "used_anyway": Words("the midpoint, with a plateau that is not seen: there is no steepest slope either"),
    "used_alone": Words("the only estimator at hand"),
    "no_slope": Words(
        "no slope stands out of the errors: extend grid.{control}, or more teachers or replicas"
    ),
    "no_whole_slope": Words("the steepest slope lies at an end: {advice}"),
    "no_level": Words("the order parameter does not pass {level:g}: {advice}"),
    # m_c against the length of the run
    "few_times": Words(
        "{count} times of the last decade have m_c, over a factor of {factor:.2g}: "
        "at least {needed} over a factor of 3 are needed"
    ),
    "still_moving": Words(
        "m_c still moves at time {until:g}, by {trend} per factor of ten in time: the run is too short for the "
        "stationary value, or m_c is the limit of a metastable state",
        brief="m_c still moves with the length of the run",
    ),
    "spinodal": Words(
        "m_c still moves at time {until:g}, by {trend} per factor of ten in time: it is the limit of a metastable "
        "state (spinodal) in the time of the run, not a point of the stationary state",
        brief="m_c is the limit of a metastable state in the time of the run",
    ),
    "no_times": Words("{name} is not measured over time"),
    # the peak of the susceptibility
    "no_fluctuation": Words("all students agree at every point: the susceptibility is zero"),
    "no_whole_peak": Words("the susceptibility shows no whole peak: {advice}"),
    "noisy_peak": Words("no peak of the susceptibility stands out of the errors: more teachers or replicas"),
    # crossings
    "one_size": Words("one size only: two are needed for a crossing"),
    "few_common_points": Words("{small} and {large} share {count} values of {control}: too few"),
    "no_difference": Words(
        "{large} and {small} differ by less than {errors:g} standard errors: no crossing is seen",
        brief="consecutive sizes differ by less than {errors:g} standard errors: no crossing is seen",
    ),
    "falls_later": Words(
        "{large} lies above {small} before it lies below: it falls later, no crossing of a rise"
    ),
    "one_sided": Words(
        "where they differ, {large} lies {side} {small}: no crossing on this grid of {control}",
        brief="where sizes differ, the larger lies {side} the smaller: no crossing on this grid of {control}",
    ),
    "drift_apart": Words(
        "the curves cross outside the rise of {sizes: and }: the sizes drift apart, no crossing"
    ),
    # histograms
    "few_students": Words("{count} students are too few for a histogram, at least {needed} are needed"),
    "two_values": Words("the order parameter has two values only: its histogram tells nothing"),
    "one_peak": Words("one peak"),
    "grid_steps_over": Words("one peak, but the grid steps over the transition"),
    "second_peak": Words("a second peak holds {share:.0%} of the students, too few to measure a barrier"),
    "empty_valley": Words("hardly a student lies in the valley: the barrier is bounded below only"),
    # m_c against the size
    "few_sizes": Words(_few_sizes),
    "no_law_fits": Words("no law fits: χ²/dof = {chi2:.3g} for the best, {law}", brief="no law fits"),
    "no_limit": Words(
        "no m_c(∞): laws without a limit ({laws: and }) hold {share:.0%} of the weight",
        brief="no m_c(∞): laws without a limit hold part of the weight",
    ),
    "limit_systematic": Words(
        "the interval of m_c(∞) holds the systematic error at the largest size, {down:.2g} down and {up:.2g} up"
    ),
    "drift": Words("a drift of up to {most:.2g} log {size} is not excluded"),
    "limit_moves": Words("m_c(∞) moves to {m_c} with sizes from {smallest:g} on"),
    "laws_of_size": Words(
        "the sizes do not tell the laws apart (weights: {weights})",
        line="the sizes do not tell the laws apart",
    ),
    # m_c against the connectivity
    "no_degree": Words("no value of {connectivity} has m_c with an interval"),
    "few_degrees": Words("{count} values of {connectivity} have m_c with an interval, {needed} are needed"),
    "neither_fits": Words(
        "neither law fits: χ²/dof = {chi2:.3g} for the better, {law}", brief="neither law fits"
    ),
    "exponent_at_end": Words(f"the exponent is not determined: {_SEARCHED}"),
    "errors_scaled": Words(
        "neither law fits to within the errors, which are scaled by {factor:.2g}",
        brief="neither law fits to within the errors, which are scaled",
    ),
    "laws_of_degree": Words(
        "the points do not tell the laws apart (weight of {law}: {weight:.2f})",
        line="the points do not tell the laws apart",
    ),
    "no_label": Words("no label {name}"),
    # the data collapse
    "first_order": Words("a first-order transition has no critical exponents: nothing to collapse with"),
    "crossover": Words("a crossover has no critical exponents: nothing to collapse with"),
    "few_transitions": Words("{count} sizes show a transition, two are needed for a collapse"),
    "few_curves": Words("{count} sizes have {needed} values of {control} with an error, {sizes} are needed"),
    "flat": Words("{quantity} is the same everywhere to within its errors: nothing to collapse"),
    "coarse_grid": Words(
        "fewer than {needed} values of {control} lie in the rise at size {sizes:, }: "
        "the grid is too coarse for a collapse"
    ),
    "coincidence": Words(
        "{points} points for {parameters} parameters: too few to tell a collapse from a coincidence"
    ),
    "no_collapse": Words(
        "the points do not collapse, χ²/dof = {chi2:.3g} (p = {p:.1g}): no exponents; "
        "a window of {control} about m_c may help"
    ),
    "parameter_at_end": Words(
        "{name} is not determined, and so the other parameters are not: "
        + _SEARCHED
        + ", {low:g} to {high:g}"
    ),
    "no_rescaling": Words(
        "1/ν may be 0: the curves coincide without rescaling of the control, so that m_c is not determined"
    ),
    "collapse_moves": Words("{name} moves to {interval} with sizes from {smallest:g} on"),
    "window_moves": Words("the points within the scaled window do not settle: it depends on the parameters"),
    "sizes_left_out": Words(
        "{size} = {sizes:, } left out: fewer than {needed} values of {control} with an error that vary"
    ),
    "nothing_to_collapse": Words("no data to collapse"),
    "nothing_to_extrapolate": Words("no m_c to extrapolate"),
    # hysteresis
    "of_start": Words("{start} start: {reasons}"),
    "one_start": Words("one start only: a list of two values of {label} shows whether there is a loop"),
    # the order of the transition
    "at_size": Words("size {size:g}: {reason}"),
    "rise_without_peak": Words(
        "the order parameter rises at {size} = {sizes:, }, but no peak of the susceptibility is seen; "
        "needed: more teachers or replicas"
    ),
    "one_size_shows": Words("one size shows the transition, at least {needed} are needed"),
    "at_odds": Words("the evidence is at odds: the {against} speaks against first order"),
    "vetoed": Words("barrier and growth speak for a smooth change, but {vetoes}; needed: {needed}"),
    "needed": Words("needed: {needs}"),
    "loop_open": Words("the loop is open at {where:, }"),
    "need_histograms": Words("{count} sizes with a histogram"),
    "need_students": Words("more students at coexistence, to see whether the barrier grows"),
    "need_students_that_tell": Words("{students:.2g} times the students, to tell growth from none"),
    "need_larger_or_students": Words("larger sizes or more students, to see whether the barrier grows"),
    "need_peaks": Words("{count} sizes with a resolved peak"),
    "need_growth": Words("a susceptibility that grows with the size"),
    "need_sizes": Words("{size} = {sizes: and } beside these"),
    "need_sizes_that_tell": Words(
        "{size} = {at:g} with as many students, or {students:.2g} times the students, to tell growth from none"
    ),
    "need_exponent": Words("sizes or students that tell the exponent from one"),
    "need_planted": Words("a planted start"),
    "need_both_ends": Words("both ends of the loop"),
    "need_two_loops": Words("two sizes with a loop"),
    "need_larger_open": Words("larger sizes, to see whether the loop stays open"),
    "need_larger_closed": Words("larger sizes, to see whether the loop stays closed"),
    "need_finer": Words("a finer grid or more students, to see whether the loop is open"),
}
"""The words of every reason, by key."""
