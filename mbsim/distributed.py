"""Units of work on the workers of a dask cluster: many machines, one run folder.

Units are independent, and what a unit holds follows from its labels, so it does not matter which worker computes it,
or how often. The process that was called hands out units, receives their arrays and writes them; workers write
nothing. A worker that dies costs the units that it held: dask gives them to another.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from mbsim.config import Config
from mbsim.errors import MbsimError
from mbsim.grid import Unit

if TYPE_CHECKING:
    from distributed import Client

Result = dict[str, np.ndarray]
PATIENCE = 30
"""Seconds to wait for the scheduler."""
TRIES = 3
"""Workers that may die with a unit before it counts as failed."""


class NoCluster(MbsimError):  # noqa: N818 (says what happened)
    """The scheduler cannot be reached, or dask is not installed."""


@contextmanager
def cluster(address: str) -> Iterator["Client"]:
    """A connection to the scheduler at an address such as "tcp://head:8786", closed at the end."""
    try:
        from distributed import Client
    except ImportError:
        raise NoCluster("--dask needs dask: install mbsim[dask] here and on the workers") from None
    try:
        client = Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise NoCluster(f"--dask = {address}: no scheduler answers there ({reason})") from None
    try:
        yield client
    finally:
        client.close()


def compute(
    client: "Client",
    work: Callable[[Unit, Config], Result],
    units: Sequence[Unit],
    config: Config,
) -> Iterator[tuple[Unit, Result | Exception]]:
    """What `work(unit, config)` gives for each unit, as they finish; an exception stands for a unit that failed."""
    from distributed import as_completed

    futures: dict[Any, Unit] = {
        client.submit(work, unit, config, pure=False, retries=0, resources=None): unit for unit in units
    }
    try:
        for future in as_completed(futures):
            error = future.exception()
            yield futures[future], error if error is not None else future.result()
            future.release()
    finally:
        client.cancel(list(futures))
