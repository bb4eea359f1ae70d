"""What an engine is: handed students of any teachers of one (N, d), it trains them and hands back what was measured.

The reference engine (`reference.py`) repeats the physics as it is written; the others are faster, and held to
it: bit for bit with ±1 weights, within rounding with real ones.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from mbsim.physics.problem import Problem
from mbsim.registry import Registry

Progress = Callable[[int], None]
"""Called now and then with the work done since the last call, all students together. What it raises ends the
training."""


class Students(NamedTuple):
    """The students to train, columns (students,): number of the teacher, mini-batch size, replica, and the value of
    each axis.
    """

    teacher: np.ndarray
    m: np.ndarray
    replica: np.ndarray
    axes: Mapping[str, np.ndarray]

    def part(self, students: slice | np.ndarray) -> "Students":
        """Some of them."""
        axes = {name: values[students] for name, values in self.axes.items()}
        return Students(self.teacher[students], self.m[students], self.replica[students], axes)


class Task(NamedTuple):
    """Students, and when to measure them.

    problem: sizes and kinds. students: as above. times: increasing units of time from 0
    on, the last the length of the run. seed: root of all random numbers. test_size: fresh examples at each
    measurement. examples: size of the training set, None where all are fresh. observables: what to measure.
    final_weights: whether the weights at the end are wanted; runs keep none.
    """

    problem: Problem
    students: Students
    times: np.ndarray
    seed: int
    test_size: int
    examples: int | None
    observables: tuple[str, ...]
    final_weights: bool = True


class Trained(NamedTuple):
    """What was measured, and the students at the end.

    series: (students, times) float64 of each observable that an engine measures and of what its rule counts.
    diverged: (students, times) bool. w, v: final weights (students, ...) as `students` has them, of no students
    where they are not wanted; v None where output weights are fixed.
    """

    series: dict[str, np.ndarray]
    diverged: np.ndarray
    w: np.ndarray
    v: np.ndarray | None

    def part(self, students: slice | np.ndarray) -> "Trained":
        """What was measured of some of the students."""
        series = {name: values[students] for name, values in self.series.items()}
        w = self.w[students] if len(self.w) else self.w  # of no students
        v = self.v if self.v is None or not len(self.v) else self.v[students]
        return Trained(series, self.diverged[students], w, v)

    @classmethod
    def joined(cls, parts: "Sequence[Trained]") -> "Trained":
        """Students that were trained apart, one after the other."""
        series = {name: np.concatenate([one.series[name] for one in parts]) for name in parts[0].series}
        diverged, w = (np.concatenate([getattr(one, name) for one in parts]) for name in ("diverged", "w"))
        v = None if parts[0].v is None else np.concatenate([one.v for one in parts if one.v is not None])
        return cls(series, diverged, w, v)


class Engine(Protocol):
    """A way to train students.

    name: in `[run] engine`. title: for people, with what it runs on. accelerated: whether it runs on GPUs and TPUs
    only. An engine that computes with JAX starts it, with the settings of mbsim, by `@on_jax()` (`settings.py`) on
    `train`, `prepare` and `known_answers`.
    """

    name: str
    title: str
    accelerated: bool

    def refuses(self, task: Task) -> str:
        """Why this engine cannot train the task anywhere, in a few words; empty if it can."""

    def unavailable(self, task: Task) -> str:
        """Why this engine cannot train the task on the devices of this process, in a few words; empty if it can. May
        start JAX.
        """

    def train(self, task: Task, progress: Progress) -> Trained:
        """Train and measure."""

    def prepare(self, task: Task, progress: Progress) -> None:
        """Compile what `train` will need, where that can be done in another thread, ahead of it; progress(0) after
        each program.
        """

    def host_bytes(self, task: Task) -> int:
        """Estimate of the host's memory while it trains, records not counted."""

    def kernel(self, task: Task) -> str:
        """Name of the compiled kernel that the task needs."""

    def known_answers(self, task: Task) -> bool:
        """Whether that kernel gives its known answers here."""


ENGINES: Registry[Engine] = Registry("engine")
