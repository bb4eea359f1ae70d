"""What a configuration asks at one (N, d), in the words of physics: sizes and kinds, and how much work it is."""

from mbsim.config import Config
from mbsim.physics.problem import Problem


def problem_of(config: Config, N: int, d: int) -> Problem:
    """Sizes and kinds of teacher and student at one (N, d)."""
    model = config.model
    kinds = {}
    if model.real:
        kinds = {
            "activation": model.activation,
            "teacher_activation": model.teacher_activation or model.activation,
            "scaling": model.scaling,
            "inputs": model.inputs,
            "teacher_weights": model.teacher_weights,
            "noise": model.noise,
        }
    K = model.hidden_units(N)
    return Problem(
        N=N,
        K=K,
        M=model.outputs(N),
        d=d,
        student_hidden=model.student_hidden or K,
        teacher=model.teacher_kind,
        student=model.student_kind,
        train_output=model.train_output,
        rule=config.rule.name,
        options=config.dynamics.options,
        sampling=None if config.data is None else config.data.sampling,
        **kinds,
    )


def student_work(config: Config, N: int, d: int) -> int:
    """How much work the whole run of one student is, in what its rule counts: proposals, or steps."""
    return config.rule.steps_of_work(problem_of(config, N, d)) * config.dynamics.length
