"""The order of the transition: first, second, a crossover, or undecided, and on what evidence.

Four kinds of evidence are gathered (`evidence`), each as sentences:

* the histogram of the order parameter at the peak of its susceptibility: whether two phases coexist there,
  whether the barrier between them grows with N (`coexistence`), and whether the valley fills instead: a system
  that is smaller than its correlation length has two phases too, and loses them as it grows;
* the growth of the susceptibility's peak and of the order parameter's steepest slope (`growth`): 1/ν → 1 and
  β/ν → 0 where phases coexist, slower at a critical point, none in a crossover;
* the loop between random and planted starts, where both were run (`loop`);
* the minimum of the Binder cumulant: a hint that is never counted, as q = 4 Potts dips and is continuous.

The verdict is

* "first" if the barrier of three sizes or more grows (its bounds, where valleys are empty), or is high at each while
  the phases stay apart and the valley is empty; or if peak and slope grow as where phases coexist, at the last
  pair of sizes too, and the valley is empty; neither where the valley fills. Or if the loop stays open at the two
  largest sizes and the branches are two states at one m;
* "second" if no barrier grows or falls at three sizes or more, the peak grows slower than N, it grows from the last
  size but one to the last beyond the error of that growth, and no loop is open at any size;
* "crossover" if over the largest sizes neither peak nor slope grows, with their whole intervals (exponents below
  0.1), no barrier grows, and no loop is open: a smooth change, which has a midpoint and no critical point;
* "none" if neither the susceptibility nor the midpoint of the order parameter shows a transition at any size;
* otherwise "undecided", and the reason says what would be needed. A correlation length far beyond the largest system
  makes a weakly first-order transition look second-order, and a second-order one that the sizes do not reach look
  like a crossover.

Reference: H. Watanabe et al., Prog. Theor. Exp. Phys. 2023, 033A02 (why a Binder dip proves nothing).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import xarray as xr

from mbsim.fss.coexistence import histogram
from mbsim.fss.critical import Critical
from mbsim.fss.design import SAMPLES, Design, Errors, Samples, levels, need_dataset
from mbsim.fss.evidence import Evidence, Found, barriers, binder_minima, growing, loops_open
from mbsim.fss.growth import FEWEST_SIZES, exponents, growth
from mbsim.fss.interval import Interval, Label, Order
from mbsim.fss.loop import loops
from mbsim.fss.midpoint import midpoints
from mbsim.fss.peak import peak
from mbsim.fss.reasons import Reason, because, distinct
from mbsim.fss.records import Records
from mbsim.fss.resample import generator
from mbsim.fss.resampled import Resampled
from mbsim.fss.results import Hysteresis, Verdict
from mbsim.fss.samples import order_parameter_of, with_size
from mbsim.fss.steepest import Slope
from mbsim.fss.summaries import Summary, grouped, lowest, summarise


def transition_order(
    ds: xr.Dataset,
    order_parameter: str | None = None,
    *,
    label: str = "init_overlap",
    size: str = "N",
    control: str = "m",
    samples: Samples = SAMPLES,
    bootstrap: int = 1000,
    seed: int = 0,
    error: Errors = None,
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
        error: the errors of means without samples, see `mbsim.fss.given`. The histogram of the order parameter
            cannot be had of them, and without it no verdict: every one is "undecided" and says so.

    Raises:
        DatasetError: `ds` is no dataset; a variable, a dimension or the size is not there.

    >>> from mbsim import fss
    >>> fss.transition_order(fss.planted(jump=True, starts=True), bootstrap=100)
    [<Verdict first order>]
    """
    design = Design(size, control, levels(samples), bootstrap, seed, error)
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
    rises: Sequence[Critical] | None = None,
) -> Records[Verdict]:
    """The verdicts that follow from the summaries of random starts and from the loops of a dataset.

    `rises`: the midpoints of random starts, where they are known already.
    """
    size = design.size
    verdicts = Records[Verdict]()
    for labels, group in grouped(curves, size):
        own = sorted(
            (loop for loop in hysteresis if {k: v for k, v in loop.labels.items() if k != size} == labels),
            key=lambda loop: float(loop.labels[size]),
        )
        verdicts.append(_verdict(labels, group, own, order_parameter, design))
    if any(one.order in ("none", "crossover") for one in verdicts):
        if rises is None:
            random = with_size(_random(ds, label), order_parameter, size)
            rises = midpoints(random, order_parameter, design)
        return Records(_with_midpoint(_unless_it_rises(one, rises, size), rises, size) for one in verdicts)
    return verdicts


