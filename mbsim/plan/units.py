"""Cuts the boxes of a run into work units, by what the configuration says and by nothing of the machine.

A unit is some teachers of one (N, d), with all values of m (or, where one teacher is much work, with some), all
replicas, and all values of the other axes: trained and written whole. Cuts change no number, since random numbers
follow from labels.

A run is cut into units of about 1/32 of it, but of at least `LEAST_COST`, so that handing one out costs nothing, and
of at most `MOST_COST`, some seconds, or 1/2048 of a run that would have very many. A unit's results stay within
`MOST_BYTES`, its students and teachers within what fits a device, whatever the size of the run. So a run of billions
of students has very many after all: how many, and the like, is known without making them.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from mbsim.config.configuration import Config
from mbsim.physics.students import fan_in
from mbsim.plan.boxes import Box, boxes
from mbsim.plan.problems import problem_of, student_work

LEAST_COST, MOST_COST = (
    1e8,
    2e9,
)  # of a unit, in proposals: a fraction of a second, and some seconds of two cores
USUAL_UNITS, MOST_UNITS = 32, 2048  # that make a run, about
MOST_BYTES = 2**25
MOST_STUDENTS = 2**16
MOST_TEACHERS = 512  # of a unit: each takes room for a register of its own, however few its students are
MOST_PLANNED = (
    2**20
)  # of a run: a unit has some twenty files, and a quarter of a kilobyte of whoever lists all


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit of work: N inputs, K hidden units, M outputs, in-degree d, and the labels of its students.

    Teachers are `first_teacher`, ... and replicas `first_replica`, ..., so many of each.

    group: the name of its box. place: which block of m, and of teachers, it is there.
    """

    N: int
    K: int
    M: int
    d: int
    m: tuple[int, ...]
    teachers: int
    replicas: int
    first_teacher: int = 0
    first_replica: int = 0
    axis_values: tuple[tuple[str, tuple[float, ...]], ...] = ()  # of the rule, in the order of the dataset
    examples: int | None = None  # in the training set; None: always fresh ones
    rule: str = "metropolis"
    observables: tuple[str, ...] = ()
    group: str = ""
    place: tuple[int, int] = (0, 0)

    @property
    def axes(self) -> dict[str, tuple[float, ...]]:
        """The values of each axis of its rule."""
        return dict(self.axis_values)

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes, and of (m, teacher, replica): students lie in C order over these."""
        return *(len(values) for values in self.axes.values()), len(self.m), self.teachers, self.replicas

    @property
    def students(self) -> int:
        """How many students are trained."""
        return math.prod(self.shape)

    @property
    def stem(self) -> str:
        """A short name, which no other unit of the run has."""
        return f"{self.group}.m{self.place[0]}.t{self.place[1]}"

    def __str__(self) -> str:
        """Its labels, in words."""
        m = f"{self.m[0]}" + (f" to {self.m[-1]}" if len(self.m) > 1 else "")
        last = self.first_teacher + self.teachers - 1
        one = last == self.first_teacher
        teachers = f"teacher {last}" if one else f"teachers {self.first_teacher} to {last}"
        return f"N = {self.N}, d = {self.d}, m = {m}, {teachers}"


def units(history: Config | Sequence[Config]) -> tuple[Unit, ...]:
    """All units of a run: every student of the grid is in exactly one.

    Args:
        history: the configuration, or, of a run that has grown, its configurations, oldest first.
    """
    some = (history,) if isinstance(history, Config) else tuple(history)
    return tuple(unit for box, config in boxes(some) for unit in units_of(box, config))


def count(config: Config) -> int:
    """How many units a run has that has not grown."""
    return sum(math.prod(_blocks(box, config)) for box, _ in boxes([config]))


def foremost(config: Config) -> Iterator[Unit]:
    """The units of the first teachers of each (N, d): of the same m there are no larger ones."""
    for box, _ in boxes([config]):
        yield from islice(units_of(box, config), _blocks(box, config)[0])


def students_of(config: Config) -> int:
    """How many students the grid has."""
    return sum(box.students for box, _ in boxes([config]))


def whole_work(config: Config) -> int:
    """How much work a run is, as `work_of`."""
    return sum(student_work(config, box.N, box.d) * box.students for box, _ in boxes([config]))


def units_of(box: Box, config: Config) -> Iterator[Unit]:
    """The units of one box, by blocks of teachers, then of m."""
    sizes, teachers = cut(box, config)
    for t, first in enumerate(range(0, len(box.teachers), teachers)):
        some = box.teachers[first : first + teachers]
        for i, begin in enumerate(range(0, len(box.m), sizes)):
            yield Unit(
                N=box.N,
                K=config.model.hidden_units(box.N),
                M=config.model.outputs(box.N),
                d=box.d,
                m=box.m[begin : begin + sizes],
                teachers=len(some),
                replicas=len(box.replicas),
                first_teacher=some[0],
                first_replica=box.replicas[0],
                axis_values=box.axis_values,
                examples=config.training_set(box.N, box.d),
                rule=config.rule.name,
                observables=config.observables,
                group=box.name,
                place=(i, t),
            )


def _blocks(box: Box, config: Config) -> tuple[int, int]:
    """How many blocks of m, and of teachers, a box has."""
    sizes, teachers = cut(box, config)
    return math.ceil(len(box.m) / sizes), math.ceil(len(box.teachers) / teachers)


@lru_cache(maxsize=4096)
def cut(box: Box, config: Config) -> tuple[int, int]:
    """How many values of m, and how many teachers, a unit of this box has; the last may have fewer."""
    times = min(config.measure.measurements, config.dynamics.length + 1)
    each = 4 * (len(config.observables) + 1) * times + 100  # bytes of one student's results
    students = math.prod(len(values) for _, values in box.axis_values) * len(box.replicas)
    cost = students * _cost(config, box.N, box.d, box.m) / len(box.m)  # of one m of one teacher
    most = min(_goal(config) / cost, MOST_BYTES / (students * each), MOST_STUDENTS / students)
    if (teachers := int(most / len(box.m))) >= 1:
        return len(box.m), _even(len(box.teachers), min(teachers, MOST_TEACHERS))
    return _even(len(box.m), max(1, int(most))), 1


@lru_cache(maxsize=64)
def _goal(config: Config) -> float:
    """The cost that a unit aims at."""
    grid = config.grid
    students = grid.teachers * grid.replicas * math.prod(map(len, config.axes.values()))
    total = students * sum(_cost(config, N, d, config.m_values(N, d)) for N in grid.N for d in grid.d)
    return max(min(max(total / USUAL_UNITS, LEAST_COST), MOST_COST), total / MOST_UNITS)


def _cost(config: Config, N: int, d: int, m: tuple[int, ...]) -> float:
    """About how many proposals could be made while one student is trained at each of these m."""
    work, problem = student_work(config, N, d), problem_of(config, N, d)
    if problem.binary:
        return float(work * len(m))
    hidden, outputs = fan_in(problem)
    links = problem.student_hidden * hidden + problem.M * outputs
    return float(work * links * sum(m))  # a step reads and moves every weight for every example


def _even(total: int, most: int) -> int:
    """The size of parts, at most `most`, that are as equal as can be."""
    return math.ceil(total / math.ceil(total / most))


def cost_of(unit: Unit, config: Config) -> float:
    """About how many proposals could be made while a unit is trained, which is a measure of time."""
    return _cost(config, unit.N, unit.d, unit.m) * unit.students / len(unit.m)


def work_of(unit: Unit, config: Config) -> int:
    """How much work a unit is, in what its rule counts, all students together."""
    return student_work(config, unit.N, unit.d) * unit.students
