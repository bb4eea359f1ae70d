"""Where matplotlib cannot draw the numbers are there all the same: a note, one line, and the right exit code."""

import shutil
import subprocess
import sys

import numpy as np
import pytest

from mbsim import figures
from mbsim.cli import drawing
from mbsim.data.dataset import open_run


@pytest.fixture
def no_figures(monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("Failed to process string with tex because latex\ncould not be found")

    monkeypatch.setattr(figures, "order_parameter_panels", fail)


def test_a_run_whose_figure_fails_is_done(mbsim, no_figures, here):
    code, output, errors = mbsim("run tiny.toml --out done")
    assert code == 0
    assert "figure:" not in output and "dataset: mbsim.open_run('done')" in output
    told = "note: no figure: matplotlib cannot draw here: RuntimeError: Failed to process string with tex "
    assert f"{told}because latex could not be found\n" in errors
    assert mbsim("run tiny.toml --out done")[0] == 0  # and again
    assert not (here / "done" / "order_parameter.png").exists()


def test_a_figure_that_was_asked_for_and_fails_is_one_line_after_the_numbers(mbsim, no_figures, here):
    mbsim("run tiny.toml --out done")
    (here / "old.png").write_bytes(b"old")
    code, output, errors = mbsim("analyze done --figure old.png")
    assert code == 1 and "95% interval" in output
    assert errors.startswith("error: matplotlib cannot draw here: RuntimeError") and errors.count("\n") == 1
    assert (here / "old.png").read_bytes() == b"old"


@pytest.mark.parametrize(
    "error", [PermissionError(13, "Permission denied", "matplotlibrc"), OSError(5, "Input")]
)
def test_a_file_that_matplotlib_cannot_read_is_a_note(mbsim, here, monkeypatch, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(figures, "order_parameter_panels", fail)
    code, output, errors = mbsim("run tiny.toml --out done")
    assert (code, "dataset: mbsim.open_run" in output) == (0, True)
    assert "note: no figure: matplotlib cannot draw here: " in errors


def test_a_folder_in_the_place_of_the_figure_is_a_note(mbsim, here):
    (here / "done" / "order_parameter.png" / "mine").mkdir(parents=True)
    mbsim("run tiny.toml --out whole")
    for name in ("config.toml", "zarr.json"):
        (here / "done" / name).write_bytes((here / "whole" / name).read_bytes())
    for _ in range(2):  # what trains, and what finds all done
        code, output, errors = mbsim("run tiny.toml --out done")
        assert (code, "figure:" in output) == (0, False)
        told = "note: no figure: done/order_parameter.png cannot be written: Directory not empty\n"
        assert errors.endswith(told)
    assert (here / "done" / "order_parameter.png" / "mine").is_dir()


def test_a_run_that_grew_has_no_figure_of_the_smaller_one(mbsim, here, monkeypatch):
    """Also where drawing fails, or the process ends before it draws."""
    figure = here / "done" / "order_parameter.png"
    mbsim("run tiny.toml --out done")
    small = figure.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(figures, "order_parameter_panels", None)
        larger = "run tiny.toml --out done --set grid.replicas=30"
        assert mbsim(larger)[0] == 0
        assert not figure.exists()
    assert mbsim(larger)[0] == 0
    assert drawing.sound(figure, open_run("done").attrs["config_hash"])
    grown = figure.read_bytes()
    assert grown != small
    figure.write_bytes(small)  # as a process that drew it meanwhile would
    assert mbsim(larger)[0] == 0
    assert figure.read_bytes() == grown


def test_a_damaged_figure_is_drawn_again(mbsim, here):
    """Whichever bit."""
    mbsim("run tiny.toml --out done")
    figure = here / "done" / "order_parameter.png"
    drawn, config_hash = figure.read_bytes(), open_run("done").attrs["config_hash"]
    assert drawing.sound(figure, config_hash)
    rng = np.random.default_rng(1)
    for place in [*range(40), *rng.integers(len(drawn), size=40), *range(len(drawn) - 20, len(drawn))]:
        damaged = bytearray(drawn)
        damaged[place] ^= 1 << rng.integers(8)
        figure.write_bytes(damaged)
        assert not drawing.sound(figure, config_hash)
    figure.write_bytes(drawn[: len(drawn) // 2])
    assert mbsim("run tiny.toml --out done")[0] == 0
    assert figure.read_bytes() == drawn


@pytest.mark.slow
def test_a_matplotlibrc_that_asks_for_latex_is_not_heeded(mbsim, here, monkeypatch):
    import matplotlib as mpl

    with mpl.rc_context({"text.usetex": True, "text.latex.preamble": r"\usepackage{nowhere}"}):
        code, _, errors = mbsim("run tiny.toml --out done")
        assert (code, "note: no figure" in errors) == (0, False)
        assert (here / "done" / "order_parameter.png").read_bytes().startswith(b"\x89PNG")
        assert mbsim("report done --bootstrap 100")[0] == 0
    page = (here / "done" / "report.html").read_text()
    assert "<img" in page and "No figure of" not in page


FULL = """
mkdir small && mount -t tmpfs -o size=40k tmpfs small && echo old > small/file{ending} || exit 99
{python} -m mbsim.cli {command}
code=$?
ls -A small
cat small/file{ending}
exit $code
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "ending"),
    [
        ("analyze done --bootstrap 100 --figure small/file.png", ".png"),
        ("report done --bootstrap 100 --out small/file.html", ".html"),
    ],
)
def test_on_a_full_disk_the_older_file_is_kept(command, ending):
    """Really full: a small disk of its own."""
    if (
        not shutil.which("unshare")
        or subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode
    ):
        pytest.skip("a disk cannot be mounted here")
    run = [sys.executable, "-m", "mbsim.cli", "run", "tiny.toml", "--out", "done"]
    assert subprocess.run(run, capture_output=True).returncode == 0
    script = FULL.format(python=sys.executable, command=command, ending=ending)
    found = subprocess.run(["unshare", "-m", "bash", "-c", script], capture_output=True, text=True)
    assert found.returncode == 75, found.stderr
    assert found.stdout.endswith(f"file{ending}\nold\n")
    assert found.stderr == f"error: [Errno 28] No space left on device: 'small/file{ending}'\n"
