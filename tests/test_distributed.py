"""Units on the workers of a dask cluster: the same dataset as in one process, and failures told alike."""

import numpy as np
import pytest
import xarray as xr
from distributed import LocalCluster
from small_runs import CONFIG, result_of

import mbsim
from mbsim.errors import ConfigError
from mbsim.plan.tasks import task_of
from mbsim.running import cluster as distributed
from mbsim.running import runner, training


@pytest.fixture(scope="module")
def scheduler():
    """Two workers, threads of this process, so that what a test replaces is replaced there too."""
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None, protocol="tcp"
    ) as cluster:
        yield cluster.scheduler_address


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Training without JAX: random numbers that follow from the unit."""

    def train(launch, config, progress=lambda work: None):
        return [result_of(unit, len(task_of(unit, config).times)) for unit in launch]

    monkeypatch.setattr(training, "train_units", train)
    monkeypatch.setattr(training, "self_check", lambda config, unit, say=None: None)


def test_a_cluster_gives_the_same_dataset(tmp_path, scheduler):
    here = mbsim.run(CONFIG, tmp_path / "here")
    there = mbsim.run(CONFIG, tmp_path / "there", dask=scheduler)
    xr.testing.assert_identical(here, there)
    assert (there.status == 1).any()


def test_progress_counts_what_comes_in(tmp_path, scheduler):
    reports = []
    mbsim.run(CONFIG, tmp_path / "run", dask=scheduler, report=reports.append)
    assert reports[-1].units_done == reports[-1].units
    assert reports[-1].proposals_done == reports[-1].proposals
    assert np.all(np.diff([report.units_done for report in reports]) >= 0)


def test_a_unit_that_fails_spoils_no_other(tmp_path, scheduler, monkeypatch):
    train = training.train_units

    def out_of_memory(launch, config):
        if any(unit.teacher == 1 for unit in launch):
            raise MemoryError("no room for this teacher")
        return train(launch, config)

    monkeypatch.setattr(training, "train_units", out_of_memory)
    with pytest.raises(runner.UnitsFailed) as told:
        mbsim.run(CONFIG, tmp_path / "run", dask=scheduler)
    assert all("t0001" in line and line.endswith("no room for this teacher") for line in told.value.lines)
    monkeypatch.setattr(training, "train_units", train)
    whole = mbsim.run(CONFIG, tmp_path / "run", dask=scheduler)
    xr.testing.assert_identical(whole, mbsim.run(CONFIG, tmp_path / "here"))


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("nowhere", r"^dask 'nowhere': must be the address of a scheduler, tcp://HOST:PORT$"),
        ("", r"^dask '': must be the address of a scheduler, tcp://HOST:PORT$"),
        ("tcp://127.0.0.1:1", r"^dask tcp://127.0.0.1:1: no scheduler answers there; "),
    ],
)
def test_no_scheduler_is_told_and_nothing_is_written(tmp_path, monkeypatch, address, message):
    monkeypatch.setattr(distributed, "PATIENCE", 1)
    with pytest.raises(ConfigError, match=message):
        mbsim.run(CONFIG, tmp_path / "run", dask=address)
    assert not (tmp_path / "run").exists()
