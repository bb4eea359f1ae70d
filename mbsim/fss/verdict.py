"""The order of the transition: first, second, or undecided, and on what evidence.

Four kinds of evidence are gathered (`evidence`), each as sentences:

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

import numpy as np
import xarray as xr

from mbsim.fss.coexistence import histogram
from mbsim.fss.critical import Critical
from mbsim.fss.design import SAMPLES, Design, need_dataset
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
from mbsim.fss.interval import Label, Order
from mbsim.fss.loop import loops
from mbsim.fss.midpoint import midpoints
from mbsim.fss.peak import peak
from mbsim.fss.reasons import Reason, because, distinct
from mbsim.fss.records import Records
from mbsim.fss.results import Hysteresis, Verdict
from mbsim.fss.samples import generator, order_parameter_of, with_size
from mbsim.fss.summaries import Summary, grouped, lowest, summarise


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
) -> Records[Verdict]:
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
        DatasetError: `ds` is no dataset; a variable, a dimension or the size is not there.

    >>> from mbsim import fss
    >>> fss.transition_order(fss.planted(jump=True, starts=True), bootstrap=100)
    [<Verdict first order>]
    """
    design = Design(size, control, samples, bootstrap, seed)
    order_parameter = order_parameter_of(need_dataset(ds), order_parameter)
    found = loops(ds, order_parameter, label, design)
    curves = lowest(summarise(_random(ds, label), order_parameter, design), label)
    return judge(ds, curves, found, order_parameter, label, design)


def judge(
    ds: xr.Dataset,
    curves: list[Summary],
    hysteresis: list[Hysteresis],
    order_parameter: str,
    label: str,
    design: Design,
) -> Records[Verdict]:
    """The verdicts that follow from the summaries of random starts and from the loops of a dataset."""
    size = design.size
    verdicts = Records[Verdict]()
    for labels, group in grouped(curves, size):
        own = sorted(
            (loop for loop in hysteresis if {k: v for k, v in loop.labels.items() if k != size} == labels),
            key=lambda loop: float(loop.labels[size]),
        )
        verdicts.append(_verdict(labels, group, own, order_parameter, design))
    if any(one.order == "none" for one in verdicts):
        random = with_size(_random(ds, label), order_parameter, size)
        rises = midpoints(random, order_parameter, design)
        return Records(_unless_it_rises(one, rises, size) if one.order == "none" else one for one in verdicts)
    return verdicts


def _random(ds: xr.Dataset, label: str) -> xr.Dataset:
    """The random start, where there are several."""
    return ds.isel({label: [int(np.argmin(ds[label].to_numpy()))]}) if label in ds.dims else ds


def _unless_it_rises(verdict: Verdict, rises: list[Critical], size: str) -> Verdict:
    """Undecided in place of none, where the order parameter rises and the susceptibility shows nothing."""
    seen = tuple(
        one.labels[size]
        for one in rises
        if one.order != "none" and verdict.labels.items() <= one.labels.items()
    )
    if not seen:
        return verdict
    why = because("rise_without_peak", size=size, sizes=seen)
    return replace(verdict, order="undecided", because=(why,))


def _verdict(
    labels: dict[str, Label],
    summaries: list[Summary],
    hysteresis: list[Hysteresis],
    name: str,
    design: Design,
) -> Verdict:
    size, control = design.size, design.control
    ran = [one.ensemble for one in summaries if len(one.ensemble.m)]
    if ran and max(one.shape[0] for one in ran) < 2:
        return Verdict(labels, "undecided", [], because=(because("one_teacher"),))
    found, refused = _examine(summaries, name, design)
    if not found:
        return Verdict(labels, "none", [], because=distinct(refused))
    growth, by_barrier = barriers(found, size)
    exponent, by_peak = peak_growth(found, size)
    minima, by_binder = binder_minima(found, size)
    by_loop = loops_open(found, hysteresis, size, control)
    evidence = [*by_barrier.sentences, *by_peak.sentences, *by_loop.sentences, *by_binder.sentences]
    order, why = _decide(found, [by_barrier, by_peak, by_loop])
    heights = [one.peak.height for one in found if one.peak.height is not None]
    ends = [height.interval() for height in heights]
    return Verdict(
        labels, order, evidence, [one.histogram for one in found], growth,
        np.array([one.summary.ensemble.size for one in found]),
        np.array([float(height.estimate) for height in heights]),
        np.array([one.low for one in ends]), np.array([one.high for one in ends]),
        exponent, minima, distinct([why, *refused]) if why else (),
    )  # fmt: skip


def _examine(summaries: list[Summary], name: str, design: Design) -> tuple[list[Found], list[Reason]]:
    """What each size shows, and why the others show nothing."""
    found: list[Found] = []
    refused: list[Reason] = []
    fields = [one.ensemble.fields[name] for one in summaries if len(one.ensemble.m)]
    values = [field[np.isfinite(field)] for field in fields]
    span = (min(map(np.min, values)), max(map(np.max, values))) if values else (0.0, 1.0)
    for one in summaries:
        students = one.ensemble
        if not len(students.m):
            nothing = because("no_data", control=design.control)
            refused.append(because("at_size", size=students.size, reason=nothing))
            continue
        top = peak(students.m, one.quantities["susceptibility"], design.control)
        if top.place is None:
            refused += [because("at_size", size=students.size, reason=reason) for reason in top.because]
            continue
        at = int(np.argmax(one.quantities["susceptibility"].estimate))
        rng = generator(design.seed, students.labels)
        drawn, barrier = histogram(students, name, at, top.resolved, span, design.bootstrap, rng)
        mean = one.quantities["mean"].estimate
        jump = bool(np.abs(np.diff(mean)).max() > JUMP * np.ptp(mean))
        found.append(Found(one, top, drawn, barrier, jump))
    return found, refused


def _decide(found: list[Found], evidence: list[Evidence]) -> tuple[Order, Reason | None]:
    barrier, height, loop = (one.speaks_for for one in evidence)
    if len(found) < 2:
        return "undecided", because("one_size_shows", needed=FEWEST_SIZES)
    if "first" in (barrier, loop):
        against = [name for name, one in (("barrier", barrier), ("loop", loop)) if one == "second"]
        if not against:
            return "first", None
        return "undecided", because("at_odds", against=against[0])
    needed = tuple(one.missing for one in evidence if one.missing)
    vetoes = tuple(one.veto for one in evidence if one.veto)
    if barrier == height == "second":
        if not vetoes:
            return "second", None
        first = (*needed, because("need_larger_closed"))[0]
        return "undecided", because("vetoed", vetoes=vetoes, needed=first)
    return "undecided", because("needed", needs=needed)
