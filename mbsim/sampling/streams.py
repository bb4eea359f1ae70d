"""Random numbers that follow from labels alone, never from a position in a batch.

The key of a student is the root key with its labels (N, d, m, teacher, replica, purpose) folded in, exactly as
by `jax.random.fold_in`; the many random words inside the compiled kernels come from the same cipher,
threefry2x32, called on counters with the students innermost. A word is therefore a function of (root seed,
labels, time, index) only: neither the shape of a launch, nor its widest m, nor the word type, nor the device
changes it. `jax.random.bits` would be the library's way, but its result depends on the shape of the draw, and
on CPU its rolled rounds run through memory once a round; this form fuses.

Keys are raw: pairs of uint32 arrays, the two halves of a threefry key.
"""

import functools
from collections.abc import Callable
from enum import IntEnum
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from mbsim.lazy import Array, jax, jnp, lax

GENERATOR = "threefry2x32"

# What named tuples of arrays hold: arrays, of JAX or NumPy; and, where programs are described before they
# are compiled, shapes of arrays or the way in which they are split over devices.
Leaf: TypeAlias = Any


class Purpose(IntEnum):
    """What a stream of random numbers is for; the last label folded into its key."""

    WEIGHTS = 0
    EXAMPLES = 1
    TEST = 2
    ACCEPTANCE = 3
    ORDER = 4
    CHOICE = 5
    NOISE = 6


class Key(NamedTuple):
    """The two halves of a threefry key, each an array of uint32 of any common shape."""

    first: Leaf
    second: Leaf


class StudentKeys(NamedTuple):
    """One key for each purpose; every half has shape (students,)."""

    weights: Key
    examples: Key
    test: Key
    acceptance: Key


_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))


def threefry(key: Key, first: Leaf, second: Leaf) -> tuple[Array, Array]:
    """Threefry-2x32, 20 rounds, of the counter (first, second) under the key; all broadcast together.

    Source: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC11. `threefry(key,
    0, n)` is `jax.random.fold_in(key, n)`.
    """
    counters = first, second
    if all(isinstance(part, np.ndarray | np.generic) for part in (*key, *counters)):
        return _rounds(key, *counters)
    return _traced()(key, *counters)


@functools.cache
def _traced() -> Callable[..., tuple[Array, Array]]:
    """The rounds, traced once for arrays of one shape: their operations are a third of all those of a kernel."""
    return jax.jit(_rounds, inline=True)


def _rounds(key: Key, first: Leaf, second: Leaf) -> tuple[Leaf, Leaf]:
    schedule = (key.first, key.second, key.first ^ key.second ^ np.uint32(0x1BD11BDA))
    x, y = first + schedule[0], second + schedule[1]
    for group in range(5):
        for rotation in _ROTATIONS[group % 2]:
            x = x + y
            y = (y << np.uint32(rotation)) | (y >> np.uint32(32 - rotation))
            y = x ^ y
        x = x + schedule[(group + 1) % 3]
        y = y + schedule[(group + 2) % 3] + np.uint32(group + 1)
    return x, y


def fold(key: Key, label: Array | np.ndarray | int) -> Key:
    """The key of one more label, as `jax.random.fold_in`; broadcast together. NumPy in, NumPy out."""
    if isinstance(key.first, np.ndarray):
        return Key(*threefry(key, np.zeros(1, np.uint32), np.atleast_1d(np.asarray(label)).astype(np.uint32)))
    zero = jnp.zeros((), jnp.uint32)
    return Key(*threefry(key, zero, jnp.asarray(label).astype(jnp.uint32)))


def normal(bits: Array) -> Array:
    """Standard normal float32 from a word: z = sqrt(2) erfinv(u), u = (2 floor(bits / 2^8) + 1) / 2^24 - 1.

    u is exact and never reaches ±1; |z| ends at 5.4, which in truth one number in 2^24 exceeds.
    """
    centred = (bits >> np.uint32(8)).astype(jnp.int32) * 2 - np.int32(2**24 - 1)
    return np.float32(np.sqrt(2)) * lax.erf_inv(centred.astype(jnp.float32) * np.float32(2.0**-24))


def uniform(bits: Array) -> Array:
    """float32 in [0, 1) from the upper 24 bits of a word: u = floor(bits / 2^8) / 2^24, exactly."""
    return (bits >> np.uint32(8)).astype(jnp.float32) * np.float32(2.0**-24)


def folded(seed: int, *labels: np.ndarray | int) -> Key:
    """The key of `seed` with the labels folded in, one after the other, on the host; halves have the labels'
    common shape.
    """
    key = Key(np.zeros(1, np.uint32), np.array([seed], np.uint32))
    for label in labels:
        key = fold(key, label)
    return key


def keys_of_students(
    seed: int, N: int, d: int, teacher: np.ndarray | int, m: np.ndarray, replica: np.ndarray
) -> StudentKeys:
    """Keys of the students with labels (N, d, m, teacher, replica); m and replica have one shape, whatever it is,
    teacher too or is one for all.
    """
    students = folded(seed, N, d, m, teacher, replica)
    purposes = np.array([Purpose.WEIGHTS, Purpose.EXAMPLES, Purpose.TEST, Purpose.ACCEPTANCE])
    keys = fold(students, purposes.reshape(-1, *[1] * students.first.ndim))
    return StudentKeys(*map(Key, keys.first, keys.second))


def order_key(seed: int, N: int, d: int, teacher: np.ndarray | int) -> np.ndarray:
    """The raw key (2,) of a teacher's order of proposals, shared by all its students; of many, (teachers, 2)."""
    keys = np.stack(folded(seed, N, d, teacher, Purpose.ORDER), axis=-1)
    return keys[0] if np.ndim(teacher) == 0 else keys
