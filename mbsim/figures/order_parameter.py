"""The figure that a run leaves: the order parameter against m, with m_c and its interval on every curve.

It is drawn from the dataset itself and from records of `fss.midpoint`, so that it needs no further analysis.
"""

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mbsim.figures.panels import ACROSS, SINGLE_SHARE, panels
from mbsim.figures.selected import one_of_each
from mbsim.figures.style import (
    COLOURS,
    CURVE,
    LINES,
    MARKERS,
    axis_label,
    critical_by,
    critical_symbol,
    in_own_settings,
    labels_text,
    legend_below,
    place_on_curve,
    range_drawn,
    symbol,
)
from mbsim.fss import resample
from mbsim.fss.critical import Critical
from mbsim.fss.design import SAMPLES, Design, need_dataset, need_records
from mbsim.fss.interval import Label
from mbsim.fss.records import START
from mbsim.fss.samples import order_parameter_of, samples_of
from mbsim.fss.table import number_and_interval
from mbsim.physics.rules import RULES, rules_for

PANEL_WIDTH, PANEL_HEIGHT, LINE_HEIGHT = 3.3, 3.1, 0.17
"""Of one panel among several, without the lines of its legend, and of such a line: inches."""
LABEL_WIDTH, NARROW_WIDTH = 52, 36  # letters that fit along the axis of one panel, and of one among several


@in_own_settings
def order_parameter_figure(
    ds: xr.Dataset,
    critical: Sequence[Critical] = (),
    ax: Axes | None = None,
    *,
    order_parameter: str | None = None,
    size: str = "N",
    control: str = "m",
) -> Axes:
    """The order parameter against m, a curve for each N, with m_c and its interval.

    Points are means over replicas within teachers, then over teachers, and bars one standard error over both.
    m_c is the open marker on its curve, and again below the curves, with its 95 % interval.

    Args:
        ds: a dataset with one value of every label but the size (d, init_overlap, ...): select first.
        critical: records of `fss.midpoint`; those of other labels are passed over.
        ax: where to draw; the axes of a new figure, `ax.figure`, where not given.
        order_parameter: the variable to draw; by default what `fss.order_parameter_of` says.
        size: the dimension that tells curves apart.
        control: the dimension to draw along.

    Raises:
        DatasetError: `ds` is no dataset; the variable is not there, or has more than one value of another
            label.

    >>> from mbsim import figures, fss
    >>> ds = fss.planted([64, 256])
    >>> figures.order_parameter_figure(ds, fss.midpoint(ds, bootstrap=100)).get_title()
    'planted'
    """
    order_parameter = order_parameter_of(need_dataset(ds), order_parameter)
    critical = need_records(critical, "critical", "mbsim.fss.midpoint(ds)")
    values = samples_of(ds, order_parameter, Design(size, control))
    fixed = _labels(values, size, control)
    values = one_of_each(values, size, control, *SAMPLES)
    if ax is None:
        ax = Figure(figsize=(6.0, 5.2), layout="constrained").add_subplot()
    if size not in values.dims:
        values = values.expand_dims(size)

    sizes: list[Label] = values[size].to_numpy().tolist()
    curves = {label: values.isel({size: at}).to_numpy() for at, label in enumerate(sizes)}
    means = {label: resample.mean(curve) for label, curve in curves.items()}
    drawn = np.concatenate([[0.0, 1.0], *means.values()])
    floor, ceiling = np.nanmin(drawn), np.nanmax(drawn)
    gap = 0.055 * (ceiling - floor)
    marked: list[Critical] = []
    for place, (label, curve) in enumerate(curves.items()):
        look = place % len(COLOURS)
        style: dict[str, Any] = {"color": COLOURS[look], "marker": MARKERS[look]}
        here = {**fixed, size: label}
        record = next((one for one in critical if one.labels.items() <= here.items()), None)
        ran = np.isfinite(means[label])
        ax.errorbar(
            values[control].to_numpy()[ran],
            means[label][ran],
            yerr=np.nan_to_num(resample.standard_error(curve)[ran]),
            linestyle=LINES[look],
            label=f"{symbol(size)} = {label}" + (_result(control, record) if ran.any() else ": no data"),
            **style,
            **CURVE,
        )
        if record is not None and math.isfinite(record.m_c):
            marked.append(record)
            value = place_on_curve(values[control].to_numpy(), means[label], record.m_c, record.value)
            _mark(ax, record, value, floor - len(marked) * gap, style)
    if marked:
        ax.axhline(floor - 0.3 * gap, color="0.7", linewidth=0.6, zorder=0)
    ax.set_ylim(floor - (len(marked) + 0.8) * gap, ceiling + 0.8 * gap)
    ax.set_yticks([tick for tick in ax.get_yticks() if floor - 0.1 * gap <= tick <= ceiling + 0.1 * gap])
    ax.set_xlabel(axis_label(values[control], control))
    ax.set_ylabel(textwrap.fill(axis_label(values), LABEL_WIDTH))
    range_drawn(ax, values[control].to_numpy(), [record.m_c for record in marked])
    ax.set_title(", ".join(filter(None, [_model(ds), labels_text(fixed)])))
    _add_legend(ax, control, marked)
    return ax


