"""The order of the transition: first, second, or undecided, and on what evidence.

Four kinds of evidence are gathered (`evidence`), each as a sentence:

* the histogram of the order parameter at the peak of its susceptibility: whether two phases coexist there,
  and whether the barrier between them grows with N (`coexistence`);
* the growth of the susceptibility's peak, as N at coexistence and slower at a critical point;
* the loop between random and planted starts, where both were run (`loop`);
* the minimum of the Binder cumulant: a hint that is never counted, as q = 4 Potts dips and is continuous.

The verdict is "first" if the barrier of three sizes or more grows, or if the loop stays open at the two
largest sizes and the order parameter jumps there; "second" if no barrier grows at three sizes or more, the
peak grows slower than N and no loop is open at any size; "none" if neither the susceptibility nor the
midpoint of the order parameter shows a transition at any size; otherwise "undecided". A
correlation length far beyond the largest system makes a weakly first-order transition look second-order.

Reference: H. Watanabe et al., Prog. Theor. Exp. Phys. 2023, 033A02 (why a Binder dip proves nothing).
"""

from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from mbsim.fss.coexistence import histogram
from mbsim.fss.evidence import (
    FEWEST_SIZES,
    JUMP,
    Evidence,
    Found,
    barriers,
    binder_minima,
    loops_open,
    peak_growth,
)
from mbsim.fss.lanes import ONE_TEACHER, SAMPLES, generator, grouped, order_parameter_of, with_size
from mbsim.fss.loop import hysteresis
from mbsim.fss.midpoint import midpoint
from mbsim.fss.peak import peak
from mbsim.fss.results import Hysteresis, Verdict
from mbsim.fss.summaries import Summary, lowest, summarise
from mbsim.fss.table import Critical, Label, Order


