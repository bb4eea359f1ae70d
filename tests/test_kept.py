"""Compiled loops that outlast the process: loaded where they are the same, and never where they are not."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from kept_functions import compilations, expected, made_for
from numba import config
from students import labels

from mbsim.engines import ensemble
from mbsim.engines.networks import shape_of, stacked
from mbsim.engines.registers import compiled, kept
from mbsim.engines.registers.decisions import GREEDY
from mbsim.physics import teachers


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))
    return tmp_path


def test_what_was_made_for_the_same_is_loaded(folder):
    assert compilations(made_for(1), 5) == (2, expected(1, 5))
    assert compilations(made_for(1), 5) == (0, expected(1, 5))
    assert compilations(made_for(2), 5) == (2, expected(2, 5))
    assert made_for(1)(np.int32(5)) == expected(1, 5)
    assert compilations(made_for(2), 5) == (0, expected(2, 5))


PROCESS = """
import sys
sys.path.insert(0, {tests!r})
from kept_functions import compilations, made_for
for number in map(int, sys.argv[1:]):
    print(*compilations(made_for(number), 5))
"""


@pytest.mark.slow
def test_code_from_several_processes_does_not_mix(folder):
    """Numba numbers functions alike in each; all must stay themselves side by side."""

    def process(*numbers):
        program = PROCESS.format(tests=str(Path(__file__).parent))
        command = [sys.executable, "-c", program, *map(str, numbers)]
        environment = os.environ | {"NUMBA_CACHE_DIR": str(folder)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return [tuple(map(int, line.split())) for line in done.stdout.splitlines()]

    for number in (1, 2):
        assert process(number) == [(2, expected(number, 5))]
    assert process(1, 2) == [(0, expected(number, 5)) for number in (1, 2)]


ANOTHER_NUMBA = """
import sys
import numba
{change}
sys.path.insert(0, {tests!r})
from kept_functions import compilations, made_for
from mbsim.engines.registers import kept
print("pipeline_class" in kept.PART, "pipeline_class" in kept.WHOLE, *compilations(made_for(1), 5))
"""


WITHOUT_THE_SETTING = """
was = numba.core.config.LOOP_VECTORIZE
del numba.core.config.LOOP_VECTORIZE
import mbsim.engines.registers.kept
numba.core.config.LOOP_VECTORIZE = was  # this numba itself asks for it
"""


@pytest.mark.parametrize(
    ("change", "known"),
    [
        ("", True),
        ("del numba.core.typed_passes.NoPythonBackend", False),
        (WITHOUT_THE_SETTING, False),
    ],
)
def test_a_numba_whose_inside_is_another_compiles_the_same(change, known, tmp_path):
    program = ANOTHER_NUMBA.format(change=change, tests=str(Path(__file__).parent))
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.stdout.split() == [str(known), str(known), "2", str(expected(1, 5))], done.stderr


def test_files_that_are_not_what_they_should_be_cost_the_compiling(folder):
    made_for(1)(5)
    made_for(2)(5)
    files = sorted(folder.rglob("*.code"))
    assert len(files) == 2
    whole = files[0].read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    for wrong in (b"", whole[:100], bytes(flipped), files[1].read_bytes()):
        files[0].write_bytes(wrong)
        first, second = compilations(made_for(1), 5), compilations(made_for(2), 5)
        assert (first[1], second[1]) == (expected(1, 5), expected(2, 5))
        assert first[0] + second[0] == 2  # one of them
    assert compilations(made_for(1), 5)[0] + compilations(made_for(2), 5)[0] == 0  # mended


def test_a_disk_that_fails_costs_the_compiling(folder, monkeypatch):
    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    assert compilations(made_for(1), 5) == (2, expected(1, 5))
    assert not [file for file in folder.rglob("*") if file.is_file()]


def test_other_sources_are_other_functions(folder, tmp_path, monkeypatch):
    made_for(1)(5)
    (tmp_path / "kept.py").write_text("# another")
    monkeypatch.setattr(kept, "__file__", str(tmp_path / "kept.py"))
    assert compilations(made_for(1), 5) == (0, expected(1, 5)), "as they were when the package was imported"
    monkeypatch.setattr(kept, "SOURCES", kept.digest_of_sources())
    assert compilations(made_for(1), 5) == (2, expected(1, 5))


def test_functions_of_one_name_hold_the_same():
    """So that the linker may take one for the other; numba itself tells them apart by a number."""

    def held(value):
        def function():
            return value

        return kept.named(function).__qualname__

    names = [held(value) for value in (1, 2, True, 1.0, "1", np.uint8, np.int8, None, (1, 2))]
    assert len(set(names)) == len(names)
    assert held(7) == held(7)
    assert held(made_for(1)) == held(made_for(1)) != held(made_for(2))
    with pytest.raises(TypeError, match="numbers, types and functions"):
        held([1])


@pytest.mark.slow
def test_machine_code_holds_functions_of_the_package_alone(monkeypatch):
    """Of others the name would not say what they are."""
    monkeypatch.setattr(kept, "use_files", False)
    compiled.trainer.cache_clear()
    teacher = stacked([teachers.draw_teacher(9, 9, 9, 3, True, 1, 0)])
    given = dict(seed=1, N=9, train_output=True)
    ensemble.train(teacher, np.zeros(1, int), labels(4), np.arange(2), **given)
    kind = compiled.kind_of(shape_of(teacher, 9, True), 8, 1, chance=GREEDY, by_units=False)
    [made] = compiled.trainer(kind).overloads.values()
    names = [function.name for function in made.library.get_defined_functions()]
    assert len(names) > 3
    assert all("5mbsim7engines9registers" in name for name in names)


TRAIN = """
import numpy as np
from numba import njit
from numba.core import event
from mbsim.engines import ensemble
from mbsim.engines.networks import stacked
from mbsim.physics import teachers

def train():
    teacher = stacked([teachers.draw_teacher(9, 9, 9, 3, True, 1, 0)])
    zero = np.zeros(2, int)
    students = ensemble.StudentLabels(zero, np.array([3, 5]), np.arange(2), 0.0 * zero, 0.0 * zero)
    given = dict(seed=1, N=9, train_output=True, test_size=40)
    records, weights = ensemble.train(teacher, zero[:1], students, np.arange(3), **given)
    return [int(records.accepted.sum()), *np.flatnonzero(weights.w < 0).tolist()]
"""
HEAR = """
with event.install_recorder("numba:compile") as loops:
    found = train()
with event.install_recorder("numba:compile") as others:
    njit(lambda x: x + 1)(2)
print(len(loops.buffer), len(others.buffer), *found)
"""


def test_all_that_training_compiles_is_kept():
    """What one process finds after another: nothing to compile, and the same numbers."""
    command = [sys.executable, "-c", TRAIN + HEAR]
    expected, numbers = (
        list(map(int, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()))
        for _ in range(2)
    )
    compiled, heard, *found = numbers
    assert compiled == 0
    assert heard > 0
    assert found == expected[2:]
