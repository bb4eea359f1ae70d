"""The grid of a run as boxes of labels, and how a run grows.

A *box* is every combination of some mini-batch sizes, teachers, replicas and values of the other axes at one (N, d).
A run that has not grown is one box for each (N, d). A configuration whose grid contains that of a run, and which is
the same otherwise, extends it: what it adds is cut into boxes along one dimension after the other, so that none
overlaps another, and none that is there changes:

    replicas
      ^  +-------------+--------+        1: what is there
      |  |      3      |        |        2: new values of m, with all replicas
      |  +-------------+   2    |        3: new replicas, with the old values of m
      |  |      1      |        |
      |  +-------------+--------+-> m

What boxes a run has follows from its configurations, oldest first, and from nothing else.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mbsim.config.configuration import Config
from mbsim.physics.rules import axes


@dataclass(frozen=True)
class Box:
    """Students of one (N, d): all combinations of these labels, of which none repeats.

    number: 1 for the first box of its (N, d), and so on.
    axis_values: of each axis of the rule, in the order of the dataset.
    m: ascending.
    """

    N: int
    d: int
    number: int
    axis_values: tuple[tuple[str, tuple[float, ...]], ...]
    m: tuple[int, ...]
    teachers: range
    replicas: range

    @property
    def students(self) -> int:
        """How many there are."""
        return math.prod(map(len, _labels(self)))

    @property
    def name(self) -> str:
        """The name of its group on disk."""
        return f"N{self.N}-d{self.d}" + (f"-{self.number}" if self.number > 1 else "")


Planned = tuple[Box, Config]
"""A box, and the configuration that asked for it first, which decides how it is cut."""


def boxes(history: Sequence[Config]) -> Iterator[Planned]:
    """All boxes of a run, from its configurations, oldest first; each contains the one before.

    Example:
        >>> table = {"model": "sparse-vector", "grid": {"N": [9], "d": [3], "m": [4, 8], "teachers": 2}}
        >>> small = Config.model_validate(table)
        >>> table["grid"] |= {"m": [4, 6, 8], "teachers": 3}
        >>> for box, _ in boxes([small, Config.model_validate(table)]):
        ...     print(box.name, box.m, box.teachers)
        N9-d3 (4, 8) range(0, 2)
        N9-d3-2 (6,) range(0, 3)
        N9-d3-3 (4, 8) range(2, 3)
    """
    numbers: dict[tuple[int, int], int] = {}
    for before, config in zip([None, *history[:-1]], history, strict=True):
        for N in config.grid.N:
            for d in config.grid.d:
                for box in _added(_whole(config, N, d), before):
                    numbers[N, d] = numbers.get((N, d), 0) + 1
                    yield replace(box, number=numbers[N, d]), config


def extends(larger: Config, smaller: Config) -> bool:
    """Whether one grid contains another, and everything else is the same."""
    if without_grid(larger) != without_grid(smaller):
        return False
    there = {(N, d) for N in larger.grid.N for d in larger.grid.d}
    return all(
        (N, d) in there and _contains(_whole(larger, N, d), _whole(smaller, N, d))
        for N in smaller.grid.N
        for d in smaller.grid.d
    )


def without_grid(config: Config) -> dict[str, Any]:
    """What makes results comparable: the configuration's identity without the labels of its grid."""
    values = config.identity()
    del values["grid"]
    for name in axes():
        values["dynamics"].pop(name, None)
    return values


def _whole(config: Config, N: int, d: int) -> Box:
    grid = config.grid
    return Box(
        N=N,
        d=d,
        number=1,
        axis_values=tuple(config.axes.items()),
        m=config.m_values(N, d),
        teachers=range(grid.teachers),
        replicas=range(grid.replicas),
    )


def _contains(larger: Box, smaller: Box) -> bool:
    return all(set(there) <= set(here) for here, there in zip(_labels(larger), _labels(smaller), strict=True))


def _added(box: Box, before: Config | None) -> Iterator[Box]:
    """What of a box the configuration before did not have."""
    if before is None or box.N not in before.grid.N or box.d not in before.grid.d:
        yield box
        return
    old = _labels(_whole(before, box.N, box.d))
    left = list(_labels(box))
    for dimension, there in enumerate(old):
        if new := [value for value in left[dimension] if value not in there]:
            yield _with_labels(box, [*left[:dimension], new, *left[dimension + 1 :]])
        left[dimension] = there


def _labels(box: Box) -> list[Sequence[Any]]:
    return [*(values for _, values in box.axis_values), box.m, box.teachers, box.replicas]


def _with_labels(box: Box, labels: Sequence[Sequence[Any]]) -> Box:
    *values, m, teachers, replicas = labels
    names = [name for name, _ in box.axis_values]
    return replace(
        box,
        axis_values=tuple((name, tuple(some)) for name, some in zip(names, values, strict=True)),
        m=tuple(m),
        teachers=range(teachers[0], teachers[-1] + 1),
        replicas=range(replicas[0], replicas[-1] + 1),
    )