def transition_order(
    ds: xr.Dataset,
    order_parameter: str | None = None,
    *,
    label: str = "init_overlap",
    size: str = "N",
    control: str = "m",
    samples: tuple[str, str] = SAMPLES,
    bootstrap: int = 1000,
    seed: int = 0,
) -> list[Verdict]:
    """The verdict for each combination of labels without the size.

    Args:
        ds: any dataset with the order parameter over size, control, samples and any labels.
        order_parameter: its name; by default what `order_parameter_of` says.
        label: the dimension of starts, if there is one; histograms are those of its lowest value, the random
            start, and it is no label of the verdicts.
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
    loops = hysteresis(ds, order_parameter, label=label, **options)
    random = ds.isel({label: [int(np.argmin(ds[label].to_numpy()))]}) if label in ds.dims else ds
    curves = summarise(random, order_parameter, **options)
    return judge(ds, lowest(curves, label), loops, order_parameter, label, **options)


def judge(
    ds: xr.Dataset,
    curves: list[Summary],
    loops: list[Hysteresis],
    order_parameter: str,
    label: str,
    size: str,
    control: str,
    samples: tuple[str, str],
    bootstrap: int,
    seed: int,
) -> list[Verdict]:
    """The verdicts that follow from the summaries of random starts and from the loops of a dataset."""
    by_cell = {id(one.cell): one for one in curves}
    verdicts = []
    for labels, group in grouped([one.cell for one in curves], size):
        summaries = [by_cell[id(cell)] for cell in group]
        own = sorted(
            (loop for loop in loops if {k: v for k, v in loop.labels.items() if k != size} == labels),
            key=lambda loop: float(loop.labels[size]),
        )
        verdicts.append(_verdict(labels, summaries, own, order_parameter, control, size, bootstrap, seed))
    if any(one.order == "none" for one in verdicts):
        random = ds.isel({label: [int(np.argmin(ds[label].to_numpy()))]}) if label in ds.dims else ds
        rises = midpoint(
            with_size(random, order_parameter, size), order_parameter, control=control, samples=samples,
            bootstrap=bootstrap, seed=seed,
        )  # fmt: skip
        verdicts = [_unless_it_rises(one, rises, size) if one.order == "none" else one for one in verdicts]
    return verdicts


def _unless_it_rises(verdict: Verdict, rises: list[Critical], size: str) -> Verdict:
    """Undecided in place of none, where the order parameter rises and the susceptibility shows nothing."""
    seen = [
        f"{one.labels[size]}"
        for one in rises
        if one.order != "none" and verdict.labels.items() <= one.labels.items()
    ]
    if not seen:
        return verdict
    where = f"{size} = {', '.join(seen)}"
    why = f"the order parameter rises at {where}, but no peak of the susceptibility is seen"
    return replace(verdict, order="undecided", reason=f"{why}; needed: more teachers or replicas")


def _verdict(
    labels: dict[str, Label],
    summaries: list[Summary],
    loops: list[Hysteresis],
    name: str,
    control: str,
    size: str,
    bootstrap: int,
    seed: int,
) -> Verdict:
    ran = [one.cell for one in summaries if len(one.cell.m)]
    if ran and max(cell.shape[0] for cell in ran) < 2:
        return Verdict(labels, "undecided", [], reason=ONE_TEACHER)
    found, refused = _examine(summaries, name, control, bootstrap, seed)
    if not found:
        return Verdict(labels, "none", [], reason="; ".join(dict.fromkeys(refused)))
    growth, by_barrier = barriers(found, size)
    exponent, by_peak = peak_growth(found, size)
    minima, by_binder = binder_minima(found, size)
    by_loop = loops_open(found, loops, size, control)
    evidence = [*by_barrier.sentences, *by_peak.sentences, *by_loop.sentences, *by_binder.sentences]
    order, reason = _decide(found, [by_barrier, by_peak, by_loop], size)
    heights = [one.peak.height for one in found if one.peak.height is not None]
    ends = [height.interval() for height in heights]
    return Verdict(
        labels, order, evidence, [one.histogram for one in found], growth,
        np.array([one.summary.cell.size for one in found]),
        np.array([float(height.estimate) for height in heights]),
        np.array([one.low for one in ends]), np.array([one.high for one in ends]),
        exponent, minima, "; ".join(dict.fromkeys([reason, *refused])) if reason else "",
    )  # fmt: skip


def _examine(
    summaries: list[Summary], name: str, control: str, bootstrap: int, seed: int
) -> tuple[list[Found], list[str]]:
    """What each size shows, and why the others show nothing."""
    found, refused, cells = [], [], [one.cell for one in summaries if len(one.cell.m)]
    values = [cell.fields[name][np.isfinite(cell.fields[name])] for cell in cells]
    span = (min(map(np.min, values)), max(map(np.max, values))) if values else (0.0, 1.0)
    for one in summaries:
        where = f"size {one.cell.size:g}"
        if not len(one.cell.m):
            refused.append(f"{where}: no value of {control} holds data")
            continue
        top = peak(one.cell.m, one.quantities["susceptibility"], control)
        if top.place is None:
            refused.append(f"{where}: {top.reason}")
            continue
        at = int(np.argmax(one.quantities["susceptibility"].estimate))
        rng = generator(seed, one.cell.labels)
        drawn, barrier = histogram(one.cell, name, at, top.resolved, span, bootstrap, rng)
        mean = one.quantities["mean"].estimate
        jump = bool(np.abs(np.diff(mean)).max() > JUMP * np.ptp(mean))
        found.append(Found(one, top, drawn, barrier, jump))
    return found, refused


def _decide(found: list[Found], evidence: list[Evidence], size: str) -> tuple[Order, str]:
    barrier, height, loop = (one.speaks_for for one in evidence)
    if len(found) < 2:
        return "undecided", f"one size shows the transition, at least {FEWEST_SIZES} are needed"
    if "first" in (barrier, loop):
        against = [name for name, one in (("barrier", barrier), ("loop", loop)) if one == "second"]
        if not against:
            return "first", ""
        if barrier == "first" or loop == "first":
            return "undecided", f"the evidence is at odds: the {against[0]} speaks for second order"
    needed = [one.missing for one in evidence if one.missing]
    veto = "; ".join(one.veto for one in evidence if one.veto)
    if barrier == height == "second":
        if not veto:
            return "second", ""
        needed = needed or ["larger sizes, to see whether the loop stays closed"]
        why = f"barrier and susceptibility speak for second order, but {veto}"
        return "undecided", f"{why}; needed: {needed[0]}"
    return "undecided", f"needed: {'; '.join(needed)}"
