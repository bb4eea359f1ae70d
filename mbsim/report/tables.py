"""The tables of the report, as rows of cells that the template lays out.

A cell is a number, its interval below it, and the mark of a note; the notes (reasons why a number is missing,
or what to mind) stand below the table, each once.
"""

import math
import string
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mbsim.fss.critical import Critical
from mbsim.fss.interval import Interval, Label
from mbsim.fss.laws import ConnectivityLaw, Extrapolation
from mbsim.fss.names import MIDPOINT, STEEPEST, short_of
from mbsim.fss.over_time import OverTime
from mbsim.fss.reasons import Reason
from mbsim.fss.records import START, start_text
from mbsim.fss.results import Analysis, Collapse, Hysteresis
from mbsim.fss.table import number_and_interval
from mbsim.report.findings import labels_text, stated
from mbsim.report.words import LAWS, TAGS

Labelled = Critical | Extrapolation | Collapse | Hysteresis | OverTime


DRIFT = "drift"
"""The reason that has a column of its own."""
USED_MIDPOINT, USED_ALONE = "used_midpoint", "used_alone"
"""The reasons of an estimator that need no note: the midpoint is what the caption names."""
OF_START = "of_start"
"""The reason that holds those of one start of a loop."""
QUANTITIES = {"mean": "order parameter", "binder": "U4", "susceptibility": "χ", "success": "success"}


class Cell(NamedTuple):
    """A number or a text, the interval below it, and the mark of its note."""

    text: str
    below: str = ""
    note: str = ""


class Table(NamedTuple):
    """Heads, rows of cells, and notes as (mark, text); `labels` leading columns are labels."""

    heads: list[str]
    rows: list[list[Cell]]
    labels: int
    notes: list[tuple[str, str]]


def result_table(analysis: Analysis, size: str = "N") -> Table | None:
    """m_c as it is stated: a row for each combination of labels, a column for each size, the order; or nothing.

    Where it is not the midpoint between two plateaus a note says what it is, and why.
    """
    records = [one for one in stated(analysis) if size in one.labels]
    if not records:
        return None
    names = [name for name in _label_names(records, size) if name != size]
    sizes = sorted({one.labels[size] for one in records}, key=_number)
    rows: dict[tuple[Label, ...], dict[Label, Critical]] = {}
    for one in records:
        rows.setdefault(tuple(one.labels.get(name, "") for name in names), {})[one.labels[size]] = one
    notes: dict[str, str] = {}
    cells = []
    for key in sorted(rows, key=_by_kind):
        labels = dict(zip(names, key, strict=True))
        verdict = next((one for one in analysis.verdicts if one.labels.items() <= labels.items()), None)
        order = TAGS[verdict.order] if verdict else "–"
        numbers = [_stated_cell(rows[key].get(one), notes) for one in sizes]
        cells.append([*map(_label, names, key), *numbers, Cell(order)])
    heads = [*_heads(names), *(f"{size} = {one}" for one in sizes), "transition"]
    return Table(heads, cells, len(names), _below(notes))


def critical_table(critical: Sequence[Critical], size: str = "N") -> Table:
    """A row for each combination of labels, a column for each estimator; crossings at their smaller size.

    Estimators that give no number anywhere have no column: they are named below, with the reason.
    """
    names = [name for name in _label_names(critical, size) if name != f"{size}_next"]
    estimators = list(dict.fromkeys(record.estimator for record in critical))
    seen = [key for key in estimators if any(_is_number(one) for one in critical if one.estimator == key)]
    shown = seen or estimators[:1]
    found: dict[tuple[Label, ...], dict[str, Critical]] = {}
    for record in critical:
        key = tuple(record.labels.get(name, "") for name in names)
        found.setdefault(key, {})[record.estimator] = record
    notes: dict[str, str] = {}
    rows = []
    for key in sorted(found, key=_by_kind):
        cells = [_critical_cell(found[key].get(name), notes, size) for name in shown]
        rows.append([*map(_label, names, key), *cells])
    below = _below(notes)
    for name in estimators:
        if name not in shown:
            own = [one for one in critical if one.estimator == name]
            reasons = dict.fromkeys(reason.brief for one in own for reason in one.because)
            below.append(("", f"{short_of(name)}: {'; '.join(reasons) or 'no number'}"))
    return Table([*_heads(names), *map(short_of, shown)], rows, len(names), below)


