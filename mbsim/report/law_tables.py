"""Tables of the laws that m_c follows: against the size, and against the connectivity."""

import math
from collections.abc import Mapping, Sequence

from mbsim.fss.interval import Label
from mbsim.fss.laws import ConnectivityLaw, Extrapolation
from mbsim.fss.names import PERFECT_RECOVERY, short_of
from mbsim.fss.results import Analysis
from mbsim.report.cells import (
    Cell,
    Table,
    heads_of,
    interval_cell,
    label_cell,
    label_names,
    notes_below,
    shared,
)
from mbsim.report.findings import labels_text, stated
from mbsim.report.words import LAWS

DRIFT = "drift"
"""The reason that has a column of its own."""


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
