"""The world of ONE student: its teacher's answers, its mini-batches and tests, as functions of labels.

Rules and observables are written for one world; an engine maps them over many students.
"""

from typing import NamedTuple

import numpy as np

from mbsim.lazy import Array, jnp
from mbsim.physics.problem import Labels, Problem, Teacher
from mbsim.physics.teachers import TEACHERS
from mbsim.sampling import examples
from mbsim.sampling.example_sets import example_numbers
from mbsim.sampling.streams import Leaf, fold


class Batch(NamedTuple):
    """Inputs (slots, N), the teacher's answers (slots, M), and which slots are in use (slots,)."""

    x: Array
    y: Array
    used: Array


class World(NamedTuple):
    """Everything that one student meets. `slots`: of a batch, the largest m of all that are trained together;
    `shared`: what its rule prepared for all students of the teacher, by name.
    """

    problem: Problem
    teacher: Teacher
    labels: Labels
    shared: dict[str, Leaf]
    slots: int

    def batch(self, number: Array) -> Batch:
        """Mini-batch `number` of this student, fresh or from its training set, with noise if labels have any."""
        problem, keys, m = self.problem, self.labels.keys, self.labels.m
        slot = jnp.arange(self.slots, dtype=jnp.uint32)
        used = slot < m.astype(jnp.uint32)
        key, noise = fold(keys.examples, number), fold(keys.noise, number)
        counter = slot
        if problem.sampling is not None:
            key, noise, choice = keys.examples, keys.noise, keys.choice
            if problem.binary:  # whose streams have fewer purposes
                choice, key = fold(keys.examples, 0), fold(keys.examples, 1)
            count, moment = m.astype(jnp.uint32), number.astype(jnp.uint32)
            counter = example_numbers(problem.sampling, choice, moment, slot, count, self.labels.examples)
        if problem.binary and problem.sampling is None:
            x = examples.in_tiles(key, self.slots, problem.N)
        else:
            x = examples.by_example(key, counter, problem.N, problem.inputs)
        y = self.answers(x)
        if problem.noisy:
            y = y + np.float32(problem.noise) * examples.normals(noise, counter, problem.M)
        return Batch(x, y, used)

    def test(self, time: Array, size: int) -> Batch:
        """`size` fresh examples for the measurement at a time, without noise."""
        problem, key = self.problem, fold(self.labels.keys.test, time)
        if problem.binary:
            x = examples.in_tiles(key, size, problem.N)
        else:
            x = examples.by_example(key, jnp.arange(size, dtype=jnp.uint32), problem.N, problem.inputs)
        return Batch(x, self.answers(x), jnp.ones(size, bool))

    def answers(self, x: Array) -> Array:
        """The teacher's outputs (examples, M)."""
        return TEACHERS[self.problem.teacher].outputs(self.problem, self.teacher, x)


class Moment(NamedTuple):
    """When a step happens, as integers that do not overflow: its number; the number of the mini-batch in use
    when it begins, and how many proposals of that batch are past.
    """

    time: Leaf
    batch: Leaf
    past: Leaf


def as_moment(time: int, proposals: int, refresh: int) -> Moment:
    """The moment at which a sweep of `proposals` begins, a fresh batch coming every `refresh` proposals."""
    before = time * proposals
    return Moment(np.uint32(time), np.uint32(before // refresh), np.int32(before % refresh))
