"""The loop over time that all compiled engines share: train, measure, report.

A *launch* is the students that are trained together. Those of a task that do not fill the last launch
are followed by copies of its first, whose results are dropped.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np


class Part(NamedTuple):
    """One launch: how many of its places are students of the task, and the student in each place (size,)."""

    used: int
    students: np.ndarray


def launches(students: np.ndarray, size: int) -> Iterator[Part]:
    """Students (their numbers in the task) in launches of `size`, the last filled up with copies.

    Example:
        >>> [(part.used, part.students.tolist()) for part in launches(np.arange(5), 3)]
        [(3, [0, 1, 2]), (2, [3, 4, 3])]
    """
    for begin in range(0, len(students), size):
        some = students[begin : begin + size]
        yield Part(len(some), np.concatenate([some, np.repeat(some[:1], size - len(some))]))


class Advanced(NamedTuple):
    """Students after some time: their state, the time that was reached, and what was counted on the way, an
    array (students,) that the next call leaves alone.
    """

    state: Any
    time: int
    counted: Any


class Launch(Protocol):
    """Students that are trained together, and how."""

    def init(self) -> Any:
        """Their state at time 0."""

    def advance(self, state: Any, time: int, goal: int) -> Advanced:
        """Train some way on from `time`, to `goal` at the latest. One call is about a second of work, so
        that an interrupt is not kept waiting; it may return before the work is done.
        """

    def observe(self, state: Any, time: int) -> Any:
        """What is measured."""


class Measured(NamedTuple):
    """A launch after its run: the state at the end; for each measured time, what was observed, and what was
    counted since the time before, one array for each call.
    """

    state: Any
    seen: list[Any]
    counted: list[list[Any]]


def run(
    launch: Launch, times: np.ndarray, work: int, progress: Callable[[int], None], ahead: int = 1
) -> Measured:
    """Take students through all measured times.

    Args:
        launch: the students.
        times: increasing times at which to measure, from 0 on; the last is the length of the run.
        work: what all students do in one unit of time; `progress` is told of it.
        progress: called with the work done since its last call. What it raises ends the run.
        ahead: calls that may run while the next is prepared. Waiting for the one before keeps reports honest
            and interrupts prompt.
    """
    state = launch.init()
    seen: list[Any] = []
    counted: list[list[Any]] = []
    pending: deque[tuple[Any, int]] = deque()

    def settle(left: int) -> None:
        while len(pending) > left:
            array, done = pending.popleft()
            jax.block_until_ready(array)
            progress(done)

    now = 0
    for time in times.tolist():
        counted.append([])
        while now < time:
            after = launch.advance(state, now, time)
            state = after.state
            counted[-1].append(after.counted)
            pending.append((after.counted, (after.time - now) * work))
            settle(ahead)
            now = after.time
        seen.append(launch.observe(state, time))
    settle(0)
    return Measured(state, seen, counted)
