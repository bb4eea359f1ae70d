"""How students and their examples lie in rows, and how many of them a program of a kernel takes.

A row is what a program reads or writes at once: (8 R, 128) words on a TPU, R registers of 8 x 128; (32,) words
on a GPU. A word holds F = 4, 2 or 1 students with at most B = 32/F examples each. A student with more than 32
examples has W words: one row after the other or, on a TPU, eight of them side by side along the first axis of a
row, (8, 128 R), so that a program has fewer students and less to keep. Example e of a batch is bit e mod B of
word e // B.

Arrays of a launch are (rows, *lanes): `lanes` is a row with one axis, `axis`, as many times longer as there are
programs. Numbers of single students are (..., F, *single).
"""

from typing import NamedTuple

import numpy as np

from mbsim.engines.networks import Shape
from mbsim.engines.pallas.targets import SCALAR_MEMORY, VECTOR_MEMORY, WARP, Target
from mbsim.sampling.streams import Leaf

SIDE_BY_SIDE = 8  # words of a student along the first axis of a row
WIDEST = 4  # registers in a row on a TPU: scalar work and waiting are shared by all
MOST_FIELDS = 7  # readers of a hidden unit up to which changes fit in fields of eight bits


class Layout(NamedTuple):
    """fields: F; words: W, rows of them; inner: words side by side in a row, 1 or 8; row: its shape."""

    fields: int
    words: int
    inner: int
    row: tuple[int, ...]

    @property
    def bits(self) -> int:
        """B, examples of a student in a word."""
        return 32 // self.fields

    @property
    def examples(self) -> int:
        """The most examples that a student can have."""
        return self.bits * self.words * self.inner

    @property
    def single(self) -> tuple[int, ...]:
        """A row with one word for each student, or F students."""
        return (1, *self.row[1:]) if self.inner > 1 else self.row

    @property
    def axis(self) -> int:
        """The axis of a row along which programs follow each other."""
        return 1 if self.inner > 1 else 0

    @property
    def students(self) -> int:
        """Students of one program."""
        return int(np.prod(self.single)) * self.fields

    def many(self, row: tuple[int, ...], programs: int) -> tuple[int, ...]:
        """A `row` or `single` of so many programs."""
        return tuple(n * programs if i == self.axis else n for i, n in enumerate(row))

    def row_of(self, single: tuple[int, ...]) -> tuple[int, ...]:
        """A `row` of as many programs as this `single` has."""
        return (self.inner, *single[1:]) if self.inner > 1 else single

    def spread(self, members: np.ndarray) -> np.ndarray:
        """What belongs to the students of some programs (programs, students), as an array (F, *single)."""
        count = len(members)
        apart = np.moveaxis(members.reshape(count, self.fields, *self.single), 0, 1 + self.axis)
        return np.ascontiguousarray(apart.reshape(self.fields, *self.many(self.single, count)))

    def gathered(self, array: Leaf) -> Leaf:
        """The other way round: of an array (..., F, *single) of a launch (..., programs, students)."""
        ahead = array.ndim - len(self.single)  # axes ahead of a row
        at = ahead + self.axis
        apart = array.reshape(*array.shape[:at], -1, self.single[self.axis], *array.shape[at + 1 :])
        apart = np.moveaxis(apart, at, ahead - 1)
        return apart.reshape(*array.shape[: ahead - 1], -1, self.students)


def unpacked(of: Layout, rows: np.ndarray, units: int, degree: int) -> np.ndarray:
    """±1 weights int8 (programs, students, units * degree) from packed rows."""
    if of.inner > 1:
        rows = rows[:, :1]
    each, lanes = -(-degree // of.bits), rows.shape[1:]
    octets = np.ascontiguousarray(rows[: units * each], "<i4")[..., None].view(np.uint8)
    bits = np.unpackbits(octets, axis=-1, bitorder="little")
    bits = bits.reshape(units, each, -1, of.fields, of.bits)  # lanes are one axis meanwhile
    links = bits.transpose(0, 1, 4, 3, 2).reshape(units, each * of.bits, of.fields, *lanes)[:, :degree]
    signs = 1 - 2 * of.gathered(links).astype(np.int8)
    return np.moveaxis(signs.reshape(units * degree, *signs.shape[2:]), 0, -1)


def fields_for(m: int, readers: int) -> int:
    """Students in a word: what their examples, and the changes that a flip can make, leave room for."""
    if m <= 8 and readers <= MOST_FIELDS:
        return 4
    return 2 if m <= 16 and readers < 2**9 else 1


def words_for(m: int) -> int:
    """Words of a student with m examples, rounded up by at most a third so that few programs serve all m."""
    words = -(-m // 32)
    step = max(1, 2 ** (words.bit_length() - 2)) if words > 2 else 1
    return -(-words // step) * step


def weight_rows(shape: Shape, layout: Layout) -> tuple[int, int]:
    """Rows of packed weights of the two layers: links of one unit fill rows of their own, B to a row."""
    bits = layout.bits
    return shape.K * -(-shape.d // bits), shape.M * -(-shape.output_degree // bits)


def kept_rows(shape: Shape, layout: Layout) -> int:
    """Rows that a program keeps during a sweep (`unfold`)."""
    W = layout.words
    if shape.scalar:
        outputs = weight_rows(shape, layout)[1] * layout.bits
        return (shape.hidden_links + shape.K.bit_length() + 1) * W + outputs
    return (shape.hidden_links + shape.output_links + 1) * W + 2 * shape.K + shape.M


def passed_rows(shape: Shape, layout: Layout, heat: int) -> int:
    """Rows that pass through a program in a sweep, each of them there twice on a TPU."""
    weights = sum(weight_rows(shape, layout))
    single = layout.fields * (heat + 3 if heat else 1)
    return (shape.N + 1) * layout.words + 2 * weights + single


def program_bytes(shape: Shape, layout: Layout, heat: int) -> int:
    """Vector memory of one program on a TPU."""
    row = 4 * int(np.prod(layout.row))
    return row * (kept_rows(shape, layout) + 2 * passed_rows(shape, layout, heat))


def table_bytes(shape: Shape) -> int:
    """Scalar memory of the tables of a teacher and the order of a sweep."""
    readers = 0 if shape.scalar else shape.K * (1 + 2 * shape.readers)
    return 4 * (3 * shape.proposals + 2 * (shape.hidden_links + shape.output_links) + readers)


def layout_for(target: Target, shape: Shape, m: int, students: int, heat: int = 0) -> Layout | None:
    """The layout for batches of up to m examples and this many students; None where nothing fits.

    heat: rows of limits (`acceptance`) that a student needs.
    """
    fields, words = fields_for(m, 1 if shape.scalar else shape.readers), words_for(m)
    if target.kind == "gpu":
        return Layout(fields, words, 1, (WARP,))
    if table_bytes(shape) > SCALAR_MEMORY:
        return None
    inner = SIDE_BY_SIDE if words % SIDE_BY_SIDE == 0 else 1
    rows: list[tuple[int, tuple[int, ...]]] = []
    for wide in (WIDEST, 2, 1):
        if inner == 1:
            rows.append((1, (8 * wide, 128)))
        else:
            rows.append((inner, (inner, 128 * wide)))
    choices = [Layout(fields, words // inner, inner, row) for inner, row in rows]
    fitting = [c for c in choices if program_bytes(shape, c, heat) <= VECTOR_MEMORY]
    if not fitting:
        return None
    enough = [c for c in fitting if c.students <= students]
    return enough[0] if enough else fitting[-1]
