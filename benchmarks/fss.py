"""How long the analysis takes, with 1,000 resamples.

    python benchmarks/fss.py

Of 5 sizes x 30 m x 16 teachers x 64 replicas: one line for each function of `mbsim.fss` and one for all of them; the
goal is 20 s on two cores. And one collapse of 6 sizes x 40 m, of which 3 s is the goal.
"""

import time

import numpy as np
import xarray as xr

from mbsim import fss
from mbsim.text import aligned

SIZES, TEACHERS, REPLICAS = (64, 128, 256, 512, 1024), 16, 64
GRID = np.arange(4, 34)
COLLAPSED, POINTS = (64, 128, 256, 512, 1024, 2048), 40


def dataset(seed: int = 0) -> xr.Dataset:
    """A continuous transition at m = 18 with random and planted starts alike in all that costs time."""
    rng = np.random.default_rng(seed)
    shape = (len(SIZES), 1, len(GRID), TEACHERS, REPLICAS)
    sizes = np.array(SIZES, float).reshape(-1, 1, 1, 1, 1)
    own = 0.3 * rng.normal(size=(len(SIZES), 1, 1, TEACHERS, 1)) + 0.3 * rng.normal(size=shape)
    step = 1 / (1 + np.exp(-(GRID.reshape(1, 1, -1, 1, 1) - 18 - own) * (sizes / 64) ** 0.4 / 2.5))
    overlap = 0.1 + 0.9 * step + 0.02 * rng.normal(size=shape)
    success = (overlap > 0.9).astype(float)
    times = np.where(success > 0, np.round(300 * rng.random(shape) ** 2 / 10) * 10, np.nan)
    dims = ("N", "d", "m", "teacher", "replica")
    variables = {"overlap_mean": overlap, "success": success, "success_time": times}
    variables |= {"overlap_second": overlap**2, "overlap_fourth": overlap**4}
    return xr.Dataset(
        {name: (dims, one) for name, one in variables.items()}, {"N": list(SIZES), "d": [5], "m": GRID}
    )


def collapsing(seed: int = 0) -> xr.Dataset:
    """Curves of six sizes, 40 points each, 16 teachers of 64, that collapse with m_c = 18, 1/ν = 1/2, β/ν = 1/10."""
    rng = np.random.default_rng(seed)
    x = np.linspace(-60, 60, POINTS)
    m = np.stack([18 + x * size**-0.5 for size in COLLAPSED])
    union = np.unique(m)
    q = np.full((len(COLLAPSED), 16, 64, len(union)), np.nan)
    for at, size in enumerate(COLLAPSED):
        noise = 0.05 * rng.normal(size=(16, 1, POINTS)) + 0.2 * rng.normal(size=(16, 64, POINTS))
        q[at][..., np.searchsorted(union, m[at])] = size**-0.1 * (1 / (1 + np.exp(-x / 15)) + noise)
    return xr.Dataset({"q": (("N", "teacher", "replica", "m"), q)}, {"N": list(COLLAPSED), "m": union})


def main() -> None:
    """Time each part, then all."""
    ds, planted = dataset(), collapsing()
    critical = fss.estimates(ds)
    parts = {
        "summaries": lambda: fss.summaries(ds),
        "estimates": lambda: fss.estimates(ds),
        "extrapolate": lambda: fss.extrapolate(critical),
        "collapse": lambda: fss.collapse(ds),
        "transition_order": lambda: fss.transition_order(ds),
        "analyze, all of it": lambda: fss.analyze(ds),
        "collapse, 6 x 40 points": lambda: fss.collapse(planted, "q"),
    }
    rows = [["part", "seconds"]]
    for name, part in parts.items():
        start = time.perf_counter()
        part()
        rows.append([name, f"{time.perf_counter() - start:.2f}"])
    print(aligned(rows))


if __name__ == "__main__":
    main()
