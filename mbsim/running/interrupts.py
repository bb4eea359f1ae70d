"""Ending a process in good order when a signal asks for it.

Light to import, so that signals are answered from the first moment. `Interrupted` is no `Exception`, for the
reason that KeyboardInterrupt is none: code that handles its own errors must not swallow it. Raised in a place
that can raise nothing (a finaliser, JAX's callback from the garbage collector), Python drops it;
`raise_if_asked`, called now and then, raises it again.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU")
"""Ctrl-C, kill, a terminal that closes, and what batch systems send before they stop a job."""
SIGNALS = tuple(getattr(signal, name) for name in NAMES if hasattr(signal, name))


AGAIN = 0.1  # seconds after which a signal that came within an import is looked at again


class Interrupted(BaseException):
    """A signal asked for the end; `reason` is its name."""

    def __init__(self, reason: str):
        self.reason = reason
        super().__init__(reason)


class _Asked:
    """The signal that came first, if any, and whether its exception is on its way."""

    reason = ""
    under_way = False


@contextmanager
def interruptible(ends: bool = False) -> Iterator[None]:
    """Within, `SIGNALS` raise `Interrupted`. For a process that then ends, in its main thread.

    From then to the end of the process further signals are not heard: wrappers (make, srun) pass Ctrl-C on a
    second time, and people press it twice; neither may cut the end short. A SIGHUP that is ignored, as nohup
    has it, stays ignored. ends: whether the process ends after this in any case: what is done is not undone by a
    signal that comes while it does.
    """

    def stop(number: int, frame: Any) -> None:
        if _Asked.under_way:
            return
        _Asked.reason = _Asked.reason or signal.Signals(number).name
        if _importing(frame) and hasattr(signal, "setitimer"):
            before.setdefault(signal.SIGALRM, signal.signal(signal.SIGALRM, stop))
            signal.setitimer(signal.ITIMER_REAL, AGAIN)
            return
        _Asked.under_way = True
        raise Interrupted(_Asked.reason)

    def dropped(unraisable: Any) -> None:
        if unraisable.exc_type is Interrupted:
            _Asked.under_way = False
        elif not _Asked.reason:  # objects that the signal left half made fail once more as they go
            report_others(unraisable)

    report_others, sys.unraisablehook = sys.unraisablehook, dropped
    before: dict[int, Any] = {}  # for a signal that comes before all are caught
    before |= {number: signal.signal(number, stop) for number in SIGNALS if not _kept_ignored(number)}
    try:
        yield
    finally:
        if not _Asked.reason:
            sys.unraisablehook = report_others
        # SIG_IGN outlasts Python's own end, where its handlers are reset. It comes no earlier, since Python
        # makes an error of a signal that was on its way when SIG_IGN was set.
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if _Asked.reason or ends else handler)


def _importing(frame: Any) -> bool:
    """Whether a module is imported: where compiled code makes its classes, an error may end the process."""
    while frame is not None and not frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame is not None


def _kept_ignored(number: int) -> bool:
    return signal.Signals(number).name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN


def asked() -> str:
    """Name of the signal that came within `interruptible`, or nothing."""
    return _Asked.reason


def raise_if_asked() -> None:
    """Raise `Interrupted` if a signal came within `interruptible`, and something dropped it."""
    if _Asked.reason:
        _Asked.under_way = True
        raise Interrupted(_Asked.reason)


def leave(code: int) -> None:
    """End this process at once, with what it has said.

    What a signal stopped half-way may still run in threads (compiled loops, calls of JAX, a connection). Python's
    own end takes the interpreter apart under them, which has crashed; the system ends all of them together.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # closed, or none: whoever listened has gone
            stream.flush()
    os._exit(code)
