"""What a dataset shows of the order of its transition: sentences, and which order each speaks for.

`verdict` says how they are weighed.
"""

import itertools
from typing import Any, NamedTuple

import numpy as np
from scipy.special import bdtrc

from mbsim.fss.growth import FEWEST_SIZES, SPAN, STILL, Exponents, Growth
from mbsim.fss.interval import Interval
from mbsim.fss.peak import Peak
from mbsim.fss.reasons import Reason, because
from mbsim.fss.resampled import Resampled
from mbsim.fss.results import Histogram, Hysteresis
from mbsim.fss.steepest import Slope
from mbsim.fss.summaries import Summary
from mbsim.fss.trend import slope

GROWTH_EXPONENT = 0.25
"""A barrier that grows slower than N to this power is not taken for that of an interface."""
BARRIER_ERROR = 0.05
JUMP = 0.5
"""A jump is this share of the range of the order parameter between two states at one m."""
HIGH_BARRIER, BARRIER = 1.5, 0.7
"""A barrier above the one at every size parts two phases, if they stay apart; one above the other if besides the
susceptibility grows almost as the size.
"""
ALMOST_ONE = 0.8
STAY_APART = 0.8
"""Two phases stay apart if their distance at the largest size is this share of that at the smallest."""
FARTHEST = 16.0
"""No size is asked for that is more than so many times the largest."""
EMPTY = 0.03
"""A valley is empty if the share of students in it lies below this, with its whole interval."""
UNLIKELY = 0.01
"""The valley fills if so many students in it at the largest size, were their share that of the others, had a chance
below this.
"""
FULL = 1 / 3
"""The share of students in the middle third of a histogram where phases are no longer told apart."""
NOT_ONE = 0.9
"""1/ν below this, with its whole interval, is not that of two phases that coexist."""


class Found(NamedTuple):
    """What one size shows: its curves, the peak of the susceptibility, the steepest slope, the histogram, the
    barrier.
    """

    summary: Summary
    peak: Peak
    slope: Slope
    histogram: Histogram
    barrier: Resampled


class Evidence(NamedTuple):
    """Sentences, what they speak for, and what would be needed to say more.

    speaks_for: "first", "second", "crossover", or nothing. veto: why the transition is neither of second order nor
    a crossover, whatever else speaks for it. refutes: why two phases do not part, so that neither barriers nor
    growth speak for a transition of first order.
    """

    sentences: list[str]
    speaks_for: str = ""
    missing: Reason | None = None
    veto: Reason | None = None
    refutes: Reason | None = None


def barriers(found: list[Found], size: str) -> tuple[Interval, Evidence]:
    """The growth of the barrier between two phases, and what it speaks for."""
    usable = [one for one in found if one.histogram.barrier.known]
    texts = _by_size(size, [(one.histogram.size, _barrier_text(one.histogram)) for one in found])
    sentences = [f"Histograms at the peak of the susceptibility, barrier between two phases: {texts}."]
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
    drawn = [one.histogram for one in usable]
    # Where the grid steps over the peak the histogram is that of another place at each size.
    said, refutes = _filling([one.histogram for one in usable if one.peak.resolved], size)
    sentences += said
    if refutes is not None:
        return growth, Evidence(sentences, "crossover", missing=refutes, refutes=refutes)
    if _grows_by_bounds(drawn):
        sentences.append("The bounds of the barrier grow with the size, as that of an interface does.")
        return growth, Evidence(sentences, "first")
    if _stay_apart(drawn):
        sentences.append("At every size a valley that is all but empty parts two phases, which stay apart.")
        return growth, Evidence(sentences, "first")
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
        # At a critical point it stays as it is; it falls where the correlation length is finite.
        falls = growth.high < 0 and max(one.barrier.low for one in drawn) > BARRIER
        return growth, Evidence(sentences, "crossover" if falls else "second")
    return growth, Evidence(sentences, missing=because("need_larger_or_students"))


