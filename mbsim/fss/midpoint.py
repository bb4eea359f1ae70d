"""First estimate of m_c: the midpoint of the order parameter against m, at each (N, d) on its own.

m_c is where a smooth curve through the mean order parameter (`curve`) lies half-way between the branch before the
transition and the branch after it. Its interval comes from resampled teachers and replicas (`resample`), and is never
narrower than what the grid resolves. Sizes are not compared here, nor the order of the transition judged.

Conventions
-----------
* The order parameter rises with the control.
* A transition is reported only if both its branches are seen: otherwise order "none", and `reason` says what to do.
* The interval of a record follows from `seed` and its own labels, whatever else the dataset holds.
"""

import itertools
from typing import Literal, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from mbsim.errors import DatasetError
from mbsim.fss import curve, resample
from mbsim.fss.table import Critical, Label, Order

Array = NDArray[np.float64]

SIGNIFICANCE = 3.0
"""A rise counts if it is larger than this many standard errors."""
OUTER = 0.1
"""Both ends of the grid must lie in the outer tenths of the fitted transition."""
STEEP = 0.2
"""The order parameter still changes at an end of the grid if it gains this share of the rise in one step there."""
FALL = 0.25
"""The order parameter falls again if it loses this share of its range."""
INNER_WIDTH = 2 * np.log(9)
"""From 10 to 90 % of a logistic step of width 1."""
FEWEST_POINTS = 4


def order_parameter(ds: xr.Dataset) -> str:
    """Name of the variable from which m_c is read: `overlap_mean`, the bulk overlap over the last quarter of the run.

    Not `success`: with ±1 weights the m at which every weight is right grows like log N where the bulk does not move.

    Raises: DatasetError if the dataset does not hold it.
    """
    if "overlap_mean" not in ds:
        raise DatasetError(f"the dataset holds no overlap_mean to read m_c from: it holds {_names(ds)}")
    return "overlap_mean"


def midpoint(
    ds: xr.Dataset,
    order_parameter: str = "overlap_mean",
    *,
    control: str = "m",
    samples: tuple[str, str] = ("teacher", "replica"),
    scale: Literal["linear", "log"] = "linear",
    minimum_rise: float = 0.2,
    bootstrap: int = 1000,
    seed: int = 0,
) -> list[Critical]:
    """m_c for every combination of the dimensions that are neither `control` nor `samples`, in the dataset's order.

    Arguments: `order_parameter`, a variable over `control`, `samples` (quenched disorder first; either may be absent)
    and any labels; `scale`, "log" to fit in the logarithm of a control on a geometric grid; `minimum_rise`, in units
    of the order parameter, below which there is no transition; `bootstrap`, the number of resamples.

    NaN means not run. A value of m counts if at least half of the teachers have it. Where the order parameter falls
    again at larger m, by more than a quarter of its rise and three standard errors, only m before the fall is used.
    With one teacher m_c has no interval: nothing is known of other teachers.

    Raises: DatasetError for a variable, dimension or control value that cannot be used.
    """
    values = _checked(ds, order_parameter, control, samples, scale)
    names = [str(name) for name in values.dims if name not in (*samples, control)]
    m = values[control].to_numpy().astype(float)
    records = []
    for index in itertools.product(*(range(values.sizes[name]) for name in names)):
        chosen = values.isel(dict(zip(names, index, strict=True)))
        labels: dict[str, Label] = {name: values[name][at].item() for name, at in zip(names, index, strict=True)}
        rng = np.random.default_rng([seed, *(_bits(label) for label in labels.values())])
        data = chosen.to_numpy().astype(float)
        found = _analyse(m, data, order_parameter, scale == "log", minimum_rise, bootstrap, rng)
        estimator = f"midpoint of {order_parameter}"
        order: Order = "undecided" if np.isfinite(found.m_c) else "none"
        records.append(
            Critical(
                labels, found.m_c, found.low, found.high, order, estimator, found.value, found.width, found.reason
            )
        )
    return records


class _Found(NamedTuple):
    m_c: float = np.nan
    low: float = np.nan
    high: float = np.nan
    value: float = np.nan
    width: float = np.nan
    reason: str = ""


