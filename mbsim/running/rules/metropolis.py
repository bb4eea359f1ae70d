"""Metropolis for ±1 weights, as the pipeline sees it: units of work to labelled results."""

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np

from mbsim.errors import ConfigError
from mbsim.running.moments import success, tail_moments

if TYPE_CHECKING:
    from mbsim.config.configuration import Config, Dynamics
    from mbsim.plan.units import Unit

AXES = {
    "init_overlap": ("overlap of student and teacher before training", "1"),
    "temperature": ("temperature of the Metropolis dynamics", "1"),
}
TIME = "sweep", "sweeps"
WORK = "proposal", "proposals"
SERIES = {"acceptance": "accepted fraction of the proposals since the last time"}

MOST_BATCHES = 2**32  # their numbers label random numbers of 32 bits
MOST_OUTPUTS = 2**31  # of all examples of a batch or a test, counted in 32 bits


def check(config: "Config", units: "Iterable[Unit]") -> None:
    """Refuse counts that exceed integers."""
    for unit in units:
        size, key = max((unit.m[-1], "grid.m"), (_test_size(config), "measure.test_size"))
        if unit.M * size >= MOST_OUTPUTS:
            most = (MOST_OUTPUTS - 1) // unit.M
            raise ConfigError(
                f"{key} = {size}: must be at most {most} at N = {unit.N}, for outputs are counted in 32 bits"
            )
        dynamics: Dynamics = config.dynamics  # type: ignore[assignment]  # the weights are ±1
        proposals = work_of(unit, config) // unit.lanes
        if dynamics.refresh != "sweep" and proposals // dynamics.refresh >= MOST_BATCHES:
            least = proposals // MOST_BATCHES + 1
            raise ConfigError(
                f"dynamics.refresh = {dynamics.refresh}: must be at least {least} with this many sweeps at "
                f"N = {unit.N}, for mini-batches are numbered in 32 bits"
            )


def unit_bytes(unit: "Unit", config: "Config", times: np.ndarray) -> int:
    """Records and final weights, and what trains: a block of students on each core, or, on an accelerator,
    one student with its schedule at the least.
    """
    from mbsim.engines.networks import Shape
    from mbsim.engines.registers.sizes import core_bytes
    from mbsim.engines.xla import memory

    equal = unit.K == unit.M
    readers = 1 if unit.M == 1 else unit.d if equal else unit.d * (unit.M // unit.K + 1) + 8
    shape = Shape(unit.N, unit.K, unit.M, unit.d, readers, equal, config.model.train_output)
    setting = memory.setting_of(shape, max(unit.m), _test_size(config), max(unit.temperature) > 0)
    records = unit.lanes * len(times) * 8 * 8
    weights = unit.lanes * (shape.hidden_links + shape.output_links) * 2
    on_cores = core_bytes(shape, max(unit.m)) * _cores()
    return records + weights + max(on_cores, memory.lane_bytes(setting) + memory.schedule_bytes(shape))


def work_of(unit: "Unit", config: "Config") -> int:
    """Number of proposals in a unit: trained weights times sweeps times lanes."""
    hidden = unit.K * unit.d
    output = unit.M * (unit.K if unit.M == 1 else unit.d) if config.model.train_output else 0
    return (hidden + output) * config.dynamics.length * unit.lanes


def order_parameter(config: "Config") -> str:
    """The overlap of the weights; with one output that of the outputs, for many weights give the same
    function.

    A majority of three signs is (a + b + c - abc) / 2: as all hidden units are summed, only the sums of
    weights on each input and their products in each unit count, which does not fix the weights.
    """
    return "output_overlap_mean" if config.model.output == "scalar" else "overlap_mean"


def train_unit(
    unit: "Unit", config: "Config", times: np.ndarray, progress: Callable[[int], None]
) -> dict[str, np.ndarray]:
    """Train the lanes of one unit on all devices; arrays as `variables.unit_arrays` takes them."""
    from mbsim.engines.ensemble import LaneLabels, train
    from mbsim.engines.networks import draw_teacher
    from mbsim.engines.task import Dynamics as How
    from mbsim.engines.xla.metropolis import TrainingSet

    dynamics: Dynamics = config.dynamics  # type: ignore[assignment]  # the weights are ±1
    train_output = config.model.train_output
    teacher = draw_teacher(unit.N, unit.K, unit.M, unit.d, train_output, config.run.seed, unit.teacher)
    axes = (unit.init_overlap, unit.temperature, unit.m, range(unit.replicas))
    overlap, temperature, m, replica = (grid.ravel() for grid in np.meshgrid(*axes, indexing="ij"))
    training = None
    if unit.examples is not None and config.data is not None:
        training = TrainingSet(unit.examples, config.data.sampling)
    refresh = None if dynamics.refresh == "sweep" else int(dynamics.refresh)
    records, _ = train(
        teacher,
        LaneLabels(m, replica, overlap, temperature),
        times,
        seed=config.run.seed,
        N=unit.N,
        teacher_label=unit.teacher,
        train_output=train_output,
        dynamics=How(dynamics.order, refresh, training),
        test_size=_test_size(config),
        progress=progress,
    )
    with np.errstate(invalid="ignore"):  # no time has passed at time 0: the accepted fraction is 0/0
        elapsed = np.diff(times, prepend=0) * records.proposals
        acceptance = records.accepted / elapsed
    series = {
        "overlap": records.agreement / records.paths,
        "generalization_error": records.test_wrong / records.test_outputs,
        "training_error": records.batch_wrong / (m * unit.M)[:, None],
        "acceptance": acceptance,
    }
    learned = records.test_wrong == 0 if unit.M == 1 else records.agreement == records.paths
    return series | tail_moments(series, times, guess=0.5) | success(learned, times)


def self_check(unit: "Unit", config: "Config") -> tuple[str, bool]:
    """Name of the kernel that the unit needs, and whether it gives its known answer."""
    from mbsim.engines import known_answers as selfcheck

    dynamics: Dynamics = config.dynamics  # type: ignore[assignment]  # the weights are ±1
    kind, thermal = "scalar" if unit.M == 1 else "vector", max(unit.temperature) > 0
    engine = None if unit.examples is None else "xla"
    # With fresh batches within a sweep the sequential order has no program of its own.
    order = dynamics.order if dynamics.refresh == "sweep" else "random"
    return f"{order}-order {kind}", selfcheck.passes(kind, thermal, order, engine)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _test_size(config: "Config") -> int:
    assert config.measure.test_size is not None  # filled in when the configuration was loaded
    return config.measure.test_size
