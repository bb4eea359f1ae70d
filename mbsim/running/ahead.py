"""What accelerators need for the launches that come next is compiled while one trains: seconds for each network."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Launch = TypeVar("Launch")

LAUNCHES = 8  # that are known ahead of the one that trains
THREADS = 3  # each of which compiles on all cores: while one is read by Python, others are by the compiler


def prepared(launches: Iterable[Launch], prepare: Callable[[Launch], None]) -> Generator[Launch]:
    """The launches, one after the other; prepare(launch) has begun, in other threads, for the next ones.

    What it raises is lost: whoever needs what it makes will meet that again.
    """
    pool = ThreadPoolExecutor(THREADS)
    waiting: deque[Launch] = deque()
    try:
        for launch in launches:
            pool.submit(prepare, launch)
            waiting.append(launch)
            if len(waiting) > LAUNCHES:
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
