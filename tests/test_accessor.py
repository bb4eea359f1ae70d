"""`ds.mbsim` is the free functions, no more; datasets of mbsim have it without an import."""

import inspect
import subprocess
import sys

import pytest
import xarray as xr

import mbsim
from mbsim import figures, fss
from mbsim.accessor import MbsimAccessor

METHODS = [name for name, _ in inspect.getmembers(MbsimAccessor, inspect.isfunction) if name[0] != "_"]


def free(name):
    """The module and the function that a method stands for."""
    module = fss if name in fss.__all__ else figures
    return module, getattr(module, name)


def test_every_function_that_takes_a_dataset_is_a_method():
    def takes_a_dataset(function):
        return next(iter(inspect.signature(function).parameters), "") in ("ds", "summaries")

    functions = {name: free(name)[1] for name in (*fss.__all__, *figures.__all__)}
    named = {name for name, one in functions.items() if inspect.isfunction(one) and takes_a_dataset(one)}
    assert set(METHODS) == named - {"order_parameter_of"}


@pytest.mark.parametrize("name", METHODS)
def test_each_method_shows_the_arguments_and_the_help_of_its_function(name):
    method, function = getattr(xr.Dataset().mbsim, name), free(name)[1]
    shown, own = inspect.signature(method), inspect.signature(function)
    assert list(shown.parameters.values()) == list(own.parameters.values())[1:]
    assert shown.return_annotation == own.return_annotation
    assert (method.__name__, method.__doc__) == (name, function.__doc__)


@pytest.mark.parametrize("name", METHODS)
def test_each_method_calls_its_function_with_the_dataset_first_and_all_it_was_given(name, monkeypatch):
    called = []
    module, function = free(name)
    monkeypatch.setattr(module, name, lambda *arguments, **options: called.append((arguments, options)))
    ds, signature = xr.Dataset({"q": ("m", [1.0, 2.0])}), inspect.signature(function)
    given = {parameter: f"the {parameter}" for parameter in list(signature.parameters)[1:]}
    getattr(ds.mbsim, name)(**given)
    [(arguments, options)] = called
    bound = signature.bind(*arguments, **options).arguments
    assert bound.pop(next(iter(bound))) is ds
    assert bound == given


def test_opening_a_run_registers_it_and_loads_neither_jax_nor_figures():
    code = (
        "import sys, mbsim; mbsim.open_run; import xarray as xr; xr.Dataset().mbsim;"
        "sys.exit(bool({'jax', 'matplotlib', 'jinja2', 'scipy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert callable(mbsim.open_run)
