"""How long the whole analysis takes: 5 sizes x 30 m x 16 teachers x 64 replicas, 1,000 resamples.

    python benchmarks/fss.py

Prints one line for each function of `mbsim.fss` and one for all of them; the goal is 20 s on two cores.
"""

import time

import numpy as np
import xarray as xr

from mbsim import fss
from mbsim.text import aligned

SIZES, TEACHERS, REPLICAS = (64, 128, 256, 512, 1024), 16, 64
GRID = np.arange(4, 34)


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


def main() -> None:
    """Time each part, then all."""
    ds = dataset()
    critical = fss.estimates(ds)
    parts = {
        "summaries": lambda: fss.summaries(ds),
        "estimates": lambda: fss.estimates(ds),
        "extrapolate": lambda: fss.extrapolate(critical),
        "collapse": lambda: fss.collapse(ds),
        "transition_order": lambda: fss.transition_order(ds),
        "analyze, all of it": lambda: fss.analyze(ds),
    }
    rows = [["part", "seconds"]]
    for name, part in parts.items():
        start = time.perf_counter()
        part()
        rows.append([name, f"{time.perf_counter() - start:.2f}"])
    print(aligned(rows))


if __name__ == "__main__":
    main()
