"""What an analysis found, in sentences: shared by `mbsim analyze` and `mbsim report`, so that they agree.

Where the transition is discontinuous no midpoint is called m_c: the students that start at random and those
that start at the teacher go over at two spinodals, which depend on the length of the run; coexistence lies
between them.
"""

import json
import math
from collections.abc import Sequence
from typing import Any

import xarray as xr

from mbsim.fss.critical import Critical
from mbsim.fss.interval import Interval, Label
from mbsim.fss.laws import ConnectivityLaw, Extrapolation
from mbsim.fss.names import MIDPOINT, short_of
from mbsim.fss.records import labels_text
from mbsim.fss.results import Analysis, Hysteresis, Verdict
from mbsim.physics.rules import RULES

ORDERS = {
    "first": "discontinuous (first order)",
    "second": "continuous (second order)",
    "crossover": "a smooth crossover (nothing sharpens with the size)",
    "undecided": "of undecided order",
    "none": "not seen on this grid",
}
GROWTHS = {"proportional": "in proportion to N", "logarithm": "like log N"}


def configuration(ds: xr.Dataset) -> dict[str, Any]:
    """The run's configuration, empty where the dataset carries none."""
    return dict(json.loads(ds.attrs.get("config", "{}")))


def protocol(ds: xr.Dataset) -> str:
    """The length of the run, "300 sweeps", that spinodals refer to; empty where the dataset does not tell."""
    dynamics = configuration(ds).get("dynamics", {})
    lengths = (
        f"{dynamics[one.length]:,} {one.time.many}" for one in RULES.values() if one.length in dynamics
    )
    return next(lengths, "")


def findings(analysis: Analysis, run_length: str = "", size: str = "N") -> list[str]:
    """One sentence for each combination of labels: its order, and where the transition is.

    Args:
        analysis: of `fss.analyze`.
        run_length: of `protocol`.
        size: the label of system sizes.
    """
    found = []
    for verdict in analysis.verdicts:
        where = labels_text(verdict.labels)
        place = _place(verdict, analysis, f" in {run_length}" if run_length else "", size)
        # An estimator may see the transition where the evidence for its order is missing.
        order = "undecided" if place and verdict.order == "none" else verdict.order
        text = (f"{where}: t" if where else "T") + f"he transition is {ORDERS[order]}"
        text += f", {place}" if place else ""
        found.append(f"{text}.")
    return found


def stated(analysis: Analysis) -> list[Critical]:
    """m_c by the estimator that it is stated by at each combination of labels, in their order; the midpoint if none
    was chosen.
    """
    if not analysis.used:
        return [one for one in analysis.critical if one.estimator == MIDPOINT]
    places = {labels: place for place, labels in enumerate(dict.fromkeys(map(_key, analysis.critical)))}
    return sorted(analysis.used, key=lambda one: places[_key(one)])


def _key(record: Critical) -> tuple[tuple[str, Label], ...]:
    return tuple(record.labels.items())


def open_loop(verdict: Verdict, analysis: Analysis, size: str = "N") -> Hysteresis | None:
    """The loop of the largest size that has one, if it is open: wider than a step of the grid."""
    own = [
        one
        for one in analysis.hysteresis
        if verdict.labels.items() <= one.labels.items() and one.random.known and one.planted.known
    ]
    if not own:
        return None
    last = max(own, key=lambda one: float(one.labels.get(size, 0)))
    step = min((b - a for a, b in zip(last.m[:-1], last.m[1:], strict=True)), default=0.0)
    return last if last.width.low > step else None


def growth(records: Sequence[Critical], size: str = "N") -> str:
    """How m_c changes from the smallest size to the largest, with the exponent between the two; or nothing.

    Args:
        records: of one estimator and one combination of labels, a size each; those without a number are
            passed over. The exponent is a description: two points decide on no law.
        size: the label of system sizes.
    """
    known = sorted(
        (one for one in records if math.isfinite(one.high - one.low) and one.low > 0),
        key=lambda one: float(one.labels[size]),
    )
    if len(known) < 2:
        return ""
    first, last = known[0], known[-1]
    length = math.log(float(last.labels[size]) / float(first.labels[size]))
    errors = [(math.log(one.high) - math.log(one.low)) / 2 for one in (first, last)]
    exponent, error = math.log(last.m_c / first.m_c) / length, math.hypot(*errors) / length
    ends = " to ".join(f"{one.interval} at {size} = {one.labels[size]}" for one in (first, last))
    return (
        f"{ends}, as {size}^x with x = {Interval(exponent, exponent - error, exponent + error)} between them"
    )


