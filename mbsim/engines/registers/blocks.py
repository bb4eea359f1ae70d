"""Which students share a register: those of one teacher, so that all do the same proposal.

Words are as narrow as the widest batch of a block allows, so that small batches waste few bits: a register of
64 bytes holds 64 students of m <= 8, 32 of m <= 16, 16 of m <= 32, and 8 beyond, in as many words as they
need.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from mbsim.engines.registers.sizes import students_in, word_bits


class Block(NamedTuple):
    """Students that are trained together, of each of some teachers whose students are alike.

    teacher (T,). members (T, B): their places in the task, the last repeated to fill the register. used (T,): how
    many are real. bits of a word, words of a batch.
    """

    teacher: np.ndarray
    members: np.ndarray
    used: np.ndarray
    bits: int
    words: int


def cut(teacher: np.ndarray, m: np.ndarray, readers: int) -> Iterator[Block]:
    """Blocks for students with these teachers and batches, (students,)."""
    by_teacher = np.lexsort((np.arange(len(m)), -m, teacher))  # widest first
    begins = np.flatnonzero(np.diff(teacher[by_teacher], prepend=-1))
    counts = np.diff(begins, append=len(m))
    alike: dict[bytes, list[int]] = {}
    for begin, count in zip(begins.tolist(), counts.tolist(), strict=True):
        alike.setdefault(m[by_teacher[begin : begin + count]].tobytes(), []).append(begin)
    for places in alike.values():
        first = places[0]
        count = int(counts[np.searchsorted(begins, first)])
        mine = by_teacher[np.array(places)[:, None] + np.arange(count)]  # (teachers, students)
        yield from _of_teachers(teacher[mine[:, 0]], mine, m[mine[0]], readers)


def _of_teachers(teacher: np.ndarray, mine: np.ndarray, m: np.ndarray, readers: int) -> Iterator[Block]:
    """Blocks of students `mine` (teachers, students) with batches m (students,), widest first: the room that is left
    in a register is filled with narrower ones.
    """
    begin = 0
    while begin < len(m):
        bits = word_bits(int(m[begin]), readers)
        some = mine[:, begin : begin + students_in(bits)]
        used = some.shape[1]
        filled = np.concatenate([some, np.repeat(some[:, -1:], students_in(bits) - used, axis=1)], axis=1)
        yield Block(teacher, filled, np.full(len(teacher), used), bits, -(-int(m[begin]) // bits))
        begin += used


def valid_examples(m: np.ndarray, words: int, bits: int) -> np.ndarray:
    """Rows (..., words, students) of ones at the first m examples of each student; m (..., students)."""
    inside = np.clip(m[..., None, :] - bits * np.arange(words)[:, None], 0, bits)
    ones = np.array(2**bits - 1, f"uint{bits}")
    # A shift by the whole width is undefined.
    row = np.where(inside > 0, ones >> np.minimum(bits - inside, bits - 1).astype(ones.dtype), 0)
    return row.astype(ones.dtype)