def _filling(drawn: list[Histogram], size: str) -> tuple[list[str], Reason | None]:
    """What lies between the two phases, and why they do not part, if its share grows with the size.

    Of the largest sizes the students in the valley of the last are compared with those of the others together, by the
    binomial law. Where the phases are no longer seen at the last size they have merged. A low barrier parts no
    phases: order parameters with few values have some at small sizes.
    """
    if not drawn:
        return [], None
    last = drawn[-1]
    parted = [one for one in drawn if one.barrier.low > BARRIER and one.size * SPAN >= last.size]
    parted = [one for one in parted if one.between.known]
    if not parted:
        return [], None
    texts = _by_size(size, [(one.size, _share_text(one.between)) for one in parted])
    sentences = [f"Share of the students in the middle third between the two phases: {texts}."]
    if not np.isfinite(last.valley):
        sentences.append("At the largest size one peak is left: the phases have merged.")
        return sentences, because("phases_merge", size=size, at=2 * last.size)
    if len(parted) < 2 or parted[-1] is not last:
        return sentences, None
    counts = np.array([round(one.between.value * one.counts.sum()) for one in parted])
    students = np.array([one.counts.sum() for one in parted])
    chance = bdtrc(counts[-1] - 1, counts.sum(), students[-1] / students.sum()) if counts[-1] else 1.0
    if chance >= UNLIKELY:
        return sentences, None
    sentences.append("The valley fills as the size grows, as where the correlation length is finite.")
    before = max(parted[-2].between.value, 1 / students[-2])
    rate = max(np.log(last.between.value / before) / np.log(last.size / parted[-2].size), 0.5)
    full = last.size * max(2.0, (FULL / last.between.value) ** (1 / rate))
    return sentences, because("valley_fills", size=size, at=_round(min(full, FARTHEST * last.size)))


def _share_text(share: Interval) -> str:
    return f"{Interval(*(100 * end for end in share))} %"


def _empty(drawn: Histogram) -> bool:
    """Whether hardly a student can lie between the phases, or nothing is known of it."""
    return not drawn.between.known or drawn.between.high < EMPTY


def _by_size(size: str, texts: list[tuple[Any, str]]) -> str:
    """What is to be said of each size, sizes of which the same is said together."""
    together: dict[str, list[str]] = {}
    for at, text in texts:
        together.setdefault(text, []).append(f"{at:g}")
    return "; ".join(f"{size} = {', '.join(sizes)}: {text}" for text, sizes in together.items())


def _barrier_text(drawn: Histogram) -> str:
    if not drawn.barrier.known:
        return drawn.reason
    if drawn.unresolved:
        return f"at least {drawn.barrier.low:.2g}"
    return str(drawn.barrier) if np.isfinite(drawn.valley) else "one peak"


def _grows_by_bounds(usable: list[Histogram]) -> bool:
    """Whether the barrier of a size lies, with its whole interval, so far above that of a smaller one.

    The barrier of a valley that is all but empty is only bounded below, and that suffices: 1.09 (0.79 to 1.39),
    at least 1.6, at least 3.
    """
    last = usable[-1]
    if not np.isfinite(last.valley):
        return False

    def above(one: Histogram, other: Histogram) -> bool:
        least = max(one.barrier.value, BARRIER_ERROR) * (other.size / one.size) ** GROWTH_EXPONENT
        return other.barrier.low > max(one.barrier.high, least)

    pairs = itertools.combinations(usable, 2)
    falls = any(larger.barrier.high < smaller.barrier.low for smaller, larger in pairs)
    return above(usable[0], last) and not falls


def _stay_apart(usable: list[Histogram], least: float = HIGH_BARRIER) -> bool:
    """Whether two phases are parted by a high barrier at every size, by an empty valley at the largest, and do not
    approach each other.
    """
    if not all(np.isfinite(one.valley) and one.barrier.low > least for one in usable) or not _empty(
        usable[-1]
    ):
        return False
    distances = [one.peaks[1] - one.peaks[0] for one in usable]
    return distances[-1] >= STAY_APART * distances[0]