def error_table(critical: Sequence[Critical], size: str = "N") -> Table | None:
    """The two parts of the error of midpoint and steepest slope, at the largest size; or nothing."""
    told = [
        one
        for one in critical
        if one.estimator in (MIDPOINT, STEEPEST) and _is_number(one) and math.isfinite(sum(one.systematic))
    ]
    largest = max((_number(one.labels.get(size)) for one in told), default=math.inf)
    told = [one for one in told if _number(one.labels.get(size)) == largest]
    if not told:
        return None
    names = _label_names(told, size)
    notes: dict[str, str] = {}
    rows = []
    for one in sorted(told, key=lambda one: _by_kind([one.labels.get(name, "") for name in names])):
        chance = Interval(one.m_c, *one.statistical)
        digits = len(number_and_interval(one)[0].partition(".")[2])
        down, up = (f"{move:.{digits}f}" for move in one.systematic)
        rows.append(
            [
                *(_label(name, one.labels.get(name, "")) for name in names),
                Cell(short_of(one.estimator)),
                Cell(number_and_interval(one)[0], note=_shared(notes, one.because)),
                Cell(chance.texts[1] if math.isfinite(sum(one.statistical)) else "–"),
                Cell(f"−{down} / +{up}" if float(down) or float(up) else "0"),
                Cell(number_and_interval(one)[1]),
            ]
        )
    heads = [*_heads(names), "estimator", "m_c", "by chance", "by choice", "95 % interval"]
    return Table(heads, rows, len(names) + 1, _below(notes))


def trend_table(records: Sequence[OverTime], size: str = "N") -> Table | None:
    """How m_c moves with the length of the run at the largest size, a row for each combination of labels."""
    told = [one for one in records if one.trend.known]
    largest = max((_number(one.labels.get(size)) for one in told), default=math.inf)
    told = [one for one in told if _number(one.labels.get(size)) == largest]
    if not told:
        return None
    names = _label_names(told, size)
    rows = []
    for one in sorted(told, key=lambda one: _by_kind([one.labels.get(name, "") for name in names])):
        seen = [at for at in range(len(one.times)) if math.isfinite(one.m_c[at])]
        first, last = (Interval(one.m_c[at], one.low[at], one.high[at]) for at in (seen[0], seen[-1]))
        rows.append(
            [
                *(_label(name, one.labels.get(name, "")) for name in names),
                _interval(first)._replace(note="") if len(seen) > 1 else Cell("–"),
                Cell(f"{one.times[seen[0]]:g}"),
                _interval(last),
                Cell(f"{one.times[seen[-1]]:g}"),
                _interval(one.trend),
                Cell("moves" if one.moving else "rests"),
            ]
        )
    heads = [
        *_heads(names),
        "m_c, first seen",
        "at t",
        "m_c, last",
        "at t",
        "per factor of ten",
        "at the end",
    ]
    return Table(heads, rows, len(names), [])


def extrapolation_table(extrapolations: Sequence[Extrapolation]) -> Table:
    """A row for each law of m_c against N: its weight, m_c(∞), χ²/dof; too few sizes are named below.

    The sizes have a column where they differ.
    """
    names = _label_names(extrapolations)
    notes: dict[str, str] = {}
    rows = []
    drifts = False
    differ = len({_sizes(one) for one in extrapolations if len(one.sizes)}) > 1
    for one in sorted(extrapolations, key=lambda one: [str(one.labels.get(name, "")) for name in names]):
        if not len(one.sizes):
            continue
        cells = [
            *(_label(name, one.labels.get(name, "")) for name in names),
            Cell(short_of(one.estimator)),
            *([Cell(_sizes(one))] if differ else []),
            Cell(LAWS.get(one.law, one.law), note=_shared(notes, one.because)),
            _weights(one.weights),
            _limit(one),
            Cell(f"{one.chi2_per_dof:.2g}" if math.isfinite(one.chi2_per_dof) else "–"),
        ]
        rows.append(cells)
        drifts = drifts or any(reason.key == DRIFT for reason in one.because)
    sizes = ["sizes"] if differ else []
    heads = [*_heads(names), "estimator", *sizes, "law", "weights", "m_c(∞)", "χ²/dof"]
    below = _below(notes)
    if drifts:
        below.append(("", "drift: what growth like a logarithm the points do not exclude"))
    if few := _too_few_sizes(extrapolations):
        below.append(("", f"too few sizes for a law: {few}"))
    return Table(heads, rows, len(names) + 1, below)


