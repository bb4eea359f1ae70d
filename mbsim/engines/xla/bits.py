"""Arithmetic on ±1 values packed into machine words, many examples to a word.

Conventions. A bit 1 stands for the value -1 and a bit 0 for +1, so a product of ±1 values is an XOR and the
sign of a sum of an odd number of them is a majority of bits. Example e of a batch is bit e % B of word e // B
in words of B bits. Arrays of examples are (rows, words, lanes): the lanes are innermost and contiguous, so
every operation below runs along them. A weight is an int8 for each lane, 0 (+1) or -1: a byte where words
take up to four, which spreads to a word of zeros or ones by its sign.

Sums of bits are *bit-sliced*: a list of planes, plane i holding bit i of every example's count.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

WEIGHT = np.dtype(np.int8)


def word_type(m: int, narrow: bool) -> np.dtype:
    """The unsigned type whose words waste least on a batch of m examples; accelerators want 32 bits
    (narrow=False).
    """
    if narrow and m <= 8:
        return np.dtype(np.uint8)
    if narrow and m <= 16:
        return np.dtype(np.uint16)
    return np.dtype(np.uint32)


def word_bits(dtype: np.dtype) -> int:
    """Number of examples in one word."""
    return np.dtype(dtype).itemsize * 8


def words_for(m: int, dtype: np.dtype) -> int:
    """Number of words that hold m examples."""
    return -(-m // word_bits(dtype))


def batch_mask(m: Array, words: int, dtype: np.dtype) -> Array:
    """Words (words, lanes) with ones at the first m examples of each lane; m has shape (lanes,)."""
    bits = word_bits(dtype)
    inside = jnp.clip(m[None, :] - bits * jnp.arange(words, dtype=jnp.int32)[:, None], 0, bits)
    ones = jnp.asarray(~np.zeros((), dtype))
    # A shift by the whole width is undefined, hence the separate case of a full word.
    partial = ~(ones << jnp.minimum(inside, bits - 1).astype(dtype))
    return jnp.where(inside == bits, ones, partial).astype(dtype)


def spread(flag: Array, dtype: np.dtype) -> Array:
    """A word of ones where the flag holds, of zeros elsewhere."""
    return jnp.where(flag, jnp.asarray(~np.zeros((), dtype)), jnp.zeros((), dtype))


def times(rows: Array, weights: Array) -> Array:
    """The products of ±1 examples (..., W, L) with weights (..., L), or (..., 1) where lanes share them."""
    signed = weights.astype(np.dtype(f"int{word_bits(rows.dtype)}"))  # 0 or -1: all zeros or all ones
    return rows ^ lax.bitcast_convert_type(signed, rows.dtype)[..., None, :]


def count(bits: Sequence[Array]) -> list[Array]:
    """Bit-sliced number of ones among the given words: a tree of full adders, five operations for each.

    Returns the planes, least significant first. Source: carry-save addition (Harley and Seal; H. Warren,
    Hacker's Delight, 5-1).
    """
    columns: list[list[Array]] = [list(bits)]
    planes = []
    for weight in range(len(bits).bit_length()):
        column = columns[weight] if weight < len(columns) else []
        if not column:
            break
        columns.append([])
        while len(column) > 2:
            a, b, c = column.pop(0), column.pop(0), column.pop(0)
            either = a ^ b
            column.append(either ^ c)
            columns[weight + 1].append((a & b) | (either & c))
        if len(column) == 2:
            a, b = column
            column = [a ^ b]
            columns[weight + 1].append(a & b)
        planes.append(column[0])
    return planes


def equals(planes: Sequence[Array], value: int) -> Array:
    """Ones at the examples whose bit-sliced count is `value`."""
    if value >> len(planes):
        return jnp.zeros_like(planes[0])
    result = None
    for i, plane in enumerate(planes):
        agrees = plane if (value >> i) & 1 else ~plane
        result = agrees if result is None else result & agrees
    assert result is not None
    return result


def at_least(planes: Sequence[Array], value: int) -> Array:
    """Ones at the examples whose bit-sliced count is >= value (the carry out of count + 2^P - value)."""
    addend = (1 << len(planes)) - value
    carry = jnp.zeros_like(planes[0])
    for i, plane in enumerate(planes):
        carry = plane | carry if (addend >> i) & 1 else plane & carry
    return carry


def majority(bits: Sequence[Array]) -> Array:
    """The sign of the sum of an odd number of ±1 values: ones where more than half of the bits are one."""
    return at_least(count(bits), (len(bits) + 1) // 2)


def move(planes: Sequence[Array], where: Array, down: Array) -> list[Array]:
    """Bit-sliced counts moved by one at the examples in `where`: down where `down` is one, up elsewhere."""
    moved = []
    for plane in planes:
        moved.append(plane ^ where)
        where = where & (plane ^ down)
    return moved


def popcount(words: Array, dtype: jax.typing.DTypeLike = jnp.int32) -> Array:
    """Number of ones in each word."""
    return lax.population_count(words).astype(dtype)
