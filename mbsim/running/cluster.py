"""Units of work on the workers of a dask cluster: many machines, one run folder.

Units are independent, and what a unit holds follows from its labels, so it does not matter which worker
computes it, or how often. The process that was called hands out units, receives their arrays and writes them;
workers write nothing. A worker that dies costs the units that it held: dask gives them to another.
"""

import functools
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from queue import Empty, Queue
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mbsim.config.configuration import Config
from mbsim.errors import ConfigError
from mbsim.plan.units import Unit
from mbsim.running.interrupts import raise_if_asked

if TYPE_CHECKING:
    from distributed import Client, Future

ADDRESS = re.compile(r"\w+://.+:\d+")
PATIENCE = 30  # seconds to wait for the scheduler
POLL = 0.5  # seconds after which a signal is noticed


class Answer(NamedTuple):
    """A unit's arrays and what computed them, or why there are none."""

    unit: Unit
    arrays: dict[str, np.ndarray]
    provenance: dict[str, str]
    failure: str = ""


@contextmanager
def cluster(address: str, label: str = "dask") -> "Iterator[Client]":
    """A connection to the scheduler at an address such as "tcp://head:8786", closed at the end. `label`: what errors
    call the address.

    Raises:
        ConfigError: nothing answers there, or dask is not installed.
    """
    if not ADDRESS.fullmatch(address):
        raise ConfigError(f"{label} {address!r}: must be the address of a scheduler, tcp://HOST:PORT")
    try:
        from distributed import Client
    except ImportError:
        raise ConfigError(
            f"{label} {address}: dask is not installed; `pip install 'dask[distributed]'`"
        ) from None
    try:
        client = Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(f"{label} {address}: no scheduler answers there; {reason}") from None
    with client:
        yield client


def answers(client: "Client", units: Sequence[Unit], config: Config) -> Iterator[Answer]:
    """The units as they finish, on whichever worker."""
    finished: Queue[Future] = Queue()
    pending = {client.submit(_on_worker, unit, config, pure=False): unit for unit in units}
    for future in pending:
        future.add_done_callback(finished.put)
    try:
        while pending:
            raise_if_asked()
            try:
                future = finished.get(timeout=POLL)
            except Empty:
                continue
            unit, error = pending.pop(future), future.exception()
            if error is None:
                yield Answer(unit, *future.result())
            else:
                yield Answer(unit, {}, {}, (str(error).splitlines() or [type(error).__name__])[0])
            future.release()
    finally:
        client.cancel(list(pending))


def _on_worker(unit: Unit, config: Config) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Compute a unit here, on all devices of this worker."""
    from mbsim.running import training

    _check_once(unit.M == 1, config)
    [arrays] = training.train_units([unit], config)
    return arrays, training.origin(config, unit)


@functools.cache
def _check_once(scalar: bool, config: Config) -> None:
    """Known answers, once in the life of a worker for each configuration and kind of output."""
    from mbsim.engines import devices
    from mbsim.plan import units as grid
    from mbsim.running import training

    devices.use_all_cores()
    training.self_check(config, next(unit for unit in grid.units(config) if (unit.M == 1) == scalar))
