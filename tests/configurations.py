"""Small configurations that are right, a way to make wrong ones of them, and the lines that these give."""

import copy

import pytest
import tomli_w

from mbsim.config.configuration import load_config
from mbsim.errors import ConfigError

VECTOR = {"model": "sparse-vector", "grid": {"N": [64, 128], "d": [3, 5], "m": [4, 8]}}
SCALAR = {"model": "sparse-scalar", "grid": {"N": [31, 63], "d": [3], "m": [32]}}


def changed(base, **values):
    """A copy of `base` with `table__key=value` or `key=value` written in; the value ... removes the key."""
    result = copy.deepcopy(base)
    for path, value in values.items():
        *tables, key = path.split("__")
        table = result
        for name in tables:
            table = table.setdefault(name, {})
        if value is ...:
            del table[key]
        else:
            table[key] = value
    return result


LARGEST = 2**24
SIZE = f"an integer from 1 to {LARGEST}"
SIZES = f"a list of different values, each {SIZE}"
NAMES = 'one of "sparse-vector", "sparse-scalar", "dense-vector", "dense-scalar"'
REAL = {"output": "vector", "student": "dense", "weights": "real"}


def error_lines(source, overrides=()):
    """The lines of the error that a configuration gives, each one line."""
    with pytest.raises(ConfigError) as caught:
        load_config(source, overrides, "--set")
    assert str(caught.value) == "\n".join(caught.value.lines)
    assert all(line == " ".join(line.splitlines()) for line in caught.value.lines)
    return list(caught.value.lines)


def each(cases):
    """Parametrize a test by changes of a configuration and the one line that they give."""
    return pytest.mark.parametrize(("values", "expected"), cases, ids=[line[:50] for _, line in cases])


def is_one_line(values, expected, folder):
    """One wrong value is one line, which begins with the file where there is one; nothing is left behind."""
    source = changed(VECTOR, **values)
    assert error_lines(source) == [expected]
    path = folder / "x.toml"
    path.write_text(tomli_w.dumps(source), encoding="utf-8")
    assert error_lines(path) == [f"{path}: {expected}"]
    assert sorted(folder.iterdir()) == [path]