def _random(ds: xr.Dataset, label: str) -> xr.Dataset:
    """The random start, where there are several."""
    return ds.isel({label: [int(np.argmin(ds[label].to_numpy()))]}) if label in ds.dims else ds


def _unless_it_rises(verdict: Verdict, rises: Sequence[Critical], size: str) -> Verdict:
    """Undecided in place of none, where the order parameter rises and the susceptibility shows nothing."""
    if verdict.order != "none":
        return verdict
    seen = tuple(
        one.labels[size]
        for one in rises
        if np.isfinite(one.m_c) and verdict.labels.items() <= one.labels.items()
    )
    if not seen:
        return verdict
    why = because("rise_without_peak", size=size, sizes=seen)
    return replace(verdict, order="undecided", because=(why,))


def _with_midpoint(verdict: Verdict, rises: Sequence[Critical], size: str) -> Verdict:
    """A crossover with its midpoint, that of the largest size."""
    own = [one for one in rises if verdict.labels.items() <= one.labels.items() and np.isfinite(one.m_c)]
    if verdict.order != "crossover" or not own:
        return verdict
    largest = max(own, key=lambda one: float(one.labels[size]))
    place = largest.interval
    sentence = f"A crossover, with its midpoint at {place} for {size} = {largest.labels[size]}."
    return replace(verdict, midpoint=place, evidence=[*verdict.evidence, sentence])


def _verdict(
    labels: dict[str, Label],
    summaries: list[Summary],
    hysteresis: list[Hysteresis],
    name: str,
    design: Design,
) -> Verdict:
    size, control = design.size, design.control
    if design.error is not None:
        return Verdict(labels, "undecided", [], because=(because("needs_samples"),))
    ran = [one.ensemble for one in summaries if len(one.ensemble.m)]
    if ran and max(one.shape[0] for one in ran) < 2:
        return Verdict(labels, "undecided", [], because=(because("one_teacher"),))
    found, refused = _examine(summaries, name, design)
    if not found:
        # Where hardly a value of the control has data it is not that no transition is seen.
        looked = any(one["reason"].key not in ("no_data", "few_points") for one in refused)
        return Verdict(labels, "none" if looked else "undecided", [], because=distinct(refused))
    barrier_growth, by_barrier = barriers(found, size)
    peaks, slopes = _peaks(found), _slopes(found)
    both = [at for at in peaks if at in slopes]
    of_peaks, of_slopes = (growth(list(one), list(one.values())) for one in (peaks, slopes))
    powers = exponents(both, [peaks[at] for at in both], [slopes[at] for at in both])
    by_growth = growing(found, of_peaks, of_slopes, powers, size)
    minima, by_binder = binder_minima(found, size)
    by_loop = loops_open(hysteresis, found, size, control)
    evidence = [*by_barrier.sentences, *by_growth.sentences, *by_loop.sentences, *by_binder.sentences]
    order, why = _decide(found, by_barrier, by_growth, by_loop, size)
    heights = [one.peak.height for one in found if one.peak.height is not None]
    ends = [height.interval() for height in heights]
    return Verdict(
        labels, order, evidence, [one.histogram for one in found], barrier_growth,
        np.array([one.summary.ensemble.size for one in found]),
        np.array([float(height.estimate) for height in heights]),
        np.array([one.low for one in ends]), np.array([one.high for one in ends]),
        of_peaks.overall if of_peaks.known else Interval(), minima, distinct([*why, *refused]) if why else (),
        susceptibility=of_peaks, steepness=of_slopes, inverse_nu=powers.inverse_nu,
        beta_over_nu=powers.beta_over_nu,
    )  # fmt: skip


