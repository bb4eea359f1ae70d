"""threefry2x32 on registers of sixteen 32-bit words: the random words of `sampling/streams.py`, bit
for bit.

A register of students is one or more *groups* of sixteen ciphers, so that group g's result fills bytes
g * 16 * size to (g + 1) * 16 * size of a row:

    words of 8 bits    64 students, four groups, the lowest byte of each word
    words of 16 bits   32 students, two groups, the lower half of each word
    words of 32 bits   16 students, one group
    words of 64 bits    8 students, one group, in which each student has two neighbouring words: 2q and 2q + 1

Keys (`records.Keys`) have an entry for each cipher.

Source: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC11.
"""

import numpy as np

from mbsim.engines.registers.kept import inner
from mbsim.engines.registers.loading import load, store
from mbsim.engines.registers.vectors import filled, rotated

CIPHERS = 16
PARITY = np.uint32(0x1BD11BDA)


def groups_of(bits: int) -> int:
    """Groups of ciphers in a register of words of `bits` bits."""
    return max(1, 32 // bits)


def ciphers_of(values: np.ndarray, bits: int) -> np.ndarray:
    """What belongs to each student of a block, as an entry for each cipher."""
    return np.repeat(values, 2, axis=-1) if bits == 64 else values


def word_numbers(bits: int) -> np.ndarray:
    """The number of the word that each cipher draws for the first word of a row: 0, or 0 and 1 in turn."""
    count = CIPHERS * groups_of(bits)
    return (np.arange(count) % 2 if bits == 64 else np.zeros(count)).astype(np.uint32)


@inner
def _even_rounds(x, y):
    x = x + y
    y = x ^ rotated(y, 13)
    x = x + y
    y = x ^ rotated(y, 15)
    x = x + y
    y = x ^ rotated(y, 26)
    x = x + y
    return x, x ^ rotated(y, 6)


@inner
def _odd_rounds(x, y):
    x = x + y
    y = x ^ rotated(y, 17)
    x = x + y
    y = x ^ rotated(y, 29)
    x = x + y
    y = x ^ rotated(y, 16)
    x = x + y
    return x, x ^ rotated(y, 24)


@inner
def threefry(key_1, key_2, x, y):
    """Both halves of the cipher, 20 rounds, on the counters (x, y) under the keys; all are registers."""
    key_3 = key_1 ^ key_2 ^ filled(key_1, PARITY)
    x, y = _even_rounds(x + key_1, y + key_2)
    x, y = _odd_rounds(x + key_2, y + key_3 + filled(y, np.uint32(1)))
    x, y = _even_rounds(x + key_3, y + key_1 + filled(y, np.uint32(2)))
    x, y = _odd_rounds(x + key_1, y + key_2 + filled(y, np.uint32(3)))
    x, y = _even_rounds(x + key_2, y + key_3 + filled(y, np.uint32(4)))
    return x + key_3, y + key_1 + filled(y, np.uint32(5))


@inner
def fold(ciphers, keys, label):
    """Write keys of so many ciphers with one more label, as `streams.fold`, into their room."""
    for at in range(0, ciphers, CIPHERS):
        first, second = load(keys.first, at), load(keys.second, at)
        x, y = threefry(first, second, filled(first, np.uint32(0)), filled(first, np.uint32(label)))
        store(keys.folded_first, at, x)
        store(keys.folded_second, at, y)
