"""The seeding of NumPy's generators for many labels at once: `numpy.random.default_rng([...])`, bit for bit.

Making a generator takes NumPy 20 µs, several times what is drawn from it where networks are small.

Source: M. E. O'Neill, "Developing a seed_seq alternative", 2015; numpy/random/bit_generator.pyx.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mbsim.engines.drawing.pcg import HIGH, LOW

Words = NDArray[np.uint32]  # one of each teacher
POOL = 4
START, GROW = 0x43B0D7E5, 0x931E8875
END_START, END_GROW = 0x8B51F9DD, 0x58F38DED
LEFT, RIGHT = np.uint32(0xCA01F9DD), np.uint32(0x4973F715)
HALF = np.uint32(16)


def _constants(first: int, factor: int) -> Iterator[tuple[np.uint32, np.uint32]]:
    """The constant of a hash, and the next one."""
    while True:
        after = first * factor & 0xFFFFFFFF
        yield np.uint32(first), np.uint32(after)
        first = after


def _hashed(value: Words, constants: Iterator[tuple[np.uint32, np.uint32]]) -> Words:
    now, after = next(constants)
    value = (value ^ now) * after
    return value ^ (value >> HALF)


def _mixed(x: Words, y: Words) -> Words:
    result: Words = LEFT * x - RIGHT * y
    return result ^ (result >> HALF)


def _as_words(label: int) -> list[int]:
    """A label in words of 32 bits, the lowest first."""
    return [label & 0xFFFFFFFF, *(_as_words(label >> 32) if label >> 32 else [])]


def states(labels: tuple[int, ...], numbers: np.ndarray) -> np.ndarray:
    """The states (numbers, 6) of the generators `default_rng([*labels, number])`, as `pcg` has them.

    numbers (n,) below 2^32.
    """
    known = [word for label in labels for word in _as_words(label)]
    entropy = [np.full(len(numbers), word, np.uint32) for word in known] + [numbers.astype(np.uint32)]
    constants = _constants(START, GROW)
    nothing = np.zeros(len(numbers), np.uint32)
    pool = [_hashed(entropy[i] if i < len(entropy) else nothing, constants) for i in range(POOL)]
    for source in range(POOL):
        for to in range(POOL):
            if to != source:
                pool[to] = _mixed(pool[to], _hashed(pool[source], constants))
    for word in entropy[POOL:]:
        for to in range(POOL):
            pool[to] = _mixed(pool[to], _hashed(word, constants))
    constants = _constants(END_START, END_GROW)
    words = [_hashed(pool[i % POOL], constants).astype(np.uint64) for i in range(2 * POOL)]
    first, second, third, fourth = (
        low | (high << np.uint64(32)) for low, high in zip(words[::2], words[1::2], strict=True)
    )
    return _begun((first, second), (third, fourth))


def _begun(start: tuple[np.ndarray, np.ndarray], step: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """States after two steps: of the increment alone, and of it with the start; halves (upper, lower)."""
    one = np.uint64(1)
    step = (step[0] << one) | (step[1] >> np.uint64(63)), (step[1] << one) | one
    high, low = _sum(_times(*_sum(step, start)), step)
    nothing = np.zeros_like(high)
    return np.stack([high, low, *step, nothing, nothing], axis=1)


def _sum(a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    low = a[1] + b[1]
    return a[0] + b[0] + (low < a[1]).astype(np.uint64), low


def _times(high: np.ndarray, low: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A number of 128 bits times the generator's multiplier."""
    half, mask = np.uint64(32), np.uint64(2**32 - 1)
    a, b, c, d = low >> half, low & mask, LOW >> half, LOW & mask
    middle = a * d + ((b * d) >> half)
    cross = b * c + (middle & mask)
    upper = a * c + (middle >> half) + (cross >> half)
    return upper + high * LOW + low * HIGH, low * LOW
