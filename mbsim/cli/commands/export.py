"""`mbsim export`: the dataset as one netCDF file or Zarr store."""

from pathlib import Path
from typing import Annotated

import typer

from mbsim.cli.exit_codes import DONE
from mbsim.cli.usage import Folder


def command(
    folder: Folder,
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="netCDF-4 (.nc, .h5) or Zarr v3 (.zarr).", show_default=False),
    ],
) -> int:
    """Write the whole dataset as one netCDF file or Zarr store, which xarray opens anywhere."""
    from mbsim.cli import terminal
    from mbsim.data import dataset
    from mbsim.data.store import RunFolder
    from mbsim.plan.units import units
    from mbsim.text import counted

    found = dataset.open_run(folder)
    dataset.export(found, file)
    sizes = ", ".join(f"{name} {size}" for name, size in found.sizes.items())
    terminal.say(f"{file}: {len(found)} variables over {sizes}")
    asked = sum(unit.students for unit in units(RunFolder.open(folder).config))
    if missing := asked - int((found.status != 0).sum()):
        terminal.note(f"note: {missing} of {counted(asked, 'student')} have not run, NaN stands there")
    return DONE
