"""How teachers differ: how far the order parameter of each one lies from the mean of all."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import NDArray

from mbsim.figures.selected import one_of_each
from mbsim.figures.style import GUIDE, axes, axis_label, in_own_settings, look, range_drawn, say_instead
from mbsim.fss import resample
from mbsim.fss.critical import Critical
from mbsim.fss.design import SAMPLES, Design, need_dataset, need_records
from mbsim.fss.samples import order_parameter_of, samples_of

Array = NDArray[np.float64]


@in_own_settings
def teacher_figure(
    ds: xr.Dataset,
    ax: Axes | None = None,
    *,
    critical: Sequence[Critical] = (),
    order_parameter: str | None = None,
    size: str = "N",
    control: str = "m",
    samples: tuple[str, str] = SAMPLES,
) -> Axes:
    """How far each teacher lies from the mean of all, against the control, a line for each.

    The line of a teacher is q_t - mean_t q_t, where q_t is the mean of the order parameter over its replicas. The
    grey band is what replicas alone would make of it: 1.96 standard errors of q_t, the mean over teachers.

    Args:
        ds: a dataset with one value of every label, the size too: select first.
        ax: where to draw; the axes of a new figure, `ax.figure`, where not given.
        critical: estimates of the critical value, about which the control is drawn.
        order_parameter: the variable to draw; by default what `fss.order_parameter_of` says.
        size: the dimension of sizes.
        control: the dimension to draw along.
        samples: the quenched disorder, then the replicas within it.

    Raises:
        DatasetError: `ds` is no dataset; the variable is not there, or has more than one value of a label.

    >>> from mbsim import figures, fss
    >>> ax = figures.teacher_figure(fss.planted([64]).sel(N=64))
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['by chance of replicas', 'one teacher']
    """
    critical = need_records(critical, "critical", "mbsim.fss.midpoint(ds)")
    values = one_curve(ds, order_parameter, size, control, samples)
    ax = axes(ax)
    m, students = values[control].to_numpy(), values.to_numpy().astype(float)
    if students.shape[0] < 2:
        return say_instead(ax, "one teacher tells nothing of the others")
    off = resample.teacher_means(students) - resample.mean(students)
    noise = 1.96 * np.sqrt(_chance(students))
    ax.fill_between(m, -noise, noise, color="0.85", linewidth=0, label="by chance of replicas", zorder=0)
    for place, one in enumerate(off):
        style: dict[str, Any] = {"color": look(place).color, "marker": ".", "markersize": 4, "linewidth": 0.7}
        ax.plot(m, one, label="one teacher" if not place else "_", **style)
    ax.axhline(0, **GUIDE)
    here = {str(key): one.item() for key, one in values.coords.items() if one.ndim == 0}
    own = [one for one in critical if all(here.get(k, v) == v for k, v in one.labels.items())]
    range_drawn(ax, m, [one.m_c for one in own])
    ax.set_xlabel(axis_label(values[control], control))
    ax.set_ylabel("teacher − mean of teachers")
    ax.legend()
    return ax


def one_curve(
    ds: xr.Dataset, order_parameter: str | None, size: str, control: str, samples: tuple[str, str]
) -> xr.DataArray:
    """The order parameter over (*samples, control), of a dataset with one value of every label.

    Raises:
        DatasetError: a label has more than one value.
    """
    name = order_parameter_of(need_dataset(ds), order_parameter)
    values = samples_of(ds, name, Design(size, control, samples))
    return one_of_each(values, control, *samples)


def between_teachers(students: Array) -> Array:
    """The standard deviation between teachers of the order parameter, without the chance of their replicas.

        s² = Var_t[ mean_r q_tr ] - mean_t[ Var_r q_tr / R_t ],    not below 0

    Args:
        students: q, shape (teacher, replica, point), NaN where a student did not run.

    Returns shape (point,); NaN with fewer than two teachers, or one replica only.

    >>> students = np.random.default_rng(0).normal(size=(400, 50, 1)) + np.repeat([[[0.0]], [[4.0]]], 200, 0)
    >>> between_teachers(students).round(1)
    array([2.])
    """
    means, noise = resample.teacher_means(students), _chance(students)
    count = np.isfinite(means).sum(axis=0)
    centred = np.where(np.isfinite(means), means - resample.mean(students), 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        between = (centred**2).sum(axis=0) / (count - 1)
        return np.where(count > 1, np.sqrt(np.maximum(between - noise, 0.0)), np.nan)


def _chance(students: Array) -> Array:
    """mean_t[ Var_r q_tr / R_t ] over the teachers with two or more replicas, shape (point,)."""
    count = np.isfinite(students).sum(axis=1)
    centred = students - resample.teacher_means(students)[:, None]
    squares = np.where(np.isfinite(students), centred**2, 0.0).sum(axis=1)
    enough = count > 1
    noise = np.where(enough, squares / np.where(enough, count * (count - 1), 1), 0.0).sum(axis=0)
    teachers = enough.sum(axis=0)
    return np.where(teachers > 0, noise / np.maximum(teachers, 1), np.nan)
