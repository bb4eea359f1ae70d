"""The order of the transition: first, second, or undecided, and on what evidence.

Four kinds of evidence are gathered, each as a sentence:

* the histogram of the order parameter at the peak of its susceptibility: whether two phases coexist there, and
  whether the barrier between them grows with N (`coexistence`);
* the growth of the susceptibility's peak, as N at coexistence and slower at a critical point;
* the loop between random and planted starts, where both were run (`loop`);
* the minimum of the Binder cumulant: a hint that is never counted, as q = 4 Potts dips and is continuous.

The verdict is "first" if the barrier of three sizes or more grows, or if the loop stays open at the two largest
sizes and the order parameter jumps there; "second" if no barrier grows at three sizes or more, the peak grows
slower than N and no loop is open; "none" if no size shows a transition; otherwise "undecided". A correlation
length far beyond the largest system makes a weakly first-order transition look like a second-order one.

Reference: H. Watanabe et al., Prog. Theor. Exp. Phys. 2023, 033A02 (why a Binder dip proves nothing).
"""

from typing import NamedTuple

import numpy as np
import xarray as xr

from mbsim.fss.coexistence import histogram
from mbsim.fss.lanes import SAMPLES, generator, grouped
from mbsim.fss.loop import hysteresis
from mbsim.fss.peak import Peak, peak
from mbsim.fss.resampled import Resampled
from mbsim.fss.results import Histogram, Hysteresis, Interval, Verdict
from mbsim.fss.summaries import Summary, summarise
from mbsim.fss.table import Label, Order
from mbsim.fss.trend import slope

FEWEST_SIZES = 3
GROWTH_EXPONENT = 0.25
"""A barrier that grows slower than N to this power is not taken for that of an interface."""
BARRIER_ERROR = 0.05
JUMP = 0.5
"""A jump is this share of the range of the order parameter between neighbouring points of the grid."""


def transition_order(
    ds: xr.Dataset,
    order_parameter: str = "overlap_mean",
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
        order_parameter: its name.
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
    options = {"size": size, "control": control, "samples": samples, "bootstrap": bootstrap, "seed": seed}
    loops = hysteresis(ds, order_parameter, label=label, **options)
    random = ds.isel({label: [int(np.argmin(ds[label].to_numpy()))]}) if label in ds.dims else ds
    curves = summarise(
        random.squeeze(label, drop=True) if label in ds.dims else ds, order_parameter, **options
    )
    by_cell = {id(one.cell): one for one in curves}
    verdicts = []
    for labels, group in grouped([one.cell for one in curves], size):
        summaries = [by_cell[id(cell)] for cell in group]
        own = sorted(
            (loop for loop in loops if {k: v for k, v in loop.labels.items() if k != size} == labels),
            key=lambda loop: float(loop.labels[size]),
        )
        verdicts.append(_verdict(labels, summaries, own, order_parameter, control, size, bootstrap, seed))
    return verdicts


class _Found(NamedTuple):
    """What one size shows: its curves, the peak of the susceptibility, its histogram and the barrier."""

    summary: Summary
    peak: Peak
    histogram: Histogram
    barrier: Resampled
    jump: bool


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
    found, refused = _examine(summaries, name, control, bootstrap, seed)
    if not found:
        return Verdict(labels, "none", [], reason="; ".join(dict.fromkeys(refused)))
    growth, by_barrier = _barrier_evidence(found, size)
    exponent, by_peak = _peak_evidence(found, size)
    minima, by_binder = _binder_evidence(found, size)
    by_loop = _loop_evidence(found, loops, size, control)
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
) -> tuple[list[_Found], list[str]]:
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
        found.append(_Found(one, top, drawn, barrier, jump))
    return found, refused


class _Evidence(NamedTuple):
    """Sentences, and what they speak for: "first", "second", or nothing; `missing` says what would be needed."""

    sentences: list[str]
    speaks_for: str = ""
    missing: str = ""


def _barrier_evidence(found: list[_Found], size: str) -> tuple[Interval, _Evidence]:
    usable = [one for one in found if one.histogram.barrier.known]
    texts = [f"{size} = {one.histogram.size:g}: {_barrier_text(one.histogram)}" for one in found]
    sentences = [
        f"Histograms at the peak of the susceptibility, barrier between two phases: {'; '.join(texts)}."
    ]
    two = [one for one in usable if np.isfinite(one.histogram.valley)]
    measured = [one for one in usable if not one.histogram.unresolved]
    sizes = [one.histogram.size for one in measured]
    rate = slope(sizes, [one.barrier for one in measured], BARRIER_ERROR)
    length = float(np.log(sizes[-1] / sizes[0])) if len(sizes) > 1 else np.nan
    growth = Interval(*(length * end for end in rate))
    if len(usable) < FEWEST_SIZES:
        return growth, _Evidence(sentences, missing=f"{FEWEST_SIZES} sizes with a histogram")
    if not two:
        sentences.append("One peak at every size: two phases are not seen to coexist.")
        return growth, _Evidence(sentences, "second")
    if len(measured) < FEWEST_SIZES:
        sentences.append("The valley is too empty to tell whether the barrier grows.")
        return growth, _Evidence(
            sentences, missing="more lanes at coexistence, to see whether the barrier grows"
        )
    sentences.append(f"From {size} = {sizes[0]:g} to {sizes[-1]:g} the barrier changes by {growth}.")
    first, last = measured[0].histogram.barrier.value, measured[-1].histogram.barrier.value
    fast = last >= max(first, BARRIER_ERROR) * (sizes[-1] / sizes[0]) ** GROWTH_EXPONENT
    if growth.low > 0 and fast and np.isfinite(measured[-1].histogram.valley):
        sentences.append("The barrier grows with the size, as that of an interface between two phases.")
        return growth, _Evidence(sentences, "first")
    slowest = max(first, BARRIER_ERROR) * ((sizes[-1] / sizes[0]) ** GROWTH_EXPONENT - 1)
    if growth.high < max(slowest, 4 * BARRIER_ERROR):
        sentences.append("The barrier does not grow with the size: no interface between two phases.")
        return growth, _Evidence(sentences, "second")
    return growth, _Evidence(
        sentences, missing="larger sizes or more lanes, to see whether the barrier grows"
    )


