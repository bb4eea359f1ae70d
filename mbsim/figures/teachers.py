"""How teachers differ: the order parameter of each one, and how far they scatter about their mean."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import NDArray

from mbsim.errors import DatasetError
from mbsim.figures.style import CURVE, axes, axis_label, in_own_settings, look, range_drawn
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
    """The order parameter against the control, a thin line for each teacher, the mean of all with its error.

    The line of a teacher is the mean over its replicas; bars are one standard error of the mean over teachers.

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
    >>> ds = fss.planted([64])
    >>> ax = figures.teacher_figure(ds.sel(N=64))
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['each teacher', 'mean']
    """
    critical = need_records(critical, "critical", "mbsim.fss.midpoint(ds)")
    values = one_curve(ds, order_parameter, size, control, samples)
    ax = axes(ax)
    m, students = values[control].to_numpy(), values.to_numpy().astype(float)
    style, each = look(0), resample.teacher_means(students)
    for place, one in enumerate(each):
        ax.plot(m, one, color="0.6", linewidth=0.6, label="_" if place else "each teacher", zorder=1)
    mean, error = resample.mean(students), np.nan_to_num(resample.standard_error(students))
    ran = np.isfinite(mean)
    ax.errorbar(m[ran], mean[ran], yerr=error[ran], label="mean", **style._asdict(), **CURVE, zorder=2)
    here = {str(key): one.item() for key, one in values.coords.items() if one.ndim == 0}
    own = [one for one in critical if all(here.get(k, v) == v for k, v in one.labels.items())]
    range_drawn(ax, m, [one.m_c for one in own])
    ax.set_xlabel(axis_label(values[control], control))
    ax.set_ylabel("order parameter")
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
    others = [dim for dim in values.dims if dim not in (control, *samples)]
    for dim in others:
        if values.sizes[dim] > 1:
            raise DatasetError(
                f"{dim} has {values.sizes[dim]} values, and a panel shows one: select it first"
            )
    return values.squeeze(others)


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
    present = np.isfinite(students)
    count = present.sum(axis=1)
    means = resample.teacher_means(students)
    squares = np.where(present, (students - means[:, None]) ** 2, 0.0).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        noise = np.where(count > 1, squares / (count - 1) / count, np.nan)
        teachers = np.isfinite(noise)
        known = np.where(teachers, means, 0.0)
        total = teachers.sum(axis=0)
        centred = np.where(teachers, means - known.sum(axis=0) / total, 0.0)
        between = (centred**2).sum(axis=0) / (total - 1)
        chance = np.where(teachers, noise, 0.0).sum(axis=0) / total
        return np.where(total > 1, np.sqrt(np.maximum(between - chance, 0.0)), np.nan)
