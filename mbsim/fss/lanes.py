"""One variable of a dataset, checked and in the order of dimensions that the analysis works in."""

import xarray as xr

from mbsim.errors import DatasetError

SAMPLES = ("teacher", "replica")
"""The levels of chance: the quenched disorder, then the replicas within it."""


def lanes(ds: xr.Dataset, name: str, control: str, samples: tuple[str, str] = SAMPLES) -> xr.DataArray:
    """The variable with dimensions (labels..., *samples, control), the control increasing.

    A sample dimension that the variable lacks is added, with one entry.

    Raises:
        DatasetError: the variable, or its control dimension, is not there.
    """
    if name not in ds:
        held = ", ".join(sorted(map(str, ds.data_vars))) or "nothing"
        raise DatasetError(f"order parameter {name!r} is not in the dataset, which holds {held}")
    values = ds[name]
    if control not in values.dims:
        held = ", ".join(map(str, values.dims))
        raise DatasetError(f"control {control!r} is no dimension of {name}, which has {held}")
    absent = [sample for sample in samples if sample not in values.dims]
    dropped = [sample for sample in absent if sample in values.coords]
    return values.drop_vars(dropped).expand_dims(absent).sortby(control).transpose(..., *samples, control)
