"""What `mbsim report` does: analyse what is done of a run, and leave one HTML page in its folder."""

from pathlib import Path
from typing import NamedTuple

from mbsim import fss
from mbsim.cli import analyze as analyze_command
from mbsim.cli import drawing, terminal
from mbsim.data.dataset import open_run
from mbsim.data.files import one_line_errors, write_atomically
from mbsim.data.store import RunFolder
from mbsim.errors import DatasetError
from mbsim.running import status

REPORT = "report.html"


class Wanted(NamedTuple):
    """Where to write (None: into the run folder), which variable to analyse, with how many resamples."""

    file: Path | None
    order_parameter: str | None
    bootstrap: int


def report(path: Path, wanted: Wanted) -> None:
    """Analyse what is done of a run, and write the page.

    Raises:
        RunFolderError: `path` is no run folder.
        DatasetError: the variable is not in the dataset, or the page cannot be written.
        DrawingError: matplotlib cannot even be imported; a figure that it cannot draw is a note on the page.
    """
    with drawing.one_line():
        from mbsim.report import Source, html  # here, for matplotlib and jinja2 take a while

    file = path / REPORT if wanted.file is None else wanted.file
    _check_file(wanted.file)
    folder = RunFolder.open(path)
    note = analyze_command.unfinished(status.counts(status.states(folder)))
    dataset = open_run(path)
    order_parameter = analyze_command.check_variable(dataset, wanted.order_parameter)
    analysis = fss.analyze(dataset, order_parameter, bootstrap=wanted.bootstrap)
    page = html(dataset, analysis, Source(str(path), order_parameter, wanted.bootstrap, note))
    with one_line_errors(DatasetError, f"{file} cannot be written"):
        write_atomically(file, page.encode())
    terminal.say(f"report: {file}")


def _check_file(file: Path | None) -> None:
    """Before the analysis, which takes a while."""
    if file is None:
        return
    if file.suffix.lower() not in (".html", ".htm"):
        raise DatasetError(f"--out {file}: the ending must be one of .html, .htm")
    if not file.parent.is_dir():
        raise DatasetError(f"--out {file}: {file.parent} is no folder")
