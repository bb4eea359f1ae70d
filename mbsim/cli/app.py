"""The command line: assembles the commands, hands the words to one of them, and answers for its errors.

    exit code 0   done                         2   wrong usage or configuration: nothing was written
              1   some units or checks failed  75  interrupted; the same command goes on from there

Results go to standard output, everything else to standard error. What a user can put right is one line,
"error: ...", never a traceback. Help and usage errors come at once: see `mbsim.cli.commands`.
"""

import errno
import sys
import warnings
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from mbsim.cli.commands import analyze, bench, doctor, export, merge, report, run, status
from mbsim.cli.exit_codes import DONE, FAILED, INTERRUPTED, USAGE
from mbsim.cli.help_texts import HELP, run_help
from mbsim.cli.terminal import speak_plainly
from mbsim.cli.usage import UsageFault, nearest
from mbsim.errors import NO_ROOM, ConfigError, DatasetError, MbsimError, RunFolderError
from mbsim.running.interrupts import asked
from mbsim.running.output import give_up, lost, tell

CODES = dict.fromkeys(NO_ROOM, INTERRUPTED) | {errno.ENAMETOOLONG: USAGE}
"""Exit codes of errors of the file system; the others are failures."""


class Commands(TyperGroup):
    """The commands; one that is not there is answered with the nearest that is."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name."""
        command = super().get_command(ctx, cmd_name)
        if command is None and not ctx.resilient_parsing:
            names = list(self.commands)
            near = nearest(cmd_name, names)
            raise UsageFault(f"no command {cmd_name!r}; nearest is {near} ({', '.join(names)})")
        return command


class Run(TyperCommand):
    """`mbsim run`, whose help is made when it is asked for: it tells what rules and students declare."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        self.help = run_help()
        super().format_help(ctx, formatter)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"mbsim {version('mbsim')}")
        raise typer.Exit


def _before_commands(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None: ...


app = typer.Typer(
    cls=Commands,
    callback=_before_commands,
    help=HELP,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
for name, command, short_help, kind in (
    ("run", run.command, "Train a grid, or what is missing of it; print m_c.", Run),
    ("status", status.command, "What is done of a run, what is left, how long.", None),
    ("analyze", analyze.command, "m_c for each (N, d), with its 95 % interval.", None),
    ("report", report.command, "One HTML page with the table, the figures and the verdict.", None),
    ("export", export.command, "The dataset as one file or store, or a run folder.", None),
    ("merge", merge.command, "Runs whose grids alone differ, as one.", None),
    ("doctor", doctor.command, "Is this machine fit? Known answers, versions.", None),
    ("bench", bench.command, "How many proposals a second it trains here.", None),
):
    app.command(name, cls=kind, short_help=short_help)(command)


def main(words: Sequence[str]) -> int:
    """Run the command of these words; returns the exit code. Signals are `mbsim.cli.main`'s."""
    speak_plainly()
    lost.clear()
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        # PYTHONWARNINGS=error would make tracebacks of what is only told.
        warnings.filters[:] = [one for one in warnings.filters if one[0] != "error"]  # type: ignore[index]
        try:
            code = _dispatch(list(words))
            return _complain(FAILED, f"output is lost: {lost[0]}") if lost and code == DONE else code
        except (ConfigError, DatasetError, RunFolderError, UsageFault) as error:
            return _complain(USAGE, *error.lines)
        except MbsimError as error:
            return _complain(FAILED, *error.lines)
        except OSError as error:
            if asked():  # a terminal that has gone, as the signal said
                raise
            nameless = error.filename is None
            if nameless and error.errno in CODES:  # nothing but what is said is written without a name
                give_up(sys.stdout, error)
                return _complain(FAILED, f"output is lost: {error.strerror}")
            return _complain(CODES.get(error.errno or 0, FAILED), str(error))
        except MemoryError as error:
            return _complain(FAILED, f"not enough memory: {error}")


def _dispatch(words: list[str]) -> int:
    command = typer.main.get_command(app)
    try:
        code = command.main(words or ["--help"], prog_name="mbsim", standalone_mode=False)
    except Exception as error:
        # Of typer, whose versions keep the class in different places.
        if not hasattr(error, "format_message"):
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
        text = f"no option {name}; nearest is {nearest(name, [*known, '--help'])}"
    return f"{where}: {text[0].lower()}{text[1:]} (see {where} --help)"


def _complain(code: int, *lines: str) -> int:
    for line in lines:
        tell(f"error: {line}", sys.stderr)
    return code


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    tell(f"warning: {message}", sys.stderr)
