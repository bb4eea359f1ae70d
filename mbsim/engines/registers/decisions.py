"""Metropolis: which proposals of a register of students are accepted.

dE is the change in the number of wrong outputs, a signed word for each student. It is accepted if dE <= 0; at
a temperature T > 0 otherwise with probability exp(-dE / T), that is where the 24-bit number of this student
and this proposal, as `blocks.acceptance_uniforms` draws it, is below `limits`.
"""

from functools import cache

import numpy as np

from mbsim.engines.registers.cipher import CIPHERS, threefry
from mbsim.engines.registers.sizes import students_in
from mbsim.engines.registers.vectors import any_bit, at_most_zero, filled, inner, load, load_widened, store

RESOLUTION = 2**24
COLD = (0,) * 9  # the `heat` of `decision` where all temperatures are zero, and it is not looked at


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
    """Compile decide(change, sweep, position, heat) -> all ones for each student that accepts.

    heat = (limits, E, columns, which, keys_1, keys_2, numbers, changes, flags): `limits_of` and its two
    sizes, the column of each student's temperature, its acceptance key, padded to whole registers of ciphers,
    and room for the numbers drawn, the changes and the answers. All but the sizes are pointers.
    """
    students = students_in(bits)

    @inner
    def decide(change, sweep, position, heat):
        accept = at_most_zero(change)
        if thermal:
            if any_bit(~accept):
                limits, most, columns, which, keys_1, keys_2, numbers, changes, flags = heat
                for at in range(0, students, CIPHERS):
                    like = load(keys_1, at)
                    x, y = filled(like, np.uint32(sweep)), filled(like, np.uint32(position))
                    store(numbers, at, threefry(like, load(keys_2, at), x, y)[0])
                store(changes, 0, change)
                for s in range(students):
                    dE = np.int64(changes[s])
                    hot = 0 < dE < most and (numbers[s] >> np.uint32(8)) < limits[dE * columns + which[s]]
                    flags[s] = np.int8(-1 if hot else 0)
                accept = accept | load_widened(flags, 0, change)
        return accept

    return decide
