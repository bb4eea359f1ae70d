"""Progress, numbers and tables on a terminal and where there is none."""

import io
import re
import time

from rich.console import Console
from rich.table import Table

from mbsim import text
from mbsim.cli import terminal
from mbsim.running import display
from mbsim.running.progress import Progress


def test_numbers_in_words():
    assert [text.si(x) for x in (0, 7, 999, 999.6, 1530, 999_600, 2.1e8, 9.996e9)] == [
        "0", "7", "999", "1.00 k", "1.53 k", "1.00 M", "210 M", "10.0 G"
    ]  # fmt: skip
    assert [text.duration(x) for x in (0.2, 59.6, 61, 3600, 90_061)] == [
        "less than 1 s", "1 min", "1 min 1 s", "1 h", "1 d 1 h"
    ]  # fmt: skip
    assert text.counted(1, "unit") == "1 unit"
    assert text.counted(1024, "unit") == "1,024 units"


RUNNING = Progress(3, 12, 27_000_000, 100_000_000, 0, "training N = 64", seconds=10.0, timed=20_000_000)


def test_plain_lines_come_now_and_then_even_without_news(capsys, monkeypatch):
    monkeypatch.setattr(display, "PERIOD", 0.2)
    lines = display.Lines()
    for _ in range(1000):
        lines.show(RUNNING)
    time.sleep(0.5)
    lines.close()
    said = capsys.readouterr().err.splitlines()
    assert 2 <= len(said) <= 5
    assert set(said) == {"3 of 12 units, 27%, 2.00 M proposals/s, 36 s left: training N = 64"}
    time.sleep(0.3)
    assert capsys.readouterr().err == ""


def test_patient_lines_are_none_if_the_run_is_short(capsys, monkeypatch):
    monkeypatch.setattr(display, "PERIOD", 0.3)
    short, long = display.Lines(patient=True), display.Lines(patient=True)
    short.show(RUNNING._replace(doing="short"))
    short.close()
    long.show(RUNNING._replace(doing="long"))
    assert capsys.readouterr().err == ""
    time.sleep(0.5)
    long.close()
    assert capsys.readouterr().err.splitlines()[0].endswith("36 s left: long")


def test_a_bar_where_a_person_looks_and_lines_elsewhere(monkeypatch):
    assert isinstance(display.best_display(), display.Lines)
    monkeypatch.setattr(display, "is_terminal", lambda stream: True)
    assert isinstance(display.best_display(), display.Bar)
    monkeypatch.setattr(display, "in_notebook", lambda: True)
    assert isinstance(display.best_display(), display.NotebookBar)


def test_bar_fits_a_terminal_and_is_taken_away():
    screen = io.StringIO()
    bar = display.Bar(Console(file=screen, force_terminal=True, width=80, height=24))
    bar.show(RUNNING._replace(doing="compiling N = 64", seconds=0.0))
    bar.show(RUNNING)
    bar.close()
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue())
    for part in ("compiling N = 64", "27%", "3/12 units", "2.00 M proposals/s", "36 s left"):
        assert part in shown
    assert max(map(len, re.split(r"[\r\n]+", shown))) <= 80
    assert screen.getvalue().rstrip().endswith("\x1b[2K")  # the last line is erased


def test_wide_tables_are_not_cut(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    table = Table("a" * 30, "b" * 30, "c" * 30)
    table.add_row(*(letter * 30 for letter in "xyz"))
    terminal.print_table(table)
    said = capsys.readouterr().out
    for letter in "abcxyz":
        assert letter * 30 in said


def test_no_terminal_without_a_cursor(monkeypatch):
    class Screen(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("TERM", "xterm")
    assert display.is_terminal(Screen())
    assert not display.is_terminal(io.StringIO())
    monkeypatch.setenv("TERM", "dumb")
    assert not display.is_terminal(Screen())
