"""Compiled loops that outlast the process: loaded where they are the same, and never where they are not."""

import os
import subprocess
import sys
from pathlib import Path

from numba import njit
from numba.core.caching import FunctionCache

from mbsim.kernel.native import kept

TRAIN = """
import numpy as np
from numba.core import event
from mbsim.kernel import ensemble, networks
from mbsim.kernel.native import training

teacher = networks.draw_teacher(9, 9, 9, 3, True, 1, 0)
lanes = ensemble.LaneLabels(np.array([3, 5]), np.arange(2), np.zeros(2), np.zeros(2))
with event.install_recorder("numba:compile") as loops:
    records, weights = ensemble.train(
        teacher, lanes, np.arange(3), seed=1, N=9, teacher_label=0, train_output=True,
        dynamics=ensemble.Dynamics("random"), test_size=40, mesh=ensemble.lane_mesh(), engine="native",
    )
print(len(loops.buffer), records.accepted.tolist(), weights.w.sum())
"""


def train(folder: Path, program: str = TRAIN) -> tuple[int, str]:
    """Compilations in a new process, and what it computed."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    compilations, numbers = done.stdout.split(" ", 1)
    return int(compilations), numbers


def test_a_second_process_compiles_nothing_and_computes_the_same(tmp_path):
    first, numbers = train(tmp_path)
    assert first > 0
    second, again = train(tmp_path)
    assert second == 0
    assert again == numbers
    assert numbers.count("[") > 2

    for file in tmp_path.rglob("*.nbc"):  # damaged files cost the compiling, no more
        file.write_bytes(file.read_bytes()[:100])
    third, mended = train(tmp_path)
    assert third > 0
    assert mended == numbers


def test_other_sources_are_other_labels(tmp_path, monkeypatch):
    def plain():
        return 1

    label = kept._Kept(plain, "kind").label
    assert kept._Kept(plain, "kind").label == label
    assert kept._Kept(plain, "another").label != label
    (tmp_path / "kept.py").write_text("# another")
    monkeypatch.setattr(kept, "__file__", str(tmp_path / "kept.py"))
    kept._sources.cache_clear()
    assert kept._Kept(plain, "kind").label != label
    kept._sources.cache_clear()


def test_a_disk_that_fails_costs_the_compiling(monkeypatch):
    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(FunctionCache, "load_overload", fail)
    monkeypatch.setattr(FunctionCache, "save_overload", fail)
    assert kept.keep(njit(lambda x: x + 1))(2) == 3
