"""Arithmetic on rows of packed ±1 values, the same text for GPU, TPU and interpreter.

Conventions. A row is an array of int32 words. A word holds F students, a field of 32/F bits each; student f has
bits f*32/F and up. A bit is one example, 1 for the value -1 and 0 for +1: a product is an XOR, the sign of an odd
sum a majority. Counts of ones are planes, plane i holding bit i of every example's count, or a number in each
field.
"""

from collections.abc import Sequence

import jax.numpy as jnp
from jax import Array, lax


def constant(number: int) -> Array:
    """A word with these 32 bits."""
    return jnp.int32(number - (1 << 32) if number >> 31 else number)


def in_each_field(number: int, fields: int) -> Array:
    """A word with the same small number in each of its fields."""
    width = 32 // fields
    return constant(sum(number << (width * f) for f in range(fields)))


def filled(ones: Array, fields: int) -> Array:
    """All bits of the fields whose number is 1, none of those whose number is 0."""
    return -ones if fields == 1 else (ones << (32 // fields)) - ones


def expanded(word: Array, bit: Array | int, fields: int) -> Array:
    """All bits of the fields in which bit number `bit` is set: a weight ready to multiply a row of examples."""
    if fields == 1:
        return lax.shift_right_arithmetic(word << (31 - bit), jnp.full_like(word, 31))
    return filled((word >> bit) & in_each_field(1, fields), fields)


def count(columns: Sequence[Sequence[Array]], most: int) -> list[Array]:
    """Planes of a sum: columns[i] are words of weight 2^i, and no example's sum exceeds `most`.

    A tree of full adders (carry-save addition; Harley and Seal; H. Warren, Hacker's Delight, 5-1).
    """
    waiting = [list(column) for column in columns]
    planes = []
    size = most.bit_length()
    for weight in range(size):
        column = waiting[weight] if weight < len(waiting) else []
        above: list[Array] = []
        while len(column) > 2:
            a, b, c = column.pop(0), column.pop(0), column.pop(0)
            either = a ^ b
            column.append(either ^ c)
            if weight + 1 < size:
                above.append((a & b) | (either & c))
        if len(column) == 2:
            a, b = column
            column = [a ^ b]
            if weight + 1 < size:
                above.append(a & b)
        planes.append(column[0])
        if weight + 1 < size:
            if weight + 1 == len(waiting):
                waiting.append([])
            waiting[weight + 1] += above
    return planes


def majority(terms: Sequence[Array]) -> Array:
    """The sign of an odd number of ±1 terms."""
    return at_least(count([terms], len(terms)), (len(terms) + 1) // 2)


def at_least(planes: Sequence[Array], value: int) -> Array:
    """Ones where the count is >= value: the carry out of count + 2^P - value."""
    addend = (1 << len(planes)) - value
    carry = None
    for i, plane in enumerate(planes):
        if addend >> i & 1:
            carry = plane if carry is None else plane | carry
        else:
            carry = None if carry is None else plane & carry
    return jnp.zeros_like(planes[0]) if carry is None else carry


def decides(planes: Sequence[Array], term: Array, terms: int) -> Array:
    """Ones where this one of an odd number of ±1 terms decides the sign of their sum, as its rivals cancel.

    With h = (terms - 1)/2 that is where the count of ones is h and the term 0, or h + 1 and the term 1: a bit
    of the count is that of h where h and h + 1 agree, and elsewhere the term's, or its opposite.
    """
    half = terms // 2
    if terms == 3:  # two rivals cancel where they differ
        return planes[0] ^ term
    result = None
    for i, plane in enumerate(planes):
        below, above = half >> i & 1, (half + 1) >> i & 1
        if below == above:
            fits = plane if below else ~plane
        else:
            fits = ~(plane ^ term) if above else plane ^ term
        result = fits if result is None else result & fits
    assert result is not None
    return result


def decisive(terms: Sequence[Array], term: Array) -> Array:
    """As `decides`, from the terms themselves."""
    if len(terms) == 3:
        return terms[0] ^ terms[1] ^ terms[2] ^ term
    if len(terms) == 1:
        return jnp.full_like(term, -1)
    return decides(count([terms], len(terms)), term, len(terms))


def moved(planes: Sequence[Array], where: Array, down: Array) -> list[Array]:
    """Counts moved by one at the examples in `where`: down where `down` is one, up elsewhere."""
    result = []
    for plane in planes:
        result.append(plane ^ where)
        where = where & (plane ^ down)
    return result


def field_sums(planes: Sequence[Array], fields: int, most: int) -> Array:
    """For each field the sum over its examples of their counts, which are at most `most` for one example.

    Two planes at a time make numbers of two bits for even and for odd examples, which are then added in ever
    wider groups of bits.
    """
    if fields == 1:
        numbers = [lax.population_count(plane) << i for i, plane in enumerate(planes)]
        return sum(numbers[1:], numbers[0])
    twos, nibbles = constant(0x33333333), constant(0x0F0F0F0F)
    bytes_: list[Array] = []
    for i in range(0, len(planes), 2):
        low = planes[i]
        if i + 1 < len(planes):
            high = planes[i + 1]
            even = (low & constant(0x55555555)) | ((high << 1) & constant(0xAAAAAAAA))
            odd = ((low >> 1) & constant(0x55555555)) | (high & constant(0xAAAAAAAA))
            four = (even & twos) + ((even >> 2) & twos) + (odd & twos) + ((odd >> 2) & twos)
        else:
            two = low - ((low >> 1) & constant(0x55555555))
            four = (two & twos) + ((two >> 2) & twos)
        bytes_.append(((four & nibbles) + ((four >> 4) & nibbles)) << i if fields == 4 else four)
    if fields == 4:
        return sum(bytes_[1:], bytes_[0])
    together = 8 * most < 256
    halves: list[Array] = []
    for i, four in enumerate(bytes_):
        eight = (four & nibbles) + ((four >> 4) & nibbles)
        halves.append(eight << (2 * i) if together else _bytes_added(eight) << (2 * i))
    total = sum(halves[1:], halves[0])
    return _bytes_added(total) if together else total


def _bytes_added(word: Array) -> Array:
    pairs = constant(0x00FF00FF)
    return (word & pairs) + ((word >> 8) & pairs)


def at_most(numbers: Array, limits: Array, fields: int) -> Array:
    """1 in each field whose number is at most its limit, else 0; with several fields, all numbers are below half
    of what a field holds.
    """
    if fields == 1:
        return (numbers <= limits).astype(jnp.int32)
    width = 32 // fields
    guard = in_each_field(1 << (width - 1), fields)
    return (((limits | guard) - numbers) >> (width - 1)) & in_each_field(1, fields)
