"""What all rules of single flips share besides the law: keys, axes, and what is made ready on the host."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mbsim.physics.flips import proposals, readers
from mbsim.physics.keys import LARGEST_COUNT, Axis, Key, OneOf, Real, Whole
from mbsim.physics.order import sequential_order
from mbsim.physics.problem import Problem
from mbsim.physics.rules.protocol import Group, Prepared, Words
from mbsim.physics.world import Moment, as_moment
from mbsim.sampling.streams import order_key

RESOLUTION = 2**24
"""A chance is a multiple of 1 / RESOLUTION, so that every device decides alike."""

Law = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""The probability P(ΔE, T) that a flip is accepted, float64 of NumPy arrays that broadcast."""


def chances(law: Law, temperatures: np.ndarray, most: int) -> np.ndarray:
    """The law as integers (temperatures, 2 most + 1) uint32 for ΔE = −most, ..., most: a flip is accepted
    where its 24-bit number is below. At T > 0 nothing is impossible.

    Raises:
        TypeError: the law does not compute with NumPy, whose digits no setting of JAX changes.
    """
    change, T = np.arange(-most, most + 1)[None], np.asarray(temperatures, float)[:, None]
    found = law(change, T)
    if not isinstance(found, np.ndarray):
        raise TypeError(f"a law of single flips gives an array of NumPy, not {type(found).__name__}")
    exact = np.ceil(RESOLUTION * found)
    return np.where(T > 0, np.maximum(exact, 1), exact).astype(np.uint32)


SWEEPS, PROPOSALS = Words("sweep", "sweeps"), Words("proposal", "proposals")


@dataclass(eq=False)
class FlipRule:
    """Names, keys and preparation of a rule that accepts single flips by a law P(ΔE, T)."""

    name: str
    title: str
    equation: str
    law: Law
    proposal: str = (
        "one trained weight is flipped; ΔE is the change in the number of wrong outputs of the mini-batch"
    )
    weights: str = "binary"
    time: Words = SWEEPS
    work: Words = PROPOSALS
    length: str = "sweeps"
    keys: tuple[Key, ...] = (
        Key(
            "sweeps",
            Whole(32, LARGEST_COUNT),
            300,
            words=f"an integer from 32 to {LARGEST_COUNT}, so that the last quarter has eight sweeps",
        ),
        Key("order", OneOf(("random", "sequential")), "random", report="{} order"),
        Key(
            "refresh",
            Whole(1, LARGEST_COUNT, word="sweep"),
            "sweep",
            words=f'"sweep" or a number of proposals, an integer from 1 to {LARGEST_COUNT}',
            help="or a fresh mini-batch after so many proposals",
            report="a fresh mini-batch every {}",
        ),
        Key(
            "temperature",
            Real(least=0),
            0.0,
            help="in wrong outputs; a list goes in [grid]",
            axis=Axis("temperature, in wrong outputs of the mini-batch"),
            plural="temperatures",
            report="temperature {}",
        ),
        Key(
            "init_overlap",
            Real(least=0, most=1),
            0.0,
            help="1.0 starts at the teacher; a list goes in [grid]",
            axis=Axis("overlap of student and teacher before training"),
            plural="overlaps",
            report="initial overlap {}",
        ),
    )

    def steps_of_work(self, problem: Problem) -> int:
        """Proposals in a sweep."""
        return proposals(problem)

    def prepare(self, group: Group) -> Prepared:
        """The law as a table, the order of proposals or its key, and who reads a hidden unit."""
        problem, teacher = group.problem, group.teacher
        reading = readers(problem, teacher)
        temperatures, heat = np.unique(group.axes["temperature"], return_inverse=True)
        most = int(group.m.max()) * (1 if problem.scalar else reading.shape[1])
        shared = {"readers": reading, "chances": chances(self.law, temperatures, most)}
        if problem.options["order"] == "random":
            shared["order_key"] = order_key(group.seed, problem.N, problem.d, group.number)
        else:
            graph = teacher.output_sources, problem.d, problem.K, problem.train_output
            shared["order"] = sequential_order(*graph)
        overlap = np.asarray(group.axes["init_overlap"], np.float32)
        return Prepared(shared, {"init_overlap": overlap, "heat": heat.astype(np.int32)})

    def refresh(self, problem: Problem) -> int:
        """Proposals between fresh mini-batches."""
        every = problem.options["refresh"]
        return proposals(problem) if every == "sweep" else int(every)

    def moment(self, problem: Problem, time: int) -> Moment:
        """When a sweep begins."""
        return as_moment(time, proposals(problem), self.refresh(problem))
