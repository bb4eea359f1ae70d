"""The whole analysis of a dataset in one call: what `mbsim analyze` prints and `mbsim report` draws."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import xarray as xr

from mbsim.errors import DatasetError
from mbsim.fss.chosen import chosen, marked
from mbsim.fss.collapse import collapse_of_summaries
from mbsim.fss.connectivity import connectivity_law
from mbsim.fss.critical import Critical
from mbsim.fss.design import SAMPLES, Design, Errors, Samples, levels, need_dataset, need_name, need_records
from mbsim.fss.estimates import estimates_of
from mbsim.fss.estimators import Study
from mbsim.fss.extrapolate import extrapolate
from mbsim.fss.interval import Order
from mbsim.fss.laws import ConnectivityLaw, Extrapolation
from mbsim.fss.loop import loops
from mbsim.fss.names import MIDPOINT, STEEPEST
from mbsim.fss.over_time import OverTime, timed_variable, times_of
from mbsim.fss.reasons import Reason, because
from mbsim.fss.records import Records
from mbsim.fss.request import Request
from mbsim.fss.results import Analysis, Collapse, Hysteresis, Verdict
from mbsim.fss.samples import order_parameter_of
from mbsim.fss.summaries import Summary, as_dataset, grouped, lowest
from mbsim.fss.verdict import judge

WINDOW = 1.5
"""The collapse uses the control this many widths of the rise to either side of it."""

NO_EXPONENTS: dict[Order, Reason] = {"first": because("first_order"), "crossover": because("crossover")}
"""Orders without critical exponents, and the reason that says so."""
TIMES, RESAMPLES = 16, 100
"""m_c over time is that of so many times and resamples, else it would take longer than all the rest."""


def analyze(
    ds: xr.Dataset,
    order_parameter: str | None = None,
    *,
    label: str = "init_overlap",
    connectivity: str = "d",
    size: str = "N",
    control: str = "m",
    samples: Samples = SAMPLES,
    bootstrap: int = 1000,
    seed: int = 0,
    error: Errors = None,
) -> Analysis:
    """Everything that can be said of a dataset, and why of what cannot.

    Args:
        ds: any dataset with the order parameter over size, control, samples and any labels.
        order_parameter: its name; by default what `order_parameter_of` says.
        label: the dimension of starts, if there is one: collapse and histograms take its lowest value.
        connectivity: the label that m_c is set against.
        size: the dimension of system sizes.
        control: the dimension along which the transition is sought.
        samples: the quenched disorder, then the replicas within it; either may be absent.
        bootstrap: the number of resamples.
        seed: of the resamples.
        error: where there are no samples, the variable of the errors of the means, their covariance or their
            draws; or {quantity: (variable, its error)}. See `mbsim.fss.given`. The order of the transition
            cannot be told then, and is undecided.

    Raises:
        DatasetError: `ds` is no dataset; a variable, a dimension or the size is not there.

    >>> from mbsim import fss
    >>> found = fss.analyze(fss.planted([64, 256]), bootstrap=100)
    >>> found.critical[0]
    <Critical N = 64: m_c = 17.97 (17.70 to 18.22), midpoint of q>
    >>> found.reasons["connectivity"]
    'no label d'
    """
    order_parameter = order_parameter_of(need_dataset(ds), order_parameter)
    if isinstance(error, str):
        error = {"mean": (order_parameter, error)}
    design = Design(size, control, levels(samples), bootstrap, seed, error)
    need_name("connectivity", connectivity)
    # Summaries and loops take most of the time: once for all that follows.
    study = Study(ds, order_parameter, design, times=True)
    hysteresis = loops(ds, order_parameter, label, design)
    random = lowest(study.curves, label)
    found = estimates_of(study)
    verdicts = _verdicts(study, hysteresis, found, label)
    critical = marked(judged(found, verdicts, size))
    extrapolations = extrapolate(critical, size=size)
    limits = connectivity_law(extrapolations, size=size, connectivity=connectivity)
    at_size = connectivity_law(critical, size=size, connectivity=connectivity)
    laws = Records(law for law in (*limits, *at_size) if np.isfinite(law.chi2_per_dof))
    collapses = _collapses(random, _rises(critical, label, order_parameter), verdicts, design)
    missing: dict[str, tuple[Reason, ...]] = {}
    if not laws:
        missing["connectivity"] = _first([*at_size, *limits], because("no_label", name=connectivity))
    moving, why = _over_time(ds, order_parameter, verdicts, design)
    if not moving:
        missing["over_time"] = (why,)
    if not hysteresis:
        missing["hysteresis"] = (because("one_start", label=label),)
    if not any(one.m_c.known or one.law != "undecided" for one in extrapolations):
        missing["extrapolations"] = _first(extrapolations[:1], because("nothing_to_extrapolate"))
    if not any(one.inverse_nu.known for one in collapses):
        missing["collapses"] = _first(collapses[:1], because("nothing_to_collapse"))
    summaries = as_dataset(ds, study.curves, order_parameter, design)
    return Analysis(
        summaries, critical, extrapolations, laws, collapses, verdicts, hysteresis, missing, moving
    )


def at_a_glance(ds: xr.Dataset) -> Records[Critical]:
    """What a run ends with: m_c of every (N, d) by the midpoint, or by the steepest slope where the data have no two
    plateaus, and the order of the transition.

    Raises:
        DatasetError: `ds` is no dataset; a variable, a dimension or the size is not there.
    """
    label, order_parameter = "init_overlap", order_parameter_of(need_dataset(ds), None)
    study = Study(ds, order_parameter, Design("N", "m", levels(SAMPLES), 1000, 0, None))
    hysteresis = loops(ds, order_parameter, label, study.design)
    study.curves  # noqa: B018 (computed once for all that follows)
    found = estimates_of(study, [MIDPOINT, STEEPEST])
    return judged(chosen(found), _verdicts(study, hysteresis, found, label))


def _verdicts(
    study: Study, hysteresis: list[Hysteresis], found: Sequence[Critical], label: str
) -> Records[Verdict]:
    """The orders of the transitions, of a study's curves and of the midpoints among what was found."""
    random, name = lowest(study.curves, label), study.order_parameter
    rises = _rises(found, label, name) or None
    return judge(study.ds, random, hysteresis, name, label, study.design, rises)


