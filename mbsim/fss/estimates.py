"""Every estimator of m_c(N, d), each with its own name, and the perfect-recovery threshold beside them.

"midpoint": of the order parameter (`midpoint`). "susceptibility": the peak of N Var (`peak`).
"binder_crossing" and "success_crossing": where the curves of consecutive sizes cross (`crossing`).
"perfect_recovery": the midpoint of the probability of success, which is no estimator of m_c: with ±1 weights
the m at which all N units are right grows like log N where the bulk does not move.
"""

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import xarray as xr

from mbsim.errors import DatasetError
from mbsim.fss import crossing as crossings
from mbsim.fss import midpoint as midpoints
from mbsim.fss.lanes import SAMPLES, grouped, order_parameter_of
from mbsim.fss.peak import peak
from mbsim.fss.resampled import Resampled
from mbsim.fss.summaries import SUCCESS, Summary, summarise
from mbsim.fss.table import Critical, Label

ESTIMATORS = ("midpoint", "susceptibility", "binder_crossing", "success_crossing", "perfect_recovery")
NAMES = {
    "midpoint": "midpoint of {}",
    "susceptibility": "peak of the susceptibility of {}",
    "binder_crossing": "crossing of the Binder cumulant of {}",
    "success_crossing": "crossing of the success probability",
    "perfect_recovery": "perfect recovery, midpoint of success",
}
"""What `Critical.estimator` says for each; {} is the order parameter."""


def estimates(
    ds: xr.Dataset,
    estimators: Sequence[str] = ESTIMATORS,
    order_parameter: str | None = None,
    *,
    size: str = "N",
    control: str = "m",
    samples: tuple[str, str] = SAMPLES,
    bootstrap: int = 1000,
    seed: int = 0,
) -> list[Critical]:
    """m_c by each of `estimators`, for every combination of labels, with 95 % intervals.

    Args:
        ds: any dataset with the order parameter over size, control, samples and any labels.
        estimators: some of `ESTIMATORS`; those of success are left out where the dataset has no `success`.
        order_parameter: its name; by default what `order_parameter_of` says.
        size: the dimension of system sizes.
        control: the dimension along which the transition is sought.
        samples: the quenched disorder, then the replicas within it; either may be absent.
        bootstrap: the number of resamples.
        seed: of the resamples.

    Returns:
        Records, one estimator after the other. A crossing belongs to two sizes, in the labels `size` and
        f"{size}_next". Where a number cannot be had it is NaN, and `reason` says why.

    Raises:
        DatasetError: an unknown estimator; a variable, a dimension or the size is not there.
    """
    unknown = [name for name in estimators if name not in ESTIMATORS]
    if unknown:
        raise DatasetError(f"estimators = {unknown[0]!r}: allowed are {', '.join(ESTIMATORS)}")
    order_parameter = order_parameter_of(ds, order_parameter)
    of_curves = {"susceptibility", "binder_crossing", "success_crossing"} & set(estimators)
    curves: list[Summary] = []
    if of_curves:
        curves = summarise(ds, order_parameter, size, control, samples, bootstrap, seed)
    return estimates_of_summaries(
        ds, curves, estimators, order_parameter, size, control, samples, bootstrap, seed
    )


def estimates_of_summaries(
    ds: xr.Dataset,
    curves: list[Summary],
    estimators: Sequence[str],
    order_parameter: str,
    size: str,
    control: str,
    samples: tuple[str, str],
    bootstrap: int,
    seed: int,
) -> list[Critical]:
    """What `estimates` gives, with the summaries of the dataset at hand."""
    found: list[Critical] = []
    for name in estimators:
        if SUCCESS not in ds and name in ("success_crossing", "perfect_recovery"):
            continue
        if name in ("midpoint", "perfect_recovery"):
            variable = order_parameter if name == "midpoint" else SUCCESS
            records = midpoints.midpoint(
                ds, variable, control=control, samples=samples, bootstrap=bootstrap, seed=seed
            )
            found += [replace(one, estimator=NAMES[name].format(order_parameter)) for one in records]
        elif name == "susceptibility":
            found += [_peak(one, control, NAMES[name].format(order_parameter)) for one in curves]
        else:
            quantity = "binder" if name == "binder_crossing" else "success"
            found += _crossings(curves, quantity, size, control, NAMES[name].format(order_parameter))
    return found


def _peak(one: Summary, control: str, estimator: str) -> Critical:
    labels = one.cell.labels
    if "susceptibility" not in one.quantities:
        return _unknown(labels, estimator, f"no value of {control} holds data")
    found = peak(one.cell.m, one.quantities["susceptibility"], control)
    if found.place is None:
        return _unknown(labels, estimator, found.reason)
    return _record(labels, estimator, found.place, found.half_gap, (one.cell.m[0], one.cell.m[-1]))


def _crossings(
    curves: list[Summary], quantity: str, size: str, control: str, estimator: str
) -> list[Critical]:
    by_cell = {id(one.cell): one for one in curves}
    records = []
    for labels, group in grouped([one.cell for one in curves], size):
        pairs = [[by_cell[id(cell)] for cell in pair] for pair in itertools.pairwise(group)]
        if not pairs:
            here = {size: group[0].labels[size], **labels}
            records.append(_unknown(here, estimator, "one size only: two are needed for a crossing"))
        for small, large in pairs:
            here = _pair_labels(small, large, size)
            curve = [one.quantities.get(quantity) for one in (small, large)]
            if curve[0] is None or curve[1] is None:
                records.append(_unknown(here, estimator, f"no value of {control} holds data"))
                continue
            names = (f"{size} = {small.cell.size:g}", f"{size} = {large.cell.size:g}")
            x, z = small.cell.m, large.cell.m
            rising = "mean" if quantity == "binder" else quantity
            rises = small.quantities[rising].estimate, large.quantities[rising].estimate
            found = crossings.crossing(x, curve[0], z, curve[1], rises, control, names)
            if found.place is None:
                records.append(_unknown(here, estimator, found.reason))
            else:
                ends = max(x[0], z[0]), min(x[-1], z[-1])
                records.append(_record(here, estimator, found.place, 0.0, ends))
    return records


def _pair_labels(small: Summary, large: Summary, size: str) -> dict[str, Label]:
    labels: dict[str, Label] = {}
    for name, value in small.cell.labels.items():
        labels[name] = value
        if name == size:
            labels[f"{size}_next"] = large.cell.labels[size]
    return labels


def _record(
    labels: dict[str, Label], estimator: str, place: Resampled, half_gap: float, ends: tuple[float, float]
) -> Critical:
    value, low, high = place.interval()
    if not np.isfinite(value):
        return _unknown(labels, estimator, f"found in {place.share:.0%} of the resamples only")
    low, high = max(min(low, value - half_gap), ends[0]), min(max(high, value + half_gap), ends[1])
    return Critical(labels, value, low, high, "undecided", estimator, draws=place.deviates())


def _unknown(labels: dict[str, Label], estimator: str, reason: str) -> Critical:
    return Critical(labels, np.nan, np.nan, np.nan, "undecided", estimator, reason=reason)
