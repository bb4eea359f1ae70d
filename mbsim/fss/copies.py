"""Students that are copies of one another, as runs with one seed are: they tell no more than one of them.

Whole curves over the control are compared, and two that agree are copies unless chance explains it:

* Where there are three values or more, all students of two teachers that agree are copies. Of a single student the
  chance that it shares the curve v_1, v_2, ... of another is taken for Π_m f_m(v_m), f_m the share of the value
  among students of other curves, (1 + those with it) / (1 + all of them). Saturated values cost nothing, noise does.
* Where students have two values only, such as failed and succeeded, those of one teacher may all agree because the
  teacher decides. Two teachers agree in all R replicas with the chance c^R, c the share of pairs of different
  replicas of the two that agree, (1 + those that do) / (1 + R (R - 1)).

Times the number of pairs a chance below `UNLIKELY` does not explain it.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

FEW_VALUES = 2
"""Students with so many values only may agree by chance."""
UNLIKELY = 1e-3


class Copies(NamedTuple):
    """teachers: those whose students all equal those of an earlier one, shape (teacher,). students: of the other
    teachers, those that equal an earlier student of them, shape (teacher, replica).
    """

    teachers: Flags
    students: Flags


def copies(values: Array) -> Copies:
    """The copies among students (teacher, replica, point), NaN where one did not run."""
    count, replicas, points = values.shape
    teachers, students = np.zeros(count, bool), np.zeros((count, replicas), bool)
    found = Copies(teachers, students)
    if not points or not np.isfinite(values).any():
        return found
    curves, repeated = _kinds(values.reshape(-1, points))
    if not repeated:
        return found
    curves = curves.reshape(count, replicas)
    many = len(np.unique(values[np.isfinite(values)][:1000])) > FEW_VALUES
    ran = np.isfinite(values).any(axis=(1, 2))
    rows, _ = _kinds(curves.astype(float))
    _, first, which, counts = np.unique(rows, return_index=True, return_inverse=True, return_counts=True)
    again = np.zeros(len(first), bool)  # teachers that agree are copies
    for kind in np.flatnonzero(counts > 1):
        again[kind] = many or _chance(curves[first[kind]]) * count**2 / 2 < UNLIKELY
    teachers[:] = again[which] & ran
    teachers[first] = False
    if many:
        students[~teachers] = _students(values[~teachers], curves[~teachers])
    return found


def without(values: Array, found: Copies) -> Array:
    """The students that are no copies, (teacher, replica, point): NaN where a teacher has fewer than others."""
    kept = values[~found.teachers]
    again = found.students[~found.teachers]
    if not again.any():
        return kept
    order = np.argsort(again, axis=1, kind="stable")
    kept = np.where(again[..., None], np.nan, kept)
    kept = np.take_along_axis(kept, order[..., None], axis=1)
    return kept[:, : int((~again).sum(axis=1).max())]


def _kinds(rows: Array) -> tuple[NDArray[np.int64], bool]:
    """A number for each row, the same for equal rows, and whether any are equal."""
    ran = np.isfinite(rows)
    sums = np.where(ran, rows, 0.0).sum(axis=1)
    if len(np.unique(sums)) == len(rows):  # no two have the same sum
        return np.arange(len(rows)), False
    rows = np.ascontiguousarray(np.where(ran, rows + 0.0, np.nan))
    whole = rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1]))).ravel()
    _, kinds = np.unique(whole, return_inverse=True)
    return kinds.ravel(), bool(kinds.max() + 1 < len(rows))


def _chance(curves: NDArray[np.int64]) -> float:
    """The chance that two teachers agree in every replica, whose curves have these numbers, (replica,)."""
    replicas = len(curves)
    agree = int((curves[:, None] == curves).sum()) - replicas
    return float(((1 + agree) / (1 + replicas * (replicas - 1))) ** replicas)


def _students(values: Array, curves: NDArray[np.int64]) -> Flags:
    """Which students, (teacher, replica), equal an earlier one and not by chance."""
    flat = values.reshape(-1, values.shape[-1])
    _, first, which, counts = np.unique(curves, return_index=True, return_inverse=True, return_counts=True)
    alike = np.zeros(flat.shape)  # how many students have the value of this one at this point
    for point in range(flat.shape[1]):
        _, value, many = np.unique(flat[:, point], return_inverse=True, return_counts=True)
        alike[:, point] = many[value]
    ran, own = np.isfinite(flat), counts[:, None]
    there = ran[first]
    shares = np.ones(there.shape)
    np.divide(1 + alike[first] - own, 1 + ran.sum(axis=0) - own, out=shares, where=there)
    chance = shares.prod(axis=1)
    unlikely = chance * (len(flat) ** 2 / 2) < UNLIKELY
    copied = (counts > 1) & (counts < len(flat)) & there.any(axis=1) & unlikely
    found = copied[which.ravel()]
    found[first] = False
    return found.reshape(curves.shape)
