"""What is known of the transition at one (N, d): the record, and its forms as JSON and as text.

Every estimator of m_c fills the same record and every reader (command line, report, figures) takes it from here. A
number that is not known is NaN in the record, null in JSON and a dash in text; why is said in `reason`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Order = Literal["first", "second", "undecided", "none"]
Label = int | float | str


@dataclass(frozen=True)
class Critical:
    """The critical value of the control at one combination of labels.

    labels: N, d and any other dimension of the dataset, such as init_overlap, each with its value.
    m_c, low, high: the critical value and its 95 % interval, in the units of the control.
    order: of the transition; "none" where the grid shows no transition, "undecided" where nothing has judged it.
    estimator: how m_c was read off, in words.
    value, width: the order parameter at m_c, and the range of the control over which the fit covers 10 to 90 %.
    reason: why a number is missing, or what to mind; empty if nothing.
    """

    labels: dict[str, Label]
    m_c: float
    low: float
    high: float
    order: Order
    estimator: str
    value: float = math.nan
    width: float = math.nan
    reason: str = ""


def as_json(critical: Sequence[Critical]) -> list[dict[str, Any]]:
    """Plain records for `mbsim analyze --json`: the labels, then m_c, low, high, order, estimator, reason if any."""
    return [
        {
            **record.labels,
            **{name: _null_if_nan(getattr(record, name)) for name in ("m_c", "low", "high")},
            "order": record.order,
            "estimator": record.estimator,
            **({"reason": record.reason} if record.reason else {}),
        }
        for record in critical
    ]


def as_text(critical: Sequence[Critical]) -> str:
    """An aligned plain-text table, one line a record; reasons in the last column."""
    names = list(dict.fromkeys(name for record in critical for name in record.labels))
    heading = [*names, "m_c", "95% interval", "order", ""]
    rows = [
        [*(f"{record.labels.get(name, '-')}" for name in names), *number_and_interval(record), record.order, record.reason]
        for record in critical
    ]
    widths = [max(len(row[column]) for row in [heading, *rows]) for column in range(len(heading))]
    lines = [
        "  ".join(cell.rjust(width) for cell, width in zip(row[:-1], widths[:-1], strict=True)) + "  " + row[-1]
        for row in [heading, *rows]
    ]
    return "\n".join(line.rstrip() for line in lines)


def number_and_interval(record: Critical) -> tuple[str, str]:
    """m_c and its interval as text, with as many decimals as the interval bears; "-" where not known."""
    if not math.isfinite(record.m_c):
        return "-", "-"
    span = record.high - record.low
    decimals = min(4, max(0, 1 - math.floor(math.log10(span)))) if math.isfinite(span) and span > 0 else 2
    number = f"{record.m_c:.{decimals}f}"
    if not math.isfinite(span):
        return number, "-"
    return number, f"{record.low:.{decimals}f} to {record.high:.{decimals}f}"


def _null_if_nan(number: float) -> float | None:
    return float(number) if math.isfinite(number) else None
