"""What one panel shows of a variable: some dimensions, and one value of every other."""

import xarray as xr

from mbsim.errors import DatasetError


def one_of_each(values: xr.DataArray, *dims: str, shown: str = "a panel") -> xr.DataArray:
    """The variable over those of `dims` that it has; all others hold one value and become scalars.

    Raises:
        DatasetError: another dimension holds several values; `shown` says of what.
    """
    others = [str(dim) for dim in values.dims if dim not in dims]
    for dim in others:
        if values.sizes[dim] > 1:
            raise DatasetError(
                f"{dim} has {values.sizes[dim]} values, and {shown} shows one: select it first"
            )
    return values.squeeze(others)


def summary(
    summaries: xr.Dataset, name: str, label: str, control: str, shown: str = "a panel"
) -> xr.DataArray:
    """A variable of `fss.summaries` with dimensions (label, control); a label that is a scalar becomes a dimension.

    Raises:
        DatasetError: it is not there, or another dimension holds several values.
    """
    if name not in summaries:
        held = ", ".join(sorted(map(str, summaries.data_vars))) or "nothing"
        raise DatasetError(f"{name!r} is not among the summaries, which hold {held}")
    values = one_of_each(summaries[name], label, control, shown=shown)
    if label not in values.dims:
        values = values.expand_dims(label)
    return values.transpose(label, control)
