"""Data collapse."""

import xarray as xr

from mbsim.fss.lanes import SAMPLES
from mbsim.fss.results import Collapse


def collapse(
    ds: xr.Dataset,
    order_parameter: str = "overlap_mean",
    *,
    quantity: str = "mean",
    m_c: float | None = None,
    nu: float | None = None,
    beta: float | None = None,
    correction: float | None = None,
    window: tuple[float, float] | None = None,
    size: str = "N",
    control: str = "m",
    samples: tuple[str, str] = SAMPLES,
    bootstrap: int = 1000,
    seed: int = 0,
) -> list[Collapse]:
    """A collapse for each combination of labels."""
    raise NotImplementedError
