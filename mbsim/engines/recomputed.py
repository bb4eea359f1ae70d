"""Some students of a launch, trained again by the engine for CPUs: to the same numbers, or the device is wrong.

Known answers (`known_answers.py`) are of small networks and batches. A launch may need kernels that they know nothing
of: loops over the words of a batch, units with any number of readers, training sets, many inputs. So some of the
students that a device has trained are trained again on the host, as far as a second of one core takes them, and
every number that was measured must be equal. That goes on beside the device, once for each kind of launch.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context

import numpy as np

from mbsim.engines.protocol import Progress, Task, Trained
from mbsim.engines.settings import pinned
from mbsim.errors import MbsimError
from mbsim.physics.rules import RULES

STUDENTS = 16  # spread over a launch
MOST_WORK = 1e8  # proposals: a second of one core, or less
FEWEST_TIMES = 2  # the start, and some training


class Unfit(MbsimError):  # noqa: N818 (says what happened)
    """A kernel cannot do, or not rightly, what was asked of it: another engine can. In words that follow its name."""


def sample(task: Task) -> tuple[np.ndarray, Task]:
    """Places of the students that are trained again, and their task, which ends earlier. They are some of those with
    the most examples: known answers have few, and one number of them needs one loop of the CPU, which takes seconds
    to compile.
    """
    most = np.flatnonzero(task.students.m == task.students.m.max())
    places = np.sort(np.random.default_rng(0).choice(most, min(STUDENTS, len(most)), replace=False))
    work = RULES[task.problem.rule].steps_of_work(task.problem) * len(places)
    times = max(FEWEST_TIMES, int((task.times * work <= MOST_WORK).sum()))
    few = task.students.part(places)
    return places, task._replace(students=few, times=task.times[:times], final_weights=False)


def checked(
    task: Task,
    train: Callable[[Task, Progress], Trained],
    again: Callable[[Task, Progress], Trained],
    progress: Progress,
) -> Trained:
    """What `train` makes of a task, if `again` makes the same of a sample of it.

    Raises:
        Unfit: it does not.
    """
    places, few = sample(task)
    pool = ThreadPoolExecutor(1)
    expected: Future[Trained] | None = None

    @pinned()  # settings of JAX are those of a thread
    def alone() -> Trained:
        return again(few, lambda work: None)

    def count(work: int) -> None:
        nonlocal expected
        if work > 0 and expected is None:  # now the device is busy, and this core is not
            expected = pool.submit(copy_context().run, alone)
        progress(work)

    try:
        trained = train(task, count)
        right = alone() if expected is None else expected.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    for name, values in right.series.items():
        found = trained.series[name][places, : values.shape[1]]
        if not np.array_equal(found, values):
            wrong = int((found != values).any(axis=1).sum())
            raise Unfit(f"gives wrong numbers on this device ({name} of {wrong} of {len(places)} students)")
    return trained
