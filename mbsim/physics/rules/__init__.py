"""Rules: how students are trained. One file each; a rule is registered by being imported here.

A rule is one object with an equation, keys of `[dynamics]`, axes of the grid, units of time and of work, and
two functions of ONE student: `init(world)` and `step(world, state, moment)`.
"""

from mbsim.physics.rules import heat_bath, metropolis, sgd
from mbsim.physics.rules.protocol import RULES, Rule, Words, axes, rules_for

__all__ = ["RULES", "Rule", "Words", "axes", "heat_bath", "metropolis", "rules_for", "sgd"]
