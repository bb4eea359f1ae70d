"""What a person sees on a narrow terminal, and where signs cannot be encoded: no number is cut, nothing fails."""

import io
import re
import sys

import numpy as np
import pytest

from mbsim.cli import terminal
from mbsim.fss import Critical, note

RECORDS = [
    Critical({"N": N, "d": 3, "init_overlap": 0.0, "temperature": 0.25}, 7.304, 6.71, 7.72, "undecided", "midpoint",
             because=(note("no plateau is seen before the transition, so that m_c depends on how it goes on"),))
    for N in (32, 64)
]  # fmt: skip


@pytest.fixture
def screen(monkeypatch):
    """A terminal of that many columns; what it shows, without colours."""

    def show(columns, *arguments):
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setattr(terminal, "is_terminal", lambda _: True)
        shown = io.StringIO()
        monkeypatch.setattr(sys, "stdout", shown)
        terminal.print_critical(*arguments)
        return re.sub(r"\x1b\[[0-9;]*m", "", shown.getvalue()).rstrip("\n").split("\n")

    return show


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_no_number_is_cut_however_narrow_the_terminal(screen, columns):
    lines = screen(columns, RECORDS)
    for N in (32, 64):
        [row] = [line for line in lines if re.match(rf"\s*{N} ", line)]
        assert row.split()[:8] == [str(N), "3", "0.0", "0.25", "7.3", "6.7", "to", "7.7"]
    whole = " ".join(" ".join(lines).split())
    assert "…" not in whole
    if columns == 60:  # the reason has no room beside the numbers: once below them, in words that are whole
        assert whole.count("no plateau is seen before the transition") == 1
        assert all(len(line) <= 60 for line in lines[3:])
        assert [line.split()[-1] for line in lines[1:3]] == ["[1]", "[1]"]


@pytest.mark.parametrize("columns", [20, 60])
def test_records_without_reasons_need_no_room_for_them(screen, columns):
    labels = {"N": 32, "d": 3, "init_overlap": 0.0, "temperature": 0.25}
    bare = [Critical(labels, 7.304, 6.71, 7.72, "undecided", "midpoint")]
    head, row = screen(columns, bare)
    assert head.split() == [*labels, "m_c", "95%", "interval", "order"]
    assert row.split() == ["32", "3", "0.0", "0.25", "7.3", "6.7", "to", "7.7", "undecided"]


def test_sentences_are_broken_between_words_on_a_terminal_alone(monkeypatch, capsys):
    text = "  The peak of the susceptibility grows as N^x, x = 0.07 (-0.03 to 0.17)"
    terminal.say(text)
    assert capsys.readouterr().out == text + "\n"
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setattr(terminal, "is_terminal", lambda _: True)
    terminal.say(text + "\n\n" + "runs/" + 40 * "x")
    lines = capsys.readouterr().out.split("\n")
    assert lines[1].startswith("    ") and all(len(line) <= 30 for line in lines[:-3])
    assert lines[-3:] == ["", "runs/" + 40 * "x", ""]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [("ascii", "5 +- 1, chi^2/dof <= 2, m_c(inf)"), ("latin-1", "5 ± 1, chi²/dof <= 2, m_c(inf)")],
)
def test_signs_that_a_terminal_cannot_encode_are_spelled(monkeypatch, encoding, text):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    terminal.speak_plainly()
    terminal.say("5 ± 1, χ²/dof ≤ 2, m_c(∞)")
    assert stream.buffer.getvalue().decode(encoding) == text + "\n"
    terminal.say("λ" + str(np.e)[:3])
    assert stream.buffer.getvalue().decode(encoding).endswith("?2.7\n")


def test_where_nobody_listens_nothing_fails(monkeypatch):
    """Both are None in a process that was started with closed files, as daemons are."""
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    terminal.speak_plainly()
    terminal.say("5 ± 1")
    terminal.note("note")
    for stream in (sys.stdout, sys.stderr):
        stream.close()
