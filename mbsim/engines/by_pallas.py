"""The engine of ±1 weights on accelerators: the proposals of a sweep are one kernel, written in Pallas.

Compilers may answer wrongly on a device that nobody has tried: known answers decide at the start of each run, and
students that are trained again on the CPU whether those kernels are right that known answers do not reach.
"""

from typing import TYPE_CHECKING

import numpy as np

from mbsim.engines import binary, recomputed
from mbsim.engines.by_registers import REGISTERS
from mbsim.engines.drawing import compiles
from mbsim.engines.protocol import Progress, Task, Trained
from mbsim.engines.recomputed import Unfit
from mbsim.engines.shapes import shape_of_task
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
        here = device()
        if here.platform == "cpu":
            return "it runs on GPUs and TPUs, and there is none"
        from mbsim.engines.devices import available_bytes
        from mbsim.engines.pallas import refusals, targets  # Pallas is slow to import

        m, temperatures = np.asarray(task.students.m), np.asarray(task.students.axes["temperature"])
        target, room = targets.target_of(here), available_bytes(here)
        return refusals.refuses(shape_of_task(task), m, temperatures, target, room)

    def train(self, task: Task, progress: Progress) -> Trained:
        """Launches over all devices. Some students of the first of a kind are trained by the engine for CPUs too.

        Raises:
            Unfit: to other numbers; or sizes that are known once teachers are drawn exceed what kernels can do.
        """
        kind = repr((task.problem, task.examples, np.unique(task.students.m), self.kernel(task)))
        try:
            if kind in _CHECKED or not compiles():
                return _train(task, progress)
            trained = recomputed.checked(task, _train, REGISTERS.train, progress)
        except ValueError as error:
            raise Unfit(f"cannot do this: {error}") from error
        _CHECKED.add(kind)
        return trained

    def prepare(self, task: Task, progress: Progress) -> None:
        """All programs, on all cores: together they take many seconds."""
        binary.prepare(task, progress)

    def host_bytes(self, task: Task) -> int:
        """Nothing to speak of: students live on the device."""
        return 0

    def kernel(self, task: Task) -> str:
        """By output, order and law."""
        return binary.kernel(task)

    def known_answers(self, task: Task) -> bool:
        """Of that kernel. One that does not compile here, or does not run, has none: with a version of jax, say, that
        has dropped what compiles it.
        """
        try:
            return binary.known_answers(task, "pallas")
        except (jax.errors.JaxRuntimeError, NotImplementedError, ImportError, AttributeError):
            return False


def _train(task: Task, progress: Progress) -> Trained:
    return binary.train(task, "pallas", progress)


_CHECKED: set[str] = set()
"""Kinds of launches of which some students were trained by both engines in this process."""

PALLAS = Pallas()