@in_own_settings
def order_parameter_panels(
    ds: xr.Dataset,
    critical: Sequence[Critical] = (),
    *,
    order_parameter: str | None = None,
    size: str = "N",
    control: str = "m",
) -> Figure:
    """A figure with a panel of `order_parameter_figure` for each d, and for each value of any other label.

    Args:
        ds: a dataset, as `open_run` gives it.
        critical: records of `fss.midpoint`.
        order_parameter: the variable to draw; by default what `fss.order_parameter_of` says.
        size: the dimension that tells curves apart.
        control: the dimension to draw along.

    Raises:
        DatasetError: `ds` is no dataset, or the variable is not there.

    >>> from mbsim import figures, fss
    >>> ds = fss.planted([64], jump=True, starts=True)
    >>> len(figures.order_parameter_panels(ds, fss.midpoint(ds, bootstrap=100)).axes)
    2
    """
    order_parameter = order_parameter_of(need_dataset(ds), order_parameter)
    critical = need_records(critical, "critical", "mbsim.fss.midpoint(ds)")
    values = samples_of(ds, order_parameter, Design(size, control))
    names = list(_labels(values, size, control))
    choices = [
        {name: values[name][at].item() for name, at in zip(names, index, strict=True)}
        for index in np.ndindex(*(values.sizes[name] for name in names))
    ]

    def draw(labels: Mapping[str, Any], ax: Axes | None) -> Axes:
        chosen = ds.sel({name: [value] for name, value in labels.items()})
        ax = order_parameter_figure(
            chosen, critical, ax, order_parameter=order_parameter, size=size, control=control
        )
        if len(choices) == 1:
            return ax
        ax.set_title("")
        ax.set_ylabel(textwrap.fill(axis_label(values), NARROW_WIDTH))
        if legend := ax.get_legend():  # what marks mean is said once, by which estimator in each panel
            here = [
                one for one in critical if math.isfinite(one.m_c) and labels.items() <= one.labels.items()
            ]
            legend.set_title(critical_by(control, here) if here else "")
        return ax

    if len(choices) == 1:
        return cast(Figure, draw(choices[0], None).figure)
    across = min(ACROSS, len({str(choice | {START: 0}) for choice in choices}))
    width = PANEL_WIDTH * across / (1 if across > 1 else SINGLE_SHARE)
    height = PANEL_HEIGHT + LINE_HEIGHT * values.sizes.get(size, 1)
    figure = panels(choices, draw, rows=START, width=width, height=height, same_y=False, same_legend=False)
    figure.suptitle(_model(ds))
    figure.supxlabel(f"mean ± standard error; {_marks(critical_symbol(control))}", fontsize="small")
    return figure


def _labels(values: xr.DataArray, size: str, control: str) -> dict[str, Label]:
    """The dimensions that a panel fixes, each with its first value."""
    names = [str(name) for name in values.dims if name not in (size, control, *SAMPLES)]
    return {name: values[name][0].item() for name in names}


def _add_legend(ax: Axes, control: str, marked: Sequence[Critical]) -> None:
    """Below the axes, where it hides no curve however narrow the panel."""
    title = f"mean ± standard error; {_marks(critical_by(control, marked))}"
    legend_below(ax, title=title, title_fontsize="x-small", frameon=False, handlelength=3.2)


def _marks(what: str) -> str:
    return f"open markers and bars below: {what}, 95 % interval"


def _result(control: str, record: Critical | None) -> str:
    """What the legend says of m_c after the name of the curve."""
    if record is None:
        return ""
    if not math.isfinite(record.m_c):
        return ": no transition seen" if record.order == "none" else f": {critical_symbol(control)} not known"
    number, interval = number_and_interval(record)
    known = f" ({interval})" if interval != "-" else " (no interval)"
    return f": {critical_symbol(control)} = {number}{known}"


def _mark(ax: Axes, record: Critical, value: float, height: float, style: Mapping[str, Any]) -> None:
    """m_c on its curve, and with its interval at `height`, the two joined by a thin line."""
    ax.plot([record.m_c] * 2, [height, value], color=style["color"], linewidth=0.7, linestyle=":")
    ax.plot([record.m_c], [value], markersize=9, markerfacecolor="none", markeredgewidth=1.4, **style)
    known = math.isfinite(record.low)
    bar = [[record.m_c - record.low], [record.high - record.m_c]] if known else None
    ax.errorbar([record.m_c], [height], xerr=bar, markersize=5, elinewidth=1.5, capsize=3, **style)


def _model(ds: xr.Dataset) -> str:
    """The model of a run, and the rule where it is not the usual one of these weights."""
    model = str(ds.attrs.get("model", "")) or str(ds.attrs.get("name", "")) or "model not named"
    rule = RULES.get(str(ds.attrs.get("rule", "")))
    return model if rule is None or rule.name == rules_for(rule.weights)[0] else f"{model}, {rule.title}"