def _analyse(
    m: Array, values: Array, name: str, log: bool, minimum_rise: float, samples: int, rng: np.random.Generator
) -> _Found:
    """The midpoint of one curve; `values` is (teacher, replica, point), `m` increasing."""
    m, values = _used(m, values)
    if len(m) < FEWEST_POINTS:
        return _Found(reason=f"{len(m)} values of m hold data, at least {FEWEST_POINTS} are needed")
    y, error = resample.mean(values), np.nan_to_num(resample.standard_error(values))
    end = _end_of_rise(y, error)
    caution = "" if end == len(m) else f"falls again from m = {m[end]:g} on: fitted below that"
    span = f"{name} lies between {y.min():.2g} and {y.max():.2g} for m = {m[0]:g} to {m[-1]:g}"
    m, values, y, error = m[:end], values[:, :, :end], y[:end], error[:end]
    if len(m) < FEWEST_POINTS or np.ptp(y) < minimum_rise:
        return _Found(reason="; ".join(filter(None, [f"{span}: no rise that is a transition; extend grid.m", caution])))

    teachers, replicas = _counts(values)
    x = np.log(m) if log else m
    fitted = curve.fit(x, y[None])
    both = resample.bootstrap_means(values, samples, rng)
    replicas_only = resample.bootstrap_means(values, samples, rng, redraw_teachers=False)
    resampled = curve.fit(x, np.concatenate([both, replicas_only]))
    rise, noise = fitted.height(x)[0], resampled.height(x)[:samples].std()
    if rise < minimum_rise:
        return _Found(reason=f"{span}, without a step of {minimum_rise:g} or more; extend grid.m")
    before, after = _branches_seen(x, y, error, fitted)
    if not (before and after):
        more = " and ".join(([] if before else [f"below {m[0]:g}"]) + ([] if after else [f"above {m[-1]:g}"]))
        return _Found(reason=f"{span}: the transition is only partly on this grid; extend grid.m {more}")
    if rise < SIGNIFICANCE * noise:
        return _Found(reason=f"{span}: the step of {rise:.2g} ± {noise:.1g} is uncertain; more teachers or replicas")

    centre, half_width = fitted.centre[0], INNER_WIDTH * np.exp(fitted.log_width[0]) / 2
    low, high = resample.interval(centre, resampled.centre[:samples], resampled.centre[samples:], (teachers, replicas))
    if teachers < 2:
        caution = "; ".join(filter(None, ["no interval: one teacher tells nothing of the others", caution]))
    else:
        left, right = _resolved(x, fitted)
        low, high = min(low, left), max(high, right)
    ends = np.array([centre, *np.clip([low, high], x[0], x[-1]), centre - half_width, centre + half_width])
    m_c, low, high, begin, finish = (np.exp(ends) if log else ends).tolist()
    return _Found(m_c, low, high, float(fitted.after[0] - rise / 2), finish - begin, caution)


def _used(m: Array, values: Array) -> tuple[Array, Array]:
    """The teachers with any data, the values of m that at least half of them have."""
    has = np.isfinite(values).any(axis=1)
    values, has = values[has.any(axis=1)], has[has.any(axis=1)]
    points = has.sum(axis=0) * 2 >= max(1, len(has))
    return m[points], values[:, :, points]


def _counts(values: Array) -> tuple[int, int]:
    """Teachers, and replicas of each: the median where they differ."""
    replicas = np.isfinite(values).sum(axis=1)
    return len(values), int(np.median(replicas[replicas > 0]))


def _end_of_rise(y: Array, error: Array) -> int:
    """Number of leading points before the order parameter falls clearly below what it had reached."""
    peak = np.maximum.accumulate(y)
    peak_error = error[np.maximum.accumulate(np.where(y == peak, np.arange(len(y)), 0))]
    fallen = peak - y > np.maximum(FALL * np.ptp(y), SIGNIFICANCE * np.hypot(error, peak_error))
    return int(np.argmax(fallen)) if fallen.any() else len(y)


def _branches_seen(x: Array, y: Array, error: Array, fitted: curve.Curve) -> tuple[bool, bool]:
    """Whether the branches before and after are seen: two points beyond the centre, and the end of the grid level."""
    share, centre = fitted.step(x)[0], fitted.centre[0]
    steep = np.diff(y) > STEEP * np.ptp(y) + 2 * np.hypot(error[1:], error[:-1])
    margin = 1e-6 * (x[-1] - x[0])
    before = share[0] < OUTER and centre > x[1] + margin and not steep[0]
    after = share[-1] > 1 - OUTER and centre < x[-2] - margin and not steep[-1]
    return bool(before), bool(after)


def _resolved(x: Array, fitted: curve.Curve) -> tuple[float, float]:
    """The narrowest interval that the grid allows: how far the centre may be off because the grid steps over the rise.

    With I = Σ 4 s (1 - s) over the grid, the number of points that lie in the rise, the interval is the whole gap
    between the neighbouring points if I <= 1/2 (the centre then depends on the form of the curve, which cannot be seen
    between two points), its share 3/2 - I of the gap if less, and nothing if I >= 3/2.
    """
    share, centre = fitted.step(x)[0], fitted.centre[0]
    gap = np.clip(1.5 - (4 * share * (1 - share)).sum(), 0, 1)
    right = int(np.clip(np.searchsorted(x, centre), 1, len(x) - 1))
    return float(centre - gap * (centre - x[right - 1])), float(centre + gap * (x[right] - centre))


def _checked(
    ds: xr.Dataset, name: str, control: str, samples: tuple[str, str], scale: str
) -> xr.DataArray:
    """The variable with dims (labels..., *samples, control), or an error that says what is wrong."""
    if name not in ds:
        raise DatasetError(f"order_parameter = {name!r} is not in the dataset: it holds {_names(ds)}")
    values = ds[name]
    if control not in values.dims:
        raise DatasetError(f"control = {control!r} is no dimension of {name}: it has {', '.join(map(str, values.dims))}")
    if scale not in ("linear", "log"):
        raise DatasetError(f'scale = {scale!r} must be "linear" or "log"')
    if scale == "log" and not bool((values[control] > 0).all()):
        raise DatasetError(f'scale = "log" needs a positive control: {control} begins at {values[control].min().item():g}')
    for sample in samples:
        if sample not in values.dims:
            values = values.expand_dims(sample)
    return values.sortby(control).transpose(..., *samples, control)


def _bits(label: Label) -> int:
    """A non-negative integer that follows from the label alone."""
    if isinstance(label, str):
        return int.from_bytes(label.encode(), "little")
    return int(np.float64(label).view(np.uint64))


def _names(ds: xr.Dataset) -> str:
    return ", ".join(sorted(map(str, ds.data_vars))) or "nothing"
