"""Samples that collapse exactly: a scaling function, noise of teachers and of students, corrections if asked.

A = s^-β/ν [ f(x) + amplitude s^-ω g(x) ] + noise,  x = (m - m_c) s^1/ν,  s = N / 64

f rises from 0.1 to 1 and g has another form, so that no change of the exponents hides it. The noise of a teacher is
shared by all its m, as a disorder is; that of a student is its own at every m, as runs at different m are.
"""

import numpy as np
import xarray as xr

M_C, INVERSE_NU, BETA_OVER_NU = 18.0, 0.5, 0.1
EXACT = {"m_c": M_C, "inverse_nu": INVERSE_NU, "beta_over_nu": BETA_OVER_NU}
SIZES = (64, 128, 256, 512)
REFERENCE = 64.0


def rise(x):
    """The master curve f."""
    return 0.1 + 0.9 / (1 + np.exp(-x))


def bend(x):
    """The form g of the correction."""
    return 1 / (1 + np.exp(-(x + 1) / 2)) ** 2


def width(x):
    """How much students scatter: most in the rise."""
    return 0.02 + 0.2 * np.exp(-np.square(x) / 8)


def exact(size, m, amplitude=0.0, omega=1.0, inverse_nu=INVERSE_NU, beta_over_nu=BETA_OVER_NU):
    """The mean without noise, and the scatter of a student, at each m."""
    s = size / REFERENCE
    x = (np.asarray(m) - M_C) * s**inverse_nu
    lift = s**-beta_over_nu
    return lift * (rise(x) + amplitude * s**-omega * bend(x)), lift * width(x)


def grid(size, points, reach=5.0, inverse_nu=INVERSE_NU):
    """Values of m that are equally spaced in x, each size with its own."""
    return np.round(M_C + np.linspace(-reach, reach, points) * (size / REFERENCE) ** -inverse_nu, 9)


def _root(x, along):
    """What makes of independent numbers those with correlation exp(-(x - x')² / 2 along²)."""
    if not along:
        return np.eye(len(x))
    correlation = np.exp(-np.square((x[:, None] - x) / along) / 2)
    return np.linalg.cholesky(correlation + 1e-9 * np.eye(len(x)))


def samples(
    teachers,
    replicas,
    seed,
    sizes=SIZES,
    points=13,
    shared=0.3,
    noise=1.0,
    amplitude=0.0,
    omega=1.0,
    along=0.0,
    **exponents,
):
    """`q` over (N, teacher, replica, m); `shared` is the scatter of teachers in units of that of students.

    along: the length in x over which a student scatters alike, as where it is the same at every m.
    """
    rng = np.random.default_rng(seed)
    grids = [grid(size, points, inverse_nu=exponents.get("inverse_nu", INVERSE_NU)) for size in sizes]
    m = np.unique(np.concatenate(grids))
    values = np.full((len(sizes), teachers, replicas, len(m)), np.nan)
    for at, (size, own) in enumerate(zip(sizes, grids, strict=True)):
        mean, scatter = exact(size, own, amplitude, omega, **exponents)
        x = (own - M_C) * (size / REFERENCE) ** exponents.get("inverse_nu", INVERSE_NU)
        students = rng.normal(size=(teachers, replicas, points)) @ _root(x, along).T + shared * rng.normal(
            size=(teachers, 1, 1)
        )
        values[at][..., np.searchsorted(m, own)] = mean + noise * scatter * students
    return xr.Dataset({"q": (("N", "teacher", "replica", "m"), values)}, {"N": list(sizes), "m": m})
