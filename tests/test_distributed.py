"""Units on the workers of a dask cluster: the same dataset as in one process, and failures told alike."""

import importlib.metadata
import itertools
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from typing import ClassVar
from unittest.mock import MagicMock

import distributed
import numpy as np
import pytest
import xarray as xr
from distributed import LocalCluster
from small_runs import CONFIG, finely_cut, result_of

import mbsim
from mbsim.config.configuration import load_config
from mbsim.data import provenance
from mbsim.data.store import RunFolder
from mbsim.engines import devices
from mbsim.errors import ConfigError
from mbsim.plan.tasks import task_of
from mbsim.plan.units import units
from mbsim.running import cluster, runner, training


@pytest.fixture(scope="module")
def scheduler():
    """Two workers, threads of this process, so that what a test replaces is replaced there too."""
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0", protocol="tcp"
    ) as made:
        yield made.scheduler_address


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Training without JAX: random numbers that follow from the unit."""

    def train(launch, config, progress=lambda work: None, say=None):
        return [result_of(unit, len(task_of(unit, config).times)) for unit in launch]

    monkeypatch.setattr(training, "train_units", train)
    monkeypatch.setattr(training, "self_check", lambda *given, **named: None)
    monkeypatch.setattr(cluster, "LOOK", 0.1)
    monkeypatch.setattr(cluster, "POLL", 0.1)


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


def test_an_engine_that_a_worker_passes_over_is_told_here(tmp_path, scheduler, monkeypatch):
    train = training.train_units

    def wrong(launch, config, say):
        say("engine pallas: another engine is used")
        return train(launch, config)

    monkeypatch.setattr(training, "train_units", wrong)
    monkeypatch.setattr(training, "self_check", lambda config, unit, say, right: say("engine x: passed over"))
    with pytest.warns(UserWarning, match="passed over|is used") as told:
        mbsim.run(CONFIG, tmp_path / "run", dask=scheduler)
    assert {str(one.message) for one in told} == {
        "engine pallas: another engine is used",
        "engine x: passed over",
    }


def failing(monkeypatch, teacher, times):
    """Training that fails so many times for each unit of a teacher; returns how often each was tried."""
    train, tried = training.train_units, Counter()

    def out_of_memory(launch, config, **named):
        [unit] = launch
        tried[unit] += 1
        if unit.first_teacher == teacher and tried[unit] <= times:
            raise MemoryError("no room for this teacher")
        return train(launch, config)

    monkeypatch.setattr(training, "train_units", out_of_memory)
    return tried


def test_a_unit_that_fails_three_times_is_named_and_spoils_no_other(tmp_path, scheduler, monkeypatch):
    with finely_cut(), monkeypatch.context() as patch:
        tried = failing(patch, 1, 1000)
        with pytest.raises(runner.UnitsFailed) as told:
            mbsim.run(CONFIG, tmp_path / "run", dask=scheduler)
    assert all("teacher 1" in line and line.endswith("no room for this teacher") for line in told.value.lines)
    assert len(told.value.lines) > 0
    assert {count for unit, count in tried.items() if unit.first_teacher == 1} == {3}
    whole = mbsim.run(CONFIG, tmp_path / "run", dask=scheduler)
    xr.testing.assert_identical(whole, mbsim.run(CONFIG, tmp_path / "here"))


def test_a_unit_that_fails_twice_is_tried_again(tmp_path, scheduler, monkeypatch):
    tried = failing(monkeypatch, 1, 2)
    with finely_cut():
        dataset = mbsim.run(CONFIG, tmp_path / "run", dask=scheduler)
    assert set(tried.values()) == {1, 3} and (dataset.status != 0).any()


def test_a_unit_that_ends_its_workers_is_named(monkeypatch):
    """Each time that one looks, the worker that had the unit has been replaced by another."""
    looks = itertools.count()

    class Replaced:
        refused: ClassVar[dict[str, str]] = {}

        def __init__(self, client):
            self.threads = {}

        def look(self):
            self.threads = {f"tcp://worker:{next(looks)}": 1}

    monkeypatch.setattr(cluster, "Crew", Replaced)
    monkeypatch.setattr(cluster, "LOOK", 0.0)
    monkeypatch.setattr(cluster, "POLL", 0.001)
    client, [unit, *_] = MagicMock(), units(load_config(CONFIG))
    [answer] = cluster.answers(client, [unit], load_config(CONFIG), lambda text: None)
    assert (answer.unit, answer.arrays) == (unit, {})
    assert "workers that it was given to were lost, 3 times" in answer.failure
    assert client.submit.call_count == 3


def test_how_many_workers_there_are_is_shown_and_that_there_is_none_yet(tmp_path):
    reports = []
    with LocalCluster(
        n_workers=0, threads_per_worker=1, processes=False, dashboard_address=":0", protocol="tcp"
    ) as queue:

        def listen(report):
            reports.append(report.doing)
            if report.doing.startswith("no worker"):
                queue.scale(1)  # its job begins

        mbsim.run(CONFIG, tmp_path / "run", dask=queue.scheduler_address, report=listen)
    assert reports[:3] == ["handing out units", "no worker yet: waiting for one", "1 worker"]
    assert reports[-1].startswith("training N = 9") and reports[-1].endswith(" on 1 worker")


VERSION = importlib.metadata.version


def version_of_a_worker(package: str) -> str:
    """Of jax another one, asked for in another thread than that of the tests, as workers are."""
    here = threading.current_thread() is threading.main_thread()
    return VERSION(package) if here or package != "jax" else "0.4.1"


@pytest.fixture
def other_versions(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "version", version_of_a_worker)


def test_workers_of_another_version_are_refused_by_name(tmp_path, scheduler, other_versions):
    with pytest.raises(ConfigError) as told:
        mbsim.run(CONFIG, tmp_path / "run", dask=scheduler)
    assert len(told.value.lines) == 2
    jax = importlib.metadata.version("jax")
    pattern = (
        rf"dask {scheduler}: worker tcp://\S+ is refused: it has jax 0\.4\.1, and here is {re.escape(jax)}"
    )
    assert all(re.fullmatch(pattern, line) for line in told.value.lines)
    assert not (tmp_path / "run").exists()


def commit_of_a_worker() -> str:
    return "c0ffee" if threading.current_thread() is threading.main_thread() else "decaf"


def test_workers_of_another_commit_are_refused_by_name(tmp_path, scheduler, monkeypatch):
    monkeypatch.setattr(provenance, "git_commit", commit_of_a_worker)
    with pytest.raises(ConfigError) as told:
        mbsim.run(CONFIG, tmp_path / "run", dask=scheduler)
    assert len(told.value.lines) == 2
    pattern = (
        rf"dask {scheduler}: worker tcp://\S+ is refused: it has mbsim's commit decaf, and here is c0ffee"
    )
    assert all(re.fullmatch(pattern, line) for line in told.value.lines)
    assert not (tmp_path / "run").exists()
    monkeypatch.setattr(provenance, "git_commit", lambda: "")  # installed from a wheel
    assert (mbsim.run(CONFIG, tmp_path / "run", dask=scheduler).status == 1).all()


def test_a_worker_that_comes_later_is_refused_too(scheduler, other_versions, monkeypatch):
    with distributed.Client(scheduler, set_as_default=False) as client:
        config = load_config(CONFIG)
        found = cluster.answers(client, units(config), config)
        monkeypatch.setattr(
            cluster, "raise_if_asked", MagicMock(side_effect=[None, None, StopIteration("enough")])
        )
        with pytest.warns(UserWarning, match=r"is refused: it has jax 0\.4\.1"), pytest.raises(RuntimeError):
            next(found)


def test_a_worker_computes_on_one_core_for_each_thread(scheduler, monkeypatch):
    monkeypatch.setattr(training, "train_units", lambda launch, config, **named: [{"cores": devices.cores()}])
    monkeypatch.setattr(training, "origin", lambda config, unit: {})
    config = load_config(CONFIG)
    with distributed.Client(scheduler, set_as_default=False) as client:
        found = list(cluster.answers(client, units(config), config))
    assert [answer.arrays for answer in found] == [{"cores": 1}] * len(units(config))
    assert devices.cores() == len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("nowhere", r"^dask 'nowhere': must be the address of a scheduler, tcp://HOST:PORT$"),
        ("", r"^dask '': must be the address of a scheduler, tcp://HOST:PORT$"),
        ("tcp://127.0.0.1:1", r"^dask tcp://127.0.0.1:1: no scheduler answers there; "),
    ],
)
def test_no_scheduler_is_told_and_nothing_is_written(tmp_path, monkeypatch, address, message):
    monkeypatch.setattr(cluster, "PATIENCE", 1)
    with pytest.raises(ConfigError, match=message):
        mbsim.run(CONFIG, tmp_path / "run", dask=address)
    assert not (tmp_path / "run").exists()


PROCESSES = """
name = "processes"
model = "sparse-vector"
grid = { N = [24], d = [3, 5], m = [2, 5, 8, 11], teachers = 60, replicas = 40 }
dynamics = { sweeps = 400 }
"""


class Site:
    """A scheduler and workers, processes of their own, and a folder with a configuration."""

    def __init__(self, path):
        self.path, self.processes = path, []
        (path / "config.toml").write_text(PROCESSES)
        told = path / "scheduler.json"
        self.scheduler = self._start(
            "dask_scheduler --host 127.0.0.1 --port 0 --no-dashboard --scheduler-file", told
        )
        while not told.exists():
            time.sleep(0.1)
        self.address = json.loads(told.read_text())["address"]

    def _start(self, words, *more, **shell):
        module, *arguments = words.split()
        process = subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{module}", *arguments, *map(str, more)],
            cwd=self.path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | shell,
        )  # fmt: skip
        self.processes.append(process)
        return process

    def worker(self, **shell):
        return self._start("dask_worker --nthreads 1 --no-nanny --no-dashboard", self.address, **shell)

    def worker_with(self, package, version):
        """One in whose environment another version of a package is installed, before that which is here."""
        installed = self.path / "site" / f"{package}-{version}.dist-info"
        installed.mkdir(parents=True)
        (installed / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
        return self.worker(PYTHONPATH=str(self.path / "site"))

    def run(self, out="run"):
        return subprocess.Popen(
            [sys.executable, "-m", "mbsim.cli", "run", "config.toml", "--out", out, "--dask", self.address],
            cwd=self.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def done(self) -> int:
        """Units that the folder holds."""
        if not (self.path / "run" / "config.toml").exists():
            return 0
        folder = RunFolder.open(self.path / "run")
        return len(folder.units) - len(folder.missing())

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait()


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    yield made
    made.close()


def until(condition, process, seconds=180) -> None:
    end = time.monotonic() + seconds
    while not condition() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.2)
    assert condition()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_scheduler_that_ends_is_one_line_and_the_run_goes_on(site, number):
    site.worker()
    process = site.run()
    until(lambda: site.done() >= 1, process)
    site.scheduler.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 75, errors
    stopped, advice = errors.splitlines()[-2:]
    assert re.fullmatch(
        rf"error: the scheduler at {site.address} has ended: \d+ of \d+ units are done and safe in run",
        stopped,
    )
    assert advice == f"go on with: mbsim run config.toml --out run --dask {site.address}"
    assert "Traceback" not in errors
    words = shlex.split(advice.removeprefix("go on with: mbsim "))
    alone = [sys.executable, "-m", "mbsim.cli", *words[: words.index("--dask")]]
    for command in (alone, [*alone[:-1], "whole"]):
        assert subprocess.run(command, cwd=site.path, capture_output=True).returncode == 0
    xr.testing.assert_equal(mbsim.open_run(site.path / "run"), mbsim.open_run(site.path / "whole"))


@pytest.mark.slow
def test_a_killed_worker_has_its_units_done_by_others(site):
    first, _ = site.worker(), site.worker()
    process = site.run()
    until(lambda: site.done() >= 1, process)
    first.send_signal(signal.SIGKILL)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert "failed" not in errors


@pytest.mark.slow
def test_a_run_whose_only_worker_is_killed_waits_for_the_next(site):
    first = site.worker()
    process = site.run()
    until(lambda: site.done() >= 1, process)
    first.send_signal(signal.SIGKILL)
    site.worker()
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors


@pytest.mark.slow
def test_ctrl_c_while_no_worker_has_come(site):
    process = site.run()
    until(lambda: (site.path / "run" / "config.toml").exists(), process)
    time.sleep(12)  # lines come every ten seconds
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 75
    assert f"run: a new run, on workers of {site.address}" in output
    assert "0%: no worker yet: waiting for one" in errors and "0 of " in errors.splitlines()[-2]


@pytest.mark.slow
@pytest.mark.parametrize(("package", "version"), [("mbsim", "9.9.9"), ("jax", "0.4.1")])
def test_a_worker_process_of_another_version_is_refused_by_name_and_given_nothing(site, package, version):
    site.worker_with(package, version)
    with distributed.Client(site.address, set_as_default=False) as client:
        client.wait_for_workers(1, timeout=60)
    here = importlib.metadata.version(package)
    why = (
        rf"worker tcp://\S+ is refused: it has {package} {re.escape(version)}, and here is {re.escape(here)}"
    )
    refused = site.run()
    _, errors = refused.communicate(timeout=60)
    assert refused.returncode == 2
    assert re.fullmatch(rf"error: --dask {site.address}: {why}\n", errors)
    assert not (site.path / "run").exists()
    site.worker()
    with distributed.Client(site.address, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
    process = site.run()
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert re.search(rf"^warning: {why}$", errors, re.MULTILINE)
    assert mbsim.open_run(site.path / "run").attrs[f"{package}_version"] == here  # of all units
