"""What a dataset shows of the order of its transition: sentences, and which order each speaks for.

`verdict` says how they are weighed.
"""

from typing import NamedTuple

import numpy as np

from mbsim.fss.interval import Interval
from mbsim.fss.peak import Peak
from mbsim.fss.reasons import Reason, because
from mbsim.fss.resampled import Resampled, logarithm
from mbsim.fss.results import Histogram, Hysteresis
from mbsim.fss.summaries import Summary
from mbsim.fss.trend import slope

FEWEST_SIZES = 3
GROWTH_EXPONENT = 0.25
"""A barrier that grows slower than N to this power is not taken for that of an interface."""
BARRIER_ERROR = 0.05
JUMP = 0.5
"""A jump is this share of the range of the order parameter between neighbouring points of the grid."""


class Found(NamedTuple):
    """What one size shows: its curves, the peak of the susceptibility, its histogram and the barrier."""

    summary: Summary
    peak: Peak
    histogram: Histogram
    barrier: Resampled
    jump: bool


class Evidence(NamedTuple):
    """Sentences, what they speak for ("first", "second" or nothing), and what would be needed to say more.

    veto: why the transition cannot be called second order, whatever else speaks for it.
    """

    sentences: list[str]
    speaks_for: str = ""
    missing: Reason | None = None
    veto: Reason | None = None


def barriers(found: list[Found], size: str) -> tuple[Interval, Evidence]:
    """The growth of the barrier between two phases, and what it speaks for."""
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
        return growth, Evidence(sentences, missing=because("need_histograms", count=FEWEST_SIZES))
    if not two:
        sentences.append("One peak at every size: two phases are not seen to coexist.")
        return growth, Evidence(sentences, "second")
    if len(measured) < FEWEST_SIZES:
        sentences.append("The valley is too empty to tell whether the barrier grows.")
        return growth, Evidence(sentences, missing=because("need_students"))
    sentences.append(f"From {size} = {sizes[0]:g} to {sizes[-1]:g} the barrier changes by {growth}.")
    first, last = measured[0].histogram.barrier.value, measured[-1].histogram.barrier.value
    fast = last >= max(first, BARRIER_ERROR) * (sizes[-1] / sizes[0]) ** GROWTH_EXPONENT
    if growth.low > 0 and fast and np.isfinite(measured[-1].histogram.valley):
        sentences.append("The barrier grows with the size, as that of an interface between two phases.")
        return growth, Evidence(sentences, "first")
    slowest = max(first, BARRIER_ERROR) * ((sizes[-1] / sizes[0]) ** GROWTH_EXPONENT - 1)
    if growth.high < max(slowest, 4 * BARRIER_ERROR):
        sentences.append("The barrier does not grow with the size: no interface between two phases.")
        return growth, Evidence(sentences, "second")
    return growth, Evidence(sentences, missing=because("need_larger_or_students"))


def _barrier_text(drawn: Histogram) -> str:
    if not drawn.barrier.known:
        return drawn.reason
    if drawn.unresolved:
        return f"at least {drawn.barrier.low:.2g}"
    return str(drawn.barrier) if np.isfinite(drawn.valley) else "one peak"


def peak_growth(found: list[Found], size: str) -> tuple[Interval, Evidence]:
    """The exponent with which the susceptibility's peak grows, and what it speaks for."""
    resolved = [one for one in found if one.peak.resolved and one.peak.height is not None]
    sizes = [one.summary.ensemble.size for one in resolved]
    if len(sizes) < FEWEST_SIZES:
        narrow = len(found) - len(resolved)
        why = (
            f"{narrow} of {len(found)} peaks are narrower than the grid" if narrow else f"{len(found)} sizes"
        )
        sentence = f"The growth of the susceptibility's peak is not known: {why}."
        return Interval(), Evidence([sentence], missing=because("need_peaks", count=FEWEST_SIZES))
    logarithms = [one.peak.height.map(logarithm) for one in resolved if one.peak.height is not None]
    exponent = slope(sizes, logarithms)
    sentence = (
        f"The peak of the susceptibility grows as {size}^x, x = {exponent}; x = 1 where phases coexist."
    )
    if 0 < exponent.low and exponent.high < 1:
        return exponent, Evidence([sentence], "second")
    if exponent.high <= 0 or not exponent.low > 0:
        return exponent, Evidence([sentence], missing=because("need_growth"))
    return exponent, Evidence([sentence], missing=because("need_exponent"))


def binder_minima(found: list[Found], size: str) -> tuple[dict[float, Interval], Evidence]:
    """The minima of the Binder cumulant by size, which speak for nothing."""
    minima: dict[float, Interval] = {}
    for one in found:
        binder = one.summary.quantities["binder"]
        at = int(np.nanargmin(binder.estimate)) if np.isfinite(binder.estimate).any() else 0
        inside = 0 < at < len(one.summary.ensemble.m) - 1
        lowest = binder.part(at).interval() if inside else Interval()
        ends = max(binder.part(0).interval().high, -np.inf) if inside else np.nan
        minima[one.summary.ensemble.size] = lowest if lowest.high < ends else Interval()
    dips = [f"{here:g}: {dip}" for here, dip in minima.items() if dip.known]
    if not dips:
        return minima, Evidence([])
    return minima, Evidence([f"Binder minimum (a hint, not counted) at {size} = {'; '.join(dips)}."])


def loops_open(found: list[Found], loops: list[Hysteresis], size: str, control: str) -> Evidence:
    """Whether the loops between random and planted starts are open, and what that speaks for."""
    if not loops:
        return Evidence(
            ["No planted start was run: hysteresis is not known."], missing=because("need_planted")
        )
    known = [loop for loop in loops if loop.width.known and np.isfinite(loop.width.low)]
    if not known:
        reasons = "; ".join(f"{size} = {loop.labels[size]}: {loop.reason}" for loop in loops)
        return Evidence(
            [f"The width of the loop is not known ({reasons})."], missing=because("need_both_ends")
        )
    widths = "; ".join(f"{size} = {loop.labels[size]}: {loop.width}" for loop in known)
    sentences = [f"Hysteresis, random minus planted spinodal in {control}: {widths}."]
    step = max(float(np.diff(loop.m).min()) for loop in known)
    wide = tuple(f"{size} = {loop.labels[size]}" for loop in known if loop.width.low > step)
    veto = because("loop_open", where=wide) if wide else None
    if len(known) < 2:
        return Evidence(sentences, missing=because("need_two_loops"), veto=veto)
    if all(loop.width.low > step for loop in known[-2:]):
        shrinks = known[-1].width.high < 0.5 * known[0].width.low
        jumps = np.isfinite(found[-1].histogram.valley) or found[-1].jump
        if shrinks or not jumps:
            sentences.append(
                "The loop closes with the size." if shrinks else "But the order parameter does not jump."
            )
            return Evidence(sentences, missing=because("need_larger_open"), veto=veto)
        sentences.append("The loop stays open at the largest sizes, and the order parameter jumps there.")
        return Evidence(sentences, "first", veto=veto)
    if all(loop.width.high < step for loop in known[-2:]):
        sentences.append("The loop is closed, to within a step of the grid.")
        return Evidence(sentences, "second", veto=veto)
    return Evidence(sentences, missing=because("need_finer"), veto=veto)