def details(analysis: Analysis) -> list[str]:
    """The midpoint against N with its law, and against d: a line each, for a terminal.

    The widths of the loops are among the evidence of the verdicts.
    """
    lines = []
    groups: dict[str, list[Critical]] = {}
    for record in analysis.critical:
        if record.estimator == MIDPOINT and "N" in record.labels:
            others = {name: value for name, value in record.labels.items() if name != "N"}
            groups.setdefault(labels_text(others), []).append(record)
    laws = {labels_text(one.labels): one for one in analysis.extrapolations if one.estimator == MIDPOINT}
    told = {where: growth(records) for where, records in groups.items()}
    if any(told.values()):
        lines.append("midpoint against N")
    for where, text in told.items():
        if text:
            law = f"; {_law(laws[where])}" if where in laws else ""
            lines.append("  " + (f"{where}: " if where else "") + text + law)
    of_d = [law for law in analysis.connectivity if law.estimator == MIDPOINT]
    if of_d:
        lines.append("midpoint against d")
        lines += [f"  {_connectivity(law)}" for law in of_d]
    return lines


def _law(one: Extrapolation) -> str:
    parts = [f"law {one.law}"]
    parts += [f"limit {one.m_c}"] if one.m_c.known else []
    return "; ".join([*parts, *(reason.line for reason in one.because)])


def _connectivity(law: ConnectivityLaw) -> str:
    head = ", ".join(filter(None, [law.source, labels_text(law.labels)]))
    exponent = [f"d^x with x = {law.exponent}"] if law.exponent.known else []
    return f"{head}: " + "; ".join([f"law {law.law}", *exponent, *(reason.line for reason in law.because)])


def _place(verdict: Verdict, analysis: Analysis, within: str, size: str) -> str:
    """Both spinodals where a loop is open; of a crossover its place; else m_c(∞), or m_c at the largest size.

    Of several starts or temperatures the first is told, which for starts is the random one.
    """
    if loop := open_loop(verdict, analysis, size):
        extra_labels = {k: v for k, v in loop.labels.items() if k not in verdict.labels}
        where = f" at {labels_text(extra_labels)}" if extra_labels else ""
        spinodals = (
            f"spinodals {loop.random} from random and {loop.planted} from planted starts{where}{within}"
        )
        between = "coexistence lies between them"
        return f"{spinodals}; {between}" if verdict.order == "first" else f"{spinodals}: a loop is open"

    used = [one for one in stated(analysis) if verdict.labels.items() <= one.labels.items()]
    seen = [one.estimator for one in used if math.isfinite(one.m_c)]
    estimator = seen[-1] if seen else MIDPOINT  # that of the largest size: sizes are compared by one alone

    def is_own(one: Critical | Extrapolation) -> bool:
        return one.estimator == estimator and verdict.labels.items() <= one.labels.items()

    def extra(one: Critical | Extrapolation, *names: str) -> dict[str, Label]:
        return {name: value for name, value in one.labels.items() if name not in (*verdict.labels, *names)}

    records = [one for one in analysis.critical if is_own(one)]
    first = [one for one in records if extra(one, size) == extra(records[0], size) and math.isfinite(one.m_c)]
    if verdict.order == "first":
        if not first:
            return ""
        there = f"{first[-1].interval} at {labels_text(extra(first[-1]))}{within}"
        return f"the start that was run goes over at {there}; a second start is needed to bound coexistence"
    if verdict.order == "crossover":
        where = labels_text(extra(first[-1])) if first else ""
        return f"with its {short_of(estimator)} at m = {first[-1].interval} for {where}" if first else ""
    laws = [one for one in analysis.extrapolations if is_own(one)]
    if laws and laws[0].law != "undecided" and laws[0].m_c.known:
        where = labels_text(extra(laws[0]))
        return f"m_c(∞) = {laws[0].m_c}" + (f" at {where}" if where else "")
    rises = f"m_c grows {GROWTHS[laws[0].law]}, " if laws and laws[0].law in GROWTHS else ""
    if not first:
        return ""
    unlimited = laws and laws[0].law == "undecided" and not laws[0].m_c.known
    if unlimited and (path := growth(first, size)):
        where = labels_text(extra(first[0], size))
        return f"m_c runs from {path}" + (f" ({where})" if where else "")
    by = "" if estimator == MIDPOINT else f", by the {short_of(estimator)}"
    return f"{rises}m_c = {first[-1].interval} at {labels_text(extra(first[-1]))}{by}"