def _barrier_text(drawn: Histogram) -> str:
    if not drawn.barrier.known:
        return drawn.reason
    if drawn.unresolved:
        return f"at least {drawn.barrier.low:.2g}"
    return str(drawn.barrier) if np.isfinite(drawn.valley) else "one peak"


def _peak_evidence(found: list[_Found], size: str) -> tuple[Interval, _Evidence]:
    resolved = [one for one in found if one.peak.resolved and one.peak.height is not None]
    sizes = [one.summary.cell.size for one in resolved]
    if len(sizes) < FEWEST_SIZES:
        narrow = len(found) - len(resolved)
        why = (
            f"{narrow} of {len(found)} peaks are narrower than the grid" if narrow else f"{len(found)} sizes"
        )
        sentence = f"The growth of the susceptibility's peak is not known: {why}."
        return Interval(), _Evidence([sentence], missing=f"{FEWEST_SIZES} sizes with a resolved peak")
    logarithms = [one.peak.height.map(np.log) for one in resolved if one.peak.height is not None]
    exponent = slope(sizes, logarithms)
    sentence = (
        f"The peak of the susceptibility grows as {size}^x, x = {exponent}; x = 1 where phases coexist."
    )
    if 0 < exponent.low and exponent.high < 1:
        return exponent, _Evidence([sentence], "second")
    if exponent.high <= 0 or not exponent.low > 0:
        return exponent, _Evidence([sentence], missing="a susceptibility that grows with the size")
    return exponent, _Evidence([sentence], missing="sizes or lanes that tell the exponent from one")


def _binder_evidence(found: list[_Found], size: str) -> tuple[dict[float, Interval], _Evidence]:
    minima: dict[float, Interval] = {}
    for one in found:
        binder = one.summary.quantities["binder"]
        at = int(np.nanargmin(binder.estimate)) if np.isfinite(binder.estimate).any() else 0
        inside = 0 < at < len(one.summary.cell.m) - 1
        lowest = binder.part(at).interval() if inside else Interval()
        ends = max(binder.part(0).interval().high, -np.inf) if inside else np.nan
        minima[one.summary.cell.size] = lowest if lowest.high < ends else Interval()
    dips = [f"{here:g}: {dip}" for here, dip in minima.items() if dip.known]
    if not dips:
        return minima, _Evidence([])
    return minima, _Evidence([f"Binder minimum (a hint, not counted) at {size} = {'; '.join(dips)}."])


def _loop_evidence(found: list[_Found], loops: list[Hysteresis], size: str, control: str) -> _Evidence:
    if not loops:
        return _Evidence(["No planted start was run: hysteresis is not known."], missing="a planted start")
    known = [loop for loop in loops if loop.width.known and np.isfinite(loop.width.low)]
    if not known:
        reasons = "; ".join(f"{size} = {loop.labels[size]}: {loop.reason}" for loop in loops)
        return _Evidence(
            [f"The width of the loop is not known ({reasons})."], missing="both ends of the loop"
        )
    widths = "; ".join(f"{size} = {loop.labels[size]}: {loop.width}" for loop in known)
    sentences = [f"Hysteresis, random minus planted spinodal in {control}: {widths}."]
    if len(known) < 2:
        return _Evidence(sentences, missing="two sizes with a loop")
    step = max(float(np.diff(loop.m).min()) for loop in known)
    if all(loop.width.low > step for loop in known[-2:]):
        shrinks = known[-1].width.high < 0.5 * known[0].width.low
        jumps = np.isfinite(found[-1].histogram.valley) or found[-1].jump
        if shrinks or not jumps:
            sentences.append(
                "The loop closes with the size." if shrinks else "But the order parameter does not jump."
            )
            return _Evidence(sentences, missing="larger sizes, to see whether the loop stays open")
        sentences.append("The loop stays open at the largest sizes, and the order parameter jumps there.")
        return _Evidence(sentences, "first")
    if all(loop.width.high < step for loop in known[-2:]):
        sentences.append("The loop is closed, to within a step of the grid.")
        return _Evidence(sentences, "second")
    return _Evidence(sentences, missing="a finer grid or more lanes, to see whether the loop is open")


def _decide(found: list[_Found], evidence: list[_Evidence], size: str) -> tuple[Order, str]:
    barrier, height, loop = (one.speaks_for for one in evidence)
    if found[0].summary.cell.shape[0] < 2:
        return "undecided", "one teacher tells nothing of the others"
    if len(found) < 2:
        return "undecided", f"one size shows the transition, at least {FEWEST_SIZES} are needed"
    if "first" in (barrier, loop):
        against = [name for name, one in (("barrier", barrier), ("loop", loop)) if one == "second"]
        if not against:
            return "first", ""
        if barrier == "first" or loop == "first":
            return "undecided", f"the evidence is at odds: the {against[0]} speaks for second order"
    if barrier == height == "second":
        return "second", ""
    needed = [one.missing for one in evidence if one.missing]
    return "undecided", f"needed: {'; '.join(needed)}"
