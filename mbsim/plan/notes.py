"""What a configuration says that changes nothing: a line each, to be told before a run."""

from mbsim.config import Config
from mbsim.physics.optimisers import multipliers
from mbsim.plan.problems import problem_of


def without_effect(config: Config) -> list[str]:
    """Settings that have no effect in this run, as `key = value: why`."""
    found = []
    if config.dynamics.options.get("lr_multipliers") == "mup":
        problems = [problem_of(config, N, d) for N in config.grid.N for d in config.grid.d]
        if all(multipliers(problem) == (1.0, 1.0) for problem in problems):
            found.append(
                'dynamics.lr_multipliers = "mup": no effect, for the layers of the student are equally wide: '
                "all multipliers are one"
            )
    if not config.model.real and "success_threshold" in config.measure.model_fields_set:
        value = config.measure.success_threshold
        found.append(
            f"measure.success_threshold = {value}: no effect with ±1 weights, where success is exact"
        )
    return found
