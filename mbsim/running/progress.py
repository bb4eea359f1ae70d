"""How far a run is: what the runner tells, and whoever shows it reads.

Work is counted in proposals, or in what else the dynamics counts (`counted`), times are in seconds. Compiling
is not timed, so that the rate is that of training.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from mbsim.plan.tasks import kind_of
from mbsim.plan.units import Unit


class Progress(NamedTuple):
    """A report. The first one comes when it is known what is left, before anything is compiled.

    units_done, proposals_done: finished before and by this run, of `units` and `proposals` asked for.
    damaged: files that failed their checksum when this run began, and are computed again.
    doing: in words.
    seconds, timed: time of training, and the proposals done in it.
    """

    units_done: int
    units: int
    proposals_done: int
    proposals: int
    damaged: int
    doing: str = ""
    seconds: float = 0.0
    timed: int = 0
    counted: str = "proposals"

    @property
    def rate(self) -> float:
        """Proposals per second of this run, 0 before the first."""
        return self.timed / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Estimate of the time left, None before there is a rate."""
        return (self.proposals - self.proposals_done) / self.rate if self.rate else None


Report = Callable[[Progress], None]


class Reporter:
    """Counts what is done, times it, and tells `report`."""

    def __init__(self, start: Progress, report: Report | None):
        self.now = start
        self._report = report or (lambda progress: None)
        self._kinds: set[Unit] = set()
        self._place = ""
        self._crew = ""
        self._before_launch = start.proposals_done
        self._timed_before = start.seconds, start.timed
        self._clock: float | None = None  # time of the last report; None while what goes on is not timed

    def begin(self, doing: str) -> None:
        """Tell what comes next, other than a launch."""
        self._clock = None
        self._tell(doing=doing)

    def begin_launch(self, launch: Sequence[Unit]) -> None:
        """Tell which units come next; if none before had such students, something is compiled first."""
        self._before_launch = self.now.proposals_done
        self._timed_before = self.now.seconds, self.now.timed
        first = min(unit.first_teacher for unit in launch)
        span = max(unit.first_teacher + unit.teachers for unit in launch) - first
        m = tuple(sorted({m for unit in launch for m in unit.m}))
        self._place = str(replace(launch[0], m=m, first_teacher=first, teachers=span))
        if (kind := replace(kind_of(launch[0]), m=m)) in self._kinds:
            self._tell(doing=f"training {self._place}")
        else:
            self._kinds.add(kind)
            self.begin(f"compiling {self._place}")

    def handed_out(self, crew: str) -> None:
        """Tell who computes, if not this process: how many workers."""
        self._crew = f" on {crew}"
        self._tell(doing=crew)

    def received(self, unit: Unit) -> None:
        """Tell which unit comes next of those that others compute."""
        self._before_launch = self.now.proposals_done
        self._place = f"{unit}{self._crew}"

    def advance(self, proposals: int) -> None:
        """Count proposals of the launch done since the last call, fewer than none where they are done again."""
        if proposals < 0:  # they are done again: what was timed of this launch does not count
            seconds, timed = self._timed_before
            self.now, self._clock = self.now._replace(seconds=seconds, timed=timed), None
        before, self._clock = self._clock, time.monotonic()
        if before is not None:
            seconds = self.now.seconds + self._clock - before
            self.now = self.now._replace(seconds=seconds, timed=self.now.timed + proposals)
        done = self.now.proposals_done + proposals
        self._tell(doing=f"training {self._place}", proposals_done=done)

    def unit_kept(self) -> None:
        """A unit of the launch is done, and kept."""
        self.advance(0)
        self._tell(units_done=self.now.units_done + 1)

    def launch_failed(self) -> None:
        """The launch failed: its proposals do not count."""
        self._tell(proposals_done=self._before_launch)

    def _tell(self, **news: int | str) -> None:
        self.now = self.now._replace(**news)  # type: ignore[arg-type]
        self._report(self.now)
