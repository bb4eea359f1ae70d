"""The tables of the report, as rows of cells that the template lays out.

A cell is a number, its interval below it, and the mark of a note; the notes (reasons why a number is missing,
or what to mind) stand below the table, each once.
"""

import math
from collections.abc import Mapping, Sequence

from mbsim.fss.critical import Critical
from mbsim.fss.interval import Interval, Label
from mbsim.fss.laws import ConnectivityLaw, Extrapolation
from mbsim.fss.names import MIDPOINT, PERFECT_RECOVERY, STEEPEST, short_of
from mbsim.fss.over_time import OverTime
from mbsim.fss.reasons import Reason
from mbsim.fss.results import Analysis, Collapse, Hysteresis
from mbsim.fss.table import number_and_interval
from mbsim.report.cells import (
    Cell,
    Table,
    by_kind,
    heads_of,
    interval_cell,
    is_number,
    label_cell,
    label_names,
    note_of,
    notes_below,
    number,
    shared,
)
from mbsim.report.findings import labels_text, stated
from mbsim.report.words import LAWS, TAGS

DRIFT = "drift"
"""The reason that has a column of its own."""
USED_MIDPOINT, USED_ALONE = "used_midpoint", "used_alone"
"""The reasons of an estimator that need no note: the midpoint is what the caption names."""
OF_START = "of_start"
"""The reason that holds those of one start of a loop."""
QUANTITIES = {"mean": "order parameter", "binder": "U4", "susceptibility": "χ", "success": "success"}


def result_table(analysis: Analysis, size: str = "N") -> Table | None:
    """m_c as it is stated: a row for each combination of labels, a column for each size, the order; or nothing.

    Where it is not the midpoint between two plateaus a note says what it is, and why.
    """
    records = [one for one in stated(analysis) if size in one.labels]
    if not records:
        return None
    names = [name for name in label_names(records, size) if name != size]
    sizes = sorted({one.labels[size] for one in records}, key=number)
    rows: dict[tuple[Label, ...], dict[Label, Critical]] = {}
    for one in records:
        rows.setdefault(tuple(one.labels.get(name, "") for name in names), {})[one.labels[size]] = one
    notes: dict[str, str] = {}
    cells = []
    for key in sorted(rows, key=by_kind):
        labels = dict(zip(names, key, strict=True))
        verdict = next((one for one in analysis.verdicts if one.labels.items() <= labels.items()), None)
        order = TAGS[verdict.order] if verdict else "–"
        numbers = [_stated_cell(rows[key].get(one), notes) for one in sizes]
        cells.append([*map(label_cell, names, key), *numbers, Cell(order)])
    heads = [*heads_of(names), *(f"{size} = {one}" for one in sizes), "transition"]
    return Table(heads, cells, len(names), notes_below(notes))


def critical_table(critical: Sequence[Critical], size: str = "N") -> Table:
    """A row for each combination of labels, a column for each estimator; crossings at their smaller size.

    Estimators that give no number anywhere have no column: they are named below, with the reason.
    """
    names = [name for name in label_names(critical, size) if name != f"{size}_next"]
    estimators = list(dict.fromkeys(record.estimator for record in critical))
    seen = [key for key in estimators if any(is_number(one) for one in critical if one.estimator == key)]
    shown = seen or estimators[:1]
    found: dict[tuple[Label, ...], dict[str, Critical]] = {}
    for record in critical:
        key = tuple(record.labels.get(name, "") for name in names)
        found.setdefault(key, {})[record.estimator] = record
    notes: dict[str, str] = {}
    rows = []
    for key in sorted(found, key=by_kind):
        cells = [_critical_cell(found[key].get(name), notes, size) for name in shown]
        rows.append([*map(label_cell, names, key), *cells])
    below = notes_below(notes)
    for name in estimators:
        if name not in shown:
            own = [one for one in critical if one.estimator == name]
            reasons = dict.fromkeys(reason.brief for one in own for reason in one.because)
            below.append(("", f"{short_of(name)}: {'; '.join(reasons) or 'no number'}"))
    return Table([*heads_of(names), *map(short_of, shown)], rows, len(names), below)


