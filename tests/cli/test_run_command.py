"""`mbsim run` says what it does, goes on where it was, and ends with the right code."""

import errno
import os
import re
import shlex

import xarray as xr
from commands import MIDDLE
from small_runs import contents

from mbsim.config.configuration import load_config
from mbsim.data import store
from mbsim.data.dataset import open_run
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
    name = half.unit_path(units(half.config)[1])
    name.write_bytes(name.read_bytes()[:-1])
    code, output, _ = mbsim("run tiny.toml --out half")
    assert code == 0
    assert "half: 1 of 4 units are done, 3 to go, 1 of them because the file was damaged, on" in output
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
    assert last[0] == f"error: {broken.stem}: the device has 0.1 GiB free"
    assert last[1] == (
        "1 unit failed; 3 of 4 units are done and safe in runs/tiny; to try the failed ones again: "
        "mbsim run tiny.toml --out runs/tiny --set run.seed=2"
    )


def test_full_disk_ends_the_run_which_goes_on_later(mbsim, monkeypatch, here):
    write = store.write_atomically

    def full(path, *parts):
        if path.suffix == ".nc" and len(list(path.parent.glob("*.nc"))) == 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        write(path, *parts)

    mbsim("run tiny.toml --out whole")
    monkeypatch.setattr(store, "write_atomically", full)
    code, _, errors = mbsim("run tiny.toml --out stopped")
    assert code == 75
    stopped, advice = errors.splitlines()[-2:]
    assert "no space left to write stopped" in stopped
    assert "1 of 4 units are done and safe in stopped" in stopped
    monkeypatch.setattr(store, "write_atomically", write)
    assert mbsim(advice.removeprefix("go on with: mbsim "))[0] == 0
    xr.testing.assert_identical(open_run("stopped"), open_run("whole"))


def test_full_disk_at_the_start_or_at_the_figure(mbsim, monkeypatch):
    from mbsim.cli import training

    def full(path, *parts):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    write = store.write_atomically
    monkeypatch.setattr(store, "write_atomically", full)
    code, _, errors = mbsim("run tiny.toml")
    assert code == 75
    assert "no space left to write runs/tiny" in errors
    monkeypatch.setattr(store, "write_atomically", write)
    monkeypatch.setattr(training, "write_atomically", full)
    code, output, errors = mbsim("run tiny.toml")
    assert code == 75
    assert "no space left to write runs/tiny/order_parameter.png: 4 of 4 units are done and safe" in errors
    assert "m_c" in output
