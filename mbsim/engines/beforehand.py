"""What the register engine will need is compiled on all cores, beforehand: numba compiles one function at a time in a
process.

Other processes compile some of it into the files of `registers/kept.py`, from where this one loads it. What they do
not manage is compiled here when it is met.
"""

import ast
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from typing import Any, NamedTuple

from numba import types

from mbsim.engines.devices import cores
from mbsim.engines.drawing import graphs
from mbsim.engines.registers import compiled, kept, networks, orders, work
from mbsim.engines.registers.blocks import cut
from mbsim.engines.registers.calls import address_of
from mbsim.engines.registers.sizes import readers_of
from mbsim.engines.registers.training import shared_of
from mbsim.engines.task import Task

OF_KINDS = {"trainer": (compiled.trainer, 3), "examiner": (compiled.examiner, 2)}
COMMON = {
    "teachers": (graphs.draw, 6),
    "do": (work.do, 5),
    "agreement": (networks.path_agreement, 1),
    "weights": (compiled.initial_weights, 1),
}
ORDERS = {"orders": (orders.draw, 5), "colours": (orders.colour, 6)}
"""Functions, and how many integers they take; those of a kind are made for it. A task needs all of the common ones,
and one or none for its order. Those that take longest come first.
"""
MOST_OTHERS = 3
"""Processes beside this one, a quarter of a GiB each: the tasks of a job array may all begin at once."""
PATIENCE = 60
"""Seconds to wait for them when there is nothing left to do here; each function takes some."""


class Need(NamedTuple):
    """One of these functions, and the kind of blocks that it is for, if it is for one."""

    name: str
    kind: compiled.Kind | None = None

    def function(self) -> tuple[Any, int]:
        """What numba has of it, compiled or not, and how many integers it takes."""
        if self.kind is None:
            return (COMMON | ORDERS)[self.name]
        make, count = OF_KINDS[self.name]
        return make(self.kind), count

    def there(self) -> bool:
        """Whether it need not be compiled."""
        function, count = self.function()
        return kept.there(function, (types.int64,) * count)

    def compile(self) -> None:
        """Compile or load it, if it was not before."""
        address_of(*self.function())


def needs_of(task: Task) -> list[Need]:
    """What the students of the first teacher of a task need; mostly those of others need the same."""
    shared, labels, needs = shared_of(task), task.labels, []
    mine = labels.teacher == labels.teacher[0]
    for block in cut(labels.teacher[mine], labels.m[mine], readers_of(task.shape)):
        kind, examiner = shared.kinds(block)
        on_batches = examiner._replace(sampling=kind.sampling)
        needs += [Need("trainer", kind), Need("examiner", examiner), Need("examiner", on_batches)]
    if shared.random:
        needs.append(Need("orders"))
    elif not task.shape.scalar:
        needs.append(Need("colours"))
    return needs


def compile_all(needs: Callable[[], Iterable[Need]]) -> None:
    """Compile what is not there, if that is more than one function: here, and in processes on other cores. needs() is
    asked only if there are other cores.
    """
    if cores() == 1 or not kept.writable():
        return
    wanted = [*needs(), *map(Need, COMMON)]
    missing = [need for need in dict.fromkeys(wanted) if not need.there()]
    others = min(MOST_OTHERS, cores() - 1, len(missing) - 1)
    if others < 1:
        return
    left = deque(sorted(missing, key=lambda need: need.name != "trainer"))
    started: list[subprocess.Popen[str]] = []
    pool = ThreadPoolExecutor(others)
    try:
        asked = [pool.submit(_compile_elsewhere, left, started) for _ in range(others)]
        while need := _next(left):
            need.compile()
        wait(asked, timeout=PATIENCE)
    finally:  # a signal too: what is under way is given up
        left.clear()
        for process in started:
            process.kill()
        pool.shutdown()


def _next(left: deque[Need]) -> Need | None:
    with suppress(IndexError):  # others take from it too
        return left.popleft()
    return None


def _compile_elsewhere(left: deque[Need], started: list[subprocess.Popen[str]]) -> None:
    """Hand one function after the other to another process."""
    # Not from the folder at hand, where anybody may have put a module.
    command, pipe = [sys.executable, "-P", "-m", __name__], subprocess.PIPE
    with (
        suppress(OSError),
        subprocess.Popen(command, text=True, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        started.append(process)
        while need := _next(left):
            print((need.name, need.kind and tuple(need.kind)), file=process.stdin, flush=True)
            if not process.stdout.readline():  # it has ended
                return


def _serve() -> None:
    """Compile what is named on the standard input, a line each, and answer with a line."""
    for line in sys.stdin:
        name, kind = ast.literal_eval(line)
        Need(name, kind and compiled.Kind(*kind)).compile()
        print(flush=True)


if __name__ == "__main__":
    _serve()
