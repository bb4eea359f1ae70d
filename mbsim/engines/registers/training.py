"""The loop over time on CPU cores: orders of proposals, sweeps, measurements."""

import functools
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from mbsim.engines.registers import members, students, unit_sweeps
from mbsim.engines.task import Columns, ReportProgress, Task
from mbsim.engines.xla import order as orders
from mbsim.sampling.streams import lane_keys, order_key

WORDS_AT_A_TIME = 5e7
"""Proposals times words of 64 examples, of all lanes, between two reports of progress: about a second on a
core, so that an interrupt is not kept waiting."""
ORDER_ENTRIES = 2**22
"""Proposals whose order is drawn at a time."""


@functools.partial(jax.jit, static_argnums=(1, 3))
def _random_orders(key, sweeps: int, first, n: int):
    numbers = first + jnp.arange(sweeps, dtype=jnp.int32)
    return orders.random_order(jax.random.wrap_key_data(key, impl="threefry2x32"), numbers, n)


class _Orders:
    """Rows (S, n) of orders and the sweep of the first, for any sweep; or, unit by unit, that of the units,
    and the `places` of hidden links in a sweep.
    """

    def __init__(self, task: Task, by_units: bool):
        shape, teacher = task.shape, task.teacher
        self.n, self.begin = shape.proposals, 0
        self.places = np.zeros(0, np.int32)
        self.rows: np.ndarray | None = None
        self.key = None
        graph = teacher.output_sources, shape.d, shape.K, shape.train_output
        if task.dynamics.order == "random":
            self.key = order_key(task.seed, shape.N, shape.d, task.teacher_label)
            self.sweeps = int(np.clip(ORDER_ENTRIES // self.n, 1, 64))
        elif by_units:
            self.places = orders.hidden_positions(*graph)
            self.rows = orders.unit_order(self.places, shape.d)[None]
        else:
            self.rows = orders.sequential_order(*graph)[None]

    def parts(self, first: int, stop: int, most: int) -> Iterator[tuple[int, int, np.ndarray, int]]:
        """(first, stop, rows, sweep of row 0), at most `most` sweeps each."""
        while first < stop:
            end = min(stop, first + most)
            if self.key is not None:
                begin = first - first % self.sweeps
                if self.rows is None or begin != self.begin:
                    drawn = _random_orders(self.key, self.sweeps, np.int32(begin), self.n)
                    self.rows, self.begin = np.asarray(drawn), begin
                end = min(end, begin + self.sweeps)
            assert self.rows is not None
            yield first, end, self.rows, self.begin
            first = end


def train(task: Task, workers: int, progress: ReportProgress) -> Columns:
    """Train the lanes of a task on `workers` cores."""
    shape, labels = task.shape, task.labels
    refresh = shape.proposals if task.dynamics.refresh is None else task.dynamics.refresh
    thermal = bool((labels.temperature > 0).any())
    # A fresh batch within a sweep would come between the links of a unit.
    by_units = (
        task.dynamics.order == "sequential"
        and not shape.scalar
        and refresh % shape.proposals == 0
        and shape.d <= unit_sweeps.TOTAL
    )
    setting = members.setting_of(task.teacher, shape, refresh, task.test_size, thermal, by_units)
    keys = lane_keys(task.seed, shape.N, shape.d, task.teacher_label, labels.m, labels.replica)
    drawn = members.init(setting, labels.m, labels.init_overlap, labels.temperature, keys)
    ensemble = students.Ensemble(setting, drawn, workers)
    orders_of = _Orders(task, by_units)
    each = shape.proposals * len(labels.m)
    words = shape.proposals * int((-(-labels.m // 64)).sum())
    most = max(1, int(WORDS_AT_A_TIME * workers / words))
    seen, accepted, sweep = [], [], 0
    try:
        for time in task.times.tolist():
            count = np.zeros(len(labels.m), np.int64)
            for first, stop, rows, begin in orders_of.parts(sweep, time, most):
                count += ensemble.advance(first, stop, rows, begin, orders_of.places)
                progress((stop - first) * each)
            sweep = time
            accepted.append(count)
            seen.append(ensemble.observe(time))
        counts = [np.stack(column, axis=1) for column in zip(*seen, strict=True)]
        w, v = ensemble.weights()
        return Columns(counts[0], counts[1], counts[2], np.stack(accepted, axis=1), w, v)
    finally:
        ensemble.close()
