"""Two-layer networks of ±1 weights as engines are compiled for them: their shape, and teachers' tables.

Hidden unit k reads d inputs and answers h_k = sign(sum_b w_kb x_b); output o reads D hidden units and answers
y_o = sign(sum_a v_oa h_a). With a vector output D = d; a single output reads all K units, so D = K. Link b of
unit k has the number k*d + b, link a of output o the number o*D + a.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mbsim.physics.problem import Teacher
from mbsim.sampling.streams import Leaf


class Shape(NamedTuple):
    """The sizes that a compiled program is made for. D is `output_degree`, R the most readers of a hidden
    unit.
    """

    N: int
    K: int
    M: int
    d: int
    readers: int
    regular: bool
    train_output: bool

    @property
    def scalar(self) -> bool:
        """Whether a single output reads every hidden unit."""
        return self.M == 1

    @property
    def output_degree(self) -> int:
        """D, the in-degree of an output."""
        return self.K if self.scalar else self.d

    @property
    def output_links(self) -> int:
        """Number of links into outputs, M*D."""
        return self.M * self.output_degree

    @property
    def hidden_links(self) -> int:
        """Number of links into hidden units, K*d."""
        return self.K * self.d

    @property
    def first_hidden(self) -> int:
        """Number of the first proposal that flips a hidden link: the output links come first, if they are
        trained.
        """
        return self.output_links if self.train_output else 0

    @property
    def proposals(self) -> int:
        """Proposals in a sweep: as many as there are trained weights."""
        return self.first_hidden + self.hidden_links


class Tables(NamedTuple):
    """Teachers as the kernels read them, int32 and uint8, a teacher along the first axis.

    hidden_sources (T, K*d) and output_sources (T, M*D): the row behind each link. readers (T, K, R): the output
    links that read each unit, padded with -1. w (T, K*d) and v (T, M*D): weights as bits, 1 for -1.
    """

    hidden_sources: Leaf
    output_sources: Leaf
    readers: Leaf
    w: Leaf
    v: Leaf


def stacked(teachers: Sequence[Teacher]) -> Teacher:
    """One array each of the same part of all teachers, a teacher along the first axis."""
    return Teacher(*(np.stack(part) for part in zip(*teachers, strict=True)))


def out_degrees(teachers: Teacher, K: int) -> np.ndarray:
    """How many output links (T, K) read each hidden unit."""
    T, sources = (
        len(teachers.output_sources),
        teachers.output_sources.reshape(len(teachers.output_sources), -1),
    )
    apart = np.arange(T)[:, None] * K
    return np.bincount((sources + apart).ravel(), minlength=T * K).reshape(T, K)


def shape_of(teachers: Teacher, N: int, train_output: bool) -> Shape:
    """The shape of the networks of some teachers, so that most share compiled programs."""
    _, K, d = teachers.hidden_sources.shape
    counts = out_degrees(teachers, K)
    regular = bool((counts == counts.max()).all())
    M, readers = teachers.output_sources.shape[1], readers_for(counts)
    return Shape(N, K, M, d, readers, regular, train_output)


def readers_for(counts: np.ndarray) -> int:
    """Room for the readers of a hidden unit, given how many there are: rounded up where that varies."""
    most = int(counts.max())
    return most if (counts == most).all() else -(-(most + 1) // 8) * 8


def links_of(output_sources: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The output links (T, K, R) that read each hidden unit, ascending, padded with -1; R is the largest count."""
    T, K = counts.shape
    small = np.min_scalar_type(K - 1)  # NumPy sorts small numbers by their digits
    links = output_sources.reshape(T, -1).astype(small)
    by_source = np.argsort(links, axis=1, kind="stable")  # stable: the links of one source stay ascending
    source = np.take_along_axis(links, by_source, axis=1)
    first = np.cumsum(counts, axis=1) - counts
    place = np.arange(links.shape[1])[None] - np.take_along_axis(first, source, axis=1)
    found = np.full((T, K, int(counts.max())), -1, np.int32)
    found[np.arange(T)[:, None], source, place] = by_source
    return found


def tables_of(teachers: Teacher, shape: Shape) -> Tables:
    """The teachers' tables, on the host."""
    T, links = len(teachers.w), links_of(teachers.output_sources, out_degrees(teachers, shape.K))
    padded = np.full((T, shape.K, shape.readers), -1, np.int32)
    padded[:, :, : links.shape[2]] = links
    return Tables(
        np.ascontiguousarray(teachers.hidden_sources.reshape(T, -1), np.int32),
        np.ascontiguousarray(teachers.output_sources.reshape(T, -1), np.int32),
        padded,
        (teachers.w < 0).reshape(T, -1).astype(np.uint8),
        (teachers.v < 0).reshape(T, -1).astype(np.uint8),
    )
