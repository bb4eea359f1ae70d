"""Ending a process in good order when a signal asks for it.

Light to import, so that signals are answered from the first moment. `Interrupted` is no `Exception`, for the
reason that KeyboardInterrupt is none: code that handles its own errors must not swallow it. Where it is
raised in a place that can raise nothing (a finaliser, a callback from C), Python drops it; `raise_if_asked`,
called now and then, raises it again.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)

_asked: list[str] = []


class Interrupted(BaseException):
    """A signal asked for the end; `reason` is its name."""

    def __init__(self, reason: str):
        self.reason = reason
        super().__init__(reason)


@contextmanager
def interruptible() -> Iterator[None]:
    """Within, SIGINT and SIGTERM raise `Interrupted`. For a process that then ends, in its main thread.

    The first signal is the last to be heard, until the process ends: wrappers (make, srun) pass Ctrl-C on a
    second time, and people press it twice; neither may cut the end short.
    """

    def stop(number: int, frame: Any) -> None:
        # Not SIG_IGN from then on: Python makes an error of a signal that was on its way when that was set.
        if not _asked:
            _asked.append(signal.Signals(number).name)
            raise Interrupted(_asked[0])

    before = {number: signal.signal(number, stop) for number in SIGNALS}
    try:
        yield
    finally:
        if not _asked:
            for number, handler in before.items():
                signal.signal(number, handler)


def raise_if_asked() -> None:
    """Raise `Interrupted` if a signal came within `interruptible`, and something swallowed it."""
    if _asked:
        raise Interrupted(_asked[0])
