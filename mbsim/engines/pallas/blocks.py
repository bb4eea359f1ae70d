"""Which students a program of a kernel has: those of one teacher and one layout, so that all do the same proposal.

A launch is as many blocks as a device has room for, of any teachers, one program for each.
"""

from typing import NamedTuple

import numpy as np

from mbsim.engines.pallas import layout, targets
from mbsim.engines.pallas.layout import Layout
from mbsim.engines.pallas.targets import Target
from mbsim.engines.task import Task

MOST_WASTE = 4  # times as many words as a student needs


class Blocks(NamedTuple):
    """Blocks of one layout, along the first axis of each array.

    teacher (blocks,): places among the teachers of the task, ascending. members (blocks, students of a program):
    places in the task, the last of a block repeated to fill it. used (blocks,): how many are real.
    """

    layout: Layout
    teacher: np.ndarray
    members: np.ndarray
    used: np.ndarray

    @property
    def students(self) -> int:
        """How many are trained."""
        return int(self.used.sum())

    @property
    def real(self) -> np.ndarray:
        """Which members are students, not copies that fill a block."""
        return np.arange(self.members.shape[1]) < self.used[:, None]

    @property
    def one_teacher(self) -> bool:
        """Whether all have the same."""
        return bool((self.teacher == self.teacher[0]).all())

    def launch(self, size: int) -> tuple["Blocks", "Blocks"]:
        """The first `size` blocks, or all and copies of the first that are not real; and those that are left."""
        at = np.arange(size)
        there = at < len(self.used)
        at = np.where(there, at, 0)
        some = Blocks(self.layout, self.teacher[at], self.members[at], np.where(there, self.used[at], 0))
        return some, Blocks(self.layout, self.teacher[size:], self.members[size:], self.used[size:])


def cut(task: Task, target: Target, devices: int, heat: int) -> list[Blocks]:
    """The students of a task in blocks, by layout."""
    found = []
    for index in together(task, target, devices, heat):
        _, counts = np.unique(task.labels.teacher[index], return_counts=True)
        # Blocks of one teacher are spread over devices; those of many are so in any case.
        most = -(-int(counts.max()) // -(-devices // len(counts)))
        of = layout.layout_for(target, task.shape, int(task.labels.m[index].max()), most, heat)
        assert of is not None, "refused"
        found.append(_of_layout(of, task.labels.teacher[index], index))
    return found


def together(task: Task, target: Target, devices: int, heat: int) -> list[np.ndarray]:
    """Places of the students that have one layout: those whose words are alike; and those with fewer words, as long
    as all their programs run at once and few words are wasted. Then they take no time of their own, and there are
    fewer kernels to compile.
    """
    shape, labels = task.shape, task.labels
    readers = 1 if shape.scalar else shape.readers
    values, places = np.unique(labels.m, return_inverse=True)
    alike = np.array([(layout.words_for(m), -layout.fields_for(m, readers)) for m in values.tolist()])
    widths, which = np.unique(alike, axis=0, return_inverse=True)
    which = which.ravel()[places]
    found: list[np.ndarray] = []
    words = students = 0  # of a student, of a program, in the layout that was begun last
    for width in range(len(widths) - 1, -1, -1):
        index = np.flatnonzero(which == width)
        if found and words <= MOST_WASTE * widths[width][0]:
            both = np.union1d(found[-1], index)
            _, counts = np.unique(labels.teacher[both], return_counts=True)
            if (-(-counts // students)).sum() <= targets.AT_ONCE[target.kind] * devices:
                found[-1] = both
                continue
        of = layout.layout_for(target, shape, int(labels.m[index].max()), len(index), heat)
        assert of is not None, "refused"
        words, students = int(widths[width][0]), of.students
        found.append(index)
    return found


def _of_layout(of: Layout, teacher: np.ndarray, index: np.ndarray) -> Blocks:
    """Blocks of students `index` with these teachers."""
    order = np.argsort(teacher, kind="stable")
    teacher, index = teacher[order], index[order]
    numbers, begins, counts = np.unique(teacher, return_index=True, return_counts=True)
    blocks = -(-counts // of.students)  # of each teacher
    number = np.arange(blocks.sum()) - np.repeat(np.cumsum(blocks) - blocks, blocks)  # among its teacher's
    first = np.repeat(begins, blocks) + number * of.students
    used = np.minimum(np.repeat(begins + counts, blocks) - first, of.students)
    place = np.minimum(np.arange(of.students), used[:, None] - 1)
    return Blocks(of, np.repeat(numbers, blocks), index[first[:, None] + place], used)
