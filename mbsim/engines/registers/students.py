"""All students of a teacher on the cores of this machine: advance, observe, weights.

Blocks of students (`blocks.py`) are independent, so each core takes the next as soon as it is free. What a
student does follows from its labels alone, and is the same, bit for bit, as what the programs of XLA compute.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from mbsim.engines.registers import compiled, networks
from mbsim.engines.registers.members import Addresses, Exam, Members, Setting, addresses
from mbsim.engines.registers.sizes import BYTES, students_in
from mbsim.engines.registers.vectors import address
from mbsim.engines.xla.metropolis import Observation

Array = np.ndarray


class Room:
    """Memory that one thread works in: as much as its largest block needs, handed out anew to each."""

    def __init__(self) -> None:
        self.memory = np.zeros(0, np.uint8)

    def of(self, words: int, rows: tuple[int, ...]) -> Addresses:
        """Addresses of arrays with so many rows of `words` registers; what was handed out before is void."""
        ends = np.cumsum(rows) * words * BYTES
        if self.memory.size < ends[-1] + BYTES:
            self.memory = np.zeros(ends[-1] + BYTES, np.uint8)
        start = -(-address(self.memory) // BYTES) * BYTES  # registers that lie in one cache line load faster
        return tuple(int(start + end) for end in (0, *ends[:-1]))


class Ensemble:
    """The students of a launch and the threads that train them.

    Args:
        setting: what they share.
        members: from `members.init`.
        workers: how many cores to use.
    """

    def __init__(self, setting: Setting, members: list[Members], workers: int):
        self.setting, self.members, shape = setting, members, setting.shape
        for member in members:  # before several threads ask for one kind at the same time
            compiled.trainer(member.kind)
            compiled.examiner(member.examiner)
        self.lanes = sum(member.block.used for member in members)
        self.pool = ThreadPoolExecutor(workers) if workers > 1 else None
        self.rooms = [Room() for _ in range(workers)]
        self.tables = (*addresses(*setting.tables), shape.readers)
        self.teacher = addresses(*setting.teacher)
        self.sizes = shape.N, shape.K, shape.M, shape.output_degree

    def _for_each(self, work: Callable[[Members, Room], Array], dtype: type) -> Array:
        """work(member, room) -> (students, ...) of every block, in the order of the lanes."""

        def one(member: Members) -> Array:
            room = self.rooms.pop()
            try:
                return work(member, room)
            finally:
                self.rooms.append(room)

        results = [*(map if self.pool is None else self.pool.map)(one, self.members)]
        gathered = np.empty((self.lanes, *results[0].shape[1:]), dtype)
        for member, result in zip(self.members, results, strict=True):
            used = member.block.used
            gathered[member.block.lanes[:used]] = result[:used]
        return gathered

    def advance(self, first: int, stop: int, orders: Array, begin: int, places: Array) -> Array:
        """Train through sweeps first to stop; returns accepted proposals (lanes,).

        orders (S, n) int32: row 0 is the order of sweep `begin`, or, alone, of every sweep. Unit by unit it
        is that of the units (1, K), and `places` (K*d,) int32 are those of hidden links in a sweep.
        """
        shape = self.setting.shape
        sizes = *self.sizes, shape.proposals
        order = address(orders), len(orders), begin, address(places)

        def work(member: Members, room: Room) -> Array:
            kind, words = member.kind, member.block.words
            counters = shape.K * kind.planes[0], shape.M * (kind.output_planes[0] + 1)
            *batch, teacher_h = room.of(words, (shape.N, *counters, 1 + kind.effects, shape.K))
            member.accepted[:] = 0
            compiled.trainer(kind)(
                first,
                stop,
                self.setting.refresh,
                (sizes, (shape.d, shape.first_hidden, words)),
                order,
                self.tables,
                (*self.teacher, teacher_h),
                (address(member.w), address(member.v)),
                tuple(batch),
                member.keys,
                member.heat,
                (member.valid, address(member.accepted)),
            )
            return member.accepted

        return self._for_each(work, np.int64)

    def observe(self, time: int) -> Observation:
        """Count agreements with the teacher, and errors on fresh test examples and on the next mini-batch."""
        number = -(-time * self.setting.shape.proposals // self.setting.refresh)

        def work(member: Members, room: Room) -> Array:
            agreement = self._agreement(member)
            test = self._wrong(member, room, [part.test for part in member.parts], time)
            batch = self._wrong(member, room, [part.batch for part in member.parts], number)
            return np.stack([agreement, test, batch], axis=1)

        return Observation(*self._for_each(work, np.int64).T)

    def weights(self) -> tuple[Array, Array]:
        """±1 weights (lanes, links) of both layers, int8."""

        def of_layer(name: str) -> Array:
            def work(member: Members, room: Room) -> Array:
                negative = np.unpackbits(getattr(member, name), bitorder="little")
                return 1 - 2 * negative.reshape(-1, len(member.block.lanes)).T.astype(np.int8)

            return self._for_each(work, np.int8)

        return of_layer("w"), of_layer("v")

    def close(self) -> None:
        """End the threads."""
        if self.pool is not None:
            self.pool.shutdown()

    def _wrong(self, member: Members, room: Room, exams: list[Exam], label: int) -> Array:
        """Wrong outputs (students,) on fresh batches under keys with a label."""
        shape, kind = self.setting.shape, member.examiner
        rows = room.of(1, (shape.N, shape.K, shape.M, shape.K, shape.M))
        size = member.total.itemsize
        member.total[:] = 0
        for part, exam in zip(member.parts, exams, strict=True):
            compiled.examiner(kind)(
                label,
                ((*self.sizes, shape.d), (exam.words, len(member.total), part.begin)),
                self.tables,
                self.teacher,
                (address(member.w), address(member.v)),
                exam.keys,
                rows,
                (exam.valid, address(member.total) + part.begin * size),
            )
        return member.total.copy()

    def _agreement(self, member: Members) -> Array:
        """Agreeing paths minus disagreeing ones (students,)."""
        shape, count = self.setting.shape, len(member.total)
        result, of_units = np.empty(count, np.uint64), np.empty(shape.K * students_in(64), np.uint64)
        sizes = shape.K, shape.d, shape.output_links, count
        arrays = addresses(
            self.setting.tables[1], member.w, member.v, *self.setting.teacher, of_units, result
        )
        networks.path_agreement(*sizes, *arrays)
        return result.view(np.int64)
