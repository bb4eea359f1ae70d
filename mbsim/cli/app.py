"""The command line: what the arguments mean, and what becomes of errors.

    exit code 0   done                         2   wrong usage or configuration: nothing was written
              1   some units or checks failed  75  interrupted; the same command goes on from there

Results go to standard output, everything else to standard error. What a user can put right is one line,
"error: ...", never a traceback. Whatever takes long to import is imported inside the command that needs it,
so that help and usage errors come at once.
"""

import errno
import sys
import threading
import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from mbsim.cli.exit_codes import DONE, FAILED, INTERRUPTED, USAGE
from mbsim.cli.help_texts import HELP, RUN_HELP
from mbsim.errors import ConfigError, DatasetError, MbsimError, RunFolderError
from mbsim.run.interrupts import Interrupted, interruptible


class Commands(TyperGroup):
    """The commands; one that is not there is answered with the nearest that is."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name."""
        command = super().get_command(ctx, cmd_name)
        if command is None and not ctx.resilient_parsing:
            names = list(self.commands)
            near = _nearest(cmd_name, names)
            raise UsageFault(f"no command {cmd_name!r}; nearest is {near} ({', '.join(names)})")
        return command


class UsageFault(MbsimError):  # noqa: N818 (not a fault of mbsim)
    """The command line makes no sense."""


app = typer.Typer(
    cls=Commands,
    help=HELP,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

Folder = Annotated[
    Path, typer.Argument(metavar="DIR", help="A run folder, finished or not.", show_default=False)
]


def _resamples(text: str | int) -> int:
    try:
        count = int(text)
    except ValueError:
        count = 0
    if count < 100:
        raise UsageFault(f"--bootstrap {text}: must be an integer, 100 or more")
    return count


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"mbsim {version('mbsim')}")
        raise typer.Exit


@app.callback()
def _before_commands(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None: ...


@app.command(help=RUN_HELP, short_help="Train a grid, or what is missing of it; print m_c.")
def run(
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG.toml", help="What to run, as above.", show_default=False)
    ],
    out: Annotated[
        Path | None,
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
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, say what would be done, and stop.")
    ] = False,
) -> int:
    """See RUN_HELP."""
    from mbsim.config.configuration import load_config

    chosen = tuple(overrides or ())
    settings = load_config(config, chosen)
    folder = Path("runs") / settings.name if out is None else out
    from mbsim.cli import run as run_command

    if dry_run:
        run_command.rehearse(settings, folder)
        return DONE
    words = [word for text in chosen for word in ("--set", text)] + (["--dask", dask] if dask else [])
    again = ["mbsim", "run", str(config), "--out", str(folder), *words]
    return run_command.train(settings, folder, again, dask)


@app.command(short_help="What is done of a run, what is left, how long.")
def status(folder: Folder) -> int:
    """What is done of a run, what is left, and how long it may take.

    Every file's checksum is verified. May be asked while the run goes on, from another terminal.
    """
    from mbsim.cli import terminal
    from mbsim.data.store import RunFolder
    from mbsim.run import status as run_status

    terminal.say(run_status.text(RunFolder.open(folder)))
    return DONE


@app.command(short_help="m_c for each (N, d), with its 95 % interval.")
def analyze(
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
            parser=_resamples,
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

    m_c is where the order parameter lies half-way between its branches before and after the transition. An
    order of "none" means that the grid does not show both branches; the reason says what to do. A run that is
    not finished is analysed as far as it is.
    """
    from mbsim.cli import analyze as analyze_command

    wanted = analyze_command.Wanted(as_json, order_parameter, bootstrap, figure)
    analyze_command.analyze(folder, wanted)
    return DONE


@app.command(short_help="One HTML page with the table, the figures and the verdict.")
def report(
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
            parser=_resamples,
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
    from mbsim.cli import report as report_command

    report_command.report(folder, report_command.Wanted(out, order_parameter, bootstrap))
    return DONE


@app.command(short_help="The dataset as one netCDF file or Zarr store.")
def export(
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

    found = dataset.open_run(folder)
    dataset.export(found, file)
    sizes = ", ".join(f"{name} {size}" for name, size in found.sizes.items())
    terminal.say(f"{file}: {len(found)} variables over {sizes}")
    asked = sum(unit.lanes for unit in units(RunFolder.open(folder).config))
    if missing := asked - int((found.status != 0).sum()):
        terminal.note(
            f"note: {missing} of {terminal.counted(asked, 'student')} have not run, NaN stands there"
        )
    return DONE


@app.command(short_help="Is this machine fit? Known answers, versions.")
def doctor() -> int:
    """Is this machine fit to run mbsim? Versions, devices, and known answers of the compiled kernels."""
    from mbsim.cli import terminal
    from mbsim.run import doctor as checkup

    return DONE if checkup.examine(terminal.say) else FAILED


@app.command(short_help="How many proposals a second it trains here.")
def bench(
    full: Annotated[bool, typer.Option("--full", help="Every size, connectivity and m: takes long.")] = False,
) -> int:
    """How many proposals a second this machine trains, in one table.

    `python benchmarks/table.py`, in the sources, sets the same cases beside a sequential program.
    """
    from mbsim.cli import terminal
    from mbsim.engines.devices import use_all_cores

    use_all_cores()
    from mbsim.run import bench as benchmark

    cases = benchmark.FULL if full else benchmark.QUICK
    measured = benchmark.measure(cases, progress=lambda case: terminal.note(f"timing {case}"))
    terminal.print_table(benchmark.table(measured))
    return DONE


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    main_thread = threading.current_thread() is threading.main_thread()
    with interruptible() if main_thread else nullcontext(), warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            return _dispatch(words)
        except (Interrupted, KeyboardInterrupt):
            print("interrupted", file=sys.stderr)
            return INTERRUPTED
        except (ConfigError, DatasetError, RunFolderError, UsageFault) as error:
            return _complain(USAGE, *error.lines)
        except MbsimError as error:
            return _complain(FAILED, *error.lines)
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            return _complain(INTERRUPTED if full else FAILED, str(error))
        except MemoryError as error:
            return _complain(FAILED, f"not enough memory: {error}")


def _dispatch(words: list[str]) -> int:
    command = typer.main.get_command(app)
    try:
        code = command.main(words or ["--help"], prog_name="mbsim", standalone_mode=False)
    except Exception as error:
        if not hasattr(
            error, "format_message"
        ):  # of typer, whose versions keep the class in different places
            raise
        raise UsageFault(_usage_line(error)) from None
    return code if words else USAGE


def _usage_line(error: Any) -> str:
    """What typer found wrong, in one line, with the nearest option and where to read more."""
    context = getattr(error, "ctx", None)
    text = " ".join(error.format_message().split()).rstrip(".")
    where = context.command_path if context else "mbsim"
    if context and (name := getattr(error, "option_name", "")):
        known = [
            option for parameter in context.command.params for option in parameter.opts if option[0] == "-"
        ]
        text = f"no option {name}; nearest is {_nearest(name, [*known, '--help'])}"
    return f"{where}: {text[0].lower()}{text[1:]} (see {where} --help)"


def _nearest(word: str, known: list[str]) -> str:
    return get_close_matches(word, known, n=1, cutoff=0.0)[0]


def _complain(code: int, *lines: str) -> int:
    for line in lines:
        print(f"error: {line}", file=sys.stderr)
    return code


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"warning: {message}", file=sys.stderr)
