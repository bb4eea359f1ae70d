"""Means, cumulants and success against the control, with errors over teachers and replicas."""

import xarray as xr

from mbsim.fss.lanes import SAMPLES


def summaries(
    ds: xr.Dataset,
    order_parameter: str = "overlap_mean",
    *,
    size: str = "N",
    control: str = "m",
    samples: tuple[str, str] = SAMPLES,
    bootstrap: int = 1000,
    seed: int = 0,
) -> xr.Dataset:
    """Summaries with 95 % intervals."""
    raise NotImplementedError
