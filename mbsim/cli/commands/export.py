"""`mbsim export`: the dataset as one netCDF file or Zarr store, or as a new run folder."""

from pathlib import Path
from typing import Annotated

import typer

from mbsim.cli.exit_codes import DONE
from mbsim.cli.usage import Folder


def command(
    folder: Folder,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="netCDF-4 (.nc, .h5), Zarr v3 (.zarr), or without an ending a new run folder.",
            show_default=False,
        ),
    ],
) -> int:
    """Write the whole dataset as one netCDF file or Zarr store, which xarray opens anywhere.

    A name without an ending becomes a new run folder, with which `mbsim run` goes on: of a run of real weights that
    an older mbsim wrote, for one. Students that fill only part of a work unit of the new folder are not dropped: the
    command refuses, but of such an older run, which cannot be finished otherwise.
    """
    from mbsim.cli import terminal
    from mbsim.data import dataset, export
    from mbsim.data.netcdf_units import is_old
    from mbsim.data.store import RunFolder
    from mbsim.plan.units import students_of
    from mbsim.text import counted

    found = dataset.open_run(folder)
    export.export(found, file, leave_out=is_old(folder))
    sizes = ", ".join(f"{name} {size}" for name, size in found.sizes.items())
    terminal.say(f"{file}: {len(found)} variables over {sizes}")
    asked = students_of(RunFolder.open(folder).config)
    if missing := asked - int((found.status != 0).sum()):
        terminal.note(f"note: {missing} of {counted(asked, 'student')} have not run, NaN stands there")
    return DONE