def error_table(critical: Sequence[Critical], size: str = "N") -> Table | None:
    """The two parts of the error of midpoint and steepest slope, at the largest size; or nothing."""
    told = [
        one
        for one in critical
        if one.estimator in (MIDPOINT, STEEPEST) and is_number(one) and math.isfinite(sum(one.systematic))
    ]
    largest = max((number(one.labels.get(size)) for one in told), default=math.inf)
    told = [one for one in told if number(one.labels.get(size)) == largest]
    if not told:
        return None
    names = label_names(told, size)
    notes: dict[str, str] = {}
    rows = []
    for one in sorted(told, key=lambda one: by_kind([one.labels.get(name, "") for name in names])):
        chance = Interval(one.m_c, *one.statistical)
        digits = len(number_and_interval(one)[0].partition(".")[2])
        down, up = (f"{move:.{digits}f}" for move in one.systematic)
        rows.append(
            [
                *(label_cell(name, one.labels.get(name, "")) for name in names),
                Cell(short_of(one.estimator)),
                Cell(number_and_interval(one)[0], note=shared(notes, one.because, (DRIFT,))),
                Cell(chance.texts[1] if math.isfinite(sum(one.statistical)) else "–"),
                Cell(f"−{down} / +{up}" if float(down) or float(up) else "0"),
                Cell(number_and_interval(one)[1]),
            ]
        )
    heads = [*heads_of(names), "estimator", "m_c", "by chance", "by choice", "95 % interval"]
    return Table(heads, rows, len(names) + 1, notes_below(notes))


def trend_table(records: Sequence[OverTime], size: str = "N") -> Table | None:
    """How m_c moves with the length of the run at the largest size, a row for each combination of labels."""
    told = [one for one in records if one.trend.known]
    largest = max((number(one.labels.get(size)) for one in told), default=math.inf)
    told = [one for one in told if number(one.labels.get(size)) == largest]
    if not told:
        return None
    names = label_names(told, size)
    rows = []
    for one in sorted(told, key=lambda one: by_kind([one.labels.get(name, "") for name in names])):
        seen = [at for at in range(len(one.times)) if math.isfinite(one.m_c[at])]
        first, last = (Interval(one.m_c[at], one.low[at], one.high[at]) for at in (seen[0], seen[-1]))
        rows.append(
            [
                *(label_cell(name, one.labels.get(name, "")) for name in names),
                interval_cell(first)._replace(note="") if len(seen) > 1 else Cell("–"),
                Cell(f"{one.times[seen[0]]:g}"),
                interval_cell(last),
                Cell(f"{one.times[seen[-1]]:g}"),
                interval_cell(one.trend),
                Cell("moves" if one.moving else "rests"),
            ]
        )
    heads = [
        *heads_of(names),
        "m_c, first seen",
        "at t",
        "m_c, last",
        "at t",
        "per factor of ten",
        "at the end",
    ]
    return Table(heads, rows, len(names), [])


def of_stated(analysis: Analysis, size: str = "N") -> list[Extrapolation]:
    """The laws of the estimators by which m_c is stated, and of perfect recovery; all, where none is stated."""
    keys = {(one.estimator, _without(one.labels, size)) for one in stated(analysis)}
    own = [
        one
        for one in analysis.extrapolations
        if one.estimator == PERFECT_RECOVERY or (one.estimator, _without(one.labels, size)) in keys
    ]
    return own if keys else list(analysis.extrapolations)


def _without(labels: Mapping[str, Label], name: str) -> tuple[tuple[str, Label], ...]:
    return tuple((key, value) for key, value in labels.items() if key != name)


def extrapolation_table(extrapolations: Sequence[Extrapolation]) -> Table:
    """A row for each law of m_c against N: its weight, m_c(∞), χ²/dof; too few sizes are named below.

    The sizes have a column where they differ.
    """
    names = label_names(extrapolations)
    notes: dict[str, str] = {}
    rows = []
    drifts = False
    differ = len({_sizes(one) for one in extrapolations if len(one.sizes)}) > 1
    for one in sorted(extrapolations, key=lambda one: [str(one.labels.get(name, "")) for name in names]):
        if not len(one.sizes):
            continue
        cells = [
            *(label_cell(name, one.labels.get(name, "")) for name in names),
            Cell(short_of(one.estimator)),
            *([Cell(_sizes(one))] if differ else []),
            Cell(LAWS.get(one.law, one.law), note=shared(notes, one.because, (DRIFT,))),
            _weights(one.weights),
            _limit(one),
            Cell(f"{one.chi2_per_dof:.2g}" if math.isfinite(one.chi2_per_dof) else "–"),
        ]
        rows.append(cells)
        drifts = drifts or any(reason.key == DRIFT for reason in one.because)
    sizes = ["sizes"] if differ else []
    heads = [*heads_of(names), "estimator", *sizes, "law", "weights", "m_c(∞)", "χ²/dof"]
    below = notes_below(notes)
    if drifts:
        below.append(("", "drift: what growth like a logarithm the points do not exclude"))
    if few := _too_few_sizes(extrapolations):
        below.append(("", f"too few sizes for a law: {few}"))
    return Table(heads, rows, len(names) + 1, below)


