"""mbsim: how large must the mini-batch be for a two-layer network to learn its teacher?

    ds = mbsim.run("configs/quickstart.toml", "runs/quickstart")    # train the grid, or what is missing of it
    ds = mbsim.open_run("runs/quickstart")                          # the labelled xarray.Dataset
    ds.mbsim.analyze()                                              # m_c for each (N, d), and more
    mbsim.fss.midpoint(ds)                                          # the same as functions of a dataset

A configuration is a TOML file, a dict, or a `Config`; `load_config` reads and checks one. `observable`,
`activation` and `optimizer` register what a script of one's own defines, and `unregister` frees its name. What a
user can put right raises a subclass of `MbsimError`, whose text is one line for each thing that is wrong.

Everything is imported when first used: importing mbsim, or reading a dataset, does not start JAX.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mbsim import figures, fss, theory
    from mbsim.config.configuration import Config, load_config
    from mbsim.data.merge import concat
    from mbsim.errors import ConfigError, DatasetError, MbsimError, RunFolderError
    from mbsim.face import export, open_run, run, unregister
    from mbsim.physics.activations import activation
    from mbsim.physics.observables import observable
    from mbsim.physics.optimisers import optimizer
    from mbsim.registry import RegistrationError
    from mbsim.running.interrupts import Interrupted
    from mbsim.running.progress import Progress
    from mbsim.running.runner import DiskFull, UnitsFailed
    from mbsim.running.training import SelfCheckFailed
    from mbsim.theory.checks import TheoryError

    __version__: str

__all__ = [
    "Config",
    "ConfigError",
    "DatasetError",
    "DiskFull",
    "Interrupted",
    "MbsimError",
    "Progress",
    "RegistrationError",
    "RunFolderError",
    "SelfCheckFailed",
    "TheoryError",
    "UnitsFailed",
    "__version__",
    "activation",
    "concat",
    "export",
    "figures",
    "fss",
    "load_config",
    "observable",
    "open_run",
    "optimizer",
    "run",
    "theory",
    "unregister",
]

_MODULES = ("figures", "fss", "theory")
_HOMES = {
    "config.configuration": ("Config", "load_config"),
    "data.merge": ("concat",),
    "errors": ("ConfigError", "DatasetError", "MbsimError", "RunFolderError"),
    "face": ("export", "open_run", "run", "unregister"),
    "physics.activations": ("activation",),
    "physics.observables": ("observable",),
    "physics.optimisers": ("optimizer",),
    "registry": ("RegistrationError",),
    "running.interrupts": ("Interrupted",),
    "running.progress": ("Progress",),
    "running.runner": ("DiskFull", "UnitsFailed"),
    "running.training": ("SelfCheckFailed",),
    "theory.checks": ("TheoryError",),
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("mbsim")
    if name in _MODULES:
        return importlib.import_module(f"mbsim.{name}")
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"mbsim.{home}"), name)
    raise AttributeError(f"module 'mbsim' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
