"""What accelerators need for the launches that come next is compiled while one trains: seconds for each network."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TypeVar

Launch = TypeVar("Launch")

LAUNCHES = 8  # that are known ahead of the one that trains
THREADS = 3  # each of which compiles on all cores: while one is read by Python, others are by the compiler


class Ended(Exception):  # noqa: N818 (says what happened)
    """What is prepared is no longer wanted."""


def prepared(
    launches: Iterable[Launch], prepare: Callable[[Launch, Callable[[int], None]], None]
) -> Generator[Launch]:
    """The launches, one after the other; prepare(launch, progress) has begun, in other threads, for the next ones.

    prepare calls progress(0) now and then, which raises `Ended` when nobody wants more launches. What else it raises
    is lost: whoever needs what it makes will meet that again.
    """
    pool, ended = ThreadPoolExecutor(THREADS), Event()
    waiting: deque[Launch] = deque()

    def progress(work: int) -> None:
        if ended.is_set():
            raise Ended

    try:
        for launch in launches:
            pool.submit(prepare, launch, progress)
            waiting.append(launch)
            if len(waiting) > LAUNCHES:
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()
    finally:
        ended.set()
        pool.shutdown(wait=False, cancel_futures=True)
