"""What programs of gradient descent are made for, and what all students of a launch share."""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import numpy as np
from jax import Array

from mbsim.engines.batched.inputs import Inputs
from mbsim.engines.networks import links_of, out_degrees, readers_for
from mbsim.engines.staging import staged
from mbsim.physics.optimisers import Optimizer
from mbsim.physics.problem import Teacher
from mbsim.sampling.example_sets import Sampling
from mbsim.sampling.streams import Leaf

T = TypeVar("T")

CHUNK_EXAMPLES = 128
"""Examples drawn at a time, in whole batches: few enough to stay in the cache."""


class RealShape(NamedTuple):
    """The sizes and kinds that a compiled program is made for; K' is `student_hidden`.

    readers: the most links that read a hidden unit, 0 where a sparse student does not need to know. ntk: sums
    of the student carry 1/sqrt(in-degree), and weights start N(0, 1) instead of N(0, 1/in-degree).
    """

    N: int
    K: int
    M: int
    d: int
    student_hidden: int
    dense: bool
    train_output: bool
    activation: str
    ntk: bool
    readers: int

    @property
    def scalar(self) -> bool:
        """Whether a single output reads every hidden unit."""
        return self.M == 1

    @property
    def output_degree(self) -> int:
        """In-degree of an output of the teacher."""
        return self.K if self.scalar else self.d

    @property
    def fan_in(self) -> tuple[int, int]:
        """In-degrees of the student's hidden units and outputs."""
        if self.dense:
            return self.N, self.student_hidden
        return self.d, self.output_degree

    @property
    def fan_out(self) -> tuple[int, int]:
        """Links out of an input and out of a hidden unit of the student, in the mean rounded up."""
        if self.dense:
            return self.student_hidden, self.M
        return -(-self.K * self.d // self.N), -(-self.M * self.output_degree // self.K)

    @property
    def factors(self) -> tuple[float, float]:
        """s1 and s2. A committee's output has its teacher's factor, so that it can be the teacher."""
        inner, outer = (n**-0.5 if self.ntk else 1.0 for n in self.fan_in)
        return inner, outer if self.train_output else self.output_degree**-0.5

    @property
    def weight_shapes(self) -> tuple[tuple[int, int], tuple[int, int] | None]:
        """Shapes of w and v."""
        hidden = (self.N, self.student_hidden) if self.dense else (self.K, self.d)
        if not self.train_output:
            return hidden, None
        return hidden, (self.student_hidden, self.M) if self.dense or self.scalar else (self.M, self.d)

    @property
    def weights(self) -> int:
        """Number of trained weights."""
        return sum(a * b for a, b in filter(None, self.weight_shapes))


class RealTables(NamedTuple):
    """A teacher as the kernels read it; arguments of the compiled programs, with a first axis of teachers.

    hidden_sources (K, d) and output_sources (M, D): the row behind each link; w and v: float32 weights of the
    same shapes. readers (K, readers): the output links that read each hidden unit, padded with -1.
    """

    hidden_sources: Leaf
    output_sources: Leaf
    readers: Leaf
    w: Leaf
    v: Leaf


def tables_of(teachers: Teacher, shape: RealShape) -> RealTables:
    """The teachers' tables, on the host."""
    readers = np.full((len(teachers.w), shape.K, shape.readers), -1, np.int32)
    if shape.readers:
        links = links_of(teachers.output_sources, out_degrees(teachers, shape.K))
        readers[:, :, : links.shape[2]] = links
    return RealTables(
        teachers.hidden_sources.astype(np.int32),
        teachers.output_sources.astype(np.int32),
        readers,
        teachers.w.astype(np.float32),
        teachers.v.astype(np.float32),
    )


def most_readers(teachers: Teacher, dense: bool) -> int:
    """`RealShape.readers` of teachers: rounded up where it varies, so that teachers share programs."""
    if dense or teachers.output_sources.shape[1] == 1:
        return 0
    return readers_for(out_degrees(teachers, teachers.hidden_sources.shape[1]))


def width_of(m: int) -> int:
    """Slots of a batch of m: m up to 8, then the next multiple of an eighth to a quarter of m."""
    quantum = 1 << max(0, (m - 1).bit_length() - 3)
    return -(-m // quantum) * quantum


class SgdSetting(NamedTuple):
    """All that a compiled program depends on besides the shapes of its arguments; hashable.

    width: slots of a batch. sampling: None for fresh examples at every step. noisy: labels carry noise.
    """

    shape: RealShape
    width: int
    inputs: Inputs
    optimizer: Optimizer
    test_size: int
    sampling: Sampling | None = None
    noisy: bool = False

    @property
    def chunk(self) -> int:
        """Steps whose batches are drawn together."""
        return max(1, CHUNK_EXAMPLES // self.width)


class Context(NamedTuple):
    """What the functions of one student are told of all that students share.

    one: a traced int32 scalar that equals 1 on CPU, None elsewhere: what `staging.staged` wants. looks_up: whether
    the links of a unit are looked up; else they are a matrix, most of it zeros, for devices that look up slowly.
    """

    setting: SgdSetting
    tables: RealTables
    one: Array | None
    looks_up: bool = True

    @property
    def shape(self) -> RealShape:
        """Of teacher and students."""
        return self.setting.shape

    def staged(self, compute: Callable[[], T]) -> T:
        """The value of `compute()`, held in memory before anything uses it."""
        return staged(self.one, compute)
