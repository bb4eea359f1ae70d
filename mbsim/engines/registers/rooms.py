"""Memory that one thread works in, and the rows that tell compiled functions of it (`records`)."""

import numpy as np

from mbsim.engines.registers import records, rows
from mbsim.engines.registers.groups import Group
from mbsim.engines.registers.loading import address
from mbsim.engines.registers.networks import WIDE
from mbsim.engines.registers.rows import nothing, row_of
from mbsim.engines.registers.sizes import BYTES, ROOM, students_in, unit_rows


def training_rows(group: Group) -> tuple[int, ...]:
    """Rows of `words` registers: those of `records.Batch`, and what a training set needs (`example_sets`)."""
    shape, kind = group.shared.shape, group.kind
    hidden, output = unit_rows(shape)
    counters = shape.K * hidden, shape.M * output
    drawn = ROOM if kind.sampling else 0
    return shape.N, *counters, 1 + kind.effects, shape.K, -(-drawn // group.words)


def exam_rows(group: Group) -> tuple[int, ...]:
    """Rows of one register: those of `records.Exam`, and what a training set needs."""
    shape = group.shared.shape
    return shape.N, shape.K, shape.M, shape.K, shape.M, ROOM if group.kind.sampling else 0


def bytes_for(group: Group) -> int:
    """Memory that a group's largest call takes."""
    units = group.shared.shape.K * students_in(WIDE) * 8
    return max(sum(training_rows(group)) * group.words * BYTES, sum(exam_rows(group)) * BYTES, units)


class Room:
    """The memory of one thread, and its rows for each group: for training, exams and agreement, and for sums."""

    def __init__(self, groups: list[Group]):
        self.memory = np.zeros(max(map(bytes_for, groups)) + BYTES, np.uint8)
        # Registers that lie in one cache line load faster.
        self.start = -(-address(self.memory) // BYTES) * BYTES
        self.training = [self._training(group) for group in groups]
        self.exams = [self._exam(group) for group in groups]
        links = nothing(records.Sizes), nothing(records.Seats)
        paths = nothing(records.Agreement)._replace(of_units=self.start)
        self.agreement = row_of(*links, paths)
        self.sum = np.zeros(max(len(row) for row in (*self.training, *self.exams, self.agreement)), np.int64)
        self.told = [  # where the rows of a group lie
            row_of(records.Room(*map(address, (*own, self.agreement, self.sum))))
            for own in zip(self.training, self.exams, strict=True)
        ]

    def _places(self, rows: tuple[int, ...], words: int) -> list[int]:
        """Addresses of arrays with so many rows of `words` registers."""
        ends = np.cumsum(rows) * words * BYTES
        return [self.start + int(end) for end in (0, *ends[:-1])]

    def _training(self, group: Group) -> np.ndarray:
        *batch, drawn = self._places(training_rows(group), group.words)
        given = {
            records.Batch: records.Batch(*batch),
            records.Sets: nothing(records.Sets)._replace(room=drawn),
        }
        return row_of(*(given.get(record, nothing(record)) for record in rows.ROWS["training"]))

    def _exam(self, group: Group) -> np.ndarray:
        *exam, drawn = self._places(exam_rows(group), 1)
        given = {records.Exam: records.Exam(*exam), records.Sets: nothing(records.Sets)._replace(room=drawn)}
        return row_of(*(given.get(record, nothing(record)) for record in rows.ROWS["exam"]))
