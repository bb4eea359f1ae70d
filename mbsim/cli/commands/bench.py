"""`mbsim bench`: how fast this machine trains."""

from pathlib import Path
from typing import Annotated

import typer

from mbsim.cli.exit_codes import DONE


def command(
    full: Annotated[bool, typer.Option("--full", help="Every size, connectivity and m: takes long.")] = False,
    file: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write the numbers there too, with versions."),
    ] = None,
) -> int:
    """How many proposals, and steps of gradient descent, a second this machine does.

    `python benchmarks/table.py`, in the sources, sets the same cases beside a sequential program;
    `python benchmarks/compare.py A B` sets two files of --json side by side.
    """
    from mbsim.cli import terminal
    from mbsim.data.files import must_be_new, one_line_errors, write_atomically
    from mbsim.engines.devices import use_all_cores
    from mbsim.engines.settings import check_shell, pinned
    from mbsim.errors import DatasetError

    if file is not None:
        must_be_new(file)  # before minutes of timing, not after
    check_shell()
    use_all_cores()  # before JAX starts, which the next import does
    from mbsim.running import bench, bench_sgd, bench_tables

    cases: list[bench.Case | bench_sgd.Case] = [*(bench.FULL if full else bench.QUICK), *bench_sgd.CASES]
    with pinned():
        measured = list(
            bench.measure(
                cases, progress=lambda case: terminal.note(f"timing {case}"), left_out=terminal.note
            )
        )
    for table in bench_tables.tables(measured):
        terminal.print_table(table)
    if file is not None:
        with one_line_errors(DatasetError, f"{file} cannot be written"):
            write_atomically(file, bench_tables.as_json(measured).encode())
        terminal.note(f"numbers: {file}")
    return DONE
