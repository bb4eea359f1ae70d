"""The tables of the report, as rows of cells that the template lays out.

A cell is a number, its interval below it, and the mark of a note; the notes (reasons why a number is missing,
or what to mind) stand below the table, each once.
"""

import math
from collections.abc import Sequence

from mbsim.fss.critical import Critical
from mbsim.fss.interval import Interval, Label
from mbsim.fss.names import MIDPOINT, STEEPEST, short_of
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
from mbsim.report.words import TAGS

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
                Cell(number_and_interval(one)[0], note=shared(notes, one.because)),
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
    notes: dict[str, str] = {}
    for one in sorted(told, key=lambda one: by_kind([one.labels.get(name, "") for name in names])):
        seen = [at for at in range(len(one.times)) if math.isfinite(one.m_c[at])]
        first, last = (Interval(one.m_c[at], one.low[at], one.high[at]) for at in (seen[0], seen[-1]))
        rows.append(
            [
                *(label_cell(name, one.labels.get(name, "")) for name in names),
                interval_cell(first)._replace(note="") if len(seen) > 1 else Cell("–"),
                Cell(f"{one.times[seen[0]]:g}"),
                interval_cell(last)._replace(note=shared(notes, one.notes)),
                Cell(f"{one.times[seen[-1]]:g}"),
                interval_cell(one.trend),
                interval_cell(one.at_end),
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
        "in the last half-decade",
        "then",
    ]
    return Table(heads, rows, len(names), notes_below(notes))


def collapse_table(collapses: Sequence[Collapse]) -> Table:
    """A row for each collapse: m_c, ν, β, ω where one was fitted, χ²/dof and its chance; what was fixed is marked.

    Below it a row for each collapse without the smallest sizes.
    """
    names = label_names(collapses)
    corrected = any(one.omega.known for one in collapses)
    notes: dict[str, str] = {}
    rows = []
    for one in collapses:
        cells = [label_cell(name, one.labels.get(name, "")) for name in names]
        cells.append(Cell(QUANTITIES.get(one.quantity, one.quantity), note=note_of(notes, one.reason)))
        for name, interval in (("m_c", one.m_c), ("nu", one.nu), ("beta", one.beta)):
            fixed = name in one.fixed and interval.known
            cells.append(Cell(f"{interval.value:g}", "fixed") if fixed else interval_cell(interval))
        cells += [interval_cell(one.omega)] if corrected else []
        rows.append([*cells, _figure(one.chi2_per_dof), _figure(one.p_value)])
        for fewer in one.stability:
            exponents = (_inverse(fewer.inverse_nu), _ratio(fewer.beta_over_nu, fewer.inverse_nu))
            cells = [
                *(Cell("") for _ in names),
                Cell(f"from {fewer.smallest:g} on"),
                interval_cell(fewer.m_c),
            ]
            cells += [*exponents, *([Cell("")] if corrected else []), Cell("")]
            rows.append([*cells, _figure(fewer.p_value)])
    omega = ["ω"] if corrected else []
    heads = [*heads_of(names), "quantity", "m_c", "ν", "β", *omega, "χ²/dof", "p"]
    return Table(heads, rows, len(names) + 1, notes_below(notes))


def _figure(value: float) -> Cell:
    return Cell(f"{value:.2g}" if math.isfinite(value) else "–")


def _inverse(one: Interval) -> Cell:
    """ν with its interval, of 1/ν; without one where 1/ν may be 0."""
    if not one.known or one.value <= 0:
        return Cell("–")
    ends = (1 / one.high, 1 / one.low) if one.low > 0 else (math.nan, math.nan)
    return interval_cell(Interval(1 / one.value, *ends))


def _ratio(beta_over_nu: Interval, inverse_nu: Interval) -> Cell:
    """β of β/ν and 1/ν; its interval would need how both vary together."""
    if not (beta_over_nu.known and inverse_nu.known) or inverse_nu.value <= 0:
        return Cell("–")
    return Cell(f"{beta_over_nu.value / inverse_nu.value:.2g}")


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
