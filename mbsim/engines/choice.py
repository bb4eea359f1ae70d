"""Which engine trains: the first that can and answers rightly here, or the one that was asked for."""

from typing import NamedTuple

import numpy as np

from mbsim.engines import devices
from mbsim.engines.protocol import ENGINES, Engine, Task
from mbsim.errors import ConfigError

FASTEST = "the fastest here"  # the reason where nothing was passed over


WRONG_NUMBERS = "gives wrong numbers on this device"
UNFIT: dict[tuple[str, ...], str] = {}
"""Engines and their kernels that this process uses no more, or not for some sizes, and why."""


def distrust(engine: Engine, task: Task, why: str = WRONG_NUMBERS, everywhere: bool = True) -> None:
    """Use the kernel that a task needs no more; where not `everywhere`, for networks and batches of these sizes."""
    UNFIT[engine.name, engine.kernel(task), *(() if everywhere else (_sizes(task),))] = why


def _sizes(task: Task) -> str:
    return repr((task.problem, task.examples, np.unique(task.students.m)))


def _of_device(engine: Engine, task: Task) -> str:
    """Why an engine cannot train a task on the devices of this process."""
    if UNFIT:
        kernel = engine.kernel(task)
        why = UNFIT.get((engine.name, kernel)) or UNFIT.get((engine.name, kernel, _sizes(task)))
        if why:
            return f"its {kernel} kernel {why}"
    return engine.unavailable(task)


class Choice(NamedTuple):
    """An engine, and in a few words why it is this one."""

    engine: Engine
    reason: str


def choose(task: Task, asked: str | None = None, here: bool = True) -> Choice:
    """The engine for a task.

    Args:
        task: what to train.
        asked: the name of an engine, which is then the only one considered.
        here: whether it must run on the devices of this process, which may start JAX to see them.

    Raises:
        ConfigError: the engine that was asked for cannot do this; the line says why.
    """

    def lacks(engine: Engine) -> str:
        return engine.refuses(task) or (_of_device(engine, task) if here else "")

    if asked is not None:
        if why := lacks(ENGINES[asked]):
            able = [name for name, engine in ENGINES.items() if not lacks(engine)]
            raise ConfigError(f'run.engine = "{asked}": {why}; able are {", ".join(able)}')
        return Choice(ENGINES[asked], "as asked")
    passed_over: list[str] = []
    for name, engine in ENGINES.items():
        if engine.accelerated and not (here and devices.backend() != "cpu"):
            continue  # it is no choice where there is no accelerator
        why = lacks(engine)
        if not why:
            return Choice(engine, "; ".join(passed_over) or FASTEST)
        passed_over.append(f"{name}: {why}")
    raise AssertionError("the reference engine refuses nothing")


class Share(NamedTuple):
    """Some students of a task, at `places` in it, and the engine that trains them."""

    places: np.ndarray
    task: Task
    choice: Choice


def shares(task: Task, asked: str | None = None) -> list[Share]:
    """Who trains whom: one engine all students, or, where the fastest lacks some sizes of mini-batches only, one of
    them those and the other the rest.

    Raises:
        ConfigError: as `choose`.
    """
    m, whole = task.students.m, choose(task, asked)
    everybody = [Share(np.arange(len(m)), task, whole)]
    if asked is not None or whole.reason == FASTEST:
        return everybody

    def of(places: np.ndarray) -> Share:
        part = task._replace(students=task.students.part(places))
        return Share(places, part, choose(part))

    sizes: dict[str, list[int]] = {}
    for size in np.unique(m).tolist():
        sizes.setdefault(of(np.flatnonzero(m == size)).choice.engine.name, []).append(size)
    found = [of(np.flatnonzero(np.isin(m, some))) for some in sizes.values()]
    # Together, students of several sizes may be too much where those of each are not.
    fit = [share.choice.engine.name for share in found] == list(sizes)
    return found if fit and len(found) > 1 else everybody
