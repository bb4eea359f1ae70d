"""How a person is shown the progress of a run: a bar on a terminal or in a notebook, plain lines elsewhere.

All of it goes to standard error, and a bar is taken away at the end, so that results stand alone. Plain lines
(in a log file, a batch job) come every `PERIOD` seconds, even while nothing happens but compiling.
"""

import html
import os
import sys
import threading
import time
from collections.abc import Iterable
from typing import Any, Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.spinner import Spinner

from mbsim.running.output import tell
from mbsim.running.progress import Progress as Report
from mbsim.text import counted, duration, si

PERIOD = 10.0  # seconds between plain lines
WIDTH = 24  # of the bar, in characters


class Display(Protocol):
    """Shows reports, from the first until `close`."""

    def show(self, report: Report) -> None:
        """Take the newest report."""

    def close(self) -> None:
        """Stop; nothing is left on the screen that a later line could run into."""


def best_display(patient: bool = False) -> Display:
    """A bar on a terminal and in a notebook, plain lines elsewhere.

    Args:
        patient: whether plain lines begin only after `PERIOD` seconds, so that a short run has none.
    """
    if in_notebook():
        return NotebookBar()
    return Bar() if is_terminal(sys.stderr) else Lines(patient)


def is_terminal(stream: TextIO) -> bool:
    """Whether a person looks at the stream, on a terminal that can move its cursor."""
    return stream.isatty() and os.environ.get("TERM", "") != "dumb"


def in_notebook() -> bool:
    """Whether the program runs in the kernel of a notebook."""
    ipython = sys.modules.get("IPython")  # a notebook has imported it
    shell = ipython.get_ipython() if ipython else None
    return hasattr(shell, "kernel")


def pace(report: Report) -> list[str]:
    """The rate and the time left, once they are known."""
    left = report.seconds_left
    return [] if left is None else [f"{si(report.rate)} {report.counted}/s", f"{duration(left)} left"]


class Lines:
    """Plain lines: the first report at once (not if `patient`), then the newest every `PERIOD` seconds."""

    def __init__(self, patient: bool = False) -> None:
        self._patient = patient
        self._newest: Report | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._repeat, daemon=True)

    def show(self, report: Report) -> None:
        """Take the newest report."""
        first, self._newest = self._newest is None, report
        if first:
            if not self._patient:
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
        tell(f"{', '.join(state)}: {report.doing}", sys.stderr)


class Bar:
    """Two lines that move: what is being done, and a bar with units, rate and time left."""

    def __init__(self, console: Console | None = None) -> None:
        console = Console(stderr=True) if console is None else console
        self._spinner = Spinner("dots" if console.encoding.startswith("utf") else "line", text="")
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
        columns = (BarColumn(bar_width=WIDTH), TaskProgressColumn(), *map(_text_column, ("units", "pace")))
        super().__init__(*columns, console=console, transient=True)

    def get_renderables(self) -> Iterable[Any]:
        yield self._above
        yield from super().get_renderables()


def _text_column(field: str) -> TextColumn:
    return TextColumn("{task.fields[" + field + "]}", markup=False)


class NotebookBar:
    """The same two lines as one output of a notebook's cell.

    Through IPython's own display handle, which every frontend has; rich's bar needs ipywidgets there.
    """

    EVERY = 0.2  # seconds between updates, each of which is a message to the browser

    def __init__(self) -> None:
        from IPython.display import DisplayHandle

        self._handle = DisplayHandle()
        self._shown = False
        self._next = 0.0

    def show(self, report: Report) -> None:
        """Take the newest report."""
        now = time.monotonic()
        if self._shown and now < self._next:
            return
        self._next = now + self.EVERY
        self._put(_two_lines(report))

    def close(self) -> None:
        """Take the output away."""
        if self._shown:
            self._put("")

    def _put(self, text: str) -> None:
        data = {"text/plain": text, "text/html": f"<pre>{html.escape(text)}</pre>" if text else ""}
        (self._handle.update if self._shown else self._handle.display)(data, raw=True)
        self._shown = True


def _two_lines(report: Report) -> str:
    share = report.proposals_done / report.proposals
    full = round(WIDTH * share)
    units = f"{report.units_done}/{counted(report.units, 'unit')}"
    bar = "━" * full + "─" * (WIDTH - full)
    return "\n".join([report.doing, "  ".join([bar, f"{share:.0%}", units, *pace(report)])])
