"""What a user's shell may hold: settings, a matplotlibrc, a narrow terminal, one that knows ASCII only, odd names.

Each is really there, in a process of its own.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import xarray as xr

import mbsim

CONFIG = """
model = "sparse-vector"
[grid]
N = [12]
d = [3]
m = [2, 4, 6, 8, 10, 12, 14]
teachers = 4
replicas = 4
[dynamics]
sweeps = 40
[measure]
measurements = 12
test_size = 32
"""
OF_JAX = {
    "JAX_ENABLE_X64": "1",
    "JAX_THREEFRY_PARTITIONABLE": "0",
    "JAX_DEFAULT_MATMUL_PRECISION": "bfloat16",
    "JAX_NUMPY_RANK_PROMOTION": "raise",
    "JAX_DEBUG_NANS": "1",
    "JAX_DISABLE_JIT": "1",
}
ODD = "a b é目"
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
SLOW = pytest.mark.slow


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "mbsim.cli", *words]


def mbsim_says(place: Path, *words: str, **shell: str) -> tuple[str, str]:
    done = subprocess.run(
        command(*words), cwd=place, env=os.environ | shell, capture_output=True, text=True, encoding="utf-8"
    )
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    return done.stdout, done.stderr


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with an odd name, a configuration and its run."""
    folder = tmp_path_factory.mktemp("shell") / ODD
    folder.mkdir()
    (folder / "c ü.toml").write_text(CONFIG)
    mbsim_says(folder, "run", "c ü.toml", "--out", "run 目")
    return folder


def test_a_reader_that_goes_does_not_end_the_command(place):
    """As `mbsim status FOLDER | head -0`."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command("status", "run 目"), cwd=place, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


@SLOW
def test_a_run_goes_on_when_its_reader_has_gone(place):
    reading, writing = os.pipe()
    os.close(reading)
    words = command("run", "c ü.toml", "--out", "unread")
    done = subprocess.run(words, cwd=place, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert done.returncode == 0
    xr.testing.assert_equal(mbsim.open_run(place / "unread"), mbsim.open_run(place / "run 目"))


FULL = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a disk that is always full")


def onto_a_full_disk(place: Path, *words: str) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command(*words), cwd=place, stdout=full, stderr=subprocess.PIPE, text=True, encoding="utf-8"
        )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "error: output is lost: No space left on device"


@FULL
@pytest.mark.parametrize("words", ["--help", "--version", "status 'run 目'"])
def test_output_that_a_full_disk_takes_away_is_told(place, words):
    onto_a_full_disk(place, *shlex.split(words))


@FULL
@SLOW
@pytest.mark.parametrize("errors_too", [False, True])
def test_a_full_disk_under_the_log_costs_a_run_nothing(place, errors_too):
    words = ("run", "c ü.toml", "--out", f"unlogged {errors_too}")
    if errors_too:
        with open("/dev/full", "w") as full:
            assert subprocess.run(command(*words), cwd=place, stdout=full, stderr=full).returncode == 1
    else:
        onto_a_full_disk(place, *words)
    xr.testing.assert_equal(mbsim.open_run(place / words[-1]), mbsim.open_run(place / "run 目"))


@SLOW
def test_settings_of_jax_change_no_bit(place):
    mbsim_says(place, "run", "c ü.toml", "--out", "set", **OF_JAX)
    xr.testing.assert_equal(mbsim.open_run(place / "set"), mbsim.open_run(place / "run 目"))


@SLOW
def test_a_matplotlibrc_spoils_no_run(place):
    """A style that needs what is not there does not reach mbsim's figures; a matplotlib that cannot start is told."""
    (place / "style").mkdir()
    (place / "style" / "matplotlibrc").write_text("text.usetex: True\nfont.family: Nonesuch\n")
    mbsim_says(place, "run", "c ü.toml", "--out", "styled", MATPLOTLIBRC=str(place / "style"))
    assert (place / "styled" / "order_parameter.png").exists()
    _, told = mbsim_says(place, "run", "c ü.toml", "--out", "none", MPLBACKEND="nonsense")
    assert "note: no figure: matplotlib cannot draw here" in told
    xr.testing.assert_equal(mbsim.open_run(place / "none"), mbsim.open_run(place / "run 目"))


@SLOW
def test_odd_names_are_quoted_and_work(place):
    output, _ = mbsim_says(place, "run", "c ü.toml", "--out", "run 目")
    assert "mbsim report 'run 目'" in output
    for words in (("status",), ("analyze",), ("report",)):
        mbsim_says(place, *words, "run 目")
    mbsim_says(place, "export", "run 目", "new 目")
    mbsim_says(place, "export", "run 目", "x é.nc")
    whole = mbsim.open_run(place / "run 目")
    xr.testing.assert_equal(mbsim.open_run(place / "new 目"), whole)
    assert "nothing to compute" in mbsim_says(place, "run", "c ü.toml", "--out", "new 目")[0]


@SLOW
@pytest.mark.parametrize("word", ["run", "status", "analyze", "report"])
def test_a_terminal_that_knows_ascii_only(place, word):
    words = ["c ü.toml", "--out", "run 目"] if word == "run" else ["run 目"]
    done = subprocess.run(
        command(word, *words), cwd=place, env=os.environ | {"PYTHONIOENCODING": "ascii"}, capture_output=True
    )
    assert (done.returncode, done.stderr.count(b"Traceback")) == (0, 0)
    assert done.stdout.decode("ascii")


@SLOW
@pytest.mark.skipif(os.name != "posix", reason="terminals of POSIX")
@pytest.mark.parametrize("word", ["run", "status", "analyze"])
def test_lines_fit_a_terminal_of_sixty_columns(place, word):
    import fcntl
    import pty
    import struct
    import termios

    words = ["c ü.toml", "--out", "run 目"] if word == "run" else ["run 目"]
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    shell = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    process = subprocess.Popen(
        command(word, *words), cwd=place, env=shell, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    output = b""
    while True:
        try:
            more = os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
        if not more:
            break
        output += more
    os.close(ours)
    assert process.wait() == 0
    lines = ESCAPES.sub("", output.decode()).replace("\r", "\n").splitlines()
    assert [line for line in lines if len(line) > 60] == []
    assert any(len(line) > 40 for line in lines)
