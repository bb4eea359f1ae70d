"""What the engines of ±1 weights share: from a task to the students of `ensemble.train`, and back."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from mbsim.engines.protocol import Progress, Task, Trained
from mbsim.engines.shapes import shape_of_task
from mbsim.physics.observables import OBSERVABLES
from mbsim.physics.problem import Teacher
from mbsim.physics.rules import METROPOLIS, RULES
from mbsim.physics.rules.flip_rule import FlipRule

if TYPE_CHECKING:
    from mbsim.engines.task import Task as BinaryTask

MEASURED = ("overlap", "generalization_error", "training_error")


def foreign(task: Task, any_law: bool) -> str:
    """What these engines lack that the task needs; empty if nothing. any_law: whether the engine knows every rule
    of single flips, or Metropolis only.
    """
    problem = task.problem
    if problem.rule != METROPOLIS.name and not (any_law and isinstance(RULES[problem.rule], FlipRule)):
        return f"{RULES[problem.rule].title} is not among its rules"
    if problem.teacher != "sparse":
        return f'it has no teacher "{problem.teacher}"'
    return unmeasured(task, MEASURED)


def unmeasured(task: Task, known: tuple[str, ...]) -> str:
    """The observables that an engine which measures `known` lacks."""
    lacking = [name for name in task.observables if name not in known and OBSERVABLES[name].value is not None]
    return f"it does not measure {', '.join(lacking)}" if lacking else ""


def _arguments(task: Task) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Of `ensemble.train`, after the teachers."""
    from mbsim.engines.task import Dynamics, StudentLabels, TrainingSet

    problem, students, options = task.problem, task.students, task.problem.options
    training = None
    if task.examples is not None and problem.sampling is not None:
        training = TrainingSet(task.examples, problem.sampling)
    refresh = None if options["refresh"] == "sweep" else int(options["refresh"])
    numbers, which = np.unique(students.teacher, return_inverse=True)
    own = students.m, students.replica, students.axes["init_overlap"], students.axes["temperature"]
    return (numbers, StudentLabels(which, *own), task.times), {
        "seed": task.seed,
        "N": problem.N,
        "train_output": problem.train_output,
        "dynamics": Dynamics(options["order"], refresh, training, problem.rule),
        "test_size": task.test_size,
        "final_weights": task.final_weights,
    }


def _untaught(task: Task) -> "BinaryTask":
    """A task without its teachers, on whom nothing depends that is compiled; they are drawn only where it depends on
    who reads how many units.
    """
    from mbsim.engines.drawing import teachers_of
    from mbsim.engines.networks import shape_of
    from mbsim.engines.task import Task as BinaryTask

    problem, ((numbers, labels, times), named) = task.problem, _arguments(task)
    shape = shape_of_task(task)
    if not shape.regular:
        shape = shape_of(teachers_of(problem, task.seed, numbers), problem.N, problem.train_output)
    same = {name: named[name] for name in ("seed", "dynamics", "test_size", "final_weights")}
    nobody = Teacher(*(np.empty(0),) * len(Teacher._fields))
    return BinaryTask(nobody, numbers, shape, labels, times, **same)


def prepare(task: Task, progress: Progress) -> None:
    """Compile what "pallas" will need."""
    from mbsim.engines.mesh import student_mesh
    from mbsim.engines.pallas import training

    training.prepare(_untaught(task), student_mesh(), progress)


def compile_beforehand(task: Task, with_known_answers: bool = False) -> None:
    """Compile what "registers" will need, and perhaps what its known answers do, on all cores."""
    from mbsim.engines import beforehand, known_answers  # numba is slow to import

    def needs() -> Iterator[beforehand.Need]:
        if with_known_answers:
            kind, order, thermal = _kernel(task, "registers")
            known = known_answers.task(kind, thermal, order, rule=task.problem.rule)
            yield from beforehand.needs_of(known)
        yield from beforehand.needs_of(_untaught(task))

    beforehand.compile_all(needs)


def train(task: Task, engine: str, progress: Progress) -> Trained:
    """Train by "registers" or "pallas" of `ensemble.train`."""
    from mbsim.engines import ensemble
    from mbsim.engines.drawing import teachers_of

    problem, students = task.problem, task.students
    given, named = _arguments(task)
    teachers = teachers_of(problem, task.seed, given[0])
    records, weights = ensemble.train(teachers, *given, **named, progress=progress, engine=engine)
    elapsed = np.diff(task.times, prepend=0) * records.proposals
    series = {
        "overlap": records.agreement / records.paths,
        "generalization_error": records.test_wrong / records.test_outputs,
        "training_error": records.batch_wrong / (students.m * problem.M)[:, None],
        "accepted": records.accepted,
        "work": np.broadcast_to(elapsed, records.accepted.shape),
    }
    diverged = np.zeros(records.accepted.shape, bool)
    return Trained(series, diverged, weights.w, weights.v if problem.train_output else None)


def _kernel(task: Task, engine: str) -> tuple[str, str, bool]:
    """Kind of kernel, order, and whether some temperature is positive."""
    from mbsim.engines.known_answers import SUMS
    from mbsim.engines.registers.sizes import keeps_terms

    options = task.problem.options
    # With fresh batches within a sweep the sequential order has no program of its own.
    whole = options["refresh"] == "sweep" or int(options["refresh"]) % shape_of_task(task).proposals == 0
    order = options["order"] if whole else "random"
    kind = "scalar" if task.problem.scalar else "vector"
    if engine == "registers" and kind == "vector" and not keeps_terms(shape_of_task(task)):
        kind = SUMS
    return kind, order, max(task.students.axes["temperature"]) > 0


def kernel(task: Task, engine: str) -> str:
    """Name of the kernel of "registers" or "pallas" that a task needs."""
    kind, order, thermal = _kernel(task, engine)
    law = "" if task.problem.rule == METROPOLIS.name else "any-law "
    return f"{law or ('thermal ' if thermal else '')}{order}-order {kind}"


def known_answers(task: Task, engine: str) -> bool:
    """Whether that kernel gives its known answer."""
    from mbsim.engines import known_answers

    kind, order, thermal = _kernel(task, engine)
    return known_answers.passes(kind, thermal, order, engine, rule=task.problem.rule)
