"""From a work unit to the task that an engine is handed: what the configuration says, in the words of physics."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from mbsim.config import Config
from mbsim.engines import Students, Task
from mbsim.physics.observables import OBSERVABLES
from mbsim.physics.problem import Problem
from mbsim.plan.units import Unit, measurement_times

LAUNCH_WORK = 4e9
"""Proposals or steps, of all students of one launch: a few seconds of a machine."""
LAUNCH_STUDENTS = 2**16
LAUNCH_UNITS = 512
"""Teachers of one launch: each takes a register at least, however few its students are, and room for its counts."""
ALWAYS = ("overlap", "generalization_error")  # what success is told by, whatever is kept


def problem_of(unit: Unit, config: Config) -> Problem:
    """Sizes and kinds of a work unit's teacher and student."""
    model = config.model
    kinds = {}
    if model.real:
        kinds = {
            "activation": model.activation,
            "teacher_activation": model.teacher_activation or model.activation,
            "scaling": model.scaling,
            "inputs": model.inputs,
            "teacher_weights": model.teacher_weights,
            "noise": model.noise,
        }
    return Problem(
        N=unit.N,
        K=unit.K,
        M=unit.M,
        d=unit.d,
        student_hidden=model.student_hidden or unit.K,
        teacher=model.teacher_kind,
        student=model.student_kind,
        train_output=model.train_output,
        rule=config.rule.name,
        options=config.dynamics.options,
        sampling=None if config.data is None else config.data.sampling,
        **kinds,
    )


def task_of(launch: Unit | Sequence[Unit], config: Config) -> Task:
    """What an engine trains for some work units that differ in the teacher only; students in C order over
    (unit, axes, m, replica).
    """
    some = [launch] if isinstance(launch, Unit) else list(launch)
    unit = some[0]
    teacher, *values, m, replica = np.meshgrid(
        np.array([one.teacher for one in some]),
        *unit.axes.values(),
        np.array(unit.m),
        np.arange(unit.replicas),
        indexing="ij",
    )
    axes = {name: grid.ravel() for name, grid in zip(unit.axes, values, strict=True)}
    assert config.measure.test_size is not None  # filled in when the configuration was loaded
    return Task(
        problem=problem_of(unit, config),
        students=Students(teacher.ravel(), m.ravel(), replica.ravel(), axes),
        times=measurement_times(config.dynamics.length, config.measure.measurements),
        seed=config.run.seed,
        test_size=config.measure.test_size,
        examples=unit.examples,
        observables=measured(unit.observables, unit.examples is not None),
    )


def launches(todo: Sequence[Unit], config: Config) -> Iterator[list[Unit]]:
    """Work units that are trained together, in order: those that differ in the teacher only, as many as are a few
    seconds of work, for what is trained is written when all of it is done.
    """
    some: list[Unit] = []
    for unit in todo:
        work, cost = work_of(unit, config), len(some) + 1
        alike = bool(some) and replace(unit, teacher=some[0].teacher) == some[0]
        fits = work * cost <= LAUNCH_WORK and unit.students * cost <= LAUNCH_STUDENTS and cost <= LAUNCH_UNITS
        if alike and fits:
            some.append(unit)
            continue
        if some:
            yield some
        some = [unit]
    if some:
        yield some


def measured(names: tuple[str, ...], finite: bool) -> tuple[str, ...]:
    """All that an engine measures for the observables `names`: with what they and success are made of."""
    wanted = [*ALWAYS, *names, *(["training_error"] if finite else [])]
    for name in names:
        wanted += OBSERVABLES[name].needs if name in OBSERVABLES else ()
    return tuple(name for name in OBSERVABLES if name in wanted and OBSERVABLES[name].value is not None)


def work_of(unit: Unit, config: Config) -> int:
    """How much work a unit is, in what its rule counts, all students together."""
    return config.rule.steps_of_work(problem_of(unit, config)) * config.dynamics.length * unit.students
