"""`ds.mbsim`: the analysis as methods of a dataset.

Thin: each method is the free function of the same name with the dataset put first, and takes its arguments.
Datasets of `mbsim.open_run` and `mbsim.run` have it; for others `import mbsim.accessor`.

    ds = mbsim.open_run("runs/quickstart")
    ds.mbsim.transition_order(bootstrap=200)

Reference: xarray, "Extending xarray using accessors".
"""

from typing import TYPE_CHECKING, Any

import xarray as xr

import mbsim

if TYPE_CHECKING:
    from mbsim.fss import Analysis, Collapse, Critical, Hysteresis, Verdict


@xr.register_dataset_accessor("mbsim")
class MbsimAccessor:
    """Finite-size scaling of this dataset; see `mbsim.fss` for arguments, results and errors."""

    def __init__(self, ds: xr.Dataset):
        self._ds = ds

    def summaries(self, *arguments: Any, **options: Any) -> xr.Dataset:
        """`fss.summaries`: means, cumulants and success against m, with intervals."""
        return mbsim.fss.summaries(self._ds, *arguments, **options)

    def estimates(self, *arguments: Any, **options: Any) -> "list[Critical]":
        """`fss.estimates`: m_c at each (N, d) by each estimator."""
        return mbsim.fss.estimates(self._ds, *arguments, **options)

    def collapse(self, *arguments: Any, **options: Any) -> "list[Collapse]":
        """`fss.collapse`: all sizes on one curve."""
        return mbsim.fss.collapse(self._ds, *arguments, **options)

    def transition_order(self, *arguments: Any, **options: Any) -> "list[Verdict]":
        """`fss.transition_order`: first or second, and on what evidence."""
        return mbsim.fss.transition_order(self._ds, *arguments, **options)

    def hysteresis(self, *arguments: Any, **options: Any) -> "list[Hysteresis]":
        """`fss.hysteresis`: the loop between random and planted starts."""
        return mbsim.fss.hysteresis(self._ds, *arguments, **options)

    def analyze(self, *arguments: Any, **options: Any) -> "Analysis":
        """`fss.analyze`: all of it."""
        return mbsim.fss.analyze(self._ds, *arguments, **options)
