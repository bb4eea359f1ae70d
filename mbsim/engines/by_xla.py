"""The engine of ±1 weights by programs of XLA: any device, and finite training sets."""

from mbsim.engines import binary
from mbsim.engines.protocol import Progress, Task, Trained
from mbsim.engines.shapes import shape_of_task


class Xla:
    """The engine."""

    name: str = "xla"
    title: str = "XLA programs, commuting proposals together"

    def refuses(self, task: Task) -> str:
        """Real weights, other rules and observables."""
        return binary.foreign(task, any_law=False) if task.problem.binary else "it trains ±1 weights"

    def unavailable(self) -> str:
        """Nothing: it runs on every device."""
        return ""

    def train(self, task: Task, progress: Progress) -> Trained:
        """Launches over all devices."""
        return binary.train(task, "xla", progress)

    def host_bytes(self, task: Task) -> int:
        """One student with its order of proposals at the least."""
        from mbsim.engines.xla import memory

        shape, thermal = shape_of_task(task), max(task.students.axes["temperature"]) > 0
        setting = memory.setting_of(shape, int(max(task.students.m)), task.test_size, thermal)
        return memory.lane_bytes(setting) + memory.schedule_bytes(shape)

    def known_answers(self, task: Task) -> tuple[str, bool]:
        """Of the program that the task needs."""
        return binary.known_answers(task, "xla")


XLA = Xla()
