"""Units of work on the workers of a dask cluster: many machines, one run folder.

Units are independent, and what a unit holds follows from its labels, so it does not matter which worker
computes it, or how often. The process that was called hands out units, a few for each thread of a worker,
receives their arrays and writes them; workers write nothing. A worker that dies costs the units that it held:
others do them. Which workers there are, and which are fit, is the matter of `crew`.
"""

import functools
import logging
import re
import time
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from queue import Empty, Queue
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mbsim.config.configuration import Config
from mbsim.errors import ConfigError
from mbsim.plan.units import Unit, work_of
from mbsim.running.crew import Crew
from mbsim.running.interrupts import raise_if_asked

if TYPE_CHECKING:
    from distributed import Client, Future

ADDRESS = re.compile(r"\w+://.+:\d+")
PATIENCE = 30  # seconds to wait for the scheduler
POLL = 0.5  # seconds after which a signal is noticed
LOOK = 2.0  # seconds between looks at the workers
AHEAD = 2  # units given to each thread, so that none waits for the next
ATTEMPTS = 3  # that a unit has
LOST = f"all workers that it was given to were lost, {ATTEMPTS} times; it may need more memory than they have"


class Answer(NamedTuple):
    """A unit's arrays, what computed them and lines about engines that were passed over; or why there are none."""

    unit: Unit
    arrays: dict[str, np.ndarray]
    provenance: dict[str, str]
    lines: tuple[str, ...] = ()
    failure: str = ""


@contextmanager
def cluster(address: str, label: str = "dask") -> "Iterator[Client]":
    """A connection to the scheduler at an address such as "tcp://head:8786", closed at the end. `label`: what errors
    call the address.

    Raises:
        ConfigError: nothing answers there, dask is not installed, or none of the workers is fit.
    """
    if not ADDRESS.fullmatch(address):
        raise ConfigError(f"{label} {address!r}: must be the address of a scheduler, tcp://HOST:PORT")
    try:
        from distributed import Client
    except ImportError:
        raise ConfigError(
            f"{label} {address}: dask is not installed; `pip install 'dask[distributed]'`"
        ) from None
    for name in ("batched", "client", "comm", "core", "gc", "utils", "utils_comm"):  # told in one line here
        logging.getLogger(f"distributed.{name}").setLevel(logging.CRITICAL)
    try:
        client = Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(f"{label} {address}: no scheduler answers there; {reason}") from None
    try:
        crew = Crew(client)
        crew.look()
        if crew.refused and not crew.threads:
            raise ConfigError(*(f"{label} {address}: {line}" for line in crew.refused.values()))
        yield client
    finally:
        client.close(timeout=POLL)


def answers(
    client: "Client", units: Sequence[Unit], config: Config, say: Callable[[str], None] = lambda text: None
) -> Iterator[Answer]:
    """The units as they finish, on whichever worker. A unit that fails is tried again, `ATTEMPTS` times in all.

    Args:
        client: the connection.
        units: what to compute.
        config: of the run.
        say: told in words how many workers there are, when that changes.

    Raises:
        SchedulerLost: the scheduler has ended.
    """
    from distributed import KilledWorker

    crew, said = Crew(client), ""
    finished: Queue[Future] = Queue()
    # The longest first: the last ones keep nobody waiting for long.
    waiting = deque(sorted(units, key=lambda unit: work_of(unit, config), reverse=True))
    failures, losses = Counter[Unit](), Counter[Unit]()
    given: dict[Future, tuple[Unit, set[str]]] = {}
    looked = -LOOK
    try:
        while waiting or given:
            raise_if_asked()
            if time.monotonic() - looked >= LOOK:
                known = set(crew.refused)
                crew.look()
                looked = time.monotonic()
                for worker in crew.refused.keys() - known:
                    warnings.warn(crew.refused[worker], stacklevel=2)
                if (text := str(crew)) != said:
                    said = text
                    say(said)
            for future, (unit, workers) in list(given.items()):
                if not workers & crew.threads.keys():  # all that it was given to have gone
                    del given[future]
                    future.cancel()
                    losses[unit] += 1
                    if losses[unit] < ATTEMPTS:
                        waiting.appendleft(unit)
                    else:
                        yield Answer(unit, {}, {}, failure=LOST)
            while waiting and len(given) < AHEAD * sum(crew.threads.values()):
                unit, workers = waiting.popleft(), set(crew.threads)
                future = client.submit(_on_worker, unit, config, pure=False, workers=sorted(workers))
                given[future] = unit, workers
                future.add_done_callback(finished.put)
            try:
                future = finished.get(timeout=POLL)
            except Empty:
                continue
            if future not in given:
                continue
            unit, _ = given.pop(future)
            if future.cancelled():
                raise crew.lost()
            try:
                error = future.exception()
                result = future.result() if error is None else None
            except OSError as broken:  # the connection, while numbers came
                crew.look()
                error, result = broken, None
            if result is not None:
                answer = Answer(unit, *result)
                for line in answer.lines:
                    warnings.warn(line, stacklevel=2)
                yield answer
                continue
            failures[unit] += 1
            if failures[unit] < ATTEMPTS and not isinstance(error, KilledWorker):  # dask has tried that again
                waiting.append(unit)
            else:
                why = (str(error).splitlines() or [type(error).__name__])[0]
                yield Answer(unit, {}, {}, failure=why)
    finally:
        for future in given:
            future.cancel()


def _on_worker(unit: Unit, config: Config) -> tuple[dict[str, np.ndarray], dict[str, str], tuple[str, ...]]:
    """Compute a unit here, on one core: a worker has as many of these at a time as it was given threads."""
    from mbsim.engines import devices
    from mbsim.running import training

    lines: list[str] = []
    with devices.cores_at_most(1):
        _start()
        training.self_check(config, unit, lines.append, _right)
        [arrays] = training.train_units([unit], config, say=lines.append)
        return arrays, training.origin(config, unit), tuple(lines)


_right: set[tuple[str, str]] = set()
"""Engines and kernels whose known answers were right in this worker."""


@functools.cache
def _start() -> None:
    """Once in the life of a worker: its share of the machine."""
    from distributed import get_worker

    from mbsim.engines import devices

    devices.use_share(get_worker().state.nthreads)
