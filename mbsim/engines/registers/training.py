"""Training on CPU cores: the order of proposals, and students in calls of bounded work."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mbsim.engines import launching
from mbsim.engines.launching import Advanced
from mbsim.engines.registers import decisions, students, unit_sweeps
from mbsim.engines.registers.cores import Ensemble, Observation, Orders
from mbsim.engines.task import Columns, ReportProgress, Task
from mbsim.physics import order as physics
from mbsim.sampling.streams import keys_of_students, order_key

WORDS_AT_A_TIME = 5e7
"""Proposals times words of 64 examples, of all students, in one call: about a second on a core, so that an
interrupt is not kept waiting."""
ORDER_ENTRIES = 2**22
"""Proposals whose order is drawn at a time."""


@functools.partial(jax.jit, static_argnums=(1, 3))
def _random_orders(key, sweeps: int, first, n: int):
    numbers = first + jnp.arange(sweeps, dtype=jnp.int32)
    return physics.random_order(jax.random.wrap_key_data(key, impl="threefry2x32"), numbers, n)


class _Orders:
    """The order of proposals of any sweep."""

    def __init__(self, task: Task, by_units: bool):
        shape, teacher = task.shape, task.teacher
        self.n, self.key = shape.proposals, None
        nothing = np.zeros(0, np.int32)
        self.made = Orders(np.zeros((0, self.n), np.int32), -1, nothing)
        graph = teacher.output_sources, shape.d, shape.K, shape.train_output
        if task.dynamics.order == "random":
            self.key = order_key(task.seed, shape.N, shape.d, task.teacher_label)
            self.sweeps = int(np.clip(ORDER_ENTRIES // self.n, 1, 64))
        elif by_units:
            positions = physics.hidden_positions(*graph)
            self.made = Orders(physics.unit_order(positions, shape.d)[None], 0, positions)
        else:
            self.made = Orders(physics.sequential_order(*graph)[None], 0, nothing)

    def at(self, sweep: int, stop: int) -> tuple[int, Orders]:
        """Orders of the sweeps from this one to the sweep that is given back, `stop` at the latest."""
        if self.key is None:
            return stop, self.made
        first = sweep - sweep % self.sweeps
        if first != self.made.first:
            drawn = _random_orders(self.key, self.sweeps, np.int32(first), self.n)
            self.made = self.made._replace(links=np.asarray(drawn), first=first)
        return min(stop, first + self.sweeps), self.made


class _Launch(NamedTuple):
    """`launching.Launch`, `most` sweeps in a call; the ensemble is its own state."""

    ensemble: Ensemble
    orders: _Orders
    most: int

    def init(self) -> None:
        return None

    def advance(self, state: None, time: int, goal: int) -> Advanced:
        stop, orders = self.orders.at(time, min(goal, time + self.most))
        return Advanced(None, stop, self.ensemble.train(time, stop, orders))

    def observe(self, state: None, time: int) -> Observation:
        return self.ensemble.observe(time)


def train(task: Task, workers: int, progress: ReportProgress) -> Columns:
    """Train the students of a task on `workers` cores."""
    shape, labels = task.shape, task.labels
    count = len(labels.m)
    refresh = shape.proposals if task.dynamics.refresh is None else task.dynamics.refresh
    law = task.dynamics.rule
    chance = decisions.chance_of(law, labels.temperature)
    # A fresh batch within a sweep would come between the links of a unit.
    by_units = (
        task.dynamics.order == "sequential"
        and not shape.scalar
        and refresh % shape.proposals == 0
        and shape.d <= unit_sweeps.TOTAL
    )
    shared = students.shared_of(task.teacher, shape, refresh, task.test_size, law, chance, by_units)
    keys = keys_of_students(task.seed, shape.N, shape.d, task.teacher_label, labels.m, labels.replica)
    drawn = students.init(shared, labels.m, labels.init_overlap, labels.temperature, keys)
    words = shape.proposals * int((-(-labels.m // 64)).sum())
    most = max(1, int(WORDS_AT_A_TIME * workers / words))
    ensemble = Ensemble(shared, drawn, workers)
    try:
        launch = _Launch(ensemble, _Orders(task, by_units), most)
        # A call returns when its work is done: there is nothing to prepare meanwhile.
        run = launching.run(launch, task.times, shape.proposals * count, progress, ahead=0)
        counts = [np.stack(column, axis=1) for column in zip(*run.seen, strict=True)]
        accepted = np.stack([sum(some, np.zeros(count, np.int64)) for some in run.counted], axis=1)
        w, v = ensemble.weights()
        return Columns(counts[0], counts[1], counts[2], accepted, w, v)
    finally:
        ensemble.close()
