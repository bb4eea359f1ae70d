"""The generator of NumPy, PCG64, in compiled code: the numbers of `numpy.random.Generator`, bit for bit.

A state is (6,) uint64: the upper and lower half of the state and of the increment, whether half of a word is left,
and that half (`numpy.random.PCG64.state`).

Source: M. E. O'Neill, "PCG: a family of simple fast space-efficient statistically good algorithms for random number
generation", 2014; numpy/random/src/pcg64.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from mbsim.engines.registers.kept import fused, inner

U64 = np.uint64
HIGH, LOW = U64(2549297995355413924), U64(4865540595714422341)  # halves of the multiplier
WORD = U64(2**32 - 1)


@intrinsic
def upper(typing, first, second):
    """The upper 64 bits of a product."""

    def generate(context, builder, signature, values):
        wide = ir.IntType(128)
        product = builder.mul(*(builder.zext(value, wide) for value in values))
        return builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), ir.IntType(64))

    return types.uint64(types.uint64, types.uint64), generate


@fused
def next_word(state):
    """The next 64 bits."""
    high, low = state[0], state[1]
    high = upper(low, LOW) + high * LOW + low * HIGH + state[2]
    low = low * LOW
    after = low + state[3]
    if after < low:
        high += U64(1)
    state[0], state[1] = high, after
    folded, turn = high ^ after, high >> U64(58)
    return (folded >> turn) | (folded << ((U64(64) - turn) & U64(63)))


@inner
def next_half(state):
    """The next 32 bits: the lower half of a word, then its upper half."""
    if state[4]:
        state[4] = U64(0)
        return state[5]
    word = next_word(state)
    state[4], state[5] = U64(1), word >> U64(32)
    return word & WORD


@inner
def shuffle(state, values, count):
    """`Generator.permutation` of fewer than 2^32 values, in place."""
    for i in range(count - 1, 0, -1):
        mask = U64(i)
        for bits in (1, 2, 4, 8, 16):
            mask |= mask >> U64(bits)
        drawn = next_half(state) & mask
        while drawn > U64(i):
            drawn = next_half(state) & mask
        values[i], values[drawn] = values[drawn], values[i]


@inner
def signs(state, values, count):
    """`1 - 2 Generator.integers(0, 2, dtype=int8)`: top bits of the bytes of half words, the lowest byte first."""
    half = U64(0)
    for i in range(count):
        half = half >> U64(8) if i % 4 else next_half(state)
        values[i] = np.int8(1) - np.int8(2) * np.int8((half >> U64(7)) & U64(1))
