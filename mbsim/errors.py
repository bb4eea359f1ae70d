"""The errors that mbsim's users meet.

Everything a user can cause raises a subclass of `MbsimError`. Its text is for reading as it stands: one
line for each thing that is wrong, saying which key or file, what was found, and what is allowed. The command
line prints the lines and exits with code 2; it shows no traceback for them. Any other exception is a fault
of mbsim.
"""

import errno

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Of an OSError: a full disk, a quota, `ulimit -f`. What is on disk stays, and the same command goes on."""


class MbsimError(Exception):
    """One or more things that the user can put right; `lines` holds one line of text for each.

    A line break inside a line (from a file name, say) becomes a space.
    """

    def __init__(self, *lines: str):
        self.lines: tuple[str, ...] = tuple(" ".join(line.splitlines()) for line in lines)
        super().__init__(*self.lines)  # so that the error survives pickling, on its way back from a worker

    def __str__(self) -> str:
        return "\n".join(self.lines)


class ConfigError(MbsimError):
    """The configuration, or an override, cannot be run."""


class RunFolderError(MbsimError):
    """A run folder is missing, holds something else, or does not belong to this configuration."""


class DatasetError(MbsimError):
    """A dataset lacks what was asked of it."""
