"""From work units to the task that an engine is handed: what the configuration says, in the words of physics."""

from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from mbsim.config import Config
from mbsim.engines import Students, Task
from mbsim.physics.observables import OBSERVABLES
from mbsim.plan.problems import problem_of
from mbsim.plan.times import measurement_times
from mbsim.plan.units import MOST_STUDENTS, MOST_TEACHERS, Unit, cost_of

ALWAYS = ("overlap", "generalization_error")  # what success is told by, whatever is kept


def task_of(launch: Unit | Sequence[Unit], config: Config) -> Task:
    """What an engine trains for some work units of one `kind_of`: the students of one after those of another, each
    in C order over (axes, m, teacher, replica).
    """
    some = [launch] if isinstance(launch, Unit) else list(launch)
    unit = some[0]
    columns = []
    for one in some:
        teachers = one.first_teacher + np.arange(one.teachers)
        replicas = one.first_replica + np.arange(one.replicas)
        grids = np.meshgrid(*one.axes.values(), np.array(one.m), teachers, replicas, indexing="ij")
        columns.append([grid.ravel() for grid in grids])
    *values, m, teacher, replica = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    assert config.measure.test_size is not None  # filled in when the configuration was loaded
    return Task(
        problem=problem_of(config, unit.N, unit.d),
        students=Students(teacher, m, replica, dict(zip(unit.axes, values, strict=True))),
        times=measurement_times(config.dynamics.length, config.measure.measurements),
        seed=config.run.seed,
        test_size=config.measure.test_size,
        examples=unit.examples,
        observables=measured(unit.observables, unit.examples is not None),
        final_weights=False,
    )


class Limits(NamedTuple):
    """Of what is trained together: cost (`units.cost_of`), students, and teachers."""

    cost: float
    students: float
    teachers: float


LIMITS = {"cpu": Limits(4e9, MOST_STUDENTS, MOST_TEACHERS)}
OF_ACCELERATORS = Limits(4e11, 2**19, 2**14)  # seconds of work there; what does not fit is halved


def launches(todo: Sequence[Unit], config: Config, most: Limits = LIMITS["cpu"]) -> Generator[list[Unit]]:
    """Work units that are trained together, in order: those of one `kind_of`, up to `most`, for what is trained is
    written when all of it is done.
    """
    some: list[Unit] = []
    total = Limits(0, 0, 0)
    for unit in todo:
        own = Limits(cost_of(unit, config), unit.students, unit.teachers)
        together = Limits(*(a + b for a, b in zip(total, own, strict=True)))
        fits = all(value <= limit for value, limit in zip(together, most, strict=True))
        if some and fits and kind_of(unit) == kind_of(some[0]):
            some, total = [*some, unit], together
            continue
        if some:
            yield some
        some, total = [unit], own
    if some:
        yield some


def kind_of(unit: Unit) -> Unit:
    """The unit without the labels of its students, equal for those that one task may hold: networks of one size,
    trained by one rule with the same axes, and measured alike.
    """
    axes = tuple((name, ()) for name in unit.axes)
    return replace(
        unit,
        m=(), teachers=0, replicas=0, first_teacher=0, first_replica=0, axis_values=axes, group="", place=(0, 0),
    )  # fmt: skip


def measured(names: tuple[str, ...], finite: bool) -> tuple[str, ...]:
    """All that an engine measures for the observables `names`: with what they and success are made of."""
    wanted = [*ALWAYS, *names, *(["training_error"] if finite else [])]
    for name in names:
        wanted += OBSERVABLES[name].needs if name in OBSERVABLES else ()
    return tuple(name for name in OBSERVABLES if name in wanted and OBSERVABLES[name].value is not None)
