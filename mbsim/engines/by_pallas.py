"""The engine of ±1 weights on accelerators: the proposals of a sweep are one kernel, written in Pallas.

It has been interpreted, bit for bit the other engines, and compiled for devices that were not there, but never run
on one: so it trains only where it is asked for, and its known answers decide at the start of each run.
"""

from mbsim.engines import binary
from mbsim.engines.protocol import Progress, Task, Trained
from mbsim.lazy import jax


class Pallas:
    """The engine."""

    name: str = "pallas"
    title: str = "a sweep in one kernel, on GPU and TPU"

    def refuses(self, task: Task) -> str:
        """Real weights, other rules and observables."""
        return binary.foreign(task, any_law=False) if task.problem.binary else "it trains ±1 weights"

    def unavailable(self) -> str:
        """A machine without a GPU or TPU."""
        return "it runs on GPUs and TPUs, and there is none" if jax.default_backend() == "cpu" else ""

    def train(self, task: Task, progress: Progress) -> Trained:
        """Launches over all devices. What does not fit raises MemoryError with the reason."""
        try:
            return binary.train(task, "pallas", progress)
        except ValueError as error:  # sizes that the kernels cannot have, known once the device is
            raise MemoryError(str(error)) from error

    def host_bytes(self, task: Task) -> int:
        """Nothing to speak of: students live on the device."""
        return 0

    def kernel(self, task: Task) -> str:
        """By output, order and law."""
        return binary.kernel(task)

    def known_answers(self, task: Task) -> bool:
        """Of that kernel."""
        return binary.known_answers(task, "pallas")


PALLAS = Pallas()
