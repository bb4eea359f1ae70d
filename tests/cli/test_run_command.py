"""`mbsim run` says what it does, goes on where it was, and ends with the right code."""

import errno
import os
import re
import shlex

import pytest
import xarray as xr
from commands import MIDDLE
from small_runs import contents

from mbsim.config.configuration import load_config
from mbsim.data import store
from mbsim.data.dataset import open_run
from mbsim.errors import ConfigError
from mbsim.plan import tasks
from mbsim.plan.parts import part_of
from mbsim.plan.units import units
from mbsim.running import training


def test_run_says_what_it_does_and_finds_the_transition(mbsim, here):
    code, output, errors = mbsim("run tiny.toml")
    assert code == 0
    lines = output.splitlines()
    assert lines[0] == "tiny: sparse-vector, N = 9, 15; d = 3; m = 2, 4, 6, 8, 10, 12"
    proposals = 2 * (9 + 15) * 3 * 32 * 6 * 3 * 2
    assert lines[1] == (
        f"72 students of 4 teachers, 32 sweeps: {proposals / 1e3:.0f} k proposals in 4 units of work"
    )
    assert lines[2].startswith("runs/tiny: a new run, on 8 x cpu")
    assert lines[3].startswith("trained 4 units in")
    for (N, middle), line in zip(MIDDLE.items(), lines[5:7], strict=True):
        size, d, m_c, low, _, high, *_ = line.split()
        assert (int(size), int(d)) == (N, 3)
        assert float(low) <= middle <= float(high)
        assert abs(float(m_c) - middle) < 0.3
    assert lines[7] == "figure: runs/tiny/order_parameter.png"
    assert lines[8].endswith("mbsim report runs/tiny")
    assert "mbsim.open_run('runs/tiny')" in lines[9]
    assert (here / "runs/tiny/order_parameter.png").read_bytes().startswith(b"\x89PNG")
    assert (open_run("runs/tiny").status == 1).all()
    assert errors.splitlines()[0].startswith("0 of 4 units, 0%: checking")


def test_run_again_computes_nothing(mbsim, here, monkeypatch):
    mbsim("run tiny.toml")
    before = contents(here)
    monkeypatch.setattr(training, "train_units", None)
    for config in ("tiny.toml", "runs/tiny/config.toml"):
        code, output, errors = mbsim(f"run {config} --out runs/tiny")
        assert (code, errors) == (0, "")
        assert "runs/tiny: all 4 units are done, nothing to compute" in output
        assert "m_c" in output
    assert contents(here) == before


def test_run_goes_on_where_it_was(half, mbsim):
    name = half.chunk_path(half.units[1], "status")
    name.write_bytes(name.read_bytes()[:-1])
    code, output, _ = mbsim("run tiny.toml --out half")
    assert code == 0
    assert "half: 1 of 4 units are done, 3 to go, 1 of them because it was damaged, on" in output
    assert "trained 3 units in" in output


def test_dry_run_writes_nothing(half, mbsim, here):
    before = contents(here)
    code, output, _ = mbsim("run tiny.toml --dry-run")
    assert code == 0
    assert "runs/tiny: a new run\n" in output
    assert "4 units of work" in output
    assert "half: 2 of 4 units are done, 2 to go\n" in mbsim("run tiny.toml --out half --dry-run")[1]
    assert contents(here) == before


def test_relative_m_and_long_lists_are_said_briefly(mbsim):
    m = "grid.m={unit='N*d',values=[0.5,1.0]}"
    sets = [m, "grid.N=[9,11,13,15,17,19,21]", "grid.temperature=[0.0,0.5]"]
    words = shlex.join(word for text in sets for word in ("--set", text))
    output = mbsim(f"run tiny.toml --dry-run {words}")[1]
    assert "N = 9, 11, ..., 21 (7 values); d = 3; m = 0.5, 1 times N*d; temperature = 0, 0.5\n" in output


def test_failed_units_are_named_and_the_rest_is_analysed(mbsim, monkeypatch):
    monkeypatch.setitem(tasks.LIMITS, "cpu", tasks.Limits(1e12, 10**6, 1))  # a teacher at a time
    train = training.train_units
    broken = units(load_config("tiny.toml"))[3]

    def out_of_memory(launch, config, advance):
        if broken in launch:
            raise MemoryError("the device has 0.1 GiB free")
        return train(launch, config, advance)

    monkeypatch.setattr(training, "train_units", out_of_memory)
    code, output, errors = mbsim("run tiny.toml --set run.seed=2")
    assert code == 1
    assert "trained 3 units" in output
    assert re.search(r"^ 9  3  [45]\.", output, re.MULTILINE)
    assert re.search(r"^15  3 +- +- +undecided  one teacher tells nothing", output, re.MULTILINE)
    last = errors.splitlines()[-2:]
    assert last[0] == f"error: {broken}: the device has 0.1 GiB free"
    assert last[1] == (
        "1 unit failed; 3 of 4 units are done and safe in runs/tiny; to try the failed ones again: "
        "mbsim run tiny.toml --out runs/tiny --set run.seed=2"
    )


