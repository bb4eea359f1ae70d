"""Work units: which engine trains them, whether that is right here, and the arrays that they give."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from mbsim.config import Config
from mbsim.data import provenance
from mbsim.engines import choose, distrust, remembered
from mbsim.errors import MbsimError
from mbsim.plan.tasks import task_of
from mbsim.plan.units import Unit
from mbsim.running import results

MOST_REPLICAS = 2**16  # whose memory an engine is asked for


class SelfCheckFailed(MbsimError):  # noqa: N818 (says what happened)
    """The compiled kernels give wrong numbers on this device."""


def unit_bytes(unit: Unit, config: Config) -> int:
    """Estimate of the host's memory for one unit: records and final weights, and what trains."""
    # Engines launch so many students at a time at most, and a task of many more takes seconds to make.
    task = task_of(replace(unit, replicas=min(unit.replicas, MOST_REPLICAS)), config)
    records = unit.students * len(task.times) * 8 * 8
    weights = unit.students * 2 * (unit.K * unit.d + unit.M * task.problem.output_degree)
    return records + weights + choose(task, config.run.engine, here=False).engine.host_bytes(task)


def train_units(
    launch: Sequence[Unit], config: Config, progress: Callable[[int], None] = lambda work: None
) -> list[dict[str, np.ndarray]]:
    """Train the students of some units that differ in the teacher only, on all devices; for each unit its arrays, as
    `variables.unit_arrays` takes them.
    """
    task = task_of(launch, config)
    trained = choose(task, config.run.engine).engine.train(task, progress)
    each = launch[0].students
    return [
        results.variables(unit, config, trained.part(slice(i * each, (i + 1) * each)))
        for i, unit in enumerate(launch)
    ]


def self_check(config: Config, unit: Unit, say: Callable[[str], None] = lambda line: None) -> None:
    """See to it that what trains a unit gives its known answers on this device: an engine that does not is named and
    passed over.

    Raises:
        SelfCheckFailed: it is the one that was asked for.
    """
    task = task_of(unit, config)
    while True:
        engine = choose(task, config.run.engine).engine
        kernel, passed = remembered.answers(engine, task)
        if passed:
            return
        wrong = f"the compiled {kernel} kernel gives wrong numbers on this device"
        if config.run.engine is not None:
            raise SelfCheckFailed(
                f"{wrong}: nothing was computed; run `mbsim doctor`, and try another version of jax"
            )
        distrust(engine, task)
        say(f"engine {engine.name}: {wrong}; another engine is used")


def origin(config: Config, unit: Unit) -> dict[str, str]:
    """What computes a unit in this process: versions, device, engine, generator, commit."""
    from mbsim.engines import devices
    from mbsim.sampling.streams import GENERATOR

    devices.use_all_cores()
    choice = choose(task_of(unit, config), config.run.engine)
    return provenance.collect(prng=GENERATOR, engine=choice.engine.name, engine_reason=choice.reason)
