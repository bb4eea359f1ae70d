"""Which proposals of a register of students are accepted.

dE is the change in the number of wrong outputs, a signed word for each student. A proposal is accepted where the
24-bit number of this student and this proposal (the upper bits of threefry on the counter (sweep, place), under
its acceptance key) is below the law's chance P(dE) as an integer over 2^24. How much of this is compiled:

    GREEDY  Metropolis at T = 0: accepted if dE <= 0, no number is drawn
    UPHILL  Metropolis, some T > 0: a number is drawn where some student's dE is positive
    ALWAYS  any other law: a number is drawn for every proposal
"""

from functools import cache

import numpy as np

from mbsim.engines.registers.cipher import CIPHERS, threefry
from mbsim.engines.registers.kept import inner
from mbsim.engines.registers.loading import load, load_widened, store
from mbsim.engines.registers.sizes import students_in
from mbsim.engines.registers.vectors import any_bit, at_most_zero, filled
from mbsim.physics.rules import METROPOLIS, RULES
from mbsim.physics.rules.flip_rule import RESOLUTION, FlipRule, chances

GREEDY, UPHILL, ALWAYS = range(3)


def chance_of(law: str, temperatures: np.ndarray) -> int:
    """What a law needs at these temperatures."""
    if law != METROPOLIS.name:
        return ALWAYS
    return UPHILL if bool((temperatures > 0).any()) else GREEDY


def table_of(law: str, temperatures: np.ndarray, most: int) -> np.ndarray:
    """The chances (E, temperatures) uint32 of changes up to `most` either way: of Metropolis those of dE = 0, 1,
    ..., of another law those of dE = -most, ..., most.
    """
    if law == METROPOLIS.name:
        return limits_of(temperatures, most)
    rule = RULES[law]
    assert isinstance(rule, FlipRule)  # others are refused
    return np.ascontiguousarray(chances(rule.law, temperatures, most).T)


def limits_of(temperatures: np.ndarray, most: int) -> np.ndarray:
    """Numbers (E, temperatures) uint32: dE = e is accepted where the 24-bit number is below limits[e].

    limits[e] = ceil(2^24 exp(-e / T)), but at least 1, and nothing for T = 0: `flip_rule.chances` from dE = 0 on. The
    rows end where that is 1 at all temperatures, and the last row serves what is above; or at the largest change
    that there can be, `most`.
    """
    hottest = float(temperatures.max(initial=0.0))
    rows = int(min(most, np.ceil(np.log(RESOLUTION) * hottest) + 1)) + 1
    with np.errstate(divide="ignore", over="ignore"):
        exponent = -np.arange(rows)[:, None] / np.where(temperatures > 0, temperatures, 1.0)[None, :]
    limits = np.maximum(np.ceil(RESOLUTION * np.exp(exponent)), 1)  # at T > 0 nothing is impossible
    return np.where(temperatures[None, :] > 0, limits, 0).astype(np.uint32)


@cache
def decision(bits: int, chance: int):
    """Compile decide(change, sweep, position, heat) -> all ones for each student that accepts the proposal at
    this place of the sweep; `heat` as `records.Heat`.
    """
    students, always = students_in(bits), chance == ALWAYS

    @inner
    def decide(change, sweep, position, heat):
        accept = at_most_zero(change)
        if chance:
            if always or any_bit(~accept):
                for at in range(0, students, CIPHERS):
                    first, second = load(heat.first, at), load(heat.second, at)
                    x, y = filled(first, np.uint32(sweep)), filled(first, np.uint32(position))
                    store(heat.drawn, at, threefry(first, second, x, y)[0])
                store(heat.changes, 0, change)
                for s in range(students):
                    dE, u = np.int64(heat.changes[s]), heat.drawn[s] >> np.uint32(8)
                    if always:
                        taken = u < heat.limits[(dE + heat.most // 2) * heat.columns + heat.which[s]]
                    else:
                        row = min(dE, heat.most - 1)
                        taken = dE > 0 and u < heat.limits[row * heat.columns + heat.which[s]]
                    heat.flags[s] = np.int8(-1 if taken else 0)
                drawn = load_widened(heat.flags, 0, change)
                accept = drawn if always else accept | drawn
        return accept

    return decide
