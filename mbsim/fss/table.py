"""Records of m_c as JSON and as text, for the command line.

A number that is not known is NaN in the record, null in JSON, a dash in text; the reason says why.
"""

import math
from collections.abc import Sequence
from typing import Any

from mbsim.fss.critical import Critical
from mbsim.fss.design import need_records
from mbsim.fss.interval import null_if_nan
from mbsim.fss.names import MIDPOINT, short_of
from mbsim.fss.over_time import OverTime
from mbsim.fss.summaries import SUCCESS


def as_json(critical: Sequence[Critical]) -> list[dict[str, Any]]:
    """Plain records: labels, m_c, low, high, order, estimator in words and as key, reasons if there are any.

    "statistical" are the ends of the interval of chance alone, "systematic" how far m_c moves, down and up, with
    what the data do not settle; null where they are not told apart. "used" says why m_c is stated by this estimator
    at its labels, null where another one is.

    >>> from mbsim import fss
    >>> [record] = fss.as_json(fss.midpoint(fss.planted([64]), bootstrap=100))
    >>> record["N"], record["estimator"], record["estimator_key"]
    (64, 'midpoint of q', 'midpoint')
    """
    return [
        {
            **record.labels,
            **{name: null_if_nan(getattr(record, name)) for name in ("m_c", "low", "high")},
            **{
                name: [null_if_nan(one) for one in getattr(record, name)]
                for name in ("statistical", "systematic")
            },
            "order": record.order,
            "estimator": record.title,
            "estimator_key": record.estimator,
            "used": None if record.choice is None else str(record.choice),
            **reason_json(record.because, record.reason),
        }
        for record in need_records(critical, "critical", "mbsim.fss.estimates(ds)")
    ]


def times_json(found: Sequence[OverTime]) -> list[dict[str, Any]]:
    """m_c against the length of the run, as plain records: labels, times, m_c with its ends, and the trend,
    of the last half-decade too.

    >>> from mbsim import fss
    >>> fss.times_json(fss.analyze(fss.planted([64]), bootstrap=50).over_time)
    []
    """
    return [
        {
            **one.labels,
            "unit": one.unit,
            "times": one.times.tolist(),
            **{name: [null_if_nan(at) for at in getattr(one, name)] for name in ("m_c", "low", "high")},
            **{name: [null_if_nan(at) for at in getattr(one, name)] for name in ("trend", "at_end")},
            "moving": one.moving,
            "estimator_key": one.estimator,
            **reason_json(one.because, one.reason),
        }
        for one in need_records(found, "found", "mbsim.fss.over_time(ds)")
    ]


def reason_json(because: Sequence[Any], reason: str) -> dict[str, Any]:
    """The sentence and the keys of what it says; nothing where there is no reason."""
    return {"reason": reason, "reason_keys": [one.key for one in because]} if because else {}


def as_text(critical: Sequence[Critical]) -> str:
    """An aligned plain-text table, one line a record, with the reasons last.

    The estimator is a column where it is not the midpoint everywhere.

    >>> from mbsim import fss
    >>> print(fss.as_text(fss.estimates(fss.planted([64, 128]), ["midpoint"], bootstrap=100)))
      N    m_c    95% interval      order
     64  17.97  17.70 to 18.22  undecided
    128  17.89  17.66 to 18.12  undecided
    """
    critical = need_records(critical, "critical", "mbsim.fss.estimates(ds)")
    names = list(dict.fromkeys(name for record in critical for name in record.labels))
    named = names_estimators(critical)
    rows = [[*names, "m_c", "95% interval", "order", *(["estimator"] if named else []), ""]]
    for record in critical:
        labels = [str(record.labels.get(name, "-")) for name in names]
        title = [record.title] if named else []
        rows.append([*labels, *number_and_interval(record), record.order, *title, record.reason])
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    widths[-1] = 0
    lines = ("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def names_estimators(critical: Sequence[Critical]) -> bool:
    """Whether a table has to say by which estimator each m_c is: some are no midpoint, or of another quantity, or of
    success, which is no order parameter.
    """
    kinds = {(record.estimator, record.order_parameter) for record in critical}
    return len(kinds) > 1 or any(one != MIDPOINT or name == SUCCESS for one, name in kinds)


def estimator_names(critical: Sequence[Critical]) -> list[str]:
    """What narrow tables call the estimator of each record: shortly, if all are of one order parameter."""
    one_quantity = len({record.order_parameter for record in critical}) == 1
    return [
        short_of(record.estimator) if one_quantity and record.order_parameter != SUCCESS else record.title
        for record in critical
    ]


def number_and_interval(record: Critical) -> tuple[str, str]:
    """m_c and its interval as text, to two digits of the interval's length; "-" where not known."""
    if not math.isfinite(record.m_c):
        return "-", "-"
    length = record.high - record.low
    if not math.isfinite(length):
        return f"{record.m_c:.2f}", "-"
    decimals = min(4, max(0, 1 - math.floor(math.log10(length)))) if length > 0 else 4
    return f"{record.m_c:.{decimals}f}", f"{record.low:.{decimals}f} to {record.high:.{decimals}f}"
