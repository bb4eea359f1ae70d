"""What a person sees of a command: results on standard output, notes on standard error, and tables.

The progress of a run is shown by `mbsim.running.display`, for the command line as for Python.
"""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from mbsim.running.display import is_terminal

if TYPE_CHECKING:
    from mbsim.fss.table import Critical


def say(text: str) -> None:
    """A result, on standard output; an empty one is not said."""
    if text:
        print(text, flush=True)


def note(text: str) -> None:
    """A line for people, on standard error."""
    print(text, file=sys.stderr, flush=True)


def print_critical(critical: "Sequence[Critical]") -> None:
    """The table of m_c, on standard output; on a terminal long reasons are wrapped within their column."""
    from mbsim.fss.table import as_text, number_and_interval

    if not is_terminal(sys.stdout):
        say(as_text(critical))
        return
    names = list(dict.fromkeys(name for record in critical for name in record.labels))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in (*names, "m_c", "95% interval", "order"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    for record in critical:
        labels = [str(record.labels.get(name, "-")) for name in names]
        table.add_row(*labels, *number_and_interval(record), record.order, record.reason)
    Console(markup=False, highlight=False).print(table)


def print_table(table: Table) -> None:
    """A table, on standard output, as wide as it is: a terminal too narrow wraps it, but no number is cut."""
    endless = Console(width=1000)
    Console(width=endless.measure(table).maximum).print(table)
