"""What tests of commands share: a folder to work in, results made up, and a way to call a command.

Training is faked (random numbers that follow from the unit): `test_runner` and `test_resume` train.
"""

import shlex
import shutil
import tomllib
from pathlib import Path

import pytest
from commands import CONFIG, with_transition
from small_runs import PROVENANCE, finely_cut

from mbsim.cli import main
from mbsim.config.configuration import load_config
from mbsim.data.store import RunFolder
from mbsim.plan.times import measurement_times
from mbsim.plan.units import work_of
from mbsim.running import training


@pytest.fixture(scope="module", autouse=True)
def small_units():
    """Four work units in these runs: one of each teacher of each N."""
    with finely_cut():
        yield


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """An empty folder, but for a configuration, to work in."""
    (tmp_path / "tiny.toml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def made_up(monkeypatch):
    """Results with a transition, without training."""

    def train(launch, config, advance):
        times = len(measurement_times(config.dynamics.length, config.measure.measurements))
        advance(sum(work_of(unit, config) for unit in launch))
        return [with_transition(unit, times) for unit in launch]

    monkeypatch.setattr(training, "train_units", train)
    monkeypatch.setattr(training, "self_check", lambda *given, **named: None)


@pytest.fixture
def mbsim(capsys):
    """Calls a command; returns its exit code, standard output and standard error."""

    def call(command: str) -> tuple[int, str, str]:
        code = main(shlex.split(command))
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return code, said.out, said.err

    return call


@pytest.fixture(scope="module")
def half_of_a_run(tmp_path_factory) -> Path:
    """A run of which half is done, all of N = 9."""
    folder = RunFolder.create_or_open(tmp_path_factory.mktemp("runs"), load_config(tomllib.loads(CONFIG)))
    folder.prepare()
    for unit in folder.units[:2]:
        folder.write(unit, with_transition(unit, len(folder.times)), folder.times, PROVENANCE)
    return folder.path


@pytest.fixture
def half(here, half_of_a_run) -> RunFolder:
    """A copy of it, in the folder "half"."""
    shutil.copytree(half_of_a_run, here / "half")
    return RunFolder.open(here / "half")
