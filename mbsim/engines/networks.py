"""Two-layer networks of ±1 weights as engines are compiled for them: their shape, and a teacher's tables.

Hidden unit k reads d inputs and answers h_k = sign(sum_b w_kb x_b); output o reads D hidden units and answers
y_o = sign(sum_a v_oa h_a). With a vector output D = d; a single output reads all K units, so D = K. Link b of
unit k has the number k*d + b, link a of output o the number o*D + a.
"""

from typing import NamedTuple

import numpy as np

from mbsim.physics.graphs import readers_of
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
    """A teacher as the kernels read it. Tables are arguments of the compiled programs, so teachers share
    them.

    hidden_sources (K*d,) and output_sources (M*D,): the row behind each link. readers (K, R): the output
    links that read each unit, padded with -1. w (K*d,) and v (M*D,): the teacher's weights as bits, 1 for -1.
    """

    hidden_sources: Leaf
    output_sources: Leaf
    readers: Leaf
    w: Leaf
    v: Leaf


def shape_of(teacher: Teacher, N: int, train_output: bool) -> Shape:
    """The shape of a teacher's networks. R is rounded up where it varies, so that teachers share compiled
    programs.
    """
    K, d = teacher.hidden_sources.shape
    M = len(teacher.output_sources)
    counts = np.bincount(teacher.output_sources.ravel(), minlength=K)
    most = int(counts.max())
    regular = bool((counts == most).all())
    readers = most if regular else -(-(most + 1) // 8) * 8
    return Shape(N, K, M, d, readers, regular, train_output)


def tables_of(teacher: Teacher, shape: Shape) -> Tables:
    """The teacher's tables as int32 and uint8 arrays on the host."""
    links, _ = readers_of(teacher.output_sources, shape.K)
    padded = np.full((shape.K, shape.readers), -1, np.int32)
    padded[:, : links.shape[1]] = links
    return Tables(
        teacher.hidden_sources.ravel().astype(np.int32),
        teacher.output_sources.ravel().astype(np.int32),
        padded,
        (teacher.w < 0).ravel().astype(np.uint8),
        (teacher.v < 0).ravel().astype(np.uint8),
    )