def _sizes(one: Extrapolation) -> str:
    return ", ".join(f"{N:g}" for N in one.sizes)


def _limit(one: Extrapolation) -> Cell:
    """m_c(∞), its interval, and the drift that is not excluded, a line each."""
    cell = _interval(one.m_c)
    drifts = [reason for reason in one.because if reason.key == DRIFT]
    lines = [cell.below, *(f"drift ≤ {drift['most']:.2g} log {drift['size']}" for drift in drifts)]
    return cell._replace(below="\n".join(filter(None, lines)))


def _shared(notes: dict[str, str], because: Sequence[Reason]) -> str:
    """The marks of reasons, each without what the columns tell, so that rows share their notes."""
    marks = dict.fromkeys(_note(notes, reason.brief) for reason in because if reason.key != DRIFT)
    return ", ".join(sorted(marks))


def _weights(weights: Mapping[str, float]) -> Cell:
    """The likeliest law, and the others that count for something below it, a line each."""
    ordered = sorted(weights.items(), key=lambda item: -item[1])
    texts = [f"{name} {weight:.2f}" for name, weight in ordered if weight >= 0.005]
    return Cell(texts[0], "\n".join(texts[1:])) if texts else Cell("–")


def _too_few_sizes(extrapolations: Sequence[Extrapolation]) -> str:
    """The estimators without a law, each with its labels unless it has none anywhere."""
    everywhere: dict[str, list[Extrapolation]] = {}
    for one in extrapolations:
        everywhere.setdefault(short_of(one.estimator), []).append(one)
    found = []
    for name, laws in everywhere.items():
        where = [labels_text(one.labels) for one in laws if not len(one.sizes)]
        if where:
            found.append(name if len(where) == len(laws) else f"{name} ({'; '.join(where)})")
    return ", ".join(found)


def connectivity_table(laws: Sequence[ConnectivityLaw]) -> Table:
    """A row for each law of m_c against d: source, decision, exponent, weights."""
    notes: dict[str, str] = {}
    rows = []
    for law in laws:
        weights = ", ".join(f"{name} {weight:.2f}" for name, weight in law.weights.items())
        cells = [
            Cell(", ".join(filter(None, [law.source, labels_text(law.labels)]))),
            Cell(law.law, note=_shared(notes, law.because)),
            _interval(law.exponent),
            Cell(weights or "–"),
            Cell(f"{law.chi2_per_dof:.2g}" if math.isfinite(law.chi2_per_dof) else "–"),
        ]
        rows.append(cells)
    heads = ["points", "law", "exponent of d", "weights", "χ²/dof"]
    return Table(heads, rows, 1, _below(notes))


def collapse_table(collapses: Sequence[Collapse]) -> Table:
    """A row for each collapse: m_c, ν, β, χ²/dof; what was fixed is marked."""
    names = _label_names(collapses)
    notes: dict[str, str] = {}
    rows = []
    for one in collapses:
        cells = [_label(name, one.labels.get(name, "")) for name in names]
        cells.append(Cell(QUANTITIES.get(one.quantity, one.quantity), note=_note(notes, one.reason)))
        for name, interval in (("m_c", one.m_c), ("nu", one.nu), ("beta", one.beta)):
            fixed = name in one.fixed and interval.known
            cells.append(Cell(f"{interval.value:g}", "fixed") if fixed else _interval(interval))
        cells.append(Cell(f"{one.chi2_per_dof:.2g}" if math.isfinite(one.chi2_per_dof) else "–"))
        rows.append(cells)
    heads = [*_heads(names), "quantity", "m_c", "ν", "β", "χ²/dof"]
    return Table(heads, rows, len(names) + 1, _below(notes))


