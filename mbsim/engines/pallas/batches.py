"""Inputs, masks and initial weights in rows of packed students, drawn by XLA from the labels of `streams`.

Arrays of single students are (F, *single), of their keys too; rows as in `layout.py`. Every number is the one that
the other engines draw: those of fresh examples come in tiles (`examples.in_tiles`), and of a student with at most B
examples only the lowest B bits of a word are drawn.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from mbsim.engines.pallas import orders_of_examples
from mbsim.engines.pallas.layout import Layout
from mbsim.engines.pallas.targets import Target
from mbsim.engines.task import TrainingSet
from mbsim.sampling.example_sets import ExampleSet, example_numbers, example_set
from mbsim.sampling.examples import TILE
from mbsim.sampling.streams import Key, fold, threefry


def as_words(bits: Array) -> Array:
    """The same 32 bits as int32."""
    return lax.bitcast_convert_type(bits, jnp.int32)


def together(of: Layout, parts: Array) -> Array:
    """Words (rows, *row) whose field f holds the lowest bits of parts (F, rows, *row), uint32."""
    if of.fields == 1:
        return as_words(parts[0])
    word = jnp.zeros(parts.shape[1:], jnp.uint32)
    for f in range(of.fields):
        word |= (parts[f] & np.uint32((1 << of.bits) - 1)) << np.uint32(f * of.bits)
    return as_words(word)


def mask(of: Layout, m: Array) -> Array:
    """Rows (W, *lanes) with ones at the first m (F, *single) examples of each student."""
    first = _first_example(of, m.ndim - 1)
    inside = jnp.clip(m[:, None] - first[None], 0, of.bits).astype(jnp.uint32)
    low = jnp.minimum(inside, 31)
    ones = jnp.where(inside == 32, np.uint32(0xFFFFFFFF), (np.uint32(1) << low) - np.uint32(1))
    return together(of, ones)


def folded(keys: Key, label: Array) -> Key:
    """The keys of one more label, in memory before anything uses them: not once for each of their words."""
    return Key(*lax.optimization_barrier(tuple(fold(keys, label))))


def fresh(of: Layout, key: Key, inputs: int, in_turn: bool) -> Array:
    """The inputs (N W, *lanes) of a batch with keys (F, *single).

    in_turn: the students of a word one after the other, for compilers that would take long over all at once.
    """
    nothing = jnp.uint32(0)
    if of.fields == 1 or not in_turn:
        return together(of, raw_words(of, key, inputs, nothing, of.bits))

    def add(f: Array, word: Array) -> Array:
        part = raw_words(of, Key(*(half[f][None] for half in key)), inputs, nothing, of.bits)[0]
        return word | (part << (f.astype(jnp.uint32) * np.uint32(of.bits)))

    shape = (
        inputs * of.words,
        *jnp.broadcast_shapes(key.first.shape[1:], (of.inner,) + (1,) * (key.first.ndim - 2)),
    )
    return as_words(lax.fori_loop(0, of.fields, add, jnp.zeros(shape, jnp.uint32)))


def raw_words(of: Layout, key: Key, inputs: int, first: Array, bits: int, in_turn: bool = False) -> Array:
    """Words (F, N W, *lanes) uint32 of inputs, from number `first` on; in_turn as for `fresh`.

    Of each word the lowest `bits` are drawn, 8, 16 or 32. A cipher gives a tile, 8 examples of 8 inputs
    (`examples.in_tiles`), one byte for each input. The barrier keeps XLA from running the cipher again for each byte.
    """
    if in_turn and of.fields > 1:
        one = of._replace(fields=1)
        return lax.map(lambda key: raw_words(one, Key(*(h[None] for h in key)), inputs, first, bits)[0], key)
    rank = key.first.ndim - 1
    # (F, tiles, bytes of a word, W, *lanes)
    column = jnp.arange(-(-inputs // TILE), dtype=jnp.uint32).reshape((1, -1, 1, 1) + (1,) * rank)
    byte = jnp.arange(bits // TILE, dtype=jnp.uint32).reshape((1, 1, -1, 1) + (1,) * rank)
    word = jnp.arange(of.words, dtype=jnp.uint32).reshape((1, 1, 1, -1) + (1,) * rank)
    side = jnp.arange(of.inner, dtype=jnp.uint32).reshape((1, 1, 1, 1, -1) + (1,) * (rank - 1))
    number = first + word * np.uint32(of.inner) + side
    students = Key(*(half[:, None, None, None] for half in key))
    halves = threefry(students, column, number * np.uint32(32 // TILE) + byte)
    both = jnp.stack(lax.optimization_barrier(halves), axis=2)
    shift = jnp.arange(0, 32, TILE, dtype=jnp.uint32).reshape((1, 1, 1, -1, 1) + (1,) * rank)
    words = jnp.zeros((), jnp.uint32)
    for place in range(bits // TILE):
        drawn = (both[:, :, :, None, place] >> shift) & np.uint32(0xFF)
        words = words | (drawn << np.uint32(place * TILE))
    rows = words.reshape(len(words), -1, *words.shape[4:])[:, :inputs]
    return rows.reshape(len(rows), inputs * of.words, *rows.shape[3:])


def of_a_set(
    target: Target, of: Layout, training: TrainingSet, keys: Key, batch: Array, m: Array, inputs: int
) -> Array:
    """As `fresh`, from a finite training set, whose examples are never stored.

    Input n of example p is bit n mod 32 of the word with counter (p, n // 32). An example is here a column of
    bits, which is turned into rows of examples.
    """
    rank = m.ndim - 1
    choice, contents = (folded(keys, jnp.uint32(n)) for n in (0, 1))
    slot = jnp.arange(of.bits, dtype=jnp.uint32).reshape((1, 1, -1) + (1,) * rank)
    slot = slot + _first_example(of, rank)[None, :, None].astype(jnp.uint32)
    choice, contents = (Key(*(half[:, None, None] for half in key)) for key in (choice, contents))
    size = ExampleSet(*(jnp.full((1,) * slot.ndim, n, jnp.uint32) for n in example_set(training.size)))
    moment, count = batch.astype(jnp.uint32), m.astype(jnp.uint32)[:, None, None]
    number = example_numbers(
        training.sampling,
        choice,
        moment,
        slot,
        count,
        size,
        lambda places, key, _: orders_of_examples.permuted(target, of, training.size, places, key),
    )
    number = lax.optimization_barrier(number)
    words = -(-inputs // 32)
    column = jnp.arange(words, dtype=jnp.uint32).reshape((-1,) + (1,) * number.ndim)
    content = Key(*(half[None] for half in contents))
    drawn = lax.optimization_barrier(threefry(content, number[None], column)[0])
    # drawn (words of an example, F, W, B, *lanes): example e of a word becomes its bit e.
    place = jnp.arange(inputs, dtype=jnp.uint32)
    shift = (place % 32).reshape((-1,) + (1,) * number.ndim)
    bit = (drawn[place // 32] >> shift) & np.uint32(1)
    position = jnp.arange(of.bits, dtype=jnp.uint32).reshape((1, 1, 1, -1) + (1,) * rank)
    rows = (bit << position).sum(axis=3, dtype=jnp.uint32)
    rows = jnp.moveaxis(rows, 1, 0).reshape(of.fields, inputs * of.words, *rows.shape[3:])
    return together(of, rows)


def initial_weights(
    of: Layout, key: Key, layer: int, taught: Array, below: Array, degree: int, in_turn: bool
) -> Array:
    """Packed weights (rows, *lanes) at time 0; each is the teacher's with the student's probability.

    Args:
        of: the layout.
        key: of the students' weights, (F, *single).
        layer: 0 or 1.
        taught: the teacher's weights (links,), 1 where -1.
        below: 2^24 times the probability (F, *single), uint32.
        degree: links of a unit.
        in_turn: as for `fresh`.
    """
    rank, bits, each = below.ndim - 1, of.bits, -(-degree // of.bits)
    units = len(taught) // degree
    unit = jnp.arange(units, dtype=jnp.uint32)[:, None]
    slot = jnp.arange(each, dtype=jnp.uint32)[None, :] * np.uint32(bits)

    def shaped(numbers: Array) -> Array:
        return numbers.reshape((1, units * each) + (1,) * rank)

    def drawn(key: Key, below: Array) -> Array:
        def add(b: Array, words: Array) -> Array:
            place = slot + b.astype(jnp.uint32)
            link = jnp.minimum(unit * np.uint32(degree) + place, np.uint32(len(taught) - 1))
            weights = Key(*(half[:, None] for half in key))
            word = threefry(weights, jnp.full_like(shaped(link), layer), shaped(link))[0]
            agrees = (word >> np.uint32(8)) < below[:, None]
            negative = agrees == (shaped(taught[link]) == 1)
            there = shaped(jnp.broadcast_to(place < degree, link.shape))
            return words | ((negative & there).astype(jnp.uint32) << b.astype(jnp.uint32))

        none = jnp.zeros((len(below), units * each, *below.shape[1:]), jnp.uint32)
        return lax.fori_loop(0, min(bits, degree), add, none)

    if in_turn:
        some = jax.tree.map(lambda array: array[:, None], (key, below))
        words = lax.map(lambda now: drawn(*now)[0], some)
    else:
        words = drawn(key, below)
    return jnp.broadcast_to(together(of, words), (units * each, *of.row_of(below.shape[1:])))


def _first_example(of: Layout, rank: int) -> Array:
    """Number (W, *row) of the first example of each word, int32."""
    word = jnp.arange(of.words, dtype=jnp.int32).reshape((-1,) + (1,) * rank) * of.inner
    side = jnp.arange(of.inner, dtype=jnp.int32).reshape((1, -1) + (1,) * (rank - 1))
    return (word + side) * of.bits
