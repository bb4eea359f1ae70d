"""What a student is told: the problem that it shares with others, its teacher, and its own labels.

    Problem    sizes and kinds; what a compiled program is made for (hashable)
    Teacher    one draw of graph and weights, the quenched disorder
    Labels     what distinguishes one student: its m, its random keys, the values of its rule's axes
    Weights    a student's weights

Shapes: inputs x (examples, N), hidden states (examples, K), outputs y (examples, M). A layer of in-degree n
has weights (units, n): w (K, d) and v (M, D), where D = d, or D = K for a single output; a dense student has
w (K', N) and v (M, K').
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from mbsim.sampling.example_sets import ExampleSet, Sampling, example_set
from mbsim.sampling.streams import Key, Leaf, Purpose, fold, folded


@dataclass(frozen=True)
class Problem:
    """Sizes and kinds of teacher and student.

    N inputs, K hidden units and M outputs of the teacher, in-degree d; `student_hidden` hidden units of the
    student. teacher, student, rule: keys of the registries. train_output: whether output weights are trained.
    activation, teacher_activation, scaling, inputs, teacher_weights: of real weights (`students`, `teachers`).
    noise: standard deviation of what is added to labels. sampling: how batches are drawn from a finite training
    set; None for fresh examples. options: the keys of the rule's table that are no axes.
    """

    N: int
    K: int
    M: int
    d: int
    student_hidden: int
    teacher: str
    student: str
    train_output: bool
    rule: str
    options: Mapping[str, Any] = field(hash=False)
    activation: str = ""
    teacher_activation: str = ""
    scaling: str = "standard"
    inputs: str = "sign"
    teacher_weights: str = "sign"
    noise: float = 0.0
    sampling: Sampling | None = None

    @property
    def scalar(self) -> bool:
        """Whether a single output reads every hidden unit."""
        return self.M == 1

    @property
    def noisy(self) -> bool:
        """Whether labels carry noise."""
        return self.noise > 0

    @property
    def binary(self) -> bool:
        """Whether weights are ±1."""
        return self.student == "binary"

    @property
    def output_degree(self) -> int:
        """D, the in-degree of the teacher's outputs."""
        return self.K if self.scalar else self.d


class Teacher(NamedTuple):
    """One teacher: sources (K, d) and (M, D), the unit below behind each link, and weights of these shapes."""

    hidden_sources: Leaf
    output_sources: Leaf
    w: Leaf
    v: Leaf


class Keys(NamedTuple):
    """A student's random keys, one for each purpose (`streams.Purpose`)."""

    weights: Key
    examples: Key
    test: Key
    acceptance: Key
    choice: Key
    noise: Key


class Labels(NamedTuple):
    """One student: m examples in a batch, the training set (of one example where all are fresh), keys, and
    what its rule prepared for it, by name.
    """

    m: Leaf
    examples: ExampleSet
    keys: Keys
    own: dict[str, Leaf]


class Weights(NamedTuple):
    """A student's weights; v is None where output weights are fixed."""

    w: Leaf
    v: Leaf

    def layers(self) -> list[Leaf]:
        """The trained layers, hidden first."""
        return [self.w] if self.v is None else [self.w, self.v]


def labels_of(
    problem: Problem,
    m: np.ndarray,
    replica: np.ndarray,
    own: Mapping[str, np.ndarray],
    *,
    seed: int,
    teacher: np.ndarray | int,
    examples: int | None = None,
) -> Labels:
    """The labels of many students, every array (students,), on the host.

    Args:
        problem: what they share.
        m: examples in a batch.
        replica: number of the student.
        own: what the rule prepared, by name.
        seed: root of all random numbers.
        teacher: number of the teacher, one for all or (students,).
        examples: size of the training set, None for fresh examples.
    """
    root = folded(seed, problem.N, problem.d, m, teacher, replica)
    purposes = (
        Purpose.WEIGHTS,
        Purpose.EXAMPLES,
        Purpose.TEST,
        Purpose.ACCEPTANCE,
        Purpose.CHOICE,
        Purpose.NOISE,
    )
    size = example_set(1 if examples is None else examples)
    sizes = type(size)(*(np.broadcast_to(number, m.shape) for number in size))
    return Labels(m.astype(np.int32), sizes, Keys(*(fold(root, purpose) for purpose in purposes)), dict(own))
