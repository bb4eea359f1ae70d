"""Whether a user's observables give what an observable must, before anything is computed."""

from typing import Any

import numpy as np

from mbsim.engines.protocol import Task
from mbsim.engines.reference import Setting, init, labels, lessons, observe, setting_of
from mbsim.engines.settings import on_jax
from mbsim.errors import ConfigError
from mbsim.lazy import jax, jnp
from mbsim.physics.observables import Ratio
from mbsim.physics.problem import Labels


@on_jax()
def try_observables(task: Task) -> None:
    """Ask every observable for its shape and type, without computing anything.

    Raises:
        ConfigError: one that fails, or does not give one real number; it is named.
    """
    problem = task.problem
    [lesson] = lessons(task, np.arange(1))
    m, teacher, prepared = task.students.m[:1], lesson.teacher, lesson.prepared
    one = jax.tree.map(lambda column: column[0], labels(task, np.arange(1), prepared.own))
    for name in task.observables:
        setting = setting_of(problem, int(m[0]), task.test_size, (name,))

        def measure(student: Labels, setting: Setting = setting) -> dict[str, Any]:
            state = init(setting, teacher, student, prepared.shared)
            zero = jnp.uint32(0)
            return observe(setting, teacher, student, prepared.shared, state, zero, zero)[0]

        try:
            found = jax.eval_shape(measure, one)[name]
        except Exception as error:
            first = (str(error).strip().splitlines() or [""])[0]
            raise ConfigError(
                f'measure.observables = "{name}": fails: {type(error).__name__}: {first}'
            ) from error
        if isinstance(found, Ratio):
            continue
        shape, dtype = getattr(found, "shape", None), getattr(found, "dtype", None)
        if shape != () or dtype is None or not jnp.issubdtype(dtype, jnp.floating):
            what = f"{dtype}{list(shape)}" if shape is not None else type(found).__name__
            raise ConfigError(
                f'measure.observables = "{name}": gives {what}; must be one real number, float32 ()'
            )
