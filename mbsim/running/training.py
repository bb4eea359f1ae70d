"""Work units: which engine trains them, whether that is right here, and the arrays that they give."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from mbsim.config import Config
from mbsim.data import provenance
from mbsim.engines import Engine, Task, Trained, choose, devices, distrust, remembered, shares
from mbsim.engines.choice import WRONG_NUMBERS
from mbsim.engines.recomputed import Unfit
from mbsim.errors import MbsimError
from mbsim.plan.memory import host_memory
from mbsim.plan.tasks import task_of
from mbsim.plan.units import Unit
from mbsim.running import results

MOST_REPLICAS = 2**16  # whose memory an engine is asked for


class SelfCheckFailed(MbsimError):  # noqa: N818 (says what happened)
    """The compiled kernels give wrong numbers on this device."""


def unit_bytes(unit: Unit, config: Config) -> int:
    """Estimate of the host's memory for one unit: records, and what trains."""
    # Engines launch so many students at a time at most, and a task of many more takes seconds to make.
    few = replace(unit, replicas=min(unit.replicas, MOST_REPLICAS))
    task = task_of(few, config)
    records = unit.students * len(task.times) * 8 * 8
    return records + choose(task, config.run.engine, here=False).engine.host_bytes(task)


def train_units(
    launch: Sequence[Unit],
    config: Config,
    progress: Callable[[int], None] = lambda work: None,
    say: Callable[[str], None] = warnings.warn,
) -> list[dict[str, np.ndarray]]:
    """Train the students of some units of one kind (`tasks.kind_of`), on all devices; for each unit its arrays, as
    `variables.unit_arrays` takes them. `say` is told which engine is passed over, in a line.
    """
    trained = _trained(task_of(launch, config), launch, config, progress, say)
    found, begin = [], 0
    for unit in launch:
        found.append(results.variables(unit, config, trained.part(slice(begin, begin + unit.students))))
        begin += unit.students
    return found


def _trained(
    task: Task,
    launch: Sequence[Unit],
    config: Config,
    progress: Callable[[int], None],
    say: Callable[[str], None],
) -> Trained:
    """The students of a launch, or some of them, each by the engine that can; those that one proves unfit for are
    trained again by the next.
    """
    parts, among = [], shares(task, config.run.engine)
    for share in among:
        count = _Counted(progress)
        try:
            parts.append(train_halving(share.choice.engine, share.task, count))
        except Unfit as error:
            _pass_over(share.choice.engine, share.task, config, str(error), say, error.everywhere)
            count.undo()
            self_check(config, launch, say)
            parts.append(_trained(share.task, launch, config, progress, say))
    if len(parts) == 1:
        return parts[0]
    return Trained.joined(parts).part(np.argsort(np.concatenate([share.places for share in among])))


class _Counted:
    """Who is told of progress, and what was told."""

    def __init__(self, progress: Callable[[int], None]):
        self.progress, self.done = progress, 0

    def __call__(self, work: int) -> None:
        self.done += work
        self.progress(work)

    def undo(self) -> None:
        """What was done will be done again."""
        self.progress(-self.done)


def prepare(launch: Sequence[Unit], config: Config, progress: Callable[[int], None]) -> None:
    """Compile what `train_units` will need; progress(0) now and then."""
    for share in shares(task_of(launch, config), config.run.engine):
        share.choice.engine.prepare(share.task, progress)


def train_halving(engine: Engine, task: Task, progress: Callable[[int], None]) -> Trained:
    """Train a task; where it is too large for the memory, one half after the other, and so on.

    Raises:
        MemoryError, JaxRuntimeError: not even one student fits.
    """
    count = _Counted(progress)
    try:
        if engine.host_bytes(task) > host_memory():
            raise MemoryError("the host's memory does not hold these students")
        return engine.train(task, count)
    except devices.errors() as error:
        if len(task.students.m) == 1 or not too_large(error):
            raise
        count.undo()
    many = len(task.students.m)
    warnings.warn(f"out of memory: {many} students are trained in two halves", stacklevel=2)
    middle = many // 2
    halves = [
        train_halving(engine, task._replace(students=task.students.part(half)), progress)
        for half in (slice(None, middle), slice(middle, None))
    ]
    return Trained.joined(halves)


def too_large(error: Exception) -> bool:
    """Whether an error says that memory has run out, on the host or on a device."""
    return isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error)


def self_check(
    config: Config,
    launch: Unit | Sequence[Unit],
    say: Callable[[str], None] = lambda line: None,
    right: set[tuple[str, str]] | None = None,
) -> None:
    """See to it that what trains some units gives its known answers on this device: an engine that does not is named
    and passed over.

    Args:
        config: of the run.
        launch: units that are trained together.
        say: told which engine is passed over, in a line.
        right: engines and their kernels that are not asked again; what is right is added.

    Raises:
        SelfCheckFailed: it is the one that was asked for.
    """
    task, right = task_of(launch, config), set() if right is None else right
    while True:
        for _, part, choice in shares(task, config.run.engine):
            if (choice.engine.name, choice.engine.kernel(part)) in right:
                continue
            kernel, passed = remembered.answers(choice.engine, part)
            if not passed:
                _pass_over(choice.engine, part, config, WRONG_NUMBERS, say)
                break
            right.add((choice.engine.name, kernel))
        else:
            return


def _pass_over(
    engine: Engine, task: Task, config: Config, why: str, say: Callable[[str], None], everywhere: bool = True
) -> None:
    """Use an engine's kernel no more, or not for this task, and say so; where it was asked for, refuse."""
    unfit = f"the compiled {engine.kernel(task)} kernel {why}"
    if config.run.engine is not None:
        if not everywhere:  # others may be done
            raise MemoryError(f'run.engine = "{engine.name}": {unfit}')
        raise SelfCheckFailed(
            f"{unfit}: nothing was kept of what it computed now; run `mbsim doctor`, and try another version of jax"
        )
    distrust(engine, task, why, everywhere)
    say(f"engine {engine.name}: {unfit}; another engine is used")


def origin(config: Config, launch: Unit | Sequence[Unit]) -> dict[str, str]:
    """What computes some units in this process: versions, device, engine, generator, commit."""
    engines = [
        {"engine": share.choice.engine.name, "engine_reason": share.choice.reason}
        for share in shares(task_of(launch, config), config.run.engine)
    ]
    return provenance.collect(prng=provenance.generator(config)) | provenance.joined(
        engines, tuple(engines[0])
    )
