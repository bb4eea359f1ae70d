"""What a rule is: the interface between the law of training and everything that uses it."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from mbsim.lazy import Array
from mbsim.physics.keys import Key
from mbsim.physics.problem import Problem, Teacher, Weights
from mbsim.physics.world import Moment, World
from mbsim.registry import Registry


class Words(NamedTuple):
    """A noun, one and many."""

    one: str
    many: str


class Group(NamedTuple):
    """Students of one teacher, on the host.

    problem: sizes and kinds. teacher, number: the draw, and which it is. m: mini-batch sizes (students,). axes: the
    value (students,) of each axis, by name. seed: root of all random numbers.
    """

    problem: Problem
    teacher: Teacher
    number: int
    m: np.ndarray
    axes: Mapping[str, np.ndarray]
    seed: int


class Prepared(NamedTuple):
    """What a rule makes ready on the host: arrays that all students of a teacher share, and columns
    (students,) of each one's own, both by name.
    """

    shared: dict[str, np.ndarray]
    own: dict[str, np.ndarray]


class Rule(Protocol):
    """A law of training.

    name, title: key of the registry, and words for people. equation: for the report and the help, in a line.
    weights: "binary" or "real", what it trains. keys: of `[dynamics]`, with those that may be axes of the
    grid. time, work: what time and work are counted in. length: the key that holds the length of a run.
    """

    name: str
    title: str
    equation: str
    weights: str
    keys: tuple[Key, ...]
    time: Words
    work: Words
    length: str

    def steps_of_work(self, problem: Problem) -> int:
        """Work of one student in one unit of time."""

    def prepare(self, group: Group) -> Prepared:
        """What `init` and `step` find in `world.shared` and `world.labels.own`."""

    def moment(self, problem: Problem, time: int) -> Moment:
        """When unit of time number `time` begins, on the host."""

    def init(self, world: World) -> Any:
        """The state of one student at time 0; `weights_of(state)` finds its weights."""

    def step(self, world: World, state: Any, moment: Moment) -> tuple[Any, dict[str, Array]]:
        """One unit of time: the state after it, and counts that are summed from one measurement to the next."""

    def weights_of(self, state: Any) -> Weights:
        """The weights in a state."""

    def diverged(self, state: Any) -> Array:
        """Whether the student has diverged, bool ()."""


RULES: Registry[Rule] = Registry("rule")
FIRST_AXES = (
    "init_overlap",
    "temperature",
    "lr",
)  # in the order of the dataset; those of other rules come after


def rules_for(weights: str) -> tuple[str, ...]:
    """Names of the rules that train "binary" or "real" weights; the first is the default."""
    return tuple(name for name, rule in RULES.items() if rule.weights == weights)


def axes() -> dict[str, Key]:
    """The keys of all rules that may be axes of the grid, in the order of the dataset's dimensions."""
    found = {key.name: key for rule in RULES.values() for key in rule.keys if key.axis is not None}
    order = [
        *(name for name in FIRST_AXES if name in found),
        *(name for name in found if name not in FIRST_AXES),
    ]
    return {name: found[name] for name in order}
