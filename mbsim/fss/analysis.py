"""The whole analysis of a dataset in one call."""

import xarray as xr

from mbsim.fss.lanes import SAMPLES
from mbsim.fss.results import Analysis


def analyze(
    ds: xr.Dataset,
    order_parameter: str = "overlap_mean",
    *,
    label: str = "init_overlap",
    size: str = "N",
    control: str = "m",
    samples: tuple[str, str] = SAMPLES,
    bootstrap: int = 1000,
    seed: int = 0,
) -> Analysis:
    """Everything that can be said of a dataset."""
    raise NotImplementedError
