"""The engine of ±1 weights on accelerators: the proposals of a sweep are one kernel, written in Pallas.

Compilers may answer wrongly on a device that nobody has tried: known answers decide at the start of each run, and
students that are trained again on the CPU whether those kernels are right that known answers do not reach.
"""

from typing import TYPE_CHECKING

import numpy as np

from mbsim.engines import binary, recomputed
from mbsim.engines.by_registers import REGISTERS
from mbsim.engines.devices import backend
from mbsim.engines.drawing import compiles
from mbsim.engines.protocol import Progress, Task, Trained
from mbsim.engines.recomputed import Unfit
from mbsim.engines.settings import on_jax
from mbsim.engines.shapes import shape_of_task
from mbsim.errors import MbsimError
from mbsim.lazy import jax

if TYPE_CHECKING:
    from jax import Device


def device() -> "Device":
    """One of the devices, which are alike."""
    return jax.local_devices()[0]


class Pallas:
    """The engine."""

    name: str = "pallas"
    title: str = "a sweep in one kernel, on GPU and TPU"
    accelerated: bool = True

    def refuses(self, task: Task) -> str:
        """Real weights, other rules and observables."""
        return binary.foreign(task, any_law=False) if task.problem.binary else "it trains ±1 weights"

    def unavailable(self, task: Task) -> str:
        """A machine without a GPU or TPU, or one whose memory is too small for the kernels of these sizes."""
        if backend() == "cpu":
            return "it runs on GPUs and TPUs, and there is none"
        from mbsim.engines.pallas import memory, refusals, targets  # Pallas is slow to import

        m, temperatures = np.asarray(task.students.m), np.asarray(task.students.axes["temperature"])
        here = device()
        target, room = targets.target_of(here), memory.room_of(here)
        return refusals.refuses(shape_of_task(task), m, temperatures, target, room)

    @on_jax()
    def train(self, task: Task, progress: Progress) -> Trained:
        """Launches over all devices. Some students of the first of a kind are trained by the engine for CPUs too.

        Raises:
            Unfit: to other numbers; or kernels do not compile, or sizes that are known once teachers are drawn exceed
                what they can do.
        """
        from mbsim.engines.pallas import layout

        values, which = np.unique(task.students.m, return_inverse=True)
        words = np.array([layout.words_for(m) for m in values.tolist()])
        kind = repr((task.problem, task.examples, values, self.kernel(task)))
        listener = _Listener(progress)
        try:
            if kind in _CHECKED or not compiles():
                return _train(task, listener)
            trained = recomputed.checked(task, words[which], _train, REGISTERS.train, listener)
        except Exception as error:
            if error is listener.error or not (why := _why_unfit(error)):
                raise
            raise Unfit(why) from error
        _CHECKED.add(kind)
        return trained

    @on_jax()
    def prepare(self, task: Task, progress: Progress) -> None:
        """All programs, on all cores: together they take many seconds."""
        binary.prepare(task, progress)

    def host_bytes(self, task: Task) -> int:
        """Nothing to speak of: students live on the device."""
        return 0

    def kernel(self, task: Task) -> str:
        """By output, order and law."""
        return binary.kernel(task, "pallas")

    @on_jax()
    def known_answers(self, task: Task) -> bool:
        """Of that kernel. One that does not compile here, or does not run, has none: with a version of jax, say, that
        has dropped what compiles it.
        """
        try:
            return binary.known_answers(task, "pallas")
        except MbsimError:
            raise
        except Exception:  # compilers have errors of their own, which they do not all name
            return False


def _train(task: Task, progress: Progress) -> Trained:
    return binary.train(task, "pallas", progress)


class _Listener:
    """Who is told of progress; what that raises is no error of kernels."""

    def __init__(self, progress: Progress):
        self.progress = progress
        self.error: BaseException | None = None

    def __call__(self, work: int) -> None:
        try:
            self.progress(work)
        except BaseException as error:
            self.error = error
            raise


def _why_unfit(error: Exception) -> str:
    """What an error says of a kernel, in a line; nothing if it is not of a kernel, or met by smaller launches."""
    from mbsim.engines.pallas.refusals import Refused

    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if isinstance(error, Refused):
        return f"cannot do this: {line}"
    if isinstance(error, MbsimError | MemoryError) or "RESOURCE_EXHAUSTED" in str(error):
        return ""
    return f"does not compile or run here: {line}"


_CHECKED: set[str] = set()
"""Kinds of launches of which some students were trained by both engines in this process."""

PALLAS = Pallas()
