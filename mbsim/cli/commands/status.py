"""`mbsim status`: what is done of a run, what is left, how long."""

from mbsim.cli.exit_codes import DONE
from mbsim.cli.usage import Folder


def command(folder: Folder) -> int:
    """What is done of a run, what is left, and how long it may take.

    All checksums are verified. May be asked while the run goes on, from another terminal.
    """
    from mbsim.cli import terminal
    from mbsim.data.store import RunFolder
    from mbsim.running import status

    terminal.say(status.text(RunFolder.open(folder)))
    return DONE
