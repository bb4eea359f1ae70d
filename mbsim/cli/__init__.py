"""The command line: `main` is its entry. Light to import, so that signals are answered from the first moment."""

import shlex
import sys
import threading
from collections.abc import Sequence
from contextlib import nullcontext, suppress

from mbsim.cli.exit_codes import INTERRUPTED
from mbsim.running.interrupts import asked, interruptible, leave

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code.

    Args:
        arguments: the words after `mbsim`; by default those of this process, which a signal then ends here.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    in_main_thread = threading.current_thread() is threading.main_thread()
    with interruptible(ends=arguments is None) if in_main_thread else nullcontext():
        try:
            from mbsim.cli import app

            code = app.main(words)
        except BaseException:  # what Interrupted becomes in an import of compiled code, for one
            if not asked():
                raise
            advice = shlex.join(["mbsim", *words])
            with suppress(OSError):  # a terminal that has gone
                print(f"interrupted by {asked()}", f"go on with: {advice}", sep="\n", file=sys.stderr)
            code = INTERRUPTED
    if arguments is None and code == INTERRUPTED:
        leave(code)
    return code
