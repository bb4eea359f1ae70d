"""What a person sees: the progress of a run, tables, numbers and times in words.

Results go to standard output; progress, notes and errors go to standard error. On a terminal a run shows a
bar; otherwise (a log file, a batch job) plain lines, one every `PERIOD` seconds, even while nothing happens
but compiling.
"""

import os
import sys
import threading
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.spinner import Spinner
from rich.table import Table

from mbsim.run.progress import Progress as Report
from mbsim.text import counted, duration, si

if TYPE_CHECKING:
    from mbsim.fss.table import Critical

PERIOD = 10.0  # seconds between plain lines


def say(text: str) -> None:
    """A result, on standard output; an empty one is not said."""
    if text:
        print(text, flush=True)


def note(text: str) -> None:
    """A line for people, on standard error."""
    print(text, file=sys.stderr, flush=True)


def is_terminal(stream: TextIO) -> bool:
    """Whether a person looks at the stream, on a terminal that can move its cursor."""
    return stream.isatty() and os.environ.get("TERM", "") != "dumb"


def pace(report: Report) -> list[str]:
    """The rate and the time left, once they are known."""
    left = report.seconds_left
    return [] if left is None else [f"{si(report.rate)} {report.counted}/s", f"{duration(left)} left"]


class Display(Protocol):
    """Shows reports, from the first until `close`."""

    def show(self, report: Report) -> None:
        """Take the newest report."""

    def close(self) -> None:
        """Stop; nothing is left on the screen that a later line could run into."""


def progress_display() -> Display:
    """A bar on a terminal, plain lines elsewhere."""
    return Bar() if is_terminal(sys.stderr) else Lines()


class Lines:
    """Plain lines: the first report at once, then the newest every `PERIOD` seconds."""

    def __init__(self) -> None:
        self._newest: Report | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._repeat, daemon=True)

    def show(self, report: Report) -> None:
        """Take the newest report."""
        first, self._newest = self._newest is None, report
        if first:
            self._print()
            self._thread.start()

    def close(self) -> None:
        """Print no more."""
        self._closed.set()

    def _repeat(self) -> None:
        while not self._closed.wait(PERIOD):
            self._print()

    def _print(self) -> None:
        report = self._newest
        assert report is not None
        state = [
            f"{report.units_done} of {counted(report.units, 'unit')}",
            f"{report.proposals_done / report.proposals:.0%}",
            *pace(report),
        ]
        note(f"{', '.join(state)}: {report.doing}")


class Bar:
    """Two lines that move: what is being done, and a bar with units, rate and time left."""

    def __init__(self, console: Console | None = None) -> None:
        console = Console(stderr=True) if console is None else console
        self._spinner = Spinner("dots", text="")
        self._progress = _TwoLines(self._spinner, console)
        self._task = self._progress.add_task("", total=None, units="", pace="")

    def show(self, report: Report) -> None:
        """Take the newest report."""
        self._spinner.update(text=report.doing)
        self._progress.update(
            self._task,
            total=report.proposals,
            completed=report.proposals_done,
            units=f"{report.units_done}/{counted(report.units, 'unit')}",
            pace="  ".join(pace(report)),
        )
        if not self._progress.live.is_started:
            self._progress.start()

    def close(self) -> None:
        """Take the lines away."""
        self._progress.stop()


class _TwoLines(Progress):
    def __init__(self, above: Spinner, console: Console):
        self._above = above
        columns = (BarColumn(bar_width=24), TaskProgressColumn(), *map(_text_column, ("units", "pace")))
        super().__init__(*columns, console=console, transient=True)

    def get_renderables(self) -> Iterable[Any]:
        yield self._above
        yield from super().get_renderables()


def _text_column(field: str) -> TextColumn:
    return TextColumn("{task.fields[" + field + "]}", markup=False)


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