def refusals(collapses: Sequence[Collapse]) -> list[str]:
    """Why each of them determines nothing, a sentence each; those that say the same share one."""
    told: dict[str, list[str]] = {}
    for one in collapses:
        told.setdefault(one.reason or "not determined", []).append(labels_text(one.labels))
    return [": ".join(filter(None, ["; ".join(where), reason])) + "." for reason, where in told.items()]


def hysteresis_table(loops: Sequence[Hysteresis]) -> Table:
    """A row for each loop: both spinodals and the width."""
    names = _label_names(loops)
    notes: dict[str, str] = {}
    rows = [
        [
            *(_label(name, loop.labels.get(name, "")) for name in names),
            _interval(loop.random),
            _interval(loop.planted),
            _interval(loop.width)._replace(note=_shared(notes, _of_both_starts(loop.because))),
        ]
        for loop in sorted(loops, key=lambda loop: [_number(loop.labels.get(name)) for name in names])
    ]
    heads = [*_heads(names), "spinodal, random start", "spinodal, planted start", "width of the loop"]
    return Table(heads, rows, len(names), _below(notes))


def _of_both_starts(because: Sequence[Reason]) -> list[Reason]:
    """The reasons of a loop, those of its starts among them: the note says no more than the column does."""
    return [one for reason in because for one in (reason["reasons"] if reason.key == OF_START else (reason,))]


def _label_names(records: Sequence[Labelled], size: str = "N") -> list[str]:
    """The labels of all records, the size last: in a table it changes fastest."""
    names = dict.fromkeys(name for record in records for name in record.labels)
    return sorted(names, key=lambda name: name == size)


def _heads(names: Sequence[str]) -> list[str]:
    return ["start" if name == START else name.replace("_", " ") for name in names]


def _label(name: str, value: Label) -> Cell:
    if start := start_text(name, value):
        return Cell(start.removesuffix(" start"))
    return Cell(f"{value:g}" if isinstance(value, float) else str(value))


def _by_kind(labels: Sequence[Label]) -> list[tuple[bool, Any]]:
    """To sort rows by: numbers before texts."""
    return [(isinstance(label, str), label) for label in labels]


def _is_number(record: Critical) -> bool:
    return math.isfinite(record.m_c)


def _below(notes: dict[str, str]) -> list[tuple[str, str]]:
    """Notes as (mark, text)."""
    return [(mark, text) for text, mark in notes.items()]


def _stated_cell(record: Critical | None, notes: dict[str, str]) -> Cell:
    """m_c with its interval; the note says by which estimator, if not by the midpoint."""
    if record is None:
        return Cell("")
    value, interval = number_and_interval(record)
    if value == "-":
        return Cell("–", note=_shared(notes, record.because))
    choice = record.choice
    told = [choice] if choice is not None and choice.key not in (USED_MIDPOINT, USED_ALONE) else []
    return Cell(value, "" if interval == "-" else interval, _shared(notes, told))


def _critical_cell(record: Critical | None, notes: dict[str, str], size: str) -> Cell:
    if record is None:
        return Cell("")
    value, interval = number_and_interval(record)
    below = interval if interval != "-" else ""
    if value != "-" and f"{size}_next" in record.labels:
        below += f"; with {size} = {record.labels[f'{size}_next']}"
    return Cell("–" if value == "-" else value, below.lstrip("; "), _shared(notes, record.because))


def _number(label: Label | None) -> float:
    """To sort by: what is no number comes last."""
    return float(label) if isinstance(label, (int, float)) else math.inf


def _note(notes: dict[str, str], text: str) -> str:
    """The mark of a note, a new letter where the text is new; empty without one."""
    if not text:
        return ""
    letters = string.ascii_lowercase
    place = len(notes)
    return notes.setdefault(text, letters[place % 26] * (place // 26 + 1))


def _interval(interval: Interval) -> Cell:
    """A value with its interval below it; a dash where it is not known."""
    return Cell(*interval.texts) if interval.known else Cell("–")