def _peaks(found: list[Found]) -> dict[float, Resampled]:
    """The height of the susceptibility's peak of each size that resolves it."""
    return {
        one.summary.ensemble.size: one.peak.height
        for one in found
        if one.peak.resolved and one.peak.height is not None
    }


def _slopes(found: list[Found]) -> dict[float, Resampled]:
    """The steepest slope of each size that resolves it."""
    return {
        one.summary.ensemble.size: one.slope.height
        for one in found
        if one.slope.resolved and one.slope.height is not None
    }


def _examine(summaries: list[Summary], name: str, design: Design) -> tuple[list[Found], list[Reason]]:
    """What each size shows, and why the others show nothing."""
    found: list[Found] = []
    refused: dict[Reason, list[float]] = {}
    fields = [one.ensemble.fields[name] for one in summaries if len(one.ensemble.m)]
    values = [field[np.isfinite(field)] for field in fields]
    span = (min(map(np.min, values)), max(map(np.max, values))) if values else (0.0, 1.0)
    for one in summaries:
        students = one.ensemble
        if not len(students.m):
            refused.setdefault(because("no_data", control=design.control), []).append(students.size)
            continue
        top = peak(students.m, one.quantities["susceptibility"], design.control)
        if top.place is None:
            for reason in top.because:
                refused.setdefault(reason, []).append(students.size)
            continue
        at = int(np.argmax(one.quantities["susceptibility"].estimate))
        rng = generator(design.seed, students.labels)
        drawn, barrier = histogram(students, name, at, top.resolved, span, design.bootstrap, rng)
        steep = Slope(students.m, one.quantities["mean"], design.control)
        found.append(Found(one, top, steep, drawn, barrier))
    return found, [
        because("at_sizes", size=design.size, sizes=tuple(sizes), reason=reason)
        for reason, sizes in refused.items()
    ]


def _decide(
    found: list[Found], by_barrier: Evidence, by_growth: Evidence, by_loop: Evidence, size: str
) -> tuple[Order, tuple[Reason, ...]]:
    """The order, and why it is not decided."""
    sizes = [one.summary.ensemble.size for one in found]
    more = tuple(sizes[-1] * 2**at for at in range(1, FEWEST_SIZES - len(sizes) + 1))
    larger = (because("need_sizes", size=size, sizes=more),) if more else ()
    if len(found) < 2:
        return "undecided", (because("one_size_shows", needed=FEWEST_SIZES), *larger)
    spoken = {"barrier": by_barrier, "growth": by_growth, "loop": by_loop}
    if by_barrier.refutes is not None and by_growth.speaks_for == "first":
        by_growth = by_growth._replace(speaks_for="")
        spoken["growth"] = by_growth
    if any(one.speaks_for == "first" for one in spoken.values()):
        # An exponent that is still below one at these sizes does not speak against a barrier that grows.
        weak = {"growth": ("first", "second", "")}
        against = [
            name for name, one in spoken.items() if one.speaks_for not in weak.get(name, ("first", ""))
        ]
        if not against:
            return "first", ()
        return "undecided", (because("at_odds", against=against[0]),)
    needed = tuple(one.missing for one in spoken.values() if one.missing)
    vetoes = tuple(one.veto for one in spoken.values() if one.veto)
    smooth = by_growth.speaks_for
    # A barrier may stay as it is at a critical point; where it falls the change is smooth.
    allowed: dict[str, tuple[str, ...]] = {"second": ("second",), "crossover": ("second", "crossover")}
    if by_barrier.speaks_for in allowed.get(smooth, ()):
        if not vetoes:
            return ("second", ()) if smooth == "second" else ("crossover", ())
        first = (*needed, because("need_larger_closed"))[0]
        return "undecided", (because("vetoed", vetoes=vetoes, needed=first),)
    return "undecided", (because("needed", needs=(*larger, *needed)),)
