"""Two-layer networks of ±1 weights on packed examples: their shape, a teacher's tables, and the forward pass.

Hidden unit k reads d inputs and answers h_k = sign(sum_b w_kb x_b); output o reads D hidden units and answers
y_o = sign(sum_a v_oa h_a). With a vector output D = d; a single output reads all K units, so D = K. Bits,
words and lanes as in `bits.py`: inputs (N, W, L), hidden states (K, W, L), outputs (M, W, L); weights are
int8, w (K*d, L) and v (M*D, L).
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from mbsim.engines.staging import staged
from mbsim.engines.xla import bits
from mbsim.physics.graphs import random_sources, readers_of
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


class Teacher(NamedTuple):
    """A draw of the quenched disorder, on the host: sources (K, d) and (M, D), ±1 weights of the same
    shapes.
    """

    hidden_sources: np.ndarray
    output_sources: np.ndarray
    w: np.ndarray
    v: np.ndarray


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


def draw_teacher(N: int, K: int, M: int, d: int, train_output: bool, seed: int, teacher: int) -> Teacher:
    """The teacher with labels (seed, N, d, teacher): graph, then ±1 weights; output weights are +1 unless
    trained.
    """
    rng = np.random.default_rng([seed, N, d, teacher])
    hidden = random_sources(N, K, d, rng)
    outputs = np.arange(K, dtype=np.int32)[None, :] if M == 1 else random_sources(K, M, d, rng)
    w = 1 - 2 * rng.integers(0, 2, hidden.shape, dtype=np.int8)
    v = 1 - 2 * rng.integers(0, 2, outputs.shape, dtype=np.int8)
    return Teacher(hidden, outputs, w, v if train_output else np.ones_like(v))


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


def take(rows: Array, index: Array) -> Array:
    """Rows by an index that is known to be inside, of shape index.shape + rows.shape[1:].

    Words and lanes are gathered as one axis: XLA:CPU gives a gather of (words, lanes) slices a layout of its
    own, whose change back keeps the loop that consumes it from vectorising.
    """
    flat = rows.reshape(rows.shape[0], -1)
    taken = flat.at[index].get(mode="promise_in_bounds", wrap_negative_indices=False)
    return taken.reshape(*index.shape, *rows.shape[1:])


def hidden_states(inputs: Array, sources: Array, w: Array, d: int, one: Array | None) -> Array:
    """States (K, W, L) of the hidden units; w is (K*d, L), or (K*d, 1) for weights that all lanes share."""
    source, weight = sources.reshape(-1, d), w.reshape(-1, d, w.shape[1])
    return staged(
        one, lambda: bits.majority([bits.times(take(inputs, source[:, b]), weight[:, b]) for b in range(d)])
    )


def vector_outputs(hidden: Array, sources: Array, v: Array, d: int, one: Array | None) -> Array:
    """Outputs (M, W, L), each the sign of the sum of the d hidden units that it reads: the same map, one
    layer up.
    """
    return hidden_states(hidden, sources, v, d, one)


def scalar_counts(hidden: Array, v: Array) -> tuple[Array, ...]:
    """Bit-sliced number of -1 terms among the K that a single output reads: P planes (W, L), K < 2^P.

    The planes are arrays of their own: XLA:CPU does not vectorise a loop that stacks them.
    """
    units = hidden.shape[0]
    planes = tuple(jnp.zeros(hidden.shape[1:], hidden.dtype) for _ in range(units.bit_length()))

    def add(k: Array, planes: tuple[Array, ...]) -> tuple[Array, ...]:
        term = bits.times(hidden[k], v[k])
        return tuple(bits.move(planes, term, jnp.zeros_like(term)))

    return lax.fori_loop(0, units, add, planes)


def scalar_output(planes: tuple[Array, ...], units: int) -> Array:
    """The single output (W, L) as the majority of its `units` terms."""
    return bits.at_least(planes, (units + 1) // 2)


def outputs(hidden: Array, sources: Array, v: Array, shape: Shape, one: Array | None) -> Array:
    """Outputs (M, W, L) of either kind of network."""
    if shape.scalar:
        return scalar_output(scalar_counts(hidden, v), shape.K)[None]
    return vector_outputs(hidden, sources, v, shape.d, one)
