"""The tables of the report, as rows of cells that the template lays out.

A cell is a number, its interval below it, and the mark of a note; the notes (reasons why a number is missing,
or what to mind) stand below the table, each once.
"""

import math
import string
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mbsim.fss.critical import Critical
from mbsim.fss.interval import Interval, Label
from mbsim.fss.laws import ConnectivityLaw, Extrapolation
from mbsim.fss.names import short_of
from mbsim.fss.reasons import Reason
from mbsim.fss.results import Collapse, Hysteresis
from mbsim.fss.table import number_and_interval
from mbsim.report.findings import labels_text
from mbsim.report.words import LAWS

Labelled = Critical | Extrapolation | Collapse | Hysteresis


DRIFT = "drift"
"""The reason that has a column of its own."""
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


def critical_table(critical: Sequence[Critical], size: str = "N") -> Table:
    """A row for each combination of labels, a column for each estimator; crossings at their smaller size."""
    names = [name for name in _label_names(critical, size) if name != f"{size}_next"]
    estimators = list(dict.fromkeys(record.estimator for record in critical))
    found: dict[tuple[Label, ...], dict[str, Critical]] = {}
    for record in critical:
        key = tuple(record.labels.get(name, "") for name in names)
        found.setdefault(key, {})[record.estimator] = record
    notes: dict[str, str] = {}
    rows = []
    for key in sorted(found, key=lambda row: [(isinstance(label, str), label) for label in row]):
        records = found[key]
        cells = [_label(label) for label in key]
        cells += [_critical_cell(records.get(name), notes, size) for name in estimators]
        seen = [record for record in records.values() if math.isfinite(record.m_c)] or records.values()
        cells.append(Cell("/".join(sorted({record.order for record in seen}))))
        rows.append(cells)
    heads = [*_heads(names), *map(short_of, estimators), "order"]
    return Table(heads, rows, len(names), [(mark, text) for text, mark in notes.items()])


def extrapolation_table(extrapolations: Sequence[Extrapolation]) -> Table:
    """A row for each law of m_c against N: its weight, m_c(∞), χ²/dof; too few sizes are named below."""
    names = _label_names(extrapolations)
    notes: dict[str, str] = {}
    rows = []
    drifts = False
    for one in sorted(extrapolations, key=lambda one: [str(one.labels.get(name, "")) for name in names]):
        if not len(one.sizes):
            continue
        cells = [
            *(_label(one.labels.get(name, "")) for name in names),
            Cell(short_of(one.estimator)),
            Cell(", ".join(f"{N:g}" for N in one.sizes)),
            Cell(LAWS.get(one.law, one.law), note=_shared(notes, one.because)),
            _weights(one.weights),
            _limit(one),
            Cell(f"{one.chi2_per_dof:.2g}" if math.isfinite(one.chi2_per_dof) else "–"),
        ]
        rows.append(cells)
        drifts = drifts or any(reason.key == DRIFT for reason in one.because)
    heads = [*_heads(names), "estimator", "sizes", "law", "weights", "m_c(∞)", "χ²/dof"]
    below = [(mark, text) for text, mark in notes.items()]
    if drifts:
        below.append(("", "drift: what growth like a logarithm the points do not exclude"))
    if few := _too_few_sizes(extrapolations):
        below.append(("", f"too few sizes for a law: {few}"))
    return Table(heads, rows, len(names) + 1, below)


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
    return Table(heads, rows, 1, [(mark, text) for text, mark in notes.items()])


def collapse_table(collapses: Sequence[Collapse]) -> Table:
    """A row for each collapse: m_c, ν, β, χ²/dof; what was fixed is marked."""
    names = _label_names(collapses)
    notes: dict[str, str] = {}
    rows = []
    for one in collapses:
        cells = [_label(one.labels.get(name, "")) for name in names]
        cells.append(Cell(QUANTITIES.get(one.quantity, one.quantity), note=_note(notes, one.reason)))
        for name, interval in (("m_c", one.m_c), ("nu", one.nu), ("beta", one.beta)):
            fixed = name in one.fixed and interval.known
            cells.append(Cell(f"{interval.value:g}", "fixed") if fixed else _interval(interval))
        cells.append(Cell(f"{one.chi2_per_dof:.2g}" if math.isfinite(one.chi2_per_dof) else "–"))
        rows.append(cells)
    heads = [*_heads(names), "quantity", "m_c", "ν", "β", "χ²/dof"]
    return Table(heads, rows, len(names) + 1, [(mark, text) for text, mark in notes.items()])


def hysteresis_table(loops: Sequence[Hysteresis]) -> Table:
    """A row for each loop: both spinodals and the width."""
    names = _label_names(loops)
    notes: dict[str, str] = {}
    rows = [
        [
            *(_label(loop.labels.get(name, "")) for name in names),
            _interval(loop.random),
            _interval(loop.planted),
            _interval(loop.width)._replace(note=_note(notes, loop.reason)),
        ]
        for loop in sorted(loops, key=lambda loop: [_number(loop.labels.get(name)) for name in names])
    ]
    heads = [*_heads(names), "spinodal, random start", "spinodal, planted start", "width of the loop"]
    return Table(heads, rows, len(names), [(mark, text) for text, mark in notes.items()])


def _label_names(records: Sequence[Labelled], size: str = "N") -> list[str]:
    """The labels of all records, the size last: in a table it changes fastest."""
    names = dict.fromkeys(name for record in records for name in record.labels)
    return sorted(names, key=lambda name: name == size)


def _heads(names: Sequence[str]) -> list[str]:
    return [name.replace("_", " ") for name in names]


def _label(value: Label) -> Cell:
    return Cell(f"{value:g}" if isinstance(value, float) else str(value))


def _critical_cell(record: Critical | None, notes: dict[str, str], size: str) -> Cell:
    if record is None:
        return Cell("")
    value, interval = number_and_interval(record)
    below = interval if interval != "-" else ""
    if value != "-" and f"{size}_next" in record.labels:
        below += f"; with {size} = {record.labels[f'{size}_next']}"
    return Cell("–" if value == "-" else value, below.lstrip("; "), _note(notes, record.reason))


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
