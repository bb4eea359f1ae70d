"""`mbsim merge`: runs of one kind, computed apart, as one."""

from pathlib import Path
from typing import Annotated

import typer

from mbsim.cli.exit_codes import DONE
from mbsim.cli.usage import run_folder


def command(
    folders: Annotated[
        list[Path],
        typer.Argument(
            metavar="DIR...", help="Two or more run folders.", show_default=False, parser=run_folder
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="netCDF-4 (.nc, .h5), Zarr v3 (.zarr); without an ending, a run folder.",
            show_default=False,
        ),
    ],
) -> int:
    """Join runs whose configurations differ in their grids only.

    The result has the union of their grids. As a run folder, `mbsim run` goes on with what none of them has; where
    students would fill only part of a work unit of it, the command refuses, and a file or store holds them.
    """
    from mbsim.cli import terminal
    from mbsim.data import export
    from mbsim.data.dataset import open_run
    from mbsim.data.merge import concat
    from mbsim.text import counted

    found = concat([open_run(folder) for folder in folders])
    export.export(found, out)
    sizes = ", ".join(f"{name} {size}" for name, size in found.sizes.items())
    terminal.say(
        f"{out}: {counted(int((found.status != 0).sum()), 'student')} of {len(folders)} runs, over {sizes}"
    )
    return DONE
