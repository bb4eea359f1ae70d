"""The orders of proposals of some teachers, each for all students of its own: `physics/order.py`, bit for bit."""

import numpy as np

from mbsim.engines.registers.cipher import CIPHERS, threefry
from mbsim.engines.registers.kept import inner, kept
from mbsim.engines.registers.loading import address, load, store
from mbsim.engines.registers.records import Ordering
from mbsim.engines.registers.rows import row_of, told
from mbsim.engines.registers.vectors import filled, zero_like


@inner
def words(first, second, count, counters, result):
    """The words 0 to count - 1 of a stream: both halves of the cipher, one added to the other without carry."""
    zero, place = zero_like(first), counters
    for at in range(0, count, CIPHERS):
        x, y = threefry(first, second, zero, place)
        store(result, at, x ^ y)
        place = place + filled(place, np.uint32(CIPHERS))


@kept
def draw(teachers, begin, stop, n, row):
    """Draw the proposals of sweeps begin to stop: of two words h and l, (h mod n) (2^32 mod n) + (l mod n), mod n."""
    of = told(row, "orders", "Ordering", 32)
    counters, span = load(of.counters, 0), np.uint32(n)
    zero, half = zero_like(counters), np.uint32(2**16) % span
    carry = np.uint32(half * half) % span
    for teacher in range(teachers):
        first, second = load(of.first, teacher * CIPHERS), load(of.second, teacher * CIPHERS)
        for sweep in range(begin, stop):
            one, other = threefry(first, second, zero, filled(first, np.uint32(sweep)))
            for part, result in ((0, of.high), (1, of.low)):
                x, y = threefry(one, other, zero, filled(one, np.uint32(part)))
                words(x, y, n, counters, result)
            place = (teacher * (stop - begin) + sweep - begin) * n
            for i in range(n):
                drawn = np.uint32(np.uint32((of.high[i] % span) * carry) + of.low[i] % span)
                of.result[place + i] = np.int32(drawn % span)


def random_orders(keys: np.ndarray, begin: int, stop: int, n: int) -> np.ndarray:
    """The proposals (teachers, stop - begin, n) int32 of sweeps, under raw keys (teachers, 2)."""
    result = np.empty((len(keys), stop - begin, n), np.int32)
    first, second = (np.repeat(half.astype(np.uint32)[:, None], CIPHERS, axis=1) for half in keys.T)
    counters = np.arange(CIPHERS, dtype=np.uint32)
    high, low = (np.empty(n + CIPHERS, np.uint32) for _ in range(2))
    row = row_of(Ordering(*map(address, (first, second, counters, high, low, result))))
    draw(len(keys), begin, stop, n, address(row))
    return result
