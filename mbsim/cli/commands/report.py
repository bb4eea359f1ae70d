"""`mbsim report`: one HTML page with the tables, the figures and the verdict."""

from pathlib import Path
from typing import Annotated

import typer

from mbsim.cli.exit_codes import DONE
from mbsim.cli.usage import Folder, resamples


def command(
    folder: Folder,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where to write it: .html.", show_default="DIR/report.html"),
    ] = None,
    order_parameter: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="The variable to analyse, see `mbsim analyze --help`.", show_default=False
        ),
    ] = None,
    bootstrap: Annotated[
        int,
        typer.Option(
            metavar="COUNT",
            parser=resamples,
            help="Resamples for the intervals, 100 or more; 1000 if not given.",
            show_default=False,
        ),
    ] = 1000,
) -> int:
    """Write one self-contained HTML page that reads like the results section of a paper.

    What was run, m_c by every estimator, its law against N and d, the data collapse, the order of the
    transition with its evidence, how to reproduce. What cannot be said is named with its reason. A run that
    is not finished is reported as far as it is.
    """
    from mbsim.cli import report

    report.report(folder, report.Wanted(out, order_parameter, bootstrap))
    return DONE
