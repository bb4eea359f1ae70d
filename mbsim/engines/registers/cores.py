"""What a core does with a block of students: train, observe, weights.

Blocks are independent of each other. What a student does follows from its labels alone, and is the same, bit for
bit, as what the other engines compute.
"""

from typing import NamedTuple

import numpy as np

from mbsim.engines.registers import compiled, networks, records
from mbsim.engines.registers.loading import address
from mbsim.engines.registers.sizes import BYTES, students_in
from mbsim.engines.registers.students import Questions, Shared, Students

Array = np.ndarray


class Observation(NamedTuple):
    """Exact counts (B,) int64: agreement is the sum of (v v*)(w w*) over the paths (output link, hidden link);
    test_wrong and batch_wrong are wrong outputs on the test examples and on the next mini-batch, before it is used.
    """

    agreement: Array
    test_wrong: Array
    batch_wrong: Array


class Orders(NamedTuple):
    """The order of proposals of some sweeps: links and positions (int32) as in `records.Order`, and the sweep
    of the first row.
    """

    links: Array
    first: int
    positions: Array


class Room:
    """Memory that one thread works in: as much as its largest block needs, handed out anew to each."""

    def __init__(self) -> None:
        self.memory = np.zeros(0, np.uint8)

    def of(self, words: int, rows: tuple[int, ...]) -> tuple[int, ...]:
        """Addresses of arrays with so many rows of `words` registers; what was handed out before is void."""
        ends = np.cumsum(rows) * words * BYTES
        if self.memory.size < ends[-1] + BYTES:
            self.memory = np.zeros(ends[-1] + BYTES, np.uint8)
        start = -(-address(self.memory) // BYTES) * BYTES  # registers that lie in one cache line load faster
        return tuple(int(start + end) for end in (0, *ends[:-1]))


def train(shared: Shared, students: Students, orders: Orders, begin: int, stop: int, room: Room) -> Array:
    """Train a block through sweeps begin to stop; returns accepted proposals (B,), void when it is trained again."""
    shape, kind, words = shared.shape, students.kind, students.block.words
    counters = shape.K * kind.planes[0], shape.M * (kind.output_planes[0] + 1)
    drawing = shape.N if kind.sampling else 0  # of a register each, whatever the words of a batch
    rows = shape.N, *counters, 1 + kind.effects, shape.K, -(-drawing // words)
    *batch, drawn = room.of(words, rows)
    students.accepted[:] = 0
    compiled.trainer(kind)(
        begin,
        stop,
        shared.refresh,
        shared.sizes(words),
        records.Order(
            address(orders.links), len(orders.links), orders.first, address(orders.positions)
        ),
        students.taught.tables,
        students.taught.weights,
        students.weights,
        records.Batch(*batch),
        students.keys,
        students.sets._replace(room=drawn),
        students.heat,
        students.tally,
    )
    return students.accepted


def observe(shared: Shared, students: Students, time: int, room: Room) -> Observation:
    """Count agreements with the teacher, and errors on fresh test examples and on the next mini-batch."""
    number = -(-time * shared.shape.proposals // shared.refresh)
    test = _wrong(shared, students, room, [part.test for part in students.parts], time)
    batch = _wrong(shared, students, room, [part.batch for part in students.parts], number)
    return Observation(_agreement(shared, students), test, batch)


def weights(students: Students) -> tuple[Array, Array]:
    """±1 weights (B, links) of both layers, int8."""
    count = len(students.block.members)
    negative = (np.unpackbits(bits, bitorder="little").reshape(-1, count).T for bits in (students.w, students.v))
    w, v = (1 - 2 * layer.astype(np.int8) for layer in negative)
    return w, v


def _wrong(shared: Shared, students: Students, room: Room, asked: list[Questions], label: int) -> Array:
    """Wrong outputs (B,) on batches with a label."""
    shape, wrong = shared.shape, students.wrong
    *exam, drawn = room.of(1, (shape.N, shape.K, shape.M, shape.K, shape.M, shape.N if shared.sampling else 0))
    wrong[:] = 0
    for part, questions in zip(students.parts, asked, strict=True):
        compiled.examiner(students.examiner._replace(sampling=questions.sampling))(
            label,
            shared.sizes(questions.words),
            records.Seats(len(wrong), part.begin),
            students.taught.tables,
            students.taught.weights,
            students.weights,
            questions.keys,
            questions.sets._replace(room=drawn),
            records.Exam(*exam),
            records.Tally(questions.valid, address(wrong) + part.begin * wrong.itemsize),
        )
    return wrong.copy()


def _agreement(shared: Shared, students: Students) -> Array:
    """Agreeing paths minus disagreeing ones (B,)."""
    count, taught = len(students.wrong), students.taught
    of_units = np.empty(shared.shape.K * students_in(networks.WIDE), np.uint64)
    result = np.empty(count, np.uint64)
    paths = records.Agreement(
        taught.tables.output_sources, *students.weights, *taught.weights, address(of_units), address(result)
    )
    networks.path_agreement(shared.sizes(1), count, paths)
    return result.view(np.int64)
