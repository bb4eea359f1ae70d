"""The engine of real weights: many students at once by batched products of XLA, on any device."""

from typing import TYPE_CHECKING

import numpy as np

from mbsim.engines.binary import unmeasured
from mbsim.engines.protocol import Progress, Task, Trained
from mbsim.engines.settings import on_jax
from mbsim.engines.shapes import real_shape_of_task
from mbsim.physics.activations import ACTIVATIONS

if TYPE_CHECKING:
    from mbsim.engines.batched.ensemble import Sgd

MEASURED = ("overlap", "generalization_error", "training_error", "loss")


class Batched:
    """The engine."""

    name: str = "batched"
    title: str = "batched products of XLA, on CPU, GPU and TPU"
    accelerated: bool = False

    def refuses(self, task: Task) -> str:
        """±1 weights; students, teachers, activations, optimisers and observables that it does not know."""
        problem = task.problem
        if problem.binary:
            return "it trains real weights"
        if problem.rule != "sgd":
            return f'"{problem.rule}" is not among its rules'
        if problem.student not in ("dense", "sparse"):
            return f'it has no student "{problem.student}"'
        if problem.teacher != "sparse":
            return f'it has no teacher "{problem.teacher}"'
        if problem.teacher_activation != problem.activation:
            return "its teacher has the student's activation"
        if not ACTIVATIONS.built_in(problem.activation):
            return f'it has no activation "{problem.activation}"'
        if problem.options["optimizer"] not in ("sgd", "adam"):
            return f'it has no optimizer "{problem.options["optimizer"]}"'
        return unmeasured(task, MEASURED)

    def unavailable(self, task: Task) -> str:
        """Nothing: it runs on every device."""
        return ""

    @on_jax()
    def train(self, task: Task, progress: Progress) -> Trained:
        """Launches over all devices."""
        from mbsim.engines.batched.ensemble import SgdLabels, shape_of, train
        from mbsim.engines.drawing import teachers_of

        problem, students = task.problem, task.students
        numbers, which = np.unique(students.teacher, return_inverse=True)
        teachers = teachers_of(problem, task.seed, numbers)
        shape = shape_of(
            teachers,
            problem.N,
            dense=problem.student == "dense",
            train_output=problem.train_output,
            activation=problem.activation,
            ntk=problem.scaling == "ntk",
            student_hidden=problem.student_hidden,
        )
        records, weights = train(
            teachers,
            numbers,
            shape,
            SgdLabels(which, students.m, students.replica, students.axes["lr"]),
            task.times,
            dynamics_of(task),
            seed=task.seed,
            test_size=task.test_size,
            progress=progress,
            final_weights=task.final_weights,
        )
        series = {name: getattr(records, name) for name in MEASURED}
        elapsed = np.diff(task.times, prepend=0)
        series["work"] = np.broadcast_to(elapsed, records.diverged.shape)
        return Trained(series, records.diverged, *_as_students_have(task, weights.w, weights.v))

    def prepare(self, task: Task, progress: Progress) -> None:
        """Nothing: programs are compiled as they are met."""

    def host_bytes(self, task: Task) -> int:
        """The states of a launch, and the work of one student."""
        from mbsim.engines.batched import ensemble, memory

        m = int(max(task.students.m))
        setting = ensemble.setting_of(real_shape_of_task(task), dynamics_of(task), m, task.test_size)
        weights = len(task.students.m) * 4 * setting.shape.weights
        return weights + memory.launch_bytes(setting, len(task.students.m), "cpu")

    def kernel(self, task: Task) -> str:
        """By the kind of student."""
        return f"{task.problem.student} gradient descent"

    @on_jax()
    def known_answers(self, task: Task) -> bool:
        """Of that kernel."""
        from mbsim.engines.batched import known_answers

        return known_answers.passes(task.problem.student)


def dynamics_of(task: Task) -> "Sgd":
    """How the students are trained, in the words of the engine."""
    from mbsim.engines.batched.ensemble import Sgd
    from mbsim.physics.optimisers import Optimizer

    problem, options = task.problem, task.problem.options
    return Sgd(
        optimizer=Optimizer(options["optimizer"], options["momentum"]),
        lr_scaling=options["lr_scaling"],
        mup=options["lr_multipliers"] == "mup",
        inputs=problem.inputs,  # type: ignore[arg-type]
        noise=problem.noise,
        examples=task.examples,
        sampling=problem.sampling or "epochs",
    )


def _as_students_have(
    task: Task, w: np.ndarray, v: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Final weights as `physics.students` has them: a dense w (students, K', N), v (students, M, D)."""
    dense = task.problem.student == "dense"
    turned = v is not None and (dense or task.problem.scalar)
    return np.swapaxes(w, 1, 2) if dense else w, np.swapaxes(v, 1, 2) if v is not None and turned else v


BATCHED = Batched()
