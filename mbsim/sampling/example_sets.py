"""Which examples of a finite training set make up a mini-batch: their numbers, recomputed from labels alone.

A training set of P examples is never stored: an example is the function of its number that `examples.py`
computes, and this file says which numbers a batch holds. A set of 10^8 examples so costs no memory.

    "with"      every slot of every batch draws its example uniformly, with replacement
    "without"   the m examples of a batch are different; batches are independent of each other
    "epochs"    a random order of the whole set is cut into floor(P/m) batches, then a new order is drawn;
                the P mod m examples left over at the end of an order are not used in that epoch

Orders are permutations that can be asked for one entry: a Feistel network on the integers below P, keyed by
the student and the number of the batch or epoch. All integers are uint32; everything broadcasts.

Reference: J. Black and P. Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002.
"""

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from mbsim.lazy import Array, jnp, lax
from mbsim.sampling.streams import Key, Leaf, fold, threefry

Sampling = Literal["with", "without", "epochs"]

# Four turns make a Feistel network hard to tell from a random permutation on large sets, but small sets need
# more: with eight, orders of five examples differ in frequency by a third, with sixteen not measurably.
TURNS = 16


class ExampleSet(NamedTuple):
    """A set of `size` examples; numbers below rows * columns >= size are what the network permutes."""

    size: Leaf
    rows: Leaf
    columns: Leaf


def example_set(size: int) -> ExampleSet:
    """The set of `size` examples, 1 to 2^31, as uint32 numbers of the host: nearly a square.

    The number of rows is even: shifts of an odd number of rows and columns would make even permutations only.
    """
    rows = math.isqrt(size - 1) + 1
    rows += rows % 2
    return ExampleSet(*(np.uint32(n) for n in (size, rows, -(-size // rows))))


def scaled(word: Array, n: Array) -> Array:
    """floor(word * n / 2^32) for n up to 2^16: uniform over the integers below n."""
    high, low = word >> np.uint32(16), word & np.uint32(0xFFFF)
    return (high * n + ((low * n) >> np.uint32(16))) >> np.uint32(16)


def scaled_pair(high: Array, low: Array, n: Array) -> Array:
    """floor((2^32 high + low) * n / 2^64): uniform over the integers below n, to one part in 2^64 / n."""

    def product(a: Array, b: Array) -> tuple[Array, Array]:
        """The upper and lower word of a * b."""
        half, mask = np.uint32(16), np.uint32(0xFFFF)
        a1, a0, b1, b0 = a >> half, a & mask, b >> half, b & mask
        middle = a1 * b0 + ((a0 * b0) >> half)
        cross = a0 * b1 + (middle & mask)
        return a1 * b1 + (middle >> half) + (cross >> half), a * b

    above, below = product(high, n)
    carried = below + product(low, n)[0]
    return above + (carried < below).astype(jnp.uint32)


def permuted(numbers: Array, key: Key, of: ExampleSet) -> Array:
    """The entries at places `numbers` (all below the size) of the random order with this key."""
    shape = jnp.broadcast_shapes(numbers.shape, key.first.shape, of.size.shape)
    numbers = jnp.broadcast_to(numbers, shape)
    return walked(numbers // of.columns, numbers % of.columns, key, of)


def walked(row: Array, column: Array, key: Key, of: ExampleSet) -> Array:
    """The entries at places row * columns + column, (row, column) having the common shape of all arguments.

    A number is a row and a column; rows and columns are shifted in turn, each by a random function of the
    other. Where the result is not below the size, the network is applied again until it is.
    """

    def turn(i: Array, state: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        # The two parts change places at each turn, so that one line of code serves both.
        part, other, most, most_of_other = state
        part = part + scaled(threefry(key, i.astype(jnp.uint32), other)[0], most)
        return other, jnp.where(part < most, part, part - most), most_of_other, most

    def again(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        row, column, left = state
        after = lax.fori_loop(0, TURNS, turn, (row, column, of.rows, of.columns))
        row, column = (
            jnp.where(left != 0, new, old) for new, old in zip(after[:2], (row, column), strict=True)
        )
        return row, column, (row * of.columns + column >= of.size).astype(jnp.int32)

    # What is left is a number: loops in kernels of accelerators carry no booleans.
    start = row, column, jnp.ones(row.shape, jnp.int32)
    row, column, _ = lax.while_loop(lambda state: state[2].max() > 0, again, start)
    return row * of.columns + column


def example_numbers(
    sampling: Sampling,
    key: Key,
    batch: Array,
    slot: Array,
    m: Array,
    of: ExampleSet,
    permute: Callable[[Array, Key, ExampleSet], Array] | None = None,
) -> Array:
    """Numbers, below the set's size, of the examples in the slots of mini-batch number `batch`.

    Args:
        sampling: how batches are drawn.
        key: the student's key for this purpose.
        batch: number of the batch, from 0.
        slot: 0 to m - 1; what is said of a slot beyond that is without meaning.
        m: examples in a batch, at most the size of the set.
        of: the set.
        permute: what computes `permuted`, which is the default.

    All broadcast together, uint32.
    """
    if sampling == "with":
        batch_key = fold(key, batch)
        shape = jnp.broadcast_shapes(batch_key.first.shape, slot.shape)
        return scaled_pair(*threefry(batch_key, jnp.zeros(shape, jnp.uint32), slot), of.size)
    permute, last = permute or permuted, of.size - np.uint32(1)
    if sampling == "without":
        return permute(jnp.minimum(slot, last), fold(key, batch), of)
    batches = of.size // m
    place = batch % batches * m + slot
    return permute(jnp.minimum(place, last), fold(key, batch // batches), of)
