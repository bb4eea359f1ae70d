"""Eight virtual CPU devices, strict shapes, and a place of their own for compiled loops: set before JAX and
numba start.
"""

import atexit
import os
import shutil
import tempfile

if "NUMBA_CACHE_DIR" not in os.environ:  # workers and commands inherit it
    os.environ["NUMBA_CACHE_DIR"] = tempfile.mkdtemp(prefix="mbsim-tests-")
    atexit.register(shutil.rmtree, os.environ["NUMBA_CACHE_DIR"], ignore_errors=True)

import jax
import pytest

jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run of made-up numbers that tests copy and do not change."""
    from small_runs import fill, small_config

    from mbsim.data.store import RunFolder

    folder = RunFolder.create_or_open(tmp_path_factory.mktemp("runs") / "finished", small_config())
    fill(folder)
    return folder


@pytest.fixture
def folder(finished, tmp_path):
    """A copy of it."""
    from mbsim.data.store import RunFolder

    shutil.copytree(finished.path, tmp_path / "run")
    return RunFolder.open(tmp_path / "run")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A copy of the package, for processes that are stopped, and what they compile."""
    from processes import copy_of_package

    return copy_of_package(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def layouts_apart(monkeypatch):
    """Each width of words has a layout of its own, as where a device is full of students."""
    from mbsim.engines.pallas import targets

    monkeypatch.setattr(targets, "AT_ONCE", {"gpu": 0, "tpu": 0})
