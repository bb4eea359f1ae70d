"""What is asked of a configuration before it runs, besides whether it is right by itself and fits the memory."""

from collections.abc import Sequence
from dataclasses import replace

from mbsim.config import Config
from mbsim.engines import choose
from mbsim.engines.trial import try_observables
from mbsim.errors import ConfigError
from mbsim.physics.activations import ACTIVATIONS
from mbsim.physics.observables import OBSERVABLES
from mbsim.physics.optimisers import OPTIMISERS
from mbsim.plan.tasks import task_of
from mbsim.plan.units import MOST_PLANNED, Unit, count, students_of, work_of
from mbsim.registry import Registry

MOST_BATCHES = 2**32  # their numbers label random numbers of 32 bits
MOST_OUTPUTS = 2**31  # of all examples of a batch or a test, counted in 32 bits


def planned(config: Config) -> None:
    """Refuse a run of more units than can be listed."""
    if (number := count(config)) > MOST_PLANNED:
        grid = config.grid
        raise ConfigError(
            f"grid: these {students_of(config):,} students (grid.teachers = {grid.teachers}, grid.replicas = "
            f"{grid.replicas}) are {number:,} units of work, and a run has at most {MOST_PLANNED:,}; cut the grid "
            "into several runs"
        )


def counts(config: Config, units: Sequence[Unit]) -> None:
    """Refuse counts that exceed integers."""
    if config.model.real:
        return
    assert config.measure.test_size is not None  # filled in when the configuration was loaded
    refresh = config.dynamics.options["refresh"]
    for unit in units:
        size, key = max((unit.m[-1], "grid.m"), (config.measure.test_size, "measure.test_size"))
        if unit.M * size >= MOST_OUTPUTS:
            most = (MOST_OUTPUTS - 1) // unit.M
            raise ConfigError(
                f"{key} = {size}: must be at most {most} at N = {unit.N}, for outputs are counted in 32 bits"
            )
        proposals = work_of(unit, config) // unit.students
        if refresh != "sweep" and proposals // refresh >= MOST_BATCHES:
            least = proposals // MOST_BATCHES + 1
            raise ConfigError(
                f"dynamics.refresh = {refresh}: must be at least {least} with this many sweeps at "
                f"N = {unit.N}, for mini-batches are numbered in 32 bits"
            )


def registered(config: Config) -> None:
    """Refuse names that no script has registered here, and observables that give no number."""
    model, options = config.model, config.dynamics.options
    named: list[tuple[str, str | None, Registry]] = [
        ("model.activation", model.activation, ACTIVATIONS),
        ("model.teacher_activation", model.teacher_activation, ACTIVATIONS),
        ("dynamics.optimizer", options.get("optimizer"), OPTIMISERS),
        *(("measure.observables", name, OBSERVABLES) for name in config.observables),
    ]
    for key, name, registry in named:
        if name is not None and name not in registry:
            raise ConfigError(
                f'{key} = "{name}": not registered in this process; run the script that registers it, or choose '
                f"one of {', '.join(registry)}"
            )


def engine(config: Config, unit: Unit) -> None:
    """Refuse an engine that cannot do what is asked, and observables that give no number."""
    task = task_of(
        replace(unit, replicas=1, teachers=1), config
    )  # what an engine can do, it can do for any number
    choose(task, config.run.engine, here=config.run.engine is not None)
    if any(not OBSERVABLES.built_in(name) for name in task.observables):
        try_observables(task)