def test_full_disk_ends_the_run_which_goes_on_later(mbsim, monkeypatch, here):
    put = store.put

    def full(path, *rest):
        if path.parent.name == "done" and any(path.parent.iterdir()):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        put(path, *rest)

    mbsim("run tiny.toml --out whole")
    monkeypatch.setattr(store, "put", full)
    code, _, errors = mbsim("run tiny.toml --out stopped")
    assert code == 75
    stopped, advice = errors.splitlines()[-2:]
    assert "no space left to write stopped" in stopped
    assert "1 of 4 units are done and safe in stopped" in stopped
    monkeypatch.setattr(store, "put", put)
    assert mbsim(advice.removeprefix("go on with: mbsim "))[0] == 0
    xr.testing.assert_equal(open_run("stopped"), open_run("whole"))


def test_full_disk_at_the_start_or_at_the_figure(mbsim, monkeypatch):
    from mbsim.cli import training

    def full(path, *parts):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    put = store.put
    monkeypatch.setattr(store, "put", full)
    code, _, errors = mbsim("run tiny.toml")
    assert code == 75
    assert "no space left to write runs/tiny" in errors
    monkeypatch.setattr(store, "put", put)
    monkeypatch.setattr(training, "write_atomically", full)
    code, output, errors = mbsim("run tiny.toml")
    assert code == 75
    figure = "runs/tiny/order_parameter.png (No space left on device)"
    assert f"no space left to write {figure}: 4 of 4 units are done and safe" in errors
    assert "m_c" in output


def test_what_only_asks_for_more_is_not_among_what_must_be_made_equal(mbsim, here):
    mbsim("run tiny.toml --out done")
    before = contents(here)
    code, _, errors = mbsim(
        "run tiny.toml --out done --set run.seed=2 --set grid.teachers=9 --set grid.N=[9]"
    )
    assert code == 2
    told = "make equal: grid.N is [9, 15] there and [9] here; run.seed is 1 there and 2 here\n"
    assert errors == f"error: done holds a run of another configuration; choose another folder, or {told}"
    assert contents(here) == before


@pytest.mark.parametrize(
    ("out", "line"),
    [
        ("--out ''", "--out '': must name a folder"),
        ("--out link", "link is a link to nowhere, and nothing is there"),
        ("--out link/below", "link is a link to nowhere, and nothing is there"),
        ("", "runs is a link to nowhere, and nothing is there"),
    ],
)
def test_a_folder_that_cannot_be_is_one_line(mbsim, here, out, line):
    for name in ("link", "runs"):
        (here / name).symlink_to("nowhere")
    for command in (f"run tiny.toml {out}", f"run tiny.toml {out} --dry-run"):
        code, _, errors = mbsim(command)
        assert (code, errors) == (2, f"error: {line}\n")
    assert sorted(path.name for path in here.iterdir()) == ["link", "runs", "tiny.toml"]


def test_a_run_grows_by_a_larger_configuration(mbsim, here):
    mbsim("run tiny.toml")
    larger = "run tiny.toml --out runs/tiny --set grid.teachers=3 --set grid.m=[2,4,5,6,8,10,12]"
    before = contents(here)
    code, output, _ = mbsim(f"{larger} --dry-run")
    assert code == 0
    assert "runs/tiny: grows by m = 5; teachers from 2 to 3: 4 of 12 units are done, 8 to go\n" in output
    assert contents(here) == before
    code, output, _ = mbsim(larger)
    assert code == 0
    assert "trained 8 units" in output
    mbsim(f"{larger} --out fresh")
    grown, fresh = open_run("runs/tiny"), open_run("fresh")
    assert grown.attrs["config_hash"] == fresh.attrs["config_hash"]
    assert (grown.status == 1).all()
    code, output, errors = mbsim("run tiny.toml")  # as it was: it does not shrink
    assert code == 2
    assert "grid.teachers is 3 there and 2 here" in errors


def test_parts_share_a_folder_and_the_last_prints_the_result(mbsim, monkeypatch, here):
    code, output, _ = mbsim("run tiny.toml --out shared --part 2/3")
    assert code == 0
    assert "shared: a new run" in output
    assert "part 2 of 3 is done; other parts have 3 units to go, and the last one prints m_c" in output
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "0")
    monkeypatch.setenv("SLURM_ARRAY_TASK_COUNT", "3")
    assert "2 units of work" in mbsim("run tiny.toml --out shared --part auto --dry-run")[1]
    assert "other parts have 1 unit to go" in mbsim("run tiny.toml --out shared --part auto")[1]
    assert (
        "shared: 0 of 1 unit is done, 1 to go" in mbsim("run tiny.toml --out shared --part 3/3 --dry-run")[1]
    )
    assert "none is left for part 7 of 9" in mbsim("run tiny.toml --out shared --part 7/9")[1]
    code, output, _ = mbsim("run tiny.toml --out shared --part 3/3")
    assert "figure: shared/order_parameter.png" in output
    mbsim("run tiny.toml --out whole")
    xr.testing.assert_equal(open_run("shared"), open_run("whole"))
    for words, said in (("--part 4/3", "--part '4/3': must be i/n"), ("--part x", "--part 'x': must be i/n")):
        code, _, errors = mbsim(f"run tiny.toml --out other {words}")
        assert code == 2
        assert errors.startswith(f"error: {said}")
        assert not (here / "other").exists()


