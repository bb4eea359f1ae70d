"""Samples with planted m_c and exponents: scattered teachers and students, ragged grids, missing students.

Every teacher, and every student, has a threshold of its own, scattered normally about m_c as N^(-1/ν): the mean
of the order parameter then follows one scaling function exactly, and its variance peaks at m_c, by symmetry.
"""

import numpy as np
import xarray as xr

M_C = 18.0


def logistic(z):
    return 1 / (1 + np.exp(-np.clip(z, -60, 60)))


def thresholds(size, inverse_nu, teachers, replicas, rng, scatter=(0.5, 1.0), reference=64.0):
    """m_c plus the scatter of teachers and of students, shape (teacher, replica, 1)."""
    narrow = (size / reference) ** -inverse_nu
    own = scatter[0] * rng.normal(size=(teachers, 1, 1)) + scatter[1] * rng.normal(
        size=(teachers, replicas, 1)
    )
    return M_C + narrow * own


def continuous(
    grids,
    inverse_nu=0.5,
    beta_over_nu=0.0,
    teachers=8,
    replicas=32,
    noise=0.01,
    scatter=(0.5, 1.0),
    seed=0,
    gaps=0.0,
):
    """Order parameter `q` = N^-β/ν f(x), f a logistic rise of x = (m - threshold) N^1/ν; grids: {N: m}.

    `success` is one with probability f(2x), so that its curves cross at m_c.
    """
    rng = np.random.default_rng(seed)
    m = np.unique(np.concatenate([np.asarray(grid, float) for grid in grids.values()]))
    shape = (len(grids), teachers, replicas, len(m))
    values = {name: np.full(shape, np.nan) for name in ("q", "success")}
    for at, (size, grid) in enumerate(grids.items()):
        grid = np.asarray(grid, float)
        own = thresholds(size, inverse_nu, teachers, replicas, rng, scatter)
        x = (grid - own) * (size / 64) ** inverse_nu
        q = (size / 64) ** -beta_over_nu * (0.1 + 0.9 * logistic(x / 1.5))
        made = {
            "q": q + noise * rng.normal(size=q.shape),
            "success": (rng.random(q.shape) < logistic(x)) * 1.0,
        }
        missing = rng.random(q.shape) < gaps
        for name, students in made.items():
            values[name][at][..., np.searchsorted(m, grid)] = np.where(missing, np.nan, students)
    dims = ("N", "teacher", "replica", "m")
    return xr.Dataset({name: (dims, one) for name, one in values.items()}, {"N": list(grids), "m": m})


def loop(sizes, grid, up, down, teachers=8, replicas=16, noise=0.02, scatter=0.3, seed=0):
    """Order parameter `q` of random and planted starts that jump at `up` and `down`, {N: m} each."""
    rng = np.random.default_rng(seed)
    values = np.zeros((len(sizes), 2, len(grid), teachers, replicas))
    for at, size in enumerate(sizes):
        # The teacher moves both spinodals; each branch has students of its own.
        teacher = scatter * rng.normal(size=(1, teachers, 1))
        for start, place in enumerate((up[size], down[size])):
            own = place + teacher + scatter * rng.normal(size=(1, teachers, replicas))
            jump = logistic((np.asarray(grid).reshape(-1, 1, 1) - own) / 0.15)
            values[at, start] = 0.2 + 0.75 * jump + noise * rng.normal(size=jump.shape)
    return xr.Dataset(
        {"q": (("N", "init_overlap", "m", "teacher", "replica"), values)},
        {"N": list(sizes), "init_overlap": [0.0, 1.0], "m": np.asarray(grid)},
    )
