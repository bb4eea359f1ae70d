"""The words of every reason (`mbsim.fss.reasons`), by key: here and nowhere else."""

from collections.abc import Callable
from typing import NamedTuple


class Words(NamedTuple):
    """How a reason is said: in full, in a line of a terminal, and below a table whose columns tell the rest.

    A template of `str.format`, or a function of the values. Where `line` or `brief` is empty the longer form
    serves.
    """

    full: str | Callable[..., str]
    line: str = ""
    brief: str = ""


def _extend(control: str, below: float | None, above: float | None) -> str:
    ends = [f"{word} {end:g}" for word, end in (("below", below), ("above", above)) if end is not None]
    if control == "m" and below == 1:  # there is no smaller batch
        one = "it begins below m = 1, so that single examples already teach"
        return one + (f"; extend grid.m {ends[1]}" if above is not None else "")
    return f"extend grid.{control} {' and '.join(ends)}"


def _few_sizes(count: int, needed: int, lost: tuple[object, ...]) -> str:
    why = f" ({'; '.join(map(str, lost))})" if lost else ""
    have = "size has" if count == 1 else "sizes have"
    return f"{count} {have} m_c with an interval, at least {needed} are needed{why}"


_RANGE = "{name} lies between {low:.2g} and {high:.2g} for {control} = {first:g} to {last:g}"
_SEARCHED = "its interval reaches the end of what was searched"

