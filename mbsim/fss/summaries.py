"""Means, cumulants and success against the control, each with a 95 % interval over teachers and replicas.

With ⟨·⟩ the mean over replicas within teachers, then over teachers::

    mean = ⟨q⟩,  binder = 1 - ⟨q⁴⟩ / (3 ⟨q²⟩²),  susceptibility = N (⟨q²⟩ - ⟨q⟩²)

⟨q²⟩ and ⟨q⁴⟩ come from the variables `overlap_second` and `overlap_fourth` where the order parameter is
called `overlap_mean` (the same for any other name that ends so), and from its own powers otherwise. The
variance has the square of the standard error of ⟨q⟩ added, which finite samples take from it. It is that of
all students: the variance within teachers (the connected susceptibility) plus that between teachers (the
disconnected one, of the quenched disorder), which are not told apart. Where students are so equal that
resamples have no variance, its interval is NaN; nowhere does it exceed a quarter of the squared range of q,
the most that students within that range can have. Where every student succeeds, or none, the interval of the
probability is that of Clopper and Pearson, for resamples of equal students cannot tell it.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from mbsim.fss import resample
from mbsim.fss.design import SAMPLES, Design, Errors, Samples, levels, need_dataset
from mbsim.fss.interval import Label
from mbsim.fss.resample import generator
from mbsim.fss.resampled import Resampled, logarithm
from mbsim.fss.samples import Ensemble, ensembles, order_parameter_of, teachers_and_replicas

Array = NDArray[np.float64]

SUCCESS, SUCCESS_TIME = "success", "success_time"
TIMES = 64
"""At most so many success times are told apart."""
RELATIVE_FLOOR = 1e-12
"""A variance below this share of the largest q² is rounding."""
GIVEN = ("mean", "binder", "susceptibility", "success")
TEXTS = {
    "mean": "mean of {}",
    "binder": "Binder cumulant U4 of {}",
    "susceptibility": "susceptibility, {size} times the variance of {} over teachers and replicas",
    "success": "probability of success",
    "success_time": "median time of success, interpolated between measured times; NaN if half never succeed",
}


class Summary(NamedTuple):
    """Resampled summaries of one ensemble by name, over the points of its control."""

    ensemble: Ensemble
    quantities: dict[str, Resampled]


def summarise(ds: xr.Dataset, order_parameter: str, design: Design, times: bool = False) -> list[Summary]:
    """Summaries of every combination of labels, with their resamples; the median time if `times`.

    Raises:
        DatasetError: a variable, a dimension or the size is not there.
    """
    if design.error is not None:
        return _given(ds, order_parameter, design)
    moments = moment_names(ds, order_parameter)
    wanted = [SUCCESS] + ([SUCCESS_TIME] if times and SUCCESS_TIME in ds else [])
    # A variable of other students, such as one that has no times, goes with no order parameter of these.
    same = set(ds[order_parameter].dims)
    extra = tuple(
        name for name in wanted if name in ds and name != order_parameter and set(ds[name].dims) == same
    )
    return [
        Summary(one, _quantities(one, moments, design.bootstrap, generator(design.seed, one.labels)))
        for one in ensembles(ds, (*moments, *extra), design)
    ]


def _given(ds: xr.Dataset, order_parameter: str, design: Design) -> list[Summary]:
    """Summaries of means with errors: the quantities that are given.

    Of one variable with its error it is left to who reads it which quantity it is.
    """
    error = design.error
    pairs = dict.fromkeys(GIVEN, order_parameter)
    if isinstance(error, Mapping):
        pairs = {quantity: variable for quantity, (variable, _) in error.items()}
    found: dict[tuple[Label, ...], Summary] = {}
    for variable in dict.fromkeys(pairs.values()):
        for one in ensembles(ds, (variable,), design):
            rng = generator(design.seed, one.labels)
            curve = Resampled.means(one.fields[variable], design.bootstrap, rng) if len(one.m) else None
            key = tuple(one.labels.values())
            first = found.setdefault(key, Summary(one, {}))
            if curve is None or not np.array_equal(first.ensemble.m, one.m):
                continue
            first.quantities.update({name: curve for name, other in pairs.items() if other == variable})
    return list(found.values())


def grouped(found: list[Summary], size: str) -> list[tuple[dict[str, Label], list[Summary]]]:
    """Summaries that differ in the size alone, sizes increasing: (labels without the size, summaries)."""
    groups: dict[tuple[Label, ...], list[Summary]] = {}
    for one in found:
        groups.setdefault(tuple(one.ensemble.others(size).values()), []).append(one)
    return [
        (group[0].ensemble.others(size), sorted(group, key=lambda one: one.ensemble.size))
        for group in groups.values()
    ]


def summaries(
    ds: xr.Dataset,
    order_parameter: str | None = None,
    *,
    size: str = "N",
    control: str = "m",
    samples: Samples = SAMPLES,
    bootstrap: int = 1000,
    seed: int = 0,
    error: Errors = None,
) -> xr.Dataset:
    """`mean`, `binder`, `susceptibility`, `success` and `success_time`, each with `_low` and `_high`.

    Args:
        ds: any dataset with the order parameter over size, control, samples and any labels.
        order_parameter: its name. `success` and `success_time` are left out where the dataset lacks them.
        size: the dimension of system sizes; the susceptibility is multiplied by it.
        control: the dimension along which the transition is sought.
        samples: the quenched disorder, then the replicas within it; either may be absent.
        bootstrap: the number of resamples.
        seed: of the resamples.
        error: where there are no samples, the variable of the errors of the means, their covariance or their
            draws; or {quantity: (variable, its error)}. See `mbsim.fss.given`.

    Returns:
        A dataset over (labels..., size, control), NaN where nothing ran. With one teacher the intervals are
        NaN: nothing is known of other teachers.

    Raises:
        DatasetError: `ds` is no dataset; a variable, a dimension or the size is not there.

    >>> from mbsim import fss
    >>> found = fss.summaries(fss.planted(), bootstrap=100)
    >>> found["mean"].dims, found["mean"].sel(N=64, m=18).round(2).item()
    (('N', 'm'), 0.55)
    """
    design = Design(size, control, levels(samples), bootstrap, seed, error)
    order_parameter = order_parameter_of(need_dataset(ds), order_parameter)
    return as_dataset(ds, summarise(ds, order_parameter, design, times=True), order_parameter, design)


def as_dataset(ds: xr.Dataset, found: list[Summary], order_parameter: str, design: Design) -> xr.Dataset:
    """What `summaries` gives, of the summaries of every combination of labels of the dataset."""
    control = design.control
    names = list(found[0].ensemble.labels) if found else []
    m: Array = np.unique(np.asarray(ds[control].to_numpy(), float))
    coords = {name: list(dict.fromkeys(one.ensemble.labels[name] for one in found)) for name in names}
    shape = (*(len(values) for values in coords.values()), len(m))
    kept = [name for name in TEXTS if any(name in one.quantities for one in found)]
    if isinstance(design.error, str):
        kept = ["mean"]
    arrays = {name + end: np.full(shape, np.nan) for name in kept for end in ("", "_low", "_high")}
    for one in found:
        place = tuple(coords[name].index(one.ensemble.labels[name]) for name in names)
        points = np.searchsorted(m, one.ensemble.m)
        for name, quantity in one.quantities.items():
            if isinstance(design.error, str) and name != "mean":
                continue
            if name == "susceptibility" and design.error is None:
                low, high = _variances(quantity, one.ensemble, order_parameter)
            else:
                low, high = quantity.intervals()
            if name == SUCCESS and design.error is None:
                low, high = _probabilities(quantity, low, high)
            for end, values in (("", quantity.estimate), ("_low", low), ("_high", high)):
                arrays[name + end][place][points] = values
    result = xr.Dataset(
        {name: ((*names, control), array) for name, array in arrays.items()},
        {**coords, control: m.astype(ds[control].dtype)},
        dict(ds.attrs),
    )
    for name in (*names, control):
        result[name].attrs.update(ds[name].attrs)
    long_name = ds[order_parameter].attrs.get("long_name", order_parameter)
    units = {"mean": ds[order_parameter].attrs.get("units", "1")}
    if SUCCESS_TIME in ds:
        units[SUCCESS_TIME] = ds[SUCCESS_TIME].attrs.get("units", "1")
    for name in kept:
        text = TEXTS[name].format(long_name, size=design.size)
        for end, words in (("", ""), ("_low", ", low end of 95%"), ("_high", ", high end of 95%")):
            result[name + end].attrs.update(long_name=text + words, units=units.get(name, "1"))
    if "mean" in result:
        result["mean"].attrs["of"] = long_name
    return result


def lowest(found: list[Summary], label: str) -> list[Summary]:
    """Those with the lowest value of a label, without it: the random starts. All, without such a label."""
    values = [float(one.ensemble.labels[label]) for one in found if label in one.ensemble.labels]
    return [
        one._replace(ensemble=one.ensemble._replace(labels=one.ensemble.others(label)))
        for one in found
        if label not in one.ensemble.labels or float(one.ensemble.labels[label]) == min(values)
    ]


def moment_names(ds: xr.Dataset, order_parameter: str) -> tuple[str, ...]:
    """The order parameter, and the variables of its second and fourth moment where they are there."""
    stem = order_parameter.removesuffix("_mean")
    siblings = (f"{stem}_second", f"{stem}_fourth")
    named = stem != order_parameter and all(name in ds for name in siblings)
    return (order_parameter, *siblings) if named else (order_parameter,)


def _quantities(
    students: Ensemble, moments: tuple[str, ...], bootstrap: int, rng: np.random.Generator
) -> dict[str, Resampled]:
    if not len(students.m):
        return {}
    q = students.fields[moments[0]]
    powers = [students.fields[name] for name in moments] if len(moments) == 3 else [q, q**2, q**4]
    success = [students.fields[SUCCESS]] if SUCCESS in students.fields else []
    cumulative, times = _cumulative(students) if SUCCESS_TIME in students.fields else ([], None)
    # One draw for all of them, so that a resample keeps what belongs together.
    stacked = Resampled.means(np.concatenate([*powers, *success, *cumulative], axis=-1), bootstrap, rng)
    stacked = stacked._replace(shape=teachers_and_replicas(q))
    count = len(students.m)

    def field(at: int) -> Resampled:
        return stacked.part(slice(at * count, (at + 1) * count))

    found = {"mean": field(0)}
    found["binder"] = stacked.part(slice(0, 3 * count)).map(_binder)._replace(curved=True)
    variance = stacked.part(slice(0, 3 * count)).map(_variance)
    missing = np.nan_to_num(np.square(resample.standard_error(q)))
    found["susceptibility"] = variance._replace(
        estimate=students.size * (variance.estimate + missing),
        both=students.size * variance.both,
        kept=students.size * variance.kept,
        left_out=None if variance.left_out is None else students.size * variance.left_out,
        curved=True,
    )
    if success:
        found["success"] = field(3)
    if times is not None:
        shares = stacked.part(slice((3 + len(success)) * count, None))
        found["success_time"] = shares.map(lambda share: _median(share, times, count))
    return found


def _thirds(stacked: Array) -> tuple[Array, Array, Array]:
    first, second, fourth = np.split(stacked, 3, axis=-1)
    return first, second, fourth


def _binder(stacked: Array) -> Array:
    _, second, fourth = _thirds(stacked)
    positive = second > 0
    return np.where(positive, 1 - fourth / (3 * np.square(np.where(positive, second, 1.0))), np.nan)


def _variance(stacked: Array) -> Array:
    first, second, _ = _thirds(stacked)
    return np.maximum(second - np.square(first), 0.0)


def _variances(quantity: Resampled, students: Ensemble, order_parameter: str) -> tuple[Array, Array]:
    """Intervals of a susceptibility, taken of its logarithm, whose law is nearer to the normal.

    A resample without variance, to the precision of numbers, has no logarithm and tells nothing.
    """
    values = students.fields[order_parameter]
    values = values[np.isfinite(values)]
    largest = students.size * np.ptp(values) ** 2 / 4
    floor = students.size * RELATIVE_FLOOR * np.square(np.abs(values).max())

    low, high = quantity.map(lambda batch: logarithm(batch, floor)).intervals()
    ceiling = np.log(np.maximum(np.maximum(largest, quantity.estimate), np.finfo(float).tiny))
    return np.exp(np.minimum(low, ceiling)), np.exp(np.minimum(high, ceiling))


def _probabilities(success: Resampled, low: Array, high: Array) -> tuple[Array, Array]:
    """The ends of the interval within 0 and 1, and known where all students agree."""
    teachers, replicas = success.shape
    reach = 1 - 0.025 ** (1 / max(1, teachers * replicas)) if teachers > 1 else np.nan
    low = np.where(success.estimate == 1, 1 - reach, np.clip(low, 0, 1))
    high = np.where(success.estimate == 0, reach, np.clip(high, 0, 1))
    return low, high


def _cumulative(students: Ensemble) -> tuple[list[Array], Array]:
    """Whether each student has succeeded by each of the times, (teacher, replica, point), and the times."""
    reached, first = students.fields[SUCCESS_TIME], next(iter(students.fields.values()))
    times = np.unique(reached[np.isfinite(reached)])
    if len(times) > TIMES:
        times = np.unique(np.quantile(times, np.linspace(0, 1, TIMES), method="nearest"))
    by_then = [np.where(np.isfinite(first), reached <= time, np.nan) for time in times]
    return by_then, times


def _median(shares: Array, times: Array, points: int) -> Array:
    """Where the share that has succeeded reaches one half, shape (batch, point)."""
    if not len(times):
        return np.full((len(shares), points), np.nan)
    by_time = shares.reshape(len(shares), len(times), points)
    after = np.argmax(by_time >= 0.5, axis=1)
    before = np.maximum(after - 1, 0)
    above = np.take_along_axis(by_time, after[:, None], axis=1)[:, 0]
    below = np.where(after > 0, np.take_along_axis(by_time, before[:, None], axis=1)[:, 0], 0.0)
    part = np.where(after > 0, (0.5 - below) / np.where(above > below, above - below, 1.0), 1.0)
    found = times[before] + part * (times[after] - times[before])
    return np.where(by_time[:, -1] >= 0.5, found, np.nan)
