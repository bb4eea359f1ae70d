"""Cells of the report's tables: a label, a number with its interval below it, the mark of a note.

Notes are gathered as {text: mark} while the rows of a table are made, and stand below it, each once.
"""

import math
import string
from collections.abc import Sequence
from typing import Any, NamedTuple

from mbsim.fss.critical import Critical
from mbsim.fss.interval import Interval, Label
from mbsim.fss.reasons import Reason
from mbsim.fss.records import START, Record, start_text


class Cell(NamedTuple):
    """A number or a text, the interval below it, and the mark of its note."""

    text: str
    below: str = ""
    note: str = ""


class Table(NamedTuple):
    """Heads, rows of cells, and notes as (mark, text); `labels` leading columns are labels."""

    heads: list[str]
    rows: list[list[Cell]]
    labels: int
    notes: list[tuple[str, str]]


def shared(notes: dict[str, str], because: Sequence[Reason], without: Sequence[str] = ()) -> str:
    """The marks of reasons, each without what the columns tell, so that rows share their notes; some are left out."""
    marks = dict.fromkeys(note_of(notes, reason.brief) for reason in because if reason.key not in without)
    return ", ".join(sorted(marks))


def label_names(records: Sequence[Record], size: str = "N") -> list[str]:
    """The labels of all records, the size last: in a table it changes fastest."""
    names = dict.fromkeys(name for record in records for name in record.labels)
    return sorted(names, key=lambda name: name == size)


def heads_of(names: Sequence[str]) -> list[str]:
    """The heads of columns of labels."""
    return ["start" if name == START else name.replace("_", " ") for name in names]


def label_cell(name: str, value: Label) -> Cell:
    """The value of a label; a start by its name."""
    if start := start_text(name, value):
        return Cell(start.removesuffix(" start"))
    return Cell(f"{value:g}" if isinstance(value, float) else str(value))


def by_kind(labels: Sequence[Label]) -> list[tuple[bool, Any]]:
    """To sort rows by: numbers before texts."""
    return [(isinstance(label, str), label) for label in labels]


def is_number(record: Critical) -> bool:
    """Whether the record has an m_c."""
    return math.isfinite(record.m_c)


def notes_below(notes: dict[str, str]) -> list[tuple[str, str]]:
    """Notes as (mark, text)."""
    return [(mark, text) for text, mark in notes.items()]


def number(label: Label | None) -> float:
    """To sort by: what is no number comes last."""
    return float(label) if isinstance(label, (int, float)) else math.inf


def note_of(notes: dict[str, str], text: str) -> str:
    """The mark of a note, a new letter where the text is new; empty without one."""
    if not text:
        return ""
    letters = string.ascii_lowercase
    place = len(notes)
    return notes.setdefault(text, letters[place % 26] * (place // 26 + 1))


def interval_cell(interval: Interval) -> Cell:
    """A value with its interval below it; a dash where it is not known."""
    return Cell(*interval.texts) if interval.known else Cell("–")