def _sizes(one: Extrapolation) -> str:
    return ", ".join(f"{N:g}" for N in one.sizes)


def _limit(one: Extrapolation) -> Cell:
    """m_c(∞), its interval, and the drift that is not excluded, a line each."""
    cell = interval_cell(one.m_c)
    drifts = [reason for reason in one.because if reason.key == DRIFT]
    lines = [cell.below, *(f"drift ≤ {drift['most']:.2g} log {drift['size']}" for drift in drifts)]
    return cell._replace(below="\n".join(filter(None, lines)))


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
            Cell(law.law, note=shared(notes, law.because, (DRIFT,))),
            interval_cell(law.exponent),
            Cell(weights or "–"),
            Cell(f"{law.chi2_per_dof:.2g}" if math.isfinite(law.chi2_per_dof) else "–"),
        ]
        rows.append(cells)
    heads = ["points", "law", "exponent of d", "weights", "χ²/dof"]
    return Table(heads, rows, 1, notes_below(notes))


def collapse_table(collapses: Sequence[Collapse]) -> Table:
    """A row for each collapse: m_c, ν, β, χ²/dof; what was fixed is marked."""
    names = label_names(collapses)
    notes: dict[str, str] = {}
    rows = []
    for one in collapses:
        cells = [label_cell(name, one.labels.get(name, "")) for name in names]
        cells.append(Cell(QUANTITIES.get(one.quantity, one.quantity), note=note_of(notes, one.reason)))
        for name, interval in (("m_c", one.m_c), ("nu", one.nu), ("beta", one.beta)):
            fixed = name in one.fixed and interval.known
            cells.append(Cell(f"{interval.value:g}", "fixed") if fixed else interval_cell(interval))
        cells.append(Cell(f"{one.chi2_per_dof:.2g}" if math.isfinite(one.chi2_per_dof) else "–"))
        rows.append(cells)
    heads = [*heads_of(names), "quantity", "m_c", "ν", "β", "χ²/dof"]
    return Table(heads, rows, len(names) + 1, notes_below(notes))


def refusals(collapses: Sequence[Collapse]) -> list[str]:
    """Why each of them determines nothing, a sentence each; those that say the same share one."""
    told: dict[str, list[str]] = {}
    for one in collapses:
        told.setdefault(one.reason or "not determined", []).append(labels_text(one.labels))
    return [": ".join(filter(None, ["; ".join(where), reason])) + "." for reason, where in told.items()]


def hysteresis_table(loops: Sequence[Hysteresis]) -> Table:
    """A row for each loop: both spinodals and the width."""
    names = label_names(loops)
    notes: dict[str, str] = {}
    rows = [
        [
            *(label_cell(name, loop.labels.get(name, "")) for name in names),
            interval_cell(loop.random),
            interval_cell(loop.planted),
            interval_cell(loop.width)._replace(note=shared(notes, _of_both_starts(loop.because))),
        ]
        for loop in sorted(loops, key=lambda loop: [number(loop.labels.get(name)) for name in names])
    ]
    heads = [*heads_of(names), "spinodal, random start", "spinodal, planted start", "width of the loop"]
    return Table(heads, rows, len(names), notes_below(notes))


def _of_both_starts(because: Sequence[Reason]) -> list[Reason]:
    """The reasons of a loop, those of its starts among them: the note says no more than the column does."""
    return [one for reason in because for one in (reason["reasons"] if reason.key == OF_START else (reason,))]


def _stated_cell(record: Critical | None, notes: dict[str, str]) -> Cell:
    """m_c with its interval; the note says by which estimator, if not by the midpoint."""
    if record is None:
        return Cell("")
    value, interval = number_and_interval(record)
    if value == "-":
        return Cell("–", note=shared(notes, record.because))
    choice = record.choice
    told = [choice] if choice is not None and choice.key not in (USED_MIDPOINT, USED_ALONE) else []
    return Cell(value, "" if interval == "-" else interval, shared(notes, told))


def _critical_cell(record: Critical | None, notes: dict[str, str], size: str) -> Cell:
    if record is None:
        return Cell("")
    value, interval = number_and_interval(record)
    below = interval if interval != "-" else ""
    if value != "-" and f"{size}_next" in record.labels:
        below += f"; with {size} = {record.labels[f'{size}_next']}"
    return Cell("–" if value == "-" else value, below.lstrip("; "), shared(notes, record.because))
