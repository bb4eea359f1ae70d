"""The workers of a dask cluster: how many there are, and whether they are fit to compute a unit.

A worker with another version of mbsim or of jax, or with another commit of mbsim, might give other bits than this
process would: it is refused by name and is given nothing. Workers may come and go at any time.
"""

import importlib.metadata
from collections.abc import Callable
from typing import TYPE_CHECKING

from mbsim.data import provenance
from mbsim.errors import MbsimError
from mbsim.text import counted

if TYPE_CHECKING:
    from distributed import Client

PACKAGES = "mbsim", "jax", "jaxlib"
"""What a worker must have in the version that is here."""


class SchedulerLost(MbsimError):  # noqa: N818 (says what happened)
    """The scheduler of a dask cluster has ended while units were out; what is finished is kept."""


class Crew:
    """The workers at hand: `threads`, {address: how many} of those that are fit, and `refused`, {address: why}."""

    def __init__(self, client: "Client") -> None:
        self.threads: dict[str, int] = {}
        self.refused: dict[str, str] = {}
        assert client.scheduler is not None  # it has just answered
        self._client, self._address = client, client.scheduler.address

    def look(self) -> None:
        """See which workers there are now, and ask those that are new for their versions.

        Raises:
            SchedulerLost: nobody answers.
        """
        if self._client.status != "running":
            raise self.lost()
        try:
            present = self._client.nthreads()
            if new := present.keys() - self.threads.keys() - self.refused.keys():
                self.refused |= self._unfit(sorted(new))
        except OSError:
            raise self.lost() from None
        self.threads = {one: count for one, count in present.items() if one not in self.refused}

    def lost(self) -> SchedulerLost:
        """The error to raise where the scheduler has ended."""
        return SchedulerLost(f"the scheduler at {self._address} has ended")

    def _unfit(self, workers: list[str]) -> dict[str, str]:
        """Why some workers are not fit."""
        found: dict[str, str] = {}
        for package in PACKAGES:
            here = importlib.metadata.version(package)
            for worker, there in self._ask(workers, importlib.metadata.version, package).items():
                if there != here:
                    has = f"{package} {there}" if isinstance(there, str) else f"no {package}"
                    found.setdefault(worker, f"worker {worker} is refused: it has {has}, and here is {here}")
        here, fit = provenance.git_commit(), [worker for worker in workers if worker not in found]
        for worker, there in self._ask(fit, provenance.git_commit).items():
            if "" not in (here, there) and there != here:  # not known where mbsim was installed from a wheel
                found[worker] = (
                    f"worker {worker} is refused: it has mbsim's commit {there}, and here is {here}"
                )
        return found

    def _ask(self, workers: list[str], function: Callable[..., str], *arguments: str) -> dict[str, object]:
        """What a function gives on each worker, or the error; nothing of those that have gone meanwhile."""
        if not workers:  # of none, dask would ask all
            return {}
        told = self._client.run(function, *arguments, workers=workers, on_error="return")
        return {worker: there for worker, there in told.items() if not isinstance(there, OSError)}

    def __str__(self) -> str:
        """How many there are, in words."""
        refused = f" ({len(self.refused)} refused)" if self.refused else ""
        if not self.threads:
            return f"no worker yet: waiting for one{refused}"
        return f"{counted(len(self.threads), 'worker')}{refused}"
