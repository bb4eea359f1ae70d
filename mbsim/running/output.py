"""What is said on standard output and error, also where nobody reads it any more, or the disk under it is full.

Training goes on then: its results lie in the run folder. What is said from then on is lost.
"""

import os
from typing import TextIO

lost: list[str] = []
"""Why something could not be said that somebody may miss. A reader that has gone, as `head` does, misses nothing."""


def tell(text: str, stream: TextIO) -> None:
    """Print at once, if that can be."""
    try:
        print(text, file=stream, flush=True)
    except OSError as error:
        give_up(stream, error)


def give_up(stream: TextIO, error: OSError) -> None:
    """Say nothing more on a stream: what waits in it, too, would fail again when Python ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
    if not isinstance(error, BrokenPipeError):
        lost.append(error.strerror or type(error).__name__)