def judged(critical: Sequence[Critical], verdicts: Sequence[Verdict], size: str = "N") -> Records[Critical]:
    """The records with the order of the verdict on their labels, where they have m_c.

    Raises:
        DatasetError: `critical` or `verdicts` holds no records.

    >>> from mbsim import fss
    >>> ds = fss.planted(jump=True, starts=True)
    >>> records = fss.midpoint(ds, bootstrap=100)
    >>> fss.judged(records, fss.transition_order(ds, bootstrap=100))[0].order
    'first'
    """
    need_records(verdicts, "verdicts", "mbsim.fss.transition_order(ds)")
    need_name("size", size)
    found = Records[Critical]()
    for record in need_records(critical, "critical", "mbsim.fss.estimates(ds)"):
        own = {name: value for name, value in record.labels.items() if name not in (size, f"{size}_next")}
        verdict = next((one for one in verdicts if one.labels.items() <= own.items()), None)
        known = np.isfinite(record.m_c) and verdict is not None and verdict.order != "none"
        found.append(replace(record, order=verdict.order) if known and verdict is not None else record)
    return found


def _over_time(
    ds: xr.Dataset, order_parameter: str, verdicts: Sequence[Verdict], design: Design
) -> tuple[Records[OverTime], Reason]:
    """m_c against the length of the run, where the order parameter is measured over time; or why not."""
    try:
        variable = timed_variable(ds, order_parameter)
        if design.error is not None and design.error_of(variable) is None:
            raise DatasetError(f"{variable} has no error")
    except DatasetError:
        return Records(), because("no_times", name=order_parameter)
    few = replace(design, bootstrap=min(RESAMPLES, design.bootstrap))
    found = times_of(ds, variable, few, most=TIMES)
    first = [one.labels for one in verdicts if one.order == "first"]
    return Records(
        one.as_spinodal() if any(labels.items() <= one.labels.items() for labels in first) else one
        for one in found
    ), because("no_times", name=order_parameter)


def _first(
    records: Sequence[Collapse] | Sequence[Extrapolation] | Sequence[ConnectivityLaw], otherwise: Reason
) -> tuple[Reason, ...]:
    """Why the first of the records that says so holds nothing."""
    return next((one.because for one in records if one.because), (otherwise,))


def _rises(critical: Sequence[Critical], label: str, order_parameter: str) -> list[Critical]:
    """The midpoints of random starts, which are the lowest value of the label, if there is one."""
    lowest_start = min((float(one.labels[label]) for one in critical if label in one.labels), default=0.0)
    return [
        one
        for one in critical
        if (one.estimator, one.order_parameter) == (MIDPOINT, order_parameter)
        and one.labels.get(label, lowest_start) == lowest_start
    ]


def _collapses(
    random: list[Summary], midpoints: Sequence[Critical], verdicts: Sequence[Verdict], design: Design
) -> Records[Collapse]:
    """A collapse for each combination of labels, about the midpoints of its sizes."""
    found = Records[Collapse]()
    for labels, group in grouped(random, design.size):
        rises = [one for one in midpoints if labels.items() <= one.labels.items() and np.isfinite(one.m_c)]
        order = next((one.order for one in verdicts if one.labels == labels), "undecided")
        if order in NO_EXPONENTS:
            found.append(Collapse(labels, "mean", because=(NO_EXPONENTS[order],)))
            continue
        if len(rises) < 2:
            few = because("few_transitions", count=len(rises))
            found.append(Collapse(labels, "mean", because=(few,)))
            continue
        window = (
            min(one.m_c - WINDOW * one.width for one in rises),
            max(one.m_c + WINDOW * one.width for one in rises),
        )
        found += collapse_of_summaries(labels, group, Request(window=window), design)
    return found
