"""The engine of ±1 weights on CPU: compiled loops over vector registers of students."""

from mbsim.engines import binary
from mbsim.engines.drawing import compiles
from mbsim.engines.protocol import Progress, Task, Trained
from mbsim.engines.shapes import shape_of_task


class Registers:
    """The engine."""

    name: str = "registers"
    title: str = "compiled loops over registers of students, on CPU"
    accelerated: bool = False

    def refuses(self, task: Task) -> str:
        """Real weights, other rules and observables."""
        return binary.foreign(task, any_law=True) if task.problem.binary else "it trains ±1 weights"

    def unavailable(self, task: Task) -> str:
        """Every machine has a CPU, and beside an accelerator it trains what does not fit there."""
        return "" if compiles() else "numba is switched off (NUMBA_DISABLE_JIT)"

    def train(self, task: Task, progress: Progress) -> Trained:
        """A thread on each core takes the next register of students."""
        binary.compile_beforehand(task)
        return binary.train(task, "registers", progress)

    def prepare(self, task: Task, progress: Progress) -> None:
        """Nothing: loops are compiled when known answers are asked, or as they are met."""

    def host_bytes(self, task: Task) -> int:
        """A block of students on each core, and the bits of all weights."""
        from mbsim.engines.devices import cores
        from mbsim.engines.registers.sizes import core_bytes, weight_bytes

        shape, students = shape_of_task(task), task.students
        return core_bytes(shape, int(max(students.m))) * cores() + weight_bytes(shape, len(students.m))

    def kernel(self, task: Task) -> str:
        """By output, order and law."""
        return binary.kernel(task, "registers")

    def known_answers(self, task: Task) -> bool:
        """Of that kernel. With it is compiled what the task itself needs."""
        binary.compile_beforehand(task, with_known_answers=True)
        return binary.known_answers(task, "registers")


REGISTERS = Registers()
