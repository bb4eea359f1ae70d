"""mbsim: how large must the mini-batch be for a two-layer network to learn its teacher?

    ds = mbsim.run("configs/quickstart.toml", "runs/quickstart")    # train the grid, or what is missing of it
    ds = mbsim.open_run("runs/quickstart")                          # the labelled xarray.Dataset
    mbsim.fss.midpoint(ds)                                          # m_c for each (N, d), with 95 % intervals

`load_config` reads and checks a configuration. Everything is imported when first used: reading a dataset does
not start JAX.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mbsim import figures, fss
    from mbsim.config.configuration import load_config
    from mbsim.data.dataset import export, open_run
    from mbsim.run.runner import run

__all__ = ["export", "figures", "fss", "load_config", "open_run", "run"]

_HOMES = {
    "export": "data.dataset",
    "load_config": "config.configuration",
    "open_run": "data.dataset",
    "run": "run.runner",
}


def __getattr__(name: str) -> Any:
    if name in ("figures", "fss"):
        return importlib.import_module(f"mbsim.{name}")
    if name in _HOMES:
        return getattr(importlib.import_module(f"mbsim.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'mbsim' has no attribute {name!r}")
