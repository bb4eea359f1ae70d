"""What several commands share: the argument DIR, the options of an analysis, and the error of wrong usage."""

from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

import typer

from mbsim.errors import MbsimError


class UsageFault(MbsimError):  # noqa: N818 (not a fault of mbsim)
    """The command line makes no sense."""


def nearest(word: str, known: list[str]) -> str:
    """Which of the known words is most like `word`."""
    return get_close_matches(word, known, n=1, cutoff=0.0)[0]


def resamples(text: str | int) -> int:
    """The number of an option --bootstrap."""
    try:
        count = int(text)
    except ValueError:
        count = 0
    if count < 100:
        raise UsageFault(f"--bootstrap {text}: must be an integer, 100 or more")
    return count


def run_folder(text: str | Path) -> Path:
    """A run folder that a command reads; an empty text is none."""
    from mbsim.data.files import folder_of  # here, for it takes a while, and help does not need it

    return folder_of(text)


Folder = Annotated[
    Path,
    typer.Argument(
        metavar="DIR", help="A run folder, finished or not.", show_default=False, parser=run_folder
    ),
]
