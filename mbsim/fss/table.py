"""What is known of the transition at one (N, d): the record, and its forms as JSON and as text.

Every estimator of m_c fills the same record, and every reader (command line, report, figures) takes it from
here. A number that is not known is NaN in the record, null in JSON, a dash in text; `reason` says why.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Order = Literal["first", "second", "undecided", "none"]
Label = int | float | str


@dataclass(frozen=True)
class Critical:
    """The critical value of the control at one combination of labels.

    labels: N, d and any other dimension of the dataset, such as init_overlap, each with its value.
    m_c, low, high: the critical value and its 95 % interval, in units of the control.
    order: of the transition; "none" if the grid shows no transition, "undecided" if nothing has judged it.
    estimator: how m_c was read off, in words.
    value, width: the order parameter at m_c; the range of the control in which the fit goes from 10 to 90 %.
    reason: why a number is missing, or what to mind; empty if nothing.
    draws: resampled m_c, shape (sample,), NaN where a resample has none; they tell how records hang together
        that share a size. None where there are none.
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
    draws: NDArray[np.float64] | None = field(default=None, repr=False, compare=False)


def as_json(critical: Sequence[Critical]) -> list[dict[str, Any]]:
    """Plain records: the labels, then m_c, low, high, order, estimator, and reason if there is one."""
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
    """An aligned plain-text table, one line a record, with the reasons last."""
    names = list(dict.fromkeys(name for record in critical for name in record.labels))
    rows = [[*names, "m_c", "95% interval", "order", ""]]
    for record in critical:
        labels = [str(record.labels.get(name, "-")) for name in names]
        rows.append([*labels, *number_and_interval(record), record.order, record.reason])
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    widths[-1] = 0
    lines = ("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def number_and_interval(record: Critical) -> tuple[str, str]:
    """m_c and its interval as text, to two digits of the interval's length; "-" where not known."""
    if not math.isfinite(record.m_c):
        return "-", "-"
    length = record.high - record.low
    if not math.isfinite(length):
        return f"{record.m_c:.2f}", "-"
    decimals = min(4, max(0, 1 - math.floor(math.log10(length)))) if length > 0 else 4
    return f"{record.m_c:.{decimals}f}", f"{record.low:.{decimals}f} to {record.high:.{decimals}f}"


def _null_if_nan(number: float) -> float | None:
    return float(number) if math.isfinite(number) else None