WORDS: dict[str, Words] = {
    "note": Words("{text}"),
    # samples and points
    "one_teacher": Words("one teacher tells nothing of the others"),
    "no_data": Words("no value of {control} holds data"),
    "equal_students": Words(
        "{count} of {of} teachers {count:is a copy|are copies} of another, students and all, "
        "and {count:counts|count} once: one seed for all?"
    ),
    "equal_replicas": Words(
        "{count} of {of} students {count:is a copy|are copies} of another, and {count:counts|count} once: "
        "one seed for all replicas?"
    ),
    "few_points": Words(
        "{count} {count:value|values} of {control} {count:holds|hold} data, at least {needed} are needed"
    ),
    "points_left_out": Words(
        "{count} {count:value|values} of {control} {count:is|are} left out, "
        "which fewer than half of the teachers have"
    ),
    "infinite": Words(
        "{count} infinite {count:value|values} at {control} = {at:, } {count:counts|count} as missing",
        line="{count} infinite {count:value|values} {count:counts|count} as missing",
    ),
    "few_resamples": Words("found in {share:.0%} of the resamples only"),
    "extend": Words(_extend),
    # the midpoint
    "no_rise": Words(_RANGE + ": no rise that is a transition, extend grid.{control}"),
    "no_step": Words(_RANGE + ", without a step of {least:g} or more: extend grid.{control}"),
    "part_of_rise": Words(_RANGE + ", part of a transition: {advice}"),
    "noisy_step": Words(
        _RANGE + ": the step of {rise:.2g} ± {noise:.1g} does not stand out, extend grid.{control}, "
        "or more teachers or replicas"
    ),
    "falls_again": Words("falls again from {control} = {at:g} on, fitted below that"),
    "no_plateau": Words(
        "no plateau is seen {sides: and } the transition: m_c depends on how the branch goes on under it, which "
        "the systematic part of the error holds",
        brief="no plateau on one side of the transition: the systematic part of the error holds what it does",
    ),
    "used_midpoint": Words("both plateaus are seen"),
    "used_steepest": Words(
        "the steepest slope needs no plateau, and the midpoint does: {why}",
        brief="a steepest slope where a plateau is not seen",
    ),
    "used_anyway": Words("the midpoint, with a plateau that is not seen: there is no steepest slope either"),
    "used_alone": Words("the only estimator at hand"),
    "no_slope": Words(
        "no slope stands out of the errors: extend grid.{control}, or more teachers or replicas"
    ),
    "no_whole_slope": Words("the steepest slope lies at an end: {advice}"),
    "no_level": Words("the order parameter does not pass {level:g}: {advice}"),
    # m_c against the length of the run
    "few_times": Words(
        "{count} {count:time|times} of the last decade {count:has|have} m_c, over a factor of {factor:.2g}: "
        "at least {needed} over a factor of 3 are needed"
    ),
    "still_moving": Words(
        "m_c moves by {trend}, in the last half-decade by {at_end}, per factor of ten from time {since:g} to "
        "{until:g}: the run is too short for the stationary value, or m_c is the limit of a metastable state",
        brief="m_c still moves with the length of the run",
    ),
    "spinodal": Words(
        "m_c moves by {trend}, in the last half-decade by {at_end}, per factor of ten from time {since:g} to "
        "{until:g}: it is the limit of a metastable state (spinodal) in the time of the run, "
        "not a point of the stationary state",
        brief="m_c is the limit of a metastable state in the time of the run",
    ),
    "times_left_out": Words(
        "read off at {count} of the {of} measured times; mbsim.fss.over_time takes all",
        brief="read off at some of the measured times; mbsim.fss.over_time takes all",
    ),
    "no_times": Words("{name} is not measured over time"),
    # the peak of the susceptibility
    "no_fluctuation": Words("all students agree at every point: the susceptibility is zero"),
    "no_whole_peak": Words("the susceptibility shows no whole peak: {advice}"),
    "noisy_peak": Words("no peak of the susceptibility stands out of the errors: more teachers or replicas"),
    # crossings
    "one_size": Words("one size only: two are needed for a crossing"),
    "few_common_points": Words(
        "{small} and {large} share {count} {count:value|values} of {control}: too few"
    ),
    "no_difference": Words(
        "{large} and {small} differ by less than {errors:g} standard errors: no crossing is seen",
        brief="consecutive sizes differ by less than {errors:g} standard errors: no crossing is seen",
    ),
    "falls_later": Words(
        "{large} lies above {small} before it lies below: it falls later, no crossing of a rise"
    ),
    "one_sided": Words(
        "where they differ, {large} lies {side} {small}: no crossing on this grid of {control}",
        brief="where sizes differ, the larger lies {side} the smaller: no crossing on this grid of {control}",
    ),
    "drift_apart": Words(
        "the curves cross outside the rise of {sizes: and }: the sizes drift apart, no crossing"
    ),
    # histograms
    "few_students": Words(
        "{count} {count:student is|students are} too few for a histogram, at least {needed} are needed"
    ),
    "two_values": Words("the order parameter has two values only: its histogram tells nothing"),
    "one_peak": Words("one peak"),
    "grid_steps_over": Words("one peak, but the grid steps over the transition"),
    "second_peak": Words("a second peak holds {share:.0%} of the students, too few to measure a barrier"),
    "empty_valley": Words("hardly a student lies in the valley: the barrier is bounded below only"),
    # m_c against the size
    "few_sizes": Words(_few_sizes),
    "no_law_fits": Words("no law fits: χ²/dof = {chi2:.3g} for the best, {law}", brief="no law fits"),
    "no_limit": Words(
        "no m_c(∞): laws without a limit ({laws: and }) hold {share:.0%} of the weight",
        brief="no m_c(∞): laws without a limit hold part of the weight",
    ),
    "limit_systematic": Words(
        "the interval of m_c(∞) holds the systematic error at the largest size, {down:.2g} down and {up:.2g} up"
    ),
    "drift": Words("a drift of up to {most:.2g} log {size} is not excluded"),
    "limit_moves": Words("m_c(∞) moves to {m_c} with sizes from {smallest:g} on"),
    "laws_of_size": Words(
        "the sizes do not tell the laws apart (weights: {weights})",
        line="the sizes do not tell the laws apart",
    ),
    # m_c against the connectivity
    "no_degree": Words("no value of {connectivity} has m_c with an interval"),
    "few_degrees": Words(
        "{count} {count:value|values} of {connectivity} {count:has|have} m_c with an interval, {needed} are needed"
    ),
    "neither_fits": Words(
        "neither law fits: χ²/dof = {chi2:.3g} for the better, {law}", brief="neither law fits"
    ),
    "exponent_at_end": Words(f"the exponent is not determined: {_SEARCHED}"),
    "errors_scaled": Words(
        "neither law fits to within the errors, which are scaled by {factor:.2g}",
        brief="neither law fits to within the errors, which are scaled",
    ),
    "laws_of_degree": Words(
        "the points do not tell the laws apart (weight of {law}: {weight:.2f})",
        line="the points do not tell the laws apart",
    ),
    "no_label": Words("no label {name}"),
    # the data collapse
    "first_order": Words("a first-order transition has no critical exponents: nothing to collapse with"),
    "crossover": Words("a crossover has no critical exponents: nothing to collapse with"),
    "few_transitions": Words(
        "{count} {count:size shows|sizes show} a transition, two are needed for a collapse"
    ),
    "few_curves": Words(
        "{count} {count:size has|sizes have} {needed} values of {control} with an error, {sizes} are needed"
    ),
    "flat": Words("{quantity} is the same everywhere to within its errors: nothing to collapse"),
    "coarse_grid": Words(
        "fewer than {needed} values of {control} lie in the rise at size {sizes:, }: "
        "the grid is too coarse for a collapse"
    ),
    "coincidence": Words(
        "{points} points for {parameters} parameters: too few to tell a collapse from a coincidence"
    ),
    "quantities_of_table": Words(
        "the quantities of a table are taken for independent: where they are of the same samples, intervals are too "
        "short, at most by a factor of {most:.2g}"
    ),
    "no_collapse": Words(
        "the points do not collapse, χ²/dof = {chi2:.3g} (p = {p:.1g}): no exponents; "
        "a window of {control} about m_c may help"
    ),
    "parameter_at_end": Words(
        "{name} is not determined, and so the other parameters are not: "
        + _SEARCHED
        + ", {low:g} to {high:g}"
    ),
    "no_rescaling": Words(
        "1/ν may be 0: the curves coincide without rescaling of the control, so that m_c is not determined"
    ),
    "collapse_moves": Words("{name} moves to {interval} with sizes from {smallest:g} on"),
    "window_moves": Words("the points within the scaled window do not settle: it depends on the parameters"),
    "sizes_left_out": Words(
        "{size} = {sizes:, } left out: fewer than {needed} values of {control} with an error that vary"
    ),
    "nothing_to_collapse": Words("no data to collapse"),
    "nothing_to_extrapolate": Words("no m_c to extrapolate"),
    # hysteresis
    "of_start": Words("{start} start: {reasons}"),
    "one_start": Words("one start only: a list of two values of {label} shows whether there is a loop"),
    # the order of the transition
    "at_sizes": Words("{size} = {sizes:, }: {reason}"),
    "rise_without_peak": Words(
        "the order parameter rises at {size} = {sizes:, }, but no peak of the susceptibility is seen; "
        "needed: more teachers or replicas"
    ),
    "one_size_shows": Words("one size shows the transition, at least {needed} are needed"),
    "at_odds": Words("the evidence is at odds: the {against} speaks against first order"),
    "vetoed": Words("barrier and growth speak for a smooth change, but {vetoes}; needed: {needed}"),
    "needed": Words("needed: {needs}"),
    "loop_open": Words("the loop is open at {where:, }"),
    "need_histograms": Words("{count} {count:size|sizes} with a histogram"),
    "needs_samples": Words(
        "means with errors have no histogram: the order of the transition needs the samples themselves"
    ),
    "valley_fills": Words(
        "{size} = {at:g}, where a smooth system with as many students between the phases has one peak"
    ),
    "phases_merge": Words("{size} = {at:g}, to see whether what grew up to here still grows"),
    "need_empty_valley": Words(
        "a histogram whose two phases have fewer than {most:.0%} of the students between them: larger sizes or more "
        "students"
    ),
    "need_students": Words("more students at coexistence, to see whether the barrier grows"),
    "need_students_that_tell": Words("{students:.2g} times the students, to tell growth from none"),
    "need_larger_or_students": Words("larger sizes or more students, to see whether the barrier grows"),
    "need_peaks": Words("{count} {count:size|sizes} with a resolved peak"),
    "need_growth": Words("a susceptibility that grows with the size"),
    "need_sizes": Words("{size} = {sizes: and } beside these"),
    "need_sizes_that_tell": Words(
        "{size} = {at:g} with as many students, or {students:.2g} times the students, to tell growth from none"
    ),
    "need_exponent": Words("sizes or students that tell the exponent from one"),
    "need_planted": Words("a planted start"),
    "need_both_ends": Words("both ends of the loop"),
    "need_two_loops": Words("two sizes with a loop"),
    "need_larger_open": Words("larger sizes, to see whether the loop stays open"),
    "need_larger_closed": Words("larger sizes, to see whether the loop stays closed"),
    "need_finer": Words("a finer grid or more students, to see whether the loop is open"),
}
"""The words of every reason, by key."""
