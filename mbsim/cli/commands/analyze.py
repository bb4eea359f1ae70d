"""`mbsim analyze`: m_c for each (N, d), and the order of the transition."""

from pathlib import Path
from typing import Annotated

import typer

from mbsim.cli.exit_codes import DONE
from mbsim.cli.usage import Folder, resamples


def command(
    folder: Folder,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object; numbers that are not known are null.")
    ] = False,
    order_parameter: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The variable to read m_c from; if not given, the overlap of the weights, "
            "or that of the outputs where weights do not tell.",
            show_default=False,
        ),
    ] = None,
    bootstrap: Annotated[
        int,
        typer.Option(
            metavar="COUNT",
            parser=resamples,
            help="Resamples for the interval, 100 or more; 1000 if not given.",
            show_default=False,
        ),
    ] = 1000,
    figure: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Draw the order parameter against m: .png, .pdf, .svg.", show_default=False
        ),
    ] = None,
) -> int:
    """The critical size m_c for each (N, d), with its 95 % interval, and the order of the transition.

    m_c is the midpoint, half-way between the order parameter's plateaus before and after the transition, where
    both are seen, otherwise the place of its steepest slope. The order is "first", "second", "crossover" (smooth:
    nothing sharpens with N), "none" (no transition is seen) or "undecided"; the reason says what is missing. A run
    that is not finished is analysed as far as it is.
    """
    from mbsim.cli import analyze

    analyze.analyze(folder, analyze.Wanted(as_json, order_parameter, bootstrap, figure))
    return DONE
