"""`ds.mbsim` is the free functions, no more; datasets of mbsim have it without an import."""

import inspect
import subprocess
import sys

import pytest
import xarray as xr

import mbsim
from mbsim import fss
from mbsim.accessor import MbsimAccessor

METHODS = [name for name, _ in inspect.getmembers(MbsimAccessor, inspect.isfunction) if name[0] != "_"]


def test_the_functions_that_take_a_dataset_are_there():
    assert METHODS == ["analyze", "collapse", "estimates", "hysteresis", "summaries", "transition_order"]


@pytest.mark.parametrize("name", METHODS)
def test_each_method_calls_its_function_with_the_dataset_first(name, monkeypatch):
    called = []
    monkeypatch.setattr(fss, name, lambda *arguments, **options: called.append((arguments, options)) or name)
    ds = xr.Dataset({"q": ("m", [1.0, 2.0])})
    assert getattr(ds.mbsim, name)("q", size="L", bootstrap=7) == name
    [((first, second), options)] = called
    assert first is ds and second == "q" and options == {"size": "L", "bootstrap": 7}


def test_opening_a_run_registers_it_and_loads_neither_jax_nor_figures():
    code = (
        "import sys, mbsim; mbsim.open_run; import xarray as xr; xr.Dataset().mbsim;"
        "sys.exit(bool({'jax', 'matplotlib', 'jinja2', 'scipy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert mbsim.open_run.__module__ == "mbsim.data.dataset"
