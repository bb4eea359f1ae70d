"""Compiled loops that outlast the process: loaded where they are the same, and never where they are not."""

import numpy as np
import pytest
from numba import config, njit
from numba.core import event
from numba.core.caching import FunctionCache
from students import labels, one_device

from mbsim.kernel import ensemble, networks
from mbsim.kernel.native import compiled, kept


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))
    return tmp_path


def made_for(number):
    """A function as another process would make it: new, of the same name."""

    @njit
    def add(x):
        return x + number

    return kept.keep(add, number)


def compilations(function, *arguments):
    with event.install_recorder("numba:compile") as seen:
        result = function(*arguments)
    return len(seen.buffer) // 2, result  # each has a beginning and an end


def test_what_was_made_for_the_same_is_loaded(folder):
    assert compilations(made_for(1), 5) == (1, 6)
    assert compilations(made_for(1), 5) == (0, 6)
    assert compilations(made_for(2), 5) == (1, 7)
    assert compilations(made_for(1), 5.0) == (1, 6.0)


def test_damaged_files_cost_the_compiling(folder):
    made_for(1)(5)
    files = list(folder.rglob("*.nb?"))
    assert len(files) == 2
    for file in files:
        file.write_bytes(file.read_bytes()[:100])
    assert compilations(made_for(1), 5) == (1, 6)
    assert compilations(made_for(1), 5) == (0, 6)


def test_a_disk_that_fails_costs_the_compiling(monkeypatch):
    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(FunctionCache, "load_overload", fail)
    monkeypatch.setattr(FunctionCache, "save_overload", fail)
    assert compilations(made_for(1), 5) == (1, 6)


def test_other_sources_are_other_functions(folder, tmp_path, monkeypatch):
    made_for(1)(5)
    (tmp_path / "kept.py").write_text("# another")
    monkeypatch.setattr(kept, "__file__", str(tmp_path / "kept.py"))
    kept._sources.cache_clear()
    assert compilations(made_for(1), 5) == (1, 6)
    kept._sources.cache_clear()


def test_all_that_training_compiles_is_kept():
    """What another process finds: nothing to compile, and the same numbers."""

    def train():
        teacher = networks.draw_teacher(9, 9, 9, 3, True, 1, 0)
        return ensemble.train(
            teacher,
            labels([3, 5], 2),
            np.arange(3),
            seed=1,
            N=9,
            teacher_label=0,
            train_output=True,
            dynamics=ensemble.Dynamics("random"),
            test_size=40,
            mesh=one_device(),
            engine="native",
        )

    _, before = train()
    compiled.trainer.cache_clear()
    compiled.examiner.cache_clear()
    count, (_, after) = compilations(train)
    assert count == 0
    np.testing.assert_array_equal(before.w, after.w)
