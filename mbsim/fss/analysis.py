"""The whole analysis of a dataset in one call: what `mbsim analyze` prints and `mbsim report` draws."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from mbsim.fss.collapse import collapse_of_summaries
from mbsim.fss.connectivity import connectivity_law
from mbsim.fss.estimates import ESTIMATORS, estimates_of_summaries
from mbsim.fss.extrapolate import extrapolate
from mbsim.fss.lanes import SAMPLES, grouped, order_parameter_of
from mbsim.fss.loop import hysteresis
from mbsim.fss.results import Analysis, Collapse, Verdict
from mbsim.fss.summaries import Summary, as_dataset, lowest, summarise
from mbsim.fss.table import Critical
from mbsim.fss.verdict import judge

WINDOW = 1.5
"""The collapse uses the control this many widths of the rise to either side of it."""


def analyze(
    ds: xr.Dataset,
    order_parameter: str | None = None,
    *,
    label: str = "init_overlap",
    connectivity: str = "d",
    size: str = "N",
    control: str = "m",
    samples: tuple[str, str] = SAMPLES,
    bootstrap: int = 1000,
    seed: int = 0,
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

    Raises:
        DatasetError: a variable, a dimension or the size is not there.
    """
    options: dict[str, Any] = {
        "size": size,
        "control": control,
        "samples": samples,
        "bootstrap": bootstrap,
        "seed": seed,
    }
    order_parameter = order_parameter_of(ds, order_parameter)
    # Summaries and loops take most of the time: once for all that follows.
    curves = summarise(ds, order_parameter, times=True, **options)
    random = lowest(curves, label)
    loops = hysteresis(ds, order_parameter, label=label, **options)
    verdicts = judge(ds, random, loops, order_parameter, label, **options)
    records = estimates_of_summaries(ds, curves, ESTIMATORS, order_parameter, **options)
    critical = judged(records, verdicts, size)
    extrapolations = extrapolate(critical, size=size)
    limits = connectivity_law(extrapolations, size=size, connectivity=connectivity)
    at_size = connectivity_law(critical, size=size, connectivity=connectivity)
    laws = [law for law in (*limits, *at_size) if np.isfinite(law.chi2_per_dof)]
    collapses = _collapses(random, critical, verdicts, label, size, control)
    reasons = {}
    if not laws:
        why = next((law.reason for law in (*at_size, *limits) if law.reason), f"no label {connectivity}")
        reasons["connectivity"] = why
    if not loops:
        reasons["hysteresis"] = (
            f"one start only: a list of two values of {label} shows whether there is a loop"
        )
    if not any(one.m_c.known or one.law != "undecided" for one in extrapolations):
        reasons["extrapolations"] = next((one.reason for one in extrapolations), "no m_c to extrapolate")
    if not any(one.inverse_nu.known for one in collapses):
        reasons["collapses"] = next((one.reason for one in collapses), "no data to collapse")
    found = as_dataset(ds, curves, order_parameter, size, control)
    return Analysis(found, critical, extrapolations, laws, collapses, verdicts, loops, reasons)


def judged(critical: Sequence[Critical], verdicts: Sequence[Verdict], size: str = "N") -> list[Critical]:
    """The records with the order of the verdict on their labels, where they have m_c."""
    found = []
    for record in critical:
        own = {name: value for name, value in record.labels.items() if name not in (size, f"{size}_next")}
        verdict = next((one for one in verdicts if one.labels.items() <= own.items()), None)
        known = np.isfinite(record.m_c) and verdict is not None and verdict.order != "none"
        found.append(replace(record, order=verdict.order) if known and verdict is not None else record)
    return found


def _collapses(
    random: list[Summary],
    critical: list[Critical],
    verdicts: list[Verdict],
    label: str,
    size: str,
    control: str,
) -> list[Collapse]:
    """A collapse for each combination of labels, about the midpoints of its sizes."""
    lowest_start = min((float(one.labels[label]) for one in critical if label in one.labels), default=0.0)
    by_cell = {id(one.cell): one for one in random}
    found: list[Collapse] = []
    for labels, group in grouped([one.cell for one in random], size):
        rises = [
            one
            for one in critical
            if labels.items() <= one.labels.items()
            and one.estimator.startswith("midpoint")
            and np.isfinite(one.m_c)
            and one.labels.get(label, lowest_start) == lowest_start
        ]
        if any(one.labels == labels and one.order == "first" for one in verdicts):
            why = "a first-order transition has no critical exponents: nothing to collapse with"
            found.append(Collapse(labels, "mean", reason=why))
            continue
        if len(rises) < 2:
            why = f"{len(rises)} sizes show a transition, two are needed for a collapse"
            found.append(Collapse(labels, "mean", reason=why))
            continue
        window = (
            min(one.m_c - WINDOW * one.width for one in rises),
            max(one.m_c + WINDOW * one.width for one in rises),
        )
        curves = [by_cell[id(cell)] for cell in group]
        found.append(collapse_of_summaries(labels, curves, "mean", (None,) * 3, None, window, control))
    return found
