"""Against time: the order parameter at several values of the control, and the critical value itself."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from numpy.typing import NDArray

from mbsim.figures.selected import one_of_each
from mbsim.figures.style import (
    CURVE,
    MARKERS,
    axes,
    axis_label,
    bars,
    critical_by,
    critical_symbol,
    in_own_settings,
    legend_below,
    look,
    number,
    one_two_five,
    say_instead,
    symbol,
)
from mbsim.fss import resample
from mbsim.fss.critical import Critical
from mbsim.fss.design import SAMPLES, Design, need_dataset, need_records
from mbsim.fss.over_time import OverTime, timed_variable
from mbsim.fss.samples import samples_of

Array = NDArray[np.float64]

ABOUT = (-6, -2, -1, 0, 1, 2, 6)
"""Which values of the control are drawn, in steps of the grid from the critical one."""
TWO_DECADES = 200.0
"""Less than that and an axis of powers of ten would have one number or two on it."""
PALEST = 0.85
"""How far the colour map is used: its brightest end cannot be seen on white."""


@in_own_settings
def relaxation_figure(
    ds: xr.Dataset,
    ax: Axes | None = None,
    *,
    controls: Sequence[float] = (),
    critical: Sequence[Critical] = (),
    order_parameter: str | None = None,
    size: str = "N",
    control: str = "m",
    samples: tuple[str, str] = SAMPLES,
    time: str = "time",
) -> Axes:
    """The order parameter against time, a curve for each of several values of the control, dark to bright.

    Points are means over replicas within teachers, then over teachers, bars one standard error. The time is
    logarithmic; its zero is left out.

    Args:
        ds: a dataset with one value of every label, the size too: select first.
        ax: where to draw; the axes of a new figure, `ax.figure`, where not given.
        controls: the values to draw, those of the grid nearest to them; by default some about the critical one.
        critical: estimates of it; those of other labels are passed over.
        order_parameter: the variable over time; by default what `fss.over_time` takes.
        size: the dimension of sizes.
        control: the dimension whose values tell the curves apart.
        samples: the quenched disorder, then the replicas within it.
        time: the dimension to draw along.

    Raises:
        DatasetError: `ds` is no dataset; the variable is not there, has no time, or has more than one value of
            a label.

    >>> import xarray as xr
    >>> from mbsim import figures, fss
    >>> ds = fss.planted([64])
    >>> later = xr.concat([0 * ds.q, ds.q / 2, ds.q], xr.Variable("time", [0, 10, 100])).to_dataset(name="q")
    >>> ax = figures.relaxation_figure(later.sel(N=64), controls=[10, 18], order_parameter="q")
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['$m$ = 10', '$m$ = 18']
    """
    name = timed_variable(need_dataset(ds), order_parameter, time)
    critical = need_records(critical, "critical", "mbsim.fss.midpoint(ds)")
    values = samples_of(ds, name, Design(size, control, samples))
    values = one_of_each(values, control, time, *samples).transpose(control, *samples, time)
    values = values.isel({time: np.flatnonzero(values[time].to_numpy() > 0)})
    here = {str(key): one.item() for key, one in values.coords.items() if one.ndim == 0}
    places = _places(values, control, controls, _critical_value(critical, here))
    ax = axes(ax)
    if not len(places) or not values.sizes[time]:
        return say_instead(ax, f"nothing was measured along {time}")
    for at, place in enumerate(places):
        one = values.isel({control: place})
        ax.errorbar(
            values[time].to_numpy(),
            resample.mean(one.to_numpy()),
            yerr=np.nan_to_num(resample.standard_error(one.to_numpy())),
            color=colormaps["viridis"](PALEST * at / max(1, len(places) - 1)),
            marker=MARKERS[at % len(MARKERS)],
            label=f"{symbol(control)} = {number(one[control].item())}",
            **CURVE,
        )
    ax.set_xscale("log")
    ax.set_xlabel(_time_label(values[time]))
    ax.set_ylabel("order parameter")
    legend_below(ax, 3, handlelength=1.2, columnspacing=0.7, handletextpad=0.3)
    return ax


@in_own_settings
def over_time_figure(
    records: Sequence[OverTime], ax: Axes | None = None, *, size: str = "N", control: str = "m"
) -> Axes:
    """The critical value read off at every measured time, with 95 % intervals, a curve for each size.

    Args:
        records: of `fss.over_time`, of one combination of labels but the size.
        ax: where to draw; the axes of a new figure, `ax.figure`, where not given.
        size: the label that tells the curves apart.
        control: the symbol of the control.

    Raises:
        DatasetError: `records` holds no records.

    >>> import numpy as np
    >>> from mbsim import figures, fss
    >>> t = np.array([10, 100, 1000])
    >>> one = fss.OverTime({"N": 64}, "midpoint", "q", "sweep", t, 20 - np.log10(t), 19 - np.log10(t),
    ...                    21 - np.log10(t))
    >>> figures.over_time_figure([one]).get_xlabel()
    'time $t$ (sweeps)'
    """
    records = need_records(records, "records", "mbsim.fss.over_time(ds)")
    ax = axes(ax)
    drawn = [one for one in records if np.isfinite(one.m_c).any()]
    if not drawn:
        return say_instead(ax, next((one.reason for one in records if one.reason), "no transition is seen"))
    for place, one in enumerate(drawn):
        seen = np.isfinite(one.m_c)
        style = look(place)
        label = (
            f"{symbol(size)} = {number(one.labels[size])}" if size in one.labels else critical_symbol(control)
        )
        lengths = bars(one.m_c, one.low, one.high)[:, seen]
        ax.errorbar(one.times[seen], one.m_c[seen], yerr=lengths, label=label, **style._asdict(), **CURVE)
    ax.set_xscale("log")
    seen = np.concatenate([one.times[np.isfinite(one.m_c)] for one in drawn])
    if seen.max() < TWO_DECADES * seen.min():
        one_two_five(ax.xaxis, many=True)
    ax.set_xlabel("time $t$" + (f" ({_many(drawn[0].unit)})" if drawn[0].unit not in ("", "1") else ""))
    ax.set_ylabel(f"{critical_by(control, drawn)}, at time $t$")
    ax.legend()
    return ax


def _places(values: xr.DataArray, control: str, controls: Sequence[float], m_c: float) -> NDArray[np.int_]:
    """The places of the curves along the control, of those that ran."""
    ran = np.flatnonzero(values.notnull().any([dim for dim in values.dims if dim != control]))
    m = values[control].to_numpy().astype(float)[ran]
    if not len(m):
        return ran
    if len(controls):
        at = np.abs(m[:, None] - np.asarray(controls, float)).argmin(axis=0)
    else:
        middle = np.abs(m - m_c).argmin() if np.isfinite(m_c) else len(m) // 2
        at = np.clip(middle + np.array(ABOUT), 0, len(m) - 1)
    places: NDArray[np.int_] = ran[np.unique(at)]
    return places


def _critical_value(critical: Sequence[Critical], here: dict[str, object]) -> float:
    own = (one for one in critical if all(here.get(k, v) == v for k, v in one.labels.items()))
    return next((one.m_c for one in own if np.isfinite(one.m_c)), np.nan)


def _time_label(time: xr.DataArray) -> str:
    unit = str(time.attrs.get("units", "1"))
    if unit in ("", "1"):
        return axis_label(time)
    return f"time $t$ ({_many(unit)})"


def _many(unit: str) -> str:
    """The unit of time as it is counted: "sweeps"."""
    return unit if unit.endswith("s") else f"{unit}s"
