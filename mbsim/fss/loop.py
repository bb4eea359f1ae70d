"""Hysteresis between random and planted starts."""

import xarray as xr

from mbsim.fss.lanes import SAMPLES
from mbsim.fss.results import Hysteresis


def hysteresis(
    ds: xr.Dataset,
    order_parameter: str = "overlap_mean",
    *,
    label: str = "init_overlap",
    size: str = "N",
    control: str = "m",
    samples: tuple[str, str] = SAMPLES,
    bootstrap: int = 1000,
    seed: int = 0,
) -> list[Hysteresis]:
    """The loop for each size and combination of labels; empty if the dataset lacks a second start."""
    raise NotImplementedError
