"""Planted rises of an order parameter at a known m_c, with students scattered about them."""

import numpy as np
import xarray as xr

GRID = np.arange(10, 27)


PLANTED = 17.3


def logistic(z):
    return 1 / (1 + np.exp(-np.clip(z, -50, 50)))


def overlap(m, m_c, width=1.0, low=0.2, slope=0.0):
    """A logistic rise from a branch that goes through `low` at m_c with a slope, to 1."""
    s = logistic((m - m_c) / width)
    return (low + slope * (m - m_c)) * (1 - s) + s


def students(m_c=PLANTED, m=GRID, teachers=4, replicas=8, noise=0.02, seed=0, **shape):
    """Students (teacher, replica, point) of one planted curve, with noise in every one."""
    rng = np.random.default_rng(seed)
    return overlap(m, m_c, **shape) + noise * rng.normal(size=(teachers, replicas, len(m)))


def dataset(by_size, m=GRID, **coords):
    """A dataset from {N: students}."""
    values = np.stack(list(by_size.values()))
    return xr.Dataset(
        {"overlap_mean": (("N", "teacher", "replica", "m"), values)}, coords={"N": list(by_size), "m": m}
    ).assign_coords(coords)
