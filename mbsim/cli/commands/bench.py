"""`mbsim bench`: how many proposals a second this machine trains."""

from typing import Annotated

import typer

from mbsim.cli.exit_codes import DONE


def command(
    full: Annotated[bool, typer.Option("--full", help="Every size, connectivity and m: takes long.")] = False,
) -> int:
    """How many proposals a second this machine trains, in one table.

    `python benchmarks/table.py`, in the sources, sets the same cases beside a sequential program.
    """
    from mbsim.cli import terminal
    from mbsim.engines.devices import use_all_cores

    use_all_cores()  # before JAX starts, which the next import does
    from mbsim.running import bench

    cases = bench.FULL if full else bench.QUICK
    measured = bench.measure(cases, progress=lambda case: terminal.note(f"timing {case}"))
    terminal.print_table(bench.table(measured))
    return DONE
