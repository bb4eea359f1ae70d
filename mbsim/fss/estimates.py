"""Every estimator of m_c(N, d)."""

from collections.abc import Sequence

import xarray as xr

from mbsim.fss.lanes import SAMPLES
from mbsim.fss.table import Critical

ESTIMATORS = ("midpoint", "susceptibility", "binder_crossing", "success_crossing", "perfect_recovery")


def estimates(
    ds: xr.Dataset,
    estimators: Sequence[str] = ESTIMATORS,
    order_parameter: str = "overlap_mean",
    *,
    size: str = "N",
    control: str = "m",
    samples: tuple[str, str] = SAMPLES,
    bootstrap: int = 1000,
    seed: int = 0,
) -> list[Critical]:
    """m_c by each estimator. Crossings carry labels size and f"{size}_next"."""
    raise NotImplementedError
