"""A dataset whose transition is known: to try the analysis on, and for the examples of this package."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

M_C = 18.0
GRID = np.arange(8.0, 29.0)
TEACHERS, REPLICAS = 8, 16


def planted(
    sizes: Sequence[int] = (64, 128, 256), *, jump: bool = False, starts: bool = False, seed: int = 1
) -> xr.Dataset:
    """Order parameter `q` and `success` over (N, [init_overlap,] teacher, replica, m), with m_c = 18.

    Every student has a threshold of its own, scattered about 18 with its teacher's, and q rises there from
    0.1 to 1. The rise is a scaling function of (m - 18) N^(1/2), a continuous transition; or, with `jump`, a
    step at the threshold, as where two phases coexist.

    Args:
        sizes: the values of N.
        jump: whether q jumps.
        starts: whether there is a start at the teacher too, init_overlap = 1, that goes over at m = 12.
        seed: of the samples.

    >>> planted().sizes["m"], sorted(planted().data_vars)
    (21, ['q', 'success'])
    """
    rng = np.random.default_rng(seed)
    places = [M_C, 12.0] if starts else [M_C]
    N = np.array(sizes, float).reshape(-1, 1, 1, 1, 1)
    place = np.array(places).reshape(1, -1, 1, 1, 1)
    shape = (len(sizes), len(places), TEACHERS, REPLICAS, 1)
    scale = (N / 64) ** -0.5
    own = place + scale * (0.5 * rng.normal(size=(len(sizes), 1, TEACHERS, 1, 1)) + rng.normal(size=shape))
    x = (GRID - own) / (0.1 if jump else 1.5 * scale)
    share = 1 / (1 + np.exp(-np.clip(x, -60, 60)))
    q = 0.1 + 0.9 * share + 0.01 * rng.normal(size=share.shape)
    success = (rng.random(share.shape) < share) * 1.0
    dims = ("N", "init_overlap", "teacher", "replica", "m")
    coords = {"N": list(sizes), "init_overlap": [0.0, 1.0][: len(places)], "m": GRID}
    ds = xr.Dataset(
        {"q": (dims, q, {"long_name": "order parameter", "units": "1"}), "success": (dims, success)},
        coords,
        {"order_parameter": "q", "model": "planted"},
    )
    return ds if starts else ds.squeeze("init_overlap", drop=True)
