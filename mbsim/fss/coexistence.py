"""Two phases at one m: the histogram of the order parameter, its valley, and the barrier between its peaks.

Lee and Kosterlitz: at a first-order transition the order parameter of a finite system has two peaks, and the
barrier ln(peak / valley) grows with the size; at a critical point it stays, or is absent. Here

    barrier = ½ (ln P₁ + ln P₂) - ln P_valley

which is the barrier at equal weights: a field that favours one phase tilts ln P by a line, and moves the mean
of the two logarithms as it moves a valley half-way between them.

Conventions
-----------
* The density lives on nodes at equal distances; each student is shared by its two nearest nodes in
  proportion, so that an order parameter with few values makes no comb, and the density is smoothed with
  (1, 2, 1)/4.
* Beside the valley's node, which holds few students or none, those of the middle third of the way between the peaks
  are counted: their share falls with the size where an interface parts two phases, stays at a critical point, and
  grows where the correlation length is finite and pieces of one system are in either state.
* The valley is the node with the greatest depth below the lower of the highest nodes on its two sides, of
  those with a tenth of the students or more on each side.

Reference: J. Lee and J. M. Kosterlitz, Phys. Rev. Lett. 65, 137 (1990).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, chdtri

from mbsim.fss.interval import UNKNOWN, Interval
from mbsim.fss.reasons import Reason, because
from mbsim.fss.resampled import Resampled
from mbsim.fss.results import Histogram
from mbsim.fss.samples import Ensemble

Array = NDArray[np.float64]

NODES = 25
FEWEST_STUDENTS = 100
LEAST_WEIGHT = 0.1
"""Each phase must hold this share of the students for its peak to be seen."""
SIGNIFICANCE = 3.0
OUTSTANDING = 2.5
"""A second peak is mentioned if it rises so many errors, and threefold, above the valley."""
FEWEST_IN_VALLEY = 5.0
"""A valley with fewer students at its node only bounds the barrier."""


def histogram(
    students: Ensemble,
    name: str,
    at: int,
    resolved: bool,
    span: tuple[float, float],
    bootstrap: int,
    rng: np.random.Generator,
) -> tuple[Histogram, Resampled]:
    """The histogram of field `name` of the ensemble at its point `at`, and the resampled barrier, a scalar.

    `resolved` says whether the grid shows the peak of the susceptibility, `span` are the ends of the order
    parameter over all sizes.
    """
    values = students.fields[name][..., at]
    count = int(np.isfinite(values).sum())
    edges = np.linspace(*span, NODES)
    counts = np.histogram(values[np.isfinite(values)], bins=edges)[0].astype(float)
    density = Resampled.means(_shares(values, span), bootstrap, rng).map(lambda batch: _density(batch, count))
    place, depth = _valley(density.estimate[None])
    valley = int(place[0])
    depths = density.map(lambda batch: _valley(batch)[1])
    barrier = density.map(_barrier)
    m = float(students.m[at])

    def without(reason: Reason, known: Interval = UNKNOWN) -> Histogram:
        return Histogram(students.size, m, edges, counts, known, because=(reason,))

    if count < FEWEST_STUDENTS:
        return without(because("few_students", count=count, needed=FEWEST_STUDENTS)), barrier
    if len(np.unique(values[np.isfinite(values)])) <= 2:
        return without(because("two_values")), barrier
    if depth[0] <= SIGNIFICANCE * depths.both.std():
        zero = Interval(0.0, 0.0, max(0.0, barrier.interval().high))
        flat = barrier._replace(estimate=np.zeros(()))
        if not resolved:
            second = _second_peak(counts)
            seen = because("second_peak", share=second) if second > 0 else because("grid_steps_over")
            return without(seen), flat
        return without(because("one_peak"), zero), flat
    nodes, share = np.linspace(*span, NODES), density.estimate
    left, right = int(np.argmax(share[:valley])), valley + 1 + int(np.argmax(share[valley + 1 :]))
    within = count * float(_shares(values, span)[..., valley].mean())
    above = float(np.mean(values[np.isfinite(values)] > nodes[valley]))
    interval = barrier.interval()
    unresolved = within < FEWEST_IN_VALLEY
    if unresolved:
        most = float(chdtri(2 * within + 2, 0.025) / 2) / count
        bound = 0.5 * np.log(share[left] * share[right]) - np.log(most)
        interval = Interval(interval.value, min(interval.low, float(bound)), np.inf)
    found = Histogram(
        students.size, m, edges, counts, interval, above, float(nodes[valley]),
        (float(nodes[left]), float(nodes[right])), unresolved,
        (because("empty_valley"),) if unresolved else (),
        _between(values[np.isfinite(values)], float(nodes[left]), float(nodes[right])),
    )  # fmt: skip
    return found, barrier


def _between(values: Array, low: float, high: float) -> Interval:
    """The share of students in the middle third between two values, with the interval of Clopper and Pearson."""
    third = (high - low) / 3
    count, of = int(((values > low + third) & (values < high - third)).sum()), len(values)
    least = betaincinv(count, of - count + 1, 0.025) if count else 0.0
    most = betaincinv(count + 1, of - count, 0.975) if count < of else 1.0
    return Interval(count / of, float(least), float(most))


def _second_peak(counts: Array) -> float:
    """The share of students in a peak that stands out beside the highest, beyond the valley, or 0."""
    top = int(np.argmax(counts))
    best, share = 0.0, 0.0
    for side in (counts[top:], counts[top::-1]):
        for place in range(2, len(side)):
            valley = int(np.argmin(side[:place]))
            rise = side[place] - side[valley]
            noise = OUTSTANDING * np.sqrt(side[place] + side[valley])
            if rise > max(best, noise, 2 * side[valley]):
                best, share = rise, float(side[valley + 1 :].sum() / counts.sum())
    return share


def _shares(values: Array, span: tuple[float, float]) -> Array:
    """Each student shared by its two nearest nodes, (teacher, replica, node); NaN where it did not run."""
    low, high = span
    at = (values - low) / max(high - low, np.finfo(float).tiny) * (NODES - 1)
    shares = np.clip(1 - np.abs(at[..., None] - np.arange(NODES)), 0, None)
    return np.where(np.isfinite(values)[..., None], shares, np.nan)


def _density(shares: Array, count: int) -> Array:
    """Smoothed density at the nodes, (batch, node); half a student is added: no node is known empty."""
    ends = np.full(NODES, 1.0)
    ends[[0, -1]] = 2.0  # the nodes at the ends collect from one side
    padded = np.pad(shares * ends, ((0, 0), (1, 1)), mode="edge")
    smooth = (padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]) / 4
    return smooth + 0.5 / count


def _valley(density: Array) -> tuple[NDArray[np.int64], Array]:
    """Node of the valley and its depth below the lower peak, both (batch,)."""
    left = np.maximum.accumulate(density, axis=1)[:, :-2]
    right = np.maximum.accumulate(density[:, ::-1], axis=1)[:, ::-1][:, 2:]
    depth = np.log(np.minimum(left, right) / density[:, 1:-1])
    weight = np.cumsum(density, axis=1) / density.sum(axis=1, keepdims=True)
    enough = (weight[:, :-2] >= LEAST_WEIGHT) & (1 - weight[:, 1:-1] >= LEAST_WEIGHT)
    depth = np.where(enough, depth, 0.0)
    best = np.argmax(depth, axis=1)
    return best + 1, np.maximum(depth[np.arange(len(depth)), best], 0.0)


def _barrier(density: Array) -> Array:
    """The barrier, shape (batch,); zero where there is one peak."""
    place, depth = _valley(density)
    row = np.arange(len(density))
    left = np.maximum.accumulate(density, axis=1)[row, place - 1]
    right = np.maximum.accumulate(density[:, ::-1], axis=1)[:, ::-1][row, place + 1]
    return np.where(depth > 0, 0.5 * np.log(left * right) - np.log(density[row, place]), 0.0)
