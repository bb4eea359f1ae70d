"""What a person sees of a command: results on standard output, notes on standard error, and tables.

The progress of a run is shown by `mbsim.running.display`, for the command line as for Python.
"""

import codecs
import io
import os
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from mbsim.running.display import is_terminal
from mbsim.running.output import tell

if TYPE_CHECKING:
    from mbsim.fss.table import Critical

LEAST_ROOM, MARGIN = 24, 20
"""Letters that a column of reasons needs, and the least width of a line."""
SPELLING = "mbsim.spelled"
SPELLED = {
    **{
        "±": "+-",
        "−": "-",
        "–": "-",
        "—": "-",
        "…": "...",
        "≤": "<=",
        "≥": ">=",
        "≈": "~",
        "→": "->",
        "×": "x",
    },
    **{
        "χ": "chi",
        "ν": "nu",
        "β": "beta",
        "γ": "gamma",
        "ω": "omega",
        "ξ": "xi",
        "η": "eta",
        "φ": "phi",
        "σ": "sigma",
    },
    **{"Δ": "Delta", "Σ": "sum", "∞": "inf", "√": "sqrt", "²": "^2", "⁴": "^4", "₄": "4", "½": "1/2"},
    **{"⟨": "<", "⟩": ">", "’": "'", "“": '"', "”": '"', "é": "e", "ö": "o", "ü": "u", "\u00a0": " "},
}
"""How signs are spelled where an encoding lacks them."""


def say(text: str) -> None:
    """A result, on standard output; an empty one is not said. On a terminal lines are broken between words."""
    if not text:
        return
    lines = text.split("\n")
    if is_terminal(sys.stdout):
        lines = [part for line in lines for part in _broken(line, max(MARGIN, Console().width))]
    tell("\n".join(lines), sys.stdout)


def _broken(line: str, width: int) -> list[str]:
    """A line in parts no longer than the terminal is wide, further ones indented by two more."""
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    whole = textwrap.TextWrapper(
        width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return whole.wrap(line) or [""]  # a path or a number stays whole


def note(text: str) -> None:
    """A line for people, on standard error."""
    tell(text, sys.stderr)


def print_critical(critical: "Sequence[Critical]") -> None:
    """The table of m_c, on standard output; on a terminal long reasons are wrapped within their column.

    Where the terminal leaves them no room they stand below the table, each once, and no number is cut.
    """
    from mbsim.fss.table import as_text, estimator_names, names_estimators, number_and_interval

    if not is_terminal(sys.stdout):
        say(as_text(critical))
        return
    names = list(dict.fromkeys(name for record in critical for name in record.labels))
    named = names_estimators(critical)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in (*names, "m_c", "95% interval", "order", *(["estimator"] if named else [])):
        table.add_column(name, justify="right", no_wrap=True)
    rows = [
        [
            *(str(one.labels.get(name, "-")) for name in names),
            *number_and_interval(one),
            one.order,
            *([estimator] if named else []),
        ]
        for one, estimator in zip(critical, estimator_names(critical), strict=True)
    ]
    widths = [
        max(map(len, column))
        for column in zip(*([name.header for name in table.columns], *rows), strict=True)
    ]
    if not any(one.reason for one in critical):
        for row in rows:
            table.add_row(*row)
        print_table(table)
        return
    room = Console().width - sum(widths) - 2 * len(widths)
    if room >= LEAST_ROOM:
        table.add_column("")
        for row, one in zip(rows, critical, strict=True):
            table.add_row(*row, one.reason)
        print_table(table, wraps=True)
        return
    notes: dict[str, int] = {}
    table.add_column("")
    for row, one in zip(rows, critical, strict=True):
        mark = f"[{notes.setdefault(one.reason, len(notes) + 1)}]" if one.reason else ""
        table.add_row(*row, mark)
    print_table(table)
    for text, number in notes.items():
        say(f"[{number}] {text}")


def print_table(table: Table, wraps: bool = False) -> None:
    """A table, on standard output, as wide as it is: a terminal too narrow wraps it, but no number is cut.

    With `wraps` its last column takes what room the terminal has.
    """
    endless = Console(width=1000)
    measured = endless.measure(table)
    width = max(measured.minimum, min(measured.maximum, Console().width)) if wraps else measured.maximum
    Console(width=width, markup=False, highlight=False).print(table, crop=False)


def speak_plainly() -> None:
    """Where standard output or error cannot encode a sign, such as ± or χ, it is spelled instead of an error; where
    one is closed, what is said there is lost.
    """
    codecs.register_error(SPELLING, _spelled)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in (
            "strict",
            "surrogateescape",
            "backslashreplace",
        ):
            stream.reconfigure(errors=SPELLING)


def _spelled(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(SPELLED.get(one, "?") for one in text), error.end
