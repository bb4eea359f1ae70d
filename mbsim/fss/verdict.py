"""The order of the transition."""

import xarray as xr

from mbsim.fss.lanes import SAMPLES
from mbsim.fss.results import Verdict


def transition_order(
    ds: xr.Dataset,
    order_parameter: str = "overlap_mean",
    *,
    label: str = "init_overlap",
    size: str = "N",
    control: str = "m",
    samples: tuple[str, str] = SAMPLES,
    bootstrap: int = 1000,
    seed: int = 0,
) -> list[Verdict]:
    """The verdict for each combination of labels (without the size and `label`)."""
    raise NotImplementedError
