"""`mbsim.run`: what it computes follows from its own time series, in memory as on disk, whatever fails."""

import signal
import sys
from itertools import pairwise

import numpy as np
import pytest
import xarray as xr
from small_runs import CONFIG, SCALAR, finely_cut, result_of

import mbsim
from mbsim.config.configuration import load_config
from mbsim.engines import choose
from mbsim.engines import known_answers as selfcheck
from mbsim.errors import ConfigError
from mbsim.plan import tasks
from mbsim.plan.memory import dataset_bytes
from mbsim.plan.tasks import Limits, task_of
from mbsim.plan.units import units, work_of
from mbsim.running import interrupts, progress, runner, training
from mbsim.running.progress import Progress, Reporter


@pytest.fixture(scope="module")
def reports() -> list[Progress]:
    return []


@pytest.fixture(scope="module", autouse=True)
def no_self_check():
    """The self-check has its own tests, and takes seconds to compile."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(selfcheck, "passes", lambda *case, **_: True)
        with finely_cut():
            yield


@pytest.fixture(scope="module")
def trained(tmp_path_factory, reports) -> xr.Dataset:
    """A run on disk; its reports are kept."""
    return mbsim.run(CONFIG, tmp_path_factory.mktemp("runs") / "run", report=reports.append)


@pytest.fixture(scope="module")
def scalar() -> xr.Dataset:
    return mbsim.run(SCALAR)


ONE_UNIT = Limits(1e12, 10**6, 1)  # a teacher at a time


@pytest.fixture
def quick(monkeypatch):
    """Training without JAX: random numbers that follow from the unit."""

    def train(launch, config, advance):
        advance(sum(work_of(unit, config) for unit in launch))
        return [result_of(unit, len(task_of(unit, config).times)) for unit in launch]

    monkeypatch.setattr(training, "train_units", train)


# -- what is computed


def test_memory_and_disk_give_the_same_numbers(trained):
    in_memory = mbsim.run(CONFIG)
    assert in_memory.drop_attrs(deep=False).identical(trained.drop_attrs(deep=False))
    assert in_memory.attrs.keys() == trained.attrs.keys()
    assert in_memory.attrs["config_hash"] == load_config(CONFIG).hash


def test_every_lane_has_run(trained):
    assert (trained.status == 1).all()
    assert trained.sizes == {
        "N": 1, "d": 1, "init_overlap": 2, "temperature": 2, "m": 2, "teacher": 2, "replica": 3, "time": 14
    }  # fmt: skip


@pytest.mark.parametrize("name", ["overlap", "generalization_error"])
def test_tail_moments_are_those_of_the_series(trained, name):
    tail = trained[name].values[..., trained.time.values > 30].astype(float)  # the last quarter of 40 sweeps
    assert tail.shape[-1] == 8
    for moment, power in (("mean", 1), ("second", 2), ("fourth", 4)):
        expected = (tail**power).mean(axis=-1)
        np.testing.assert_allclose(trained[f"{name}_{moment}"], expected, rtol=1e-6, atol=1e-9)
    assert trained[f"{name}_mean"].std() > 0.1


@pytest.mark.parametrize("kind", ["vector", "scalar"])
def test_success_is_where_the_teacher_is_met(kind, request):
    """Vector output: the overlap is one. Scalar output: no test example is wrong."""
    ds = request.getfixturevalue("trained" if kind == "vector" else "scalar")
    met = ds.overlap.values == 1 if kind == "vector" else ds.generalization_error.values == 0
    assert 0 < met[..., -1].mean() < 1
    np.testing.assert_array_equal(ds.success, met[..., -1])
    first = np.where(met.any(axis=-1), ds.time.values[met.argmax(axis=-1)], np.nan)
    np.testing.assert_array_equal(ds.success_time, first)
    assert np.isnan(first).any()


def test_lanes_stand_at_their_labels(trained, scalar):
    for ds in (trained, scalar):
        start = ds.isel(time=0)
        assert (start.overlap.sel(init_overlap=1) == 1).all()
        assert (start.generalization_error.sel(init_overlap=1) == 0).all()
        assert abs(float(start.overlap.sel(init_overlap=0).mean())) < 0.2
        planted = ds.overlap_mean.sel(init_overlap=1).mean(("N", "d", "teacher", "replica"))
        cold, hot = planted.isel(m=1, temperature=0), planted.isel(m=0, temperature=1)
        assert float(cold) > 0.9  # most flips make errors, and are refused
        assert float(hot) < 0.3


def test_fractions_are_fractions(trained, scalar):
    for ds in (trained, scalar):
        assert np.isnan(ds.acceptance.isel(time=0)).all()  # nothing was proposed before
        for name in ("generalization_error", "training_error"):
            assert 0 <= float(ds[name].min()) <= float(ds[name].max()) <= 1
            assert 0.3 < float(ds[name].isel(time=0).sel(init_overlap=0).mean()) < 0.7
        rates = ds.acceptance.isel(time=slice(1, None))
        assert 0 <= float(rates.min()) <= float(rates.max()) <= 1
        assert float(rates.isel(temperature=1).mean()) > float(rates.isel(temperature=0).mean())


# -- what is told


def test_reports_lead_from_the_start_to_the_end(trained, reports):
    total = sum(work_of(unit, load_config(CONFIG)) for unit in units(load_config(CONFIG)))
    assert total == 2 * 9 * 3 * 40 * 2 * 2 * 2 * 2 * 3  # layers, units, links, sweeps, then the grid
    assert reports[0][:5] == (0, 2, 0, total, 0)
    assert reports[0].seconds_left is None
    assert reports[-1][:4] == (2, 2, total, total)
    assert reports[-1].seconds_left == 0
    for before, after in pairwise(reports):
        assert before.proposals_done <= after.proposals_done
        assert before.units_done <= after.units_done
    said = list(dict.fromkeys(report.doing for report in reports))
    assert said[0].startswith("checking")
    place = "N = 9, d = 3, m = 4 to 20, teachers 0 to 1"
    assert said[1:] == [f"compiling {place}", f"training {place}"]


def test_compiling_is_not_timed_and_a_failed_unit_does_not_count(monkeypatch):
    clock = iter([60.0, 61.0, 61.0, 62.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    first, second = units(load_config({**CONFIG, "grid": {"N": [9], "d": [3], "m": [4], "teachers": 2}}))
    told: list[Progress] = []
    reporter = Reporter(Progress(0, 2, 0, 2000, 0), told.append)
    reporter.begin_launch([first])
    reporter.advance(500)  # a minute of compiling is over
    reporter.advance(500)
    assert told[-1].rate == 500
    assert told[-1].seconds_left == 2
    reporter.unit_kept()
    reporter.begin_launch([second])
    reporter.advance(400)
    assert told[-1].rate == 450
    reporter.launch_failed()
    assert told[-1][:4] == (1, 2, 1000, 2000)


def test_what_is_done_again_is_timed_once(monkeypatch):
    clock = iter([60.0, 61.0, 62.0, 80.0, 90.0, 91.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    [unit] = units(load_config({**CONFIG, "grid": {"N": [9], "d": [3], "m": [4], "teachers": 1}}))
    told: list[Progress] = []
    reporter = Reporter(Progress(0, 1, 0, 1000, 0), told.append)
    reporter.begin_launch([unit])
    for proposals in (300, 100, 100, -500, 100, 200):  # the fourth: another engine begins anew
        reporter.advance(proposals)
    assert (told[-1].proposals_done, told[-1].timed, told[-1].seconds) == (300, 300, 11.0)
    assert all(one.rate >= 0 for one in told)


# -- what goes wrong


def test_one_failing_unit_spoils_no_other(tmp_path, monkeypatch, quick):
    monkeypatch.setitem(tasks.LIMITS, "cpu", ONE_UNIT)
    train = training.train_units
    broken = units(load_config(CONFIG))[1]

    def out_of_memory(launch, config, advance):
        if broken in launch:
            raise MemoryError("RESOURCE_EXHAUSTED: out of memory\nwith a long story")
        return train(launch, config, advance)

    monkeypatch.setattr(training, "train_units", out_of_memory)
    with pytest.raises(runner.UnitsFailed) as caught:
        mbsim.run(CONFIG, tmp_path / "run")
    assert caught.value.lines == (f"{broken}: RESOURCE_EXHAUSTED: out of memory",)
    status = mbsim.open_run(tmp_path / "run").status
    assert int((status == 0).sum()) == broken.students
    assert (status.sel(teacher=broken.first_teacher, m=list(broken.m)) == 0).all()

    monkeypatch.setattr(training, "train_units", train)
    told: list[Progress] = []
    ds = mbsim.run(CONFIG, tmp_path / "run", report=told.append)  # again: only that one
    assert told[0].units_done == 1
    assert (ds.status == 1).all()


def test_what_does_not_fit_is_refused_with_the_estimate(tmp_path, monkeypatch):
    wanted = {**CONFIG, "grid": {"N": [101], "d": [3], "m": [4], "replicas": 64}}
    needed = dataset_bytes(load_config(wanted))
    monkeypatch.setattr(runner, "host_memory", lambda: 100_000)  # too little for a unit
    with pytest.raises(ConfigError, match=r"grid.replicas = .* about .* GiB of memory") as caught:
        mbsim.run(wanted, tmp_path / "run")
    assert len(caught.value.lines) == 1
    assert not (tmp_path / "run").exists()
    monkeypatch.setattr(runner, "check_memory", lambda *_: None)
    monkeypatch.setattr(
        runner, "host_memory", lambda: needed - 1
    )  # too little for the whole dataset in memory
    with pytest.raises(ConfigError, match=r"grid.replicas = 64: the dataset .* needs about .* GiB of memory"):
        mbsim.run(wanted)


def test_what_is_too_large_for_the_memory_is_halved():
    """Down to what fits, with the numbers of all together; what one student alone cannot do is an error."""
    task = task_of(units(load_config(CONFIG)), load_config(CONFIG))
    engine = choose(task).engine
    sizes: list[int] = []

    class Small:
        most = 20

        def host_bytes(self, task):
            return 0

        def train(self, task, progress):
            sizes.append(len(task.students.m))
            progress(10)
            if sizes[-1] > self.most:
                raise MemoryError
            return engine.train(task, lambda work: None)

    told: list[int] = []
    with pytest.warns(UserWarning, match="^out of memory: .* students are trained in two halves$"):
        trained = training.train_halving(Small(), task, told.append)
    assert sizes == [48, 24, 12, 12, 24, 12, 12]
    assert sum(told) == 40  # of what was done twice, nothing counts twice
    whole = engine.train(task, lambda work: None)
    for name, values in whole.series.items():
        np.testing.assert_array_equal(trained.series[name], values)
    np.testing.assert_array_equal(trained.w, whole.w)
    Small.most = 0
    with pytest.raises(MemoryError), pytest.warns(UserWarning, match="halves"):
        training.train_halving(Small(), task, told.append)


def test_counts_stay_exact(tmp_path):
    with pytest.raises(ConfigError, match=r"grid.m = 300000: must be at most 214748 at N = 10000"):
        mbsim.run(CONFIG, tmp_path / "run", overrides=("grid.N=[10000]", "grid.m=[300000]"))
    with pytest.raises(ConfigError, match=r"measure.test_size = 300000: must be at most 214748 at N = 10000"):
        mbsim.run(CONFIG, tmp_path / "run", overrides=("grid.N=[10000]", "measure.test_size=300000"))
    assert not (tmp_path / "run").exists()


@pytest.fixture
def signals(monkeypatch):
    """What `interruptible` leaves behind in a process that is about to end is put back."""
    before = {number: signal.getsignal(number) for number in interrupts.SIGNALS}
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    for name in ("reason", "under_way"):
        monkeypatch.setattr(interrupts._Asked, name, getattr(interrupts._Asked, name))
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_dropped_signal_ends_the_run_at_the_next_report(tmp_path, monkeypatch, capsys, quick, signals):
    """Raised in a finaliser, where nothing can be raised, it comes again; others after it are not heard. What
    was left half made says nothing more as it goes.
    """

    class Finalised:
        def __del__(self):
            signal.raise_signal(signal.SIGTERM)

    class HalfMade:
        def __del__(self):
            raise AttributeError("never initialised")

    train = training.train_units

    def interrupted(launch, config, advance):
        if launch[0].first_teacher == 1:
            Finalised()
            HalfMade()
        return train(launch, config, advance)

    monkeypatch.setattr(training, "train_units", interrupted)
    monkeypatch.setitem(tasks.LIMITS, "cpu", ONE_UNIT)
    reported: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", reported.append)

    def run() -> None:
        try:
            mbsim.run(CONFIG, tmp_path / "run")
        finally:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(interrupts.Interrupted, match="SIGTERM"), interrupts.interruptible():
        run()
    assert len(list((tmp_path / "run" / "done").iterdir())) == 1
    assert capsys.readouterr().err == ""
    assert reported == []
    signal.raise_signal(signal.SIGINT)


def test_signals_are_as_before_where_none_came(signals):
    before = [signal.getsignal(number) for number in interrupts.SIGNALS]
    with interrupts.interruptible():
        assert [signal.getsignal(number) for number in interrupts.SIGNALS] != before
    assert [signal.getsignal(number) for number in interrupts.SIGNALS] == before