def growing(found: list[Found], peaks: Growth, slopes: Growth, powers: Exponents, size: str) -> Evidence:
    """How the peak of the susceptibility and the steepest slope grow, and what that speaks for."""
    sentences = [
        _growth_text("The peak of the susceptibility", peaks, size, len(found), "x"),
        _growth_text("The steepest slope of the order parameter", slopes, size, len(found), "s"),
    ]
    smooth = peaks.known and slopes.known and peaks.still and slopes.still
    if powers.inverse_nu.known and not smooth:
        sentences.append(
            f"Together 1/ν = {powers.inverse_nu} and β/ν = {powers.beta_over_nu} in {size}; 1 and 0 where two "
            "phases coexist."
        )
    usable = [one.histogram for one in found if one.histogram.barrier.known]
    if powers.of_coexistence:
        sentences.append("Both grow as where two phases coexist.")
        if usable and np.isfinite(usable[-1].valley) and _empty(usable[-1]):
            return Evidence(sentences, "first")
        return Evidence(sentences, missing=because("need_empty_valley", most=EMPTY))
    if len(usable) >= FEWEST_SIZES and _stay_apart(usable, BARRIER) and peaks.overall.low > ALMOST_ONE:
        sentences.append("Two phases stay apart, and the susceptibility grows almost as the size.")
        return Evidence(sentences, "first")
    if not peaks.known:
        return Evidence(sentences, missing=because("need_peaks", count=FEWEST_SIZES))
    if smooth:
        sentences.append("Neither grows: nothing sharpens with the size.")
        return Evidence(sentences, "crossover")
    if peaks.overall.low > 0 and peaks.grows:
        if peaks.overall.high < 1 or powers.inverse_nu.high < NOT_ONE:
            return Evidence(sentences, "second")
        return Evidence(sentences, missing=because("need_exponent"))
    return Evidence(sentences, missing=_sizes_that_tell(peaks, slopes, size))


def _growth_text(what: str, growth: Growth, size: str, sizes: int, letter: str) -> str:
    if not growth.known:
        narrow = sizes - len(growth.sizes)
        which = f"at {narrow} of {sizes} sizes" if sizes > 1 else "at the one size"
        why = (
            f"{which} it is narrower than the grid" if narrow else ("one size" if sizes == 1 else "two sizes")
        )
        return f"{what}: its growth is not known ({why})."
    last, before = growth.sizes[-1], growth.sizes[-2]
    return (
        f"{what} grows as {size}^{letter}, {letter} = {growth.overall}; from {size} = {before:g} to {last:g} "
        f"{letter} = {growth.pair}."
    )


def _sizes_that_tell(peaks: Growth, slopes: Growth, size: str) -> Reason:
    """The size, or the share of students, at which the errors would tell growth from none."""
    known = [one for one in (peaks, slopes) if np.isfinite(one.missing_factor)]
    if not known:
        return because("need_growth")
    widest = max(known, key=lambda one: one.pair.high - one.pair.low)
    reach = (widest.pair.high - widest.pair.low) / 2
    students = max(2.0, (reach / STILL) ** 2)
    if widest.missing_factor > FARTHEST:
        return because("need_students_that_tell", students=students)
    at = _round(widest.sizes[-1] * widest.missing_factor)
    return because("need_sizes_that_tell", size=size, at=at, students=students)


def _round(number: float) -> float:
    """Upwards, to two digits."""
    unit = 10.0 ** (np.floor(np.log10(number)) - 1)
    return float(np.ceil(number / unit) * unit)


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


def loops_open(loops: list[Hysteresis], found: list[Found], size: str, control: str) -> Evidence:
    """Whether the loops between random and planted starts are open, and what that speaks for."""
    if not loops:
        return Evidence(
            ["No planted start was run: hysteresis is not known."], missing=because("need_planted")
        )
    known = [loop for loop in loops if loop.width.known and np.isfinite(loop.width.low)]
    if not known:
        reasons = _by_size(size, [(loop.labels[size], loop.reason) for loop in loops])
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
        jumps = np.isfinite(found[-1].histogram.valley) or _two_states(known[-1])
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


def _two_states(loop: Hysteresis) -> bool:
    """Whether the branches lie half of the order parameter's range apart somewhere: two states at one m."""
    both = np.concatenate([loop.random_mean, loop.planted_mean])
    apart = np.abs(loop.planted_mean - loop.random_mean)
    return bool(np.nanmax(apart, initial=0.0) > JUMP * (np.nanmax(both) - np.nanmin(both)))
