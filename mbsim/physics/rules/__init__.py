"""Rules: how students are trained. One file each; a rule is registered by being imported here.

A rule is one object with an equation, keys of `[dynamics]`, axes of the grid, units of time and of work, and
two functions of ONE student: `init(world)` and `step(world, state, moment)`.
"""

from mbsim.physics.rules.heat_bath import HEAT_BATH
from mbsim.physics.rules.metropolis import METROPOLIS
from mbsim.physics.rules.protocol import RULES, Group, Rule, Words, axes, rules_for
from mbsim.physics.rules.sgd import SGD

for _rule in (METROPOLIS, HEAT_BATH, SGD):  # the first for its weights is the default
    RULES.add(_rule.name, _rule, built_in=True)

__all__ = ["HEAT_BATH", "METROPOLIS", "RULES", "SGD", "Group", "Rule", "Words", "axes", "rules_for"]
