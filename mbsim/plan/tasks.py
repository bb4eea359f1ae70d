"""From a work unit to the task that an engine is handed: what the configuration says, in the words of physics."""

import numpy as np

from mbsim.config import Config
from mbsim.engines import Students, Task
from mbsim.physics.observables import OBSERVABLES
from mbsim.physics.problem import Problem
from mbsim.plan.units import Unit, measurement_times

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


def task_of(unit: Unit, config: Config) -> Task:
    """What an engine trains for a work unit; students in C order over (axes, m, replica)."""
    *values, m, replica = np.meshgrid(
        *unit.axes.values(), np.array(unit.m), np.arange(unit.replicas), indexing="ij"
    )
    students = Students(
        np.full(m.size, unit.teacher), m.ravel(), replica.ravel(), {name: grid.ravel() for name, grid in zip(unit.axes, values, strict=True)}
    )
    assert config.measure.test_size is not None  # filled in when the configuration was loaded
    return Task(
        problem=problem_of(unit, config),
        students=students,
        times=measurement_times(config.dynamics.length, config.measure.measurements),
        seed=config.run.seed,
        test_size=config.measure.test_size,
        examples=unit.examples,
        observables=measured(unit.observables, unit.examples is not None),
    )


def measured(names: tuple[str, ...], finite: bool) -> tuple[str, ...]:
    """All that an engine measures for the observables `names`: with what they and success are made of."""
    wanted = [*ALWAYS, *names, *(["training_error"] if finite else [])]
    for name in names:
        wanted += OBSERVABLES[name].needs if name in OBSERVABLES else ()
    return tuple(name for name in OBSERVABLES if name in wanted and OBSERVABLES[name].value is not None)


def work_of(unit: Unit, config: Config) -> int:
    """How much work a unit is, in what its rule counts, all students together."""
    return config.rule.steps_of_work(problem_of(unit, config)) * config.dynamics.length * unit.students
