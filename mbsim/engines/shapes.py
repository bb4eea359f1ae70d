"""The sizes of a task in the words of the engines, before a teacher is drawn."""

from typing import TYPE_CHECKING

from mbsim.engines.protocol import Task

if TYPE_CHECKING:
    from mbsim.engines.batched.networks import RealShape
    from mbsim.engines.networks import Shape


def most_readers(task: Task) -> int:
    """An estimate of the most outputs that read one hidden unit."""
    problem = task.problem
    if problem.M == 1:
        return 1
    return problem.d if problem.K == problem.M else problem.d * (problem.M // problem.K + 1) + 8


def shape_of_task(task: Task) -> "Shape":
    """Of ±1 weights."""
    from mbsim.engines.networks import Shape

    p = task.problem
    return Shape(p.N, p.K, p.M, p.d, most_readers(task), p.K == p.M, p.train_output)


def real_shape_of_task(task: Task) -> "RealShape":
    """Of real weights."""
    from mbsim.engines.batched.networks import RealShape

    p = task.problem
    dense = p.student == "dense"
    readers = 0 if dense or p.M == 1 else most_readers(task)
    sizes = p.N, p.K, p.M, p.d, p.student_hidden
    return RealShape(*sizes, dense, p.train_output, p.activation, p.scaling == "ntk", readers)
