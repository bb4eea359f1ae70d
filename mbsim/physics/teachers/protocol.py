"""What a kind of teacher is: the interface between what is learnt and everything that uses it."""

from typing import Protocol

from mbsim.lazy import Array
from mbsim.physics.problem import Problem, Teacher
from mbsim.registry import Registry


class TeacherKind(Protocol):
    """A law by which teachers are drawn and answer.

    name: key of the registry, `[model] teacher = "NAME"`. title, equation: for the report, what it is in words and
    what it answers. students: the kinds of students (`students.STUDENTS`) that can learn from it, empty for all.
    activated: whether hidden units have an activation.
    """

    name: str
    title: str
    equation: str
    students: tuple[str, ...]
    activated: bool

    def draw(self, problem: Problem, seed: int, label: int) -> Teacher:
        """The teacher with labels (seed, N, d, label), on the host."""

    def outputs(self, problem: Problem, teacher: Teacher, x: Array) -> Array:
        """Answers (examples, M) to inputs (examples, N)."""


TEACHERS: Registry[TeacherKind] = Registry("teacher")
