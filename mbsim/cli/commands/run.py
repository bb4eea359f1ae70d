"""`mbsim run`: train a grid, or what is missing of it, and print m_c."""

from pathlib import Path
from typing import Annotated

import typer

from mbsim.cli.exit_codes import DONE


def command(
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG.toml", help="What to run, as above.", show_default=False)
    ],
    out: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="The run folder.", show_default="runs/NAME"),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Override one key, its value as in the file: grid.d=[3,5]. May be given again.",
            show_default=False,
        ),
    ] = None,
    dask: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Compute on the workers of a dask cluster, whose scheduler is at tcp://HOST:PORT.",
            show_default=False,
        ),
    ] = None,
    part: Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            help="Compute part I of N, each a process that writes to the same DIR; auto asks Slurm or PBS.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, say what would be done, and stop.")
    ] = False,
) -> int:
    """Its help is `help_texts.run_help`."""
    from mbsim.config.configuration import load_config

    chosen = tuple(overrides or ())
    settings = load_config(config, chosen, "--set")
    from mbsim.cli import training
    from mbsim.data.files import folder_of
    from mbsim.plan.parts import part_of

    folder = folder_of(Path("runs") / settings.name if out is None else out, "--out")
    share = None if part is None else part_of(part, "--part")
    if dry_run:
        training.rehearse(settings, folder, share)
        return DONE
    words = [word for text in chosen for word in ("--set", text)] + (["--dask", dask] if dask else [])
    words += ["--part", part] if part else []
    again = ["mbsim", "run", str(config), "--out", str(folder), *words]
    return training.train(settings, folder, again, dask, share)
