"""The dynamics that a run may train by: one module each, and this registry.

A module holds what the pipeline needs to know of a dynamics, and imports its kernel when that is first used:

    AXES        {name: (long name, units)} of the axes of the grid that it adds, in the order of the dataset
    TIME, WORK  what time and work are counted in, one and many
    SERIES      {name: long name} of the variables that only it measures, over time
    work_of(unit, config)                 how much work a unit is
    unit_bytes(unit, config, times)       estimate of the host's memory for one unit
    order_parameter(config)               the variable that tells the phases apart
    check(config, units)                  raises ConfigError for what cannot be run
    train_unit(unit, config, times, progress)    the unit's arrays, as `variables.unit_arrays` takes them
    self_check(unit, config)              whether the compiled kernels give known answers; names the kernel

Which one a configuration means, its weights say (`config_relations.dynamics_table`).
"""

from collections.abc import Collection
from types import ModuleType

from mbsim.running.rules import metropolis, sgd

RULES: dict[str, ModuleType] = {"metropolis": metropolis, "sgd": sgd}


def rule_with(axes: Collection[str]) -> ModuleType:
    """The dynamics whose axes are all among the given names."""
    return next(rule for rule in RULES.values() if rule.AXES.keys() <= set(axes))
