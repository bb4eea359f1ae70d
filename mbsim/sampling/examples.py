"""The inputs of mini-batches and tests, for ONE student, as functions of labels alone.

    x (slots, N), ±1 or standard normal; the slot of an example is its place in the batch

Two ways to label the random words, threefry on a counter under the student's key:

    in tiles    the 64 bits of the counter (a, b) are 8 examples of 8 inputs: input 8 a + i of slot 8 b + e is
                bit 8 (i mod 4) + e of the first half where i < 4, else of the second. The fresh examples of ±1
                weights, of which engines keep one input of many examples in a word
    by example  input n of example p is bit n mod 32 of word (p, floor(n / 32)), or, where inputs are normal,
                made of word (p, n): real weights, and every training set, whose examples have numbers p

A bit 1 stands for -1. What a slot holds depends on no other slot and not on how many there are.
"""

import numpy as np

from mbsim.lazy import Array, jnp
from mbsim.sampling.streams import GENERATOR, Key, normal, threefry

IN_TILES = f"{GENERATOR} in tiles"
"""The name of the generator where examples are drawn in tiles; the first version drew them in rows of 32."""
TILE = 8
"""Inputs, and examples, whose bits are those of one counter."""


def signs(bits: Array) -> Array:
    """±1 float32 of bits: 1 is -1."""
    return 1 - 2 * bits.astype(jnp.float32)


def in_tiles(key: Key, slots: int, N: int) -> Array:
    """±1 inputs (slots, N) of a fresh batch; `key` is that of the batch."""
    slot = jnp.arange(slots, dtype=jnp.uint32)[:, None]
    number = jnp.arange(N, dtype=jnp.uint32)[None, :]
    halves = threefry(key, number // TILE, slot // TILE)
    word = jnp.where(number % TILE < TILE // 2, *halves)
    return signs((word >> (number % (TILE // 2) * TILE + slot % TILE)) & np.uint32(1))


def by_example(key: Key, number: Array, N: int, kind: str) -> Array:
    """Inputs (slots, N) of the examples with these numbers (slots,) uint32; `kind` is "sign" or "normal"."""
    place = jnp.arange(N, dtype=jnp.uint32)[None, :]
    if kind == "normal":
        return normals(key, number, N)
    words = threefry(key, number[:, None], place // 32)[0]
    return signs((words >> place % 32) & np.uint32(1))


def normals(key: Key, number: Array, count: int) -> Array:
    """Standard normal numbers (slots, count) of the examples with these numbers (slots,) uint32."""
    place = jnp.arange(count, dtype=jnp.uint32)[None, :]
    return normal(threefry(key, number[:, None], place)[0])
