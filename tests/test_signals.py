"""What each signal does to a process: the run ends in good order, says how to go on, and goes on to the same bits."""

import os
import pty
import random
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import xarray as xr

import mbsim
from mbsim import cli
from mbsim.cli import app
from mbsim.running import interrupts

CONFIG = """
name = "signalled"
model = "sparse-vector"
grid = { N = [24], d = [3], m = [2, 5, 8, 11], teachers = 40, replicas = 40 }
dynamics = { sweeps = 1600 }
"""
ENDS = [name for name in interrupts.NAMES if hasattr(signal, name)]
PROMPT = 60  # seconds from a signal to the end, on a busy machine
COMMAND = "mbsim run config.toml --out run"


@pytest.fixture(autouse=True)
def signals(monkeypatch):
    """What `interruptible` leaves behind in a process that is about to end is put back."""
    before = {number: signal.getsignal(number) for number in interrupts.SIGNALS}
    # Whoever runs the tests may ignore it, and processes inherit that.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    for name in ("reason", "under_way"):
        monkeypatch.setattr(interrupts._Asked, name, "" if name == "reason" else False)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def start(place, command=COMMAND, before=(), **options) -> subprocess.Popen:
    return subprocess.Popen(
        [*before, sys.executable, "-m", "mbsim.cli", *shlex.split(command)[1:]],
        cwd=place,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        **({"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options),
    )


def begun(process: subprocess.Popen) -> str:
    """Wait until the run has said its first word; returns it."""
    return process.stderr.readline()


@pytest.mark.parametrize("name", ENDS)
def test_each_signal_ends_a_command_with_75_and_says_how_to_go_on(name, monkeypatch, capsys):
    def command(words):
        signal.raise_signal(getattr(signal, name))
        raise AssertionError("went on")

    monkeypatch.setattr(app, "main", command)
    assert cli.main(["run", "a b.toml"]) == 75
    assert capsys.readouterr().err == f"interrupted by {name}\ngo on with: mbsim run 'a b.toml'\n"
    signal.raise_signal(getattr(signal, name))  # not heard: the process is about to end


def test_a_signal_that_became_another_error_is_a_signal_all_the_same(monkeypatch, capsys):
    def command(words):
        try:
            signal.raise_signal(signal.SIGTERM)
        except BaseException:
            raise ImportError("numpy._core.multiarray failed to import") from None

    monkeypatch.setattr(app, "main", command)
    assert cli.main(["status", "run"]) == 75
    assert capsys.readouterr().err.splitlines()[0] == "interrupted by SIGTERM"


def test_a_hangup_that_nohup_ignores_stays_ignored():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with interrupts.interruptible():
        signal.raise_signal(signal.SIGHUP)
    with pytest.raises(interrupts.Interrupted, match="SIGUSR1"), interrupts.interruptible():
        signal.raise_signal(signal.SIGUSR1)


@pytest.mark.slow
def test_each_signal_really_sent_and_the_run_goes_on_to_the_same_bits(tmp_path):
    (tmp_path / "config.toml").write_text(CONFIG)
    chance = random.Random(20261126)
    command = COMMAND
    for name in ENDS:
        process = start(tmp_path, command)
        first = begun(process)
        time.sleep(chance.uniform(0, 1.5))
        process.send_signal(getattr(signal, name))
        _, errors = process.communicate(timeout=PROMPT)
        assert process.returncode == 75, first + errors
        assert "Traceback" not in errors and "Fatal" not in errors
        stopped, advice = errors.splitlines()[-2:]
        assert re.fullmatch(rf"interrupted by {name}: \d+ of \d+ units are done and safe in run", stopped)
        command = advice.removeprefix("go on with: ")
        assert command == COMMAND
    process = start(tmp_path, command)
    assert process.communicate(timeout=300) and process.returncode == 0
    undisturbed = mbsim.run(tmp_path / "config.toml", progress=False)
    xr.testing.assert_equal(mbsim.open_run(tmp_path / "run"), undisturbed)


@pytest.mark.slow
def test_a_run_under_nohup_outlives_the_terminal(tmp_path):
    (tmp_path / "config.toml").write_text(CONFIG)
    process = start(tmp_path, f"{COMMAND} --set grid.teachers=1 --set dynamics.sweeps=32", ["nohup"])
    first = begun(process)
    process.send_signal(signal.SIGHUP)
    _, errors = process.communicate(timeout=PROMPT)
    assert process.returncode == 0, first + errors


@pytest.mark.slow
def test_a_terminal_that_closes_ends_the_run_in_good_order(tmp_path):
    """The system sends SIGHUP, and what is said then fails: the terminal has gone."""
    (tmp_path / "config.toml").write_text(CONFIG)
    here, there = pty.openpty()
    process = start(tmp_path, before=["setsid", "--ctty"], stdin=there, stdout=there, stderr=there)
    os.close(there)
    seen = b""
    while b"units" not in seen:
        seen += os.read(here, 4096)
    time.sleep(1)
    os.close(here)
    assert process.wait(timeout=PROMPT) == 75
    assert mbsim.run(tmp_path / "config.toml", tmp_path / "run", progress=False).status.all()


def catches(process: subprocess.Popen, number: int) -> bool:
    """Whether a process has a handler for this signal."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    [caught] = [line.split()[1] for line in status.splitlines() if line.startswith("SigCgt")]
    return bool(int(caught, 16) >> (number - 1) & 1)


@pytest.mark.slow
def test_no_crash_and_no_traceback_at_whatever_moment(tmp_path):
    """From when signals are caught, before anything else is imported, to the end: thirty moments, a third of them
    with a second signal.
    """
    (tmp_path / "config.toml").write_text(CONFIG)
    chance = random.Random(1)
    for _ in range(30):
        process = start(tmp_path)
        while not catches(process, signal.SIGUSR2):
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 6))
        name = chance.choice(ENDS)
        process.send_signal(getattr(signal, name))
        if chance.random() < 1 / 3:
            time.sleep(chance.uniform(0, 0.2))
            process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PROMPT)
        assert process.returncode in (0, 75), (name, process.returncode, errors)
        assert "Traceback" not in errors and "Exception" not in errors
        if process.returncode == 75:
            assert errors.splitlines()[-1] == f"go on with: {COMMAND}"
