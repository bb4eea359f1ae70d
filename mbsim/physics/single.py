"""The world of one student, made from its labels: to try a law by hand, a step at a time.

>>> from mbsim.physics.problem import Problem
>>> from mbsim.physics.rules import METROPOLIS
>>> problem = Problem(
...     N=16, K=16, M=16, d=3, student_hidden=16, teacher="sparse", student="binary", train_output=True,
...     rule="metropolis", options={"order": "random", "refresh": "sweep"},
... )
>>> world = world_of_one(problem, m=64, seed=1, temperature=0.0, init_overlap=0.0)
>>> state = METROPOLIS.init(world)
>>> step = jax.jit(lambda state, moment: METROPOLIS.step(world, state, moment))
>>> for time in range(20):
...     state, counts = step(state, METROPOLIS.moment(problem, time))
>>> state.weights.w.shape, int(counts["accepted"]) <= 96
((16, 3), True)
"""

import numpy as np

from mbsim.lazy import jax, jnp
from mbsim.physics.problem import Problem, labels_of
from mbsim.physics.rules import RULES, Group
from mbsim.physics.teachers import TEACHERS
from mbsim.physics.world import World


def world_of_one(
    problem: Problem,
    *,
    m: int,
    seed: int,
    teacher: int = 0,
    replica: int = 0,
    examples: int | None = None,
    slots: int | None = None,
    **axes: float,
) -> World:
    """The world of the student with these labels, as the engines give it to a rule.

    Args:
        problem: sizes and kinds.
        m: examples in a mini-batch.
        seed: root of all random numbers.
        teacher: number of the teacher.
        replica: number of the student.
        examples: size of the training set, None for fresh examples.
        slots: of a mini-batch, at least m; m where not given.
        axes: the value of each axis of the rule, such as temperature.
    """
    drawn = TEACHERS[problem.teacher].draw(problem, seed, teacher)
    column = np.array([m])
    values = {name: np.array([value]) for name, value in axes.items()}
    prepared = RULES[problem.rule].prepare(Group(problem, drawn, teacher, column, values, seed))
    many = labels_of(
        problem, column, np.array([replica]), prepared.own, seed=seed, teacher=teacher, examples=examples
    )
    labels = jax.tree.map(lambda values: jnp.asarray(values[0]), many)
    known = jax.tree.map(jnp.asarray, (drawn, prepared.shared))
    return World(problem, known[0], labels, known[1], m if slots is None else slots)