SLURM = "SLURM_ARRAY_TASK_"


@pytest.mark.parametrize(
    ("told", "part"),
    [
        ({"ID": 0, "MIN": 0, "MAX": 30, "COUNT": 16}, "part 1 of 16"),  # --array=0-30:2
        ({"ID": 28, "MIN": 0, "MAX": 30, "COUNT": 16}, "part 15 of 16"),
        ({"ID": 7, "MIN": 7, "MAX": 7, "COUNT": 1}, "part 1 of 1"),  # one that had failed
        ({"ID": 3, "MIN": 1, "MAX": 7, "COUNT": 3}, "not evenly spaced"),  # --array=1,3,7
        ({"ID": 10, "MIN": 2, "MAX": 11, "COUNT": 4}, "not evenly spaced"),  # --array=2,9-11
    ],
)
def test_the_part_of_a_task_of_an_array(told, part):
    environment = {SLURM + name: str(value) for name, value in told.items()}
    if part.startswith("part"):
        assert str(part_of("auto", environment=environment)) == part
        return
    with pytest.raises(ConfigError, match=part):
        part_of("auto", environment=environment)


@pytest.mark.parametrize(("step", "mine", "part"), [(3, 0, "4 of 12"), (3, 2, "6 of 12"), (1, 0, "2 of 4")])
def test_the_part_of_a_process_that_srun_starts_in_a_task_of_an_array(step, mine, part):
    """The script of a task is one process, however many its step might have."""
    given = {"ID": 1, "MIN": 0, "MAX": 3, "COUNT": 4}
    environment = {SLURM + name: str(value) for name, value in given.items()}
    environment |= {"SLURM_STEP_NUM_TASKS": str(step), "SLURM_PROCID": str(mine), "SLURM_NTASKS": "3"}
    assert str(part_of("auto", environment=environment)) == f"part {part}"


def test_the_part_of_a_task_of_pbs():
    torque = {"PBS_ARRAYID": "3", "MBSIM_PARTS": "8"}
    assert str(part_of("auto", environment=torque)) == "part 3 of 8"
    given = {"PBS_ARRAY_INDEX": "3", "MBSIM_PARTS": "8"}
    assert str(part_of("auto", environment=given)) == "part 3 of 8"
    with pytest.raises(ConfigError, match="PBS does not say how many parts there are: set MBSIM_PARTS"):
        part_of("auto", environment={"PBS_ARRAY_INDEX": "3"})
    with pytest.raises(ConfigError, match="task 9 is not among 8 parts"):
        part_of("auto", environment=given | {"PBS_ARRAY_INDEX": "9"})


def test_runs_that_were_computed_apart_are_merged(mbsim):
    for N in (9, 15):
        mbsim(f"run tiny.toml --out apart{N} --set grid.N=[{N}]")
    code, output, _ = mbsim("merge apart9 apart15 --out joined")
    assert code == 0
    assert output == "joined: 72 students of 2 runs, over N 2, d 1, m 6, teacher 2, replica 3, time 32\n"
    mbsim("run tiny.toml --out whole")
    xr.testing.assert_equal(open_run("joined"), open_run("whole"))
    assert "all 4 units are done, nothing to compute" in mbsim("run tiny.toml --out joined")[1]
    code, _, errors = mbsim("merge apart9 --out alone")
    assert (code, errors) == (2, "error: datasets: must be two or more, not 1\n")


def test_a_dry_run_refuses_what_the_run_refuses(mbsim, here):
    (here / "hidden").mkdir()
    (here / "hidden" / ".gitkeep").touch()
    for words in ("", " --dry-run"):
        code, _, errors = mbsim(f"run tiny.toml --out hidden{words}")
        assert (
            code == 2 and errors.startswith("error: hidden ") and "no run: choose an empty or a new" in errors
        )


@pytest.mark.parametrize(
    "command", ["run tiny.toml --out odd", "run tiny.toml --out odd --dry-run", "status odd"]
)
def test_a_folder_in_place_of_its_configuration_is_one_line(mbsim, here, command):
    (here / "odd" / "config.toml").mkdir(parents=True)
    code, _, errors = mbsim(command)
    assert (code, errors) == (
        2,
        "error: odd cannot be used as a run folder: Is a directory (odd/config.toml)\n",
    )
