"""`ds.mbsim`: the analysis and its figures as methods of a dataset.

Each method is the free function of the same name in `mbsim.fss` or `mbsim.figures` with the dataset put first: it
has that function's arguments, defaults, types and documentation. Datasets of `mbsim.open_run` and `mbsim.run` have
it; for others `import mbsim.accessor`.

    ds = mbsim.open_run("runs/quickstart")
    ds.mbsim.midpoint().to_dataframe()
    ds.mbsim.summaries().sel(d=5).mbsim.summary_figure("binder")
    help(ds.mbsim.midpoint)

Neither scipy nor matplotlib is imported before a method is looked at.

Reference: xarray, "Extending xarray using accessors".
"""

from collections.abc import Callable
from types import MethodType
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar

import xarray as xr

from mbsim.lazy import Later

if TYPE_CHECKING:
    from mbsim import figures, fss
else:
    figures, fss = Later("mbsim.figures"), Later("mbsim.fss")

P = ParamSpec("P")
R = TypeVar("R")


class Method(Generic[P, R]):
    """A free function of a dataset as a method; `function` finds it, when it is first looked at."""

    def __init__(self, function: Callable[[], Callable[Concatenate[xr.Dataset, P], R]]):
        self.function = function

    def __get__(self, accessor: Any, owner: type) -> Callable[P, R]:
        function: Any = self.function()
        return function if accessor is None else MethodType(function, accessor._ds)


@xr.register_dataset_accessor("mbsim")
class MbsimAccessor:
    """Finite-size scaling of this dataset, and its figures."""

    def __init__(self, ds: xr.Dataset):
        self._ds = ds

    analyze = Method(lambda: fss.analyze)
    collapse = Method(lambda: fss.collapse)
    estimates = Method(lambda: fss.estimates)
    hysteresis = Method(lambda: fss.hysteresis)
    midpoint = Method(lambda: fss.midpoint)
    over_time = Method(lambda: fss.over_time)
    summaries = Method(lambda: fss.summaries)
    transition_order = Method(lambda: fss.transition_order)

    order_parameter_figure = Method(lambda: figures.order_parameter_figure)
    order_parameter_panels = Method(lambda: figures.order_parameter_panels)
    phase_diagram = Method(lambda: figures.phase_diagram)
    relaxation_figure = Method(lambda: figures.relaxation_figure)
    summary_figure = Method(lambda: figures.summary_figure)
    teacher_figure = Method(lambda: figures.teacher_figure)
