"""Metropolis: which proposals of a register of students are accepted.

dE is the change in the number of wrong outputs, a signed word for each student. It is accepted if dE <= 0; at
a temperature T > 0 otherwise with probability exp(-dE / T), that is where the 24-bit number of this student
and this proposal, (word on the counter (sweep, place) under
its acceptance key), is below `limits`.
"""

from functools import cache

import numpy as np

from mbsim.engines.registers.cipher import CIPHERS, threefry
from mbsim.engines.registers.kept import inner
from mbsim.engines.registers.loading import load, load_widened, store
from mbsim.engines.registers.sizes import students_in
from mbsim.engines.registers.vectors import any_bit, at_most_zero, filled

RESOLUTION = 2**24


def limits_of(temperatures: np.ndarray, most: int) -> np.ndarray:
    """Numbers (E, temperatures) uint32: dE = e is accepted where the 24-bit number is below limits[e].

    limits[e] = ceil(2^24 exp(-e / T)), and nothing for T = 0. The rows end where the number to be below is 1
    at all temperatures, or at the largest change that there can be, `most`.
    """
    hottest = float(temperatures.max(initial=0.0))
    rows = int(min(most, np.ceil(np.log(RESOLUTION) * hottest) + 1)) + 1
    with np.errstate(divide="ignore", over="ignore"):
        exponent = -np.arange(rows)[:, None] / np.where(temperatures > 0, temperatures, 1.0)[None, :]
    limits = np.ceil(RESOLUTION * np.exp(exponent)).astype(np.uint32)
    return np.where(temperatures[None, :] > 0, limits, 0).astype(np.uint32)


@cache
def decision(bits: int, thermal: bool):
    """Compile decide(change, sweep, position, heat) -> all ones for each student that accepts the proposal at
    this place of the sweep; `heat` as `records.Heat`.
    """
    students = students_in(bits)

    @inner
    def decide(change, sweep, position, heat):
        accept = at_most_zero(change)
        if thermal:
            if any_bit(~accept):
                for at in range(0, students, CIPHERS):
                    first, second = load(heat.first, at), load(heat.second, at)
                    x, y = filled(first, np.uint32(sweep)), filled(first, np.uint32(position))
                    store(heat.drawn, at, threefry(first, second, x, y)[0])
                store(heat.changes, 0, change)
                for s in range(students):
                    dE, u = np.int64(heat.changes[s]), heat.drawn[s] >> np.uint32(8)
                    hot = 0 < dE < heat.most and u < heat.limits[dE * heat.columns + heat.which[s]]
                    heat.flags[s] = np.int8(-1 if hot else 0)
                accept = accept | load_widened(heat.flags, 0, change)
        return accept

    return decide
