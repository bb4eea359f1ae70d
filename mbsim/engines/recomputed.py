"""Some students of a launch, trained again by the engine for CPUs: to the same numbers, or the device is wrong.

Known answers (`known_answers.py`) are of small networks and batches. A launch may need kernels that they know nothing
of: loops over the words of a batch, units with any number of readers, training sets, many inputs. So some of the
students that a device has trained are trained again on the host, as far as about a second of one core takes them, and
every number that was measured must be equal. That goes on beside the device, once for each kind of launch.
"""

import warnings
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context

import numpy as np

from mbsim.engines.protocol import Progress, Task, Trained
from mbsim.errors import MbsimError
from mbsim.physics.rules import RULES

STUDENTS = 16  # of each kind
MOST_WORK = 1e8  # proposals of 64 examples
WORD = 64  # examples that a core looks at together
FEWEST_TIMES = 2  # the start, and some training


class Unfit(MbsimError):  # noqa: N818 (says what happened)
    """A kernel cannot do what was asked of it, and another engine can. The text follows the kernel's name in a
    sentence. everywhere: whether that is so of all networks and batches, not of these alone.
    """

    def __init__(self, text: str, everywhere: bool = False):
        super().__init__(text)
        self.everywhere = everywhere


def sample(task: Task, kinds: np.ndarray) -> tuple[np.ndarray, Task]:
    """Places of the students that are trained again, and their task, which ends earlier.

    They are, of each kind (`kinds`: a number for each student), some of those with the most examples: loops of the
    CPU are compiled for seconds for each width of batches.
    """
    m, chosen = task.students.m, []
    for kind in np.unique(kinds):
        mine = np.flatnonzero(kinds == kind)
        most = mine[m[mine] == m[mine].max()]
        chosen.append(np.random.default_rng(0).choice(most, min(STUDENTS, len(most)), replace=False))
    places = np.sort(np.concatenate(chosen))
    words = int((-(-m[places] // WORD)).sum())
    work = RULES[task.problem.rule].steps_of_work(task.problem) * words
    times = max(FEWEST_TIMES, int((task.times * work <= MOST_WORK).sum()))
    few = task.students.part(places)
    return places, task._replace(students=few, times=task.times[:times], final_weights=False)


def checked(
    task: Task,
    kinds: np.ndarray,
    train: Callable[[Task, Progress], Trained],
    again: Callable[[Task, Progress], Trained],
    progress: Progress,
) -> Trained:
    """What `train` makes of a task, if `again` makes the same of a sample of it. Where `again` fails, that is told in
    a warning, and nothing is known.

    Raises:
        Unfit: it makes something else.
    """
    places, few = sample(task, kinds)
    pool = ThreadPoolExecutor(1)
    expected: Future[Trained] | None = None

    def alone() -> Trained:
        return again(few, lambda work: None)

    def count(work: int) -> None:
        nonlocal expected
        if work > 0 and expected is None:  # now the device is busy, and this core is not
            expected = pool.submit(copy_context().run, alone)
        progress(work)

    try:
        trained = train(task, count)
        right = pool.submit(copy_context().run, alone) if expected is None else expected
        if (error := right.exception()) is not None:
            warnings.warn(f"what the device gives was not compared with the CPU: {error}", stacklevel=2)
            return trained
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    for name, values in right.result().series.items():
        found = trained.series[name][places, : values.shape[1]]
        if not np.array_equal(found, values):
            wrong = int((found != values).any(axis=1).sum())
            raise Unfit(
                f"gives wrong numbers on this device ({name} of {wrong} of {len(places)} students)",
                everywhere=True,
            )
    return trained
