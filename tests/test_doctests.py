"""Every public function of fss, figures and theory has an example, and what the examples show is what happens."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

from mbsim import figures, fss, report, theory
from mbsim.figures import theory as theory_figures
from mbsim.theory import committees, integrals, linear, order_parameters, scaling

PACKAGES = (fss, figures, theory, report)
MODULES = [
    name
    for package in PACKAGES
    for name in (
        package.__name__,
        *(f"{package.__name__}.{one.name}" for one in pkgutil.iter_modules(package.__path__)),
    )
]
THEORY = (committees, integrals, linear, order_parameters, scaling, theory_figures)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_show_what_happens(name):
    found = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert found.failed == 0


def public():
    for package in (fss, figures):
        for name in package.__all__:
            yield f"{package.__name__}.{name}", getattr(package, name)
    for module in THEORY:
        for name, one in vars(module).items():
            if inspect.isfunction(one) and one.__module__ == module.__name__ and name[0] != "_":
                yield f"{module.__name__}.{name}", one


@pytest.mark.parametrize(
    ("name", "function"), [(name, one) for name, one in public() if inspect.isfunction(one)]
)
def test_every_public_function_has_an_example(name, function):
    assert ">>>" in (function.__doc__ or "")
