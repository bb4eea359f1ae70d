"""What the body of a kernel sees, and the Metropolis rule on fields.

Rows and words as in `layout.py`, numbers of rows as in `tables.py`, fields as in `bitwise.py`.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import jax.numpy as jnp
from jax import Array, lax

from mbsim.engines.networks import Shape
from mbsim.engines.pallas import bitwise
from mbsim.engines.pallas.layout import Layout
from mbsim.sampling.streams import Key, Leaf, threefry

UNROLLED_WORDS = 2  # words of a student that are written out one after the other,
UNROLLED_INPUTS = 32  # unless their links are too many for compilers to be quick
UNROLLED_TERMS = 96  # terms of the readers of a unit that are written out
UNROLLED_LINKS = 13  # links of a unit that are
READ_AHEAD = 12  # links of units that are read before one is written

Found = TypeVar("Found")


class Body(NamedTuple):
    """References to rows and tables; None where this kernel has none.

    order, sources, readers: tables (1, entries). mask (W rows): examples that count. x (N W rows): inputs. w, v:
    packed weights as the sweep finds them, w_out, v_out as it leaves them. kept, hidden, taught, answers, flips:
    what the program keeps (`unfold`, `vector`). key (2F rows of single students) and limits (F heat rows): for
    T > 0. sweep: its number.
    """

    shape: Shape
    layout: Layout
    heat: int
    order: Leaf = None
    sources: Leaf = None
    readers: Leaf = None
    mask: Leaf = None
    x: Leaf = None
    w: Leaf = None
    v: Leaf = None
    key: Leaf = None
    limits: Leaf = None
    w_out: Leaf = None
    v_out: Leaf = None
    kept: Leaf = None
    hidden: Leaf = None
    taught: Leaf = None
    answers: Leaf = None
    flips: Leaf = None
    sweep: Leaf = None


def words_written_out(shape: Shape, layout: Layout) -> bool:
    """Whether a proposal is written out for each word of a student; otherwise it loops over them."""
    return layout.words <= UNROLLED_WORDS and layout.words * shape.d <= UNROLLED_INPUTS


def readers_written_out(shape: Shape, layout: Layout) -> bool:
    """Whether a hidden link's proposal is written out for each reader of its unit; Triton takes minutes where that
    is much for Mosaic, so on a GPU, whose rows have one axis, words count too.
    """
    words = layout.words if len(layout.row) == 1 and words_written_out(shape, layout) else 1
    return shape.regular and shape.readers * shape.d * words <= UNROLLED_TERMS


def each(first: int, stop: Array | int, do: Callable[[Array], None]) -> None:
    """Call do(i) for first <= i < stop in a loop of the kernel."""

    def step(i: Array, nothing: Array) -> Array:
        do(i)
        return nothing

    lax.fori_loop(first, stop, step, jnp.int32(0))


def at_a_time(units: int, links: int) -> int:
    """How many of so many units with so many links each are read before one is written: a divisor."""
    most = max(1, READ_AHEAD // links)
    return next(size for size in range(most, 0, -1) if units % size == 0)


def several(
    units: int, links: int, read: Callable[[Array], Found], write: Callable[[Array, Found], None]
) -> None:
    """write(unit, read(unit)) for each unit, some at a time: all of them are read before one is written, for a
    compiler takes no reading ahead of a writing, and each alone would wait for memory.
    """
    size = at_a_time(units, links)

    def some(group: Array) -> None:
        now = [group * size + i for i in range(size)]
        for unit, found in zip(now, [read(unit) for unit in now], strict=True):
            write(unit, found)

    each(0, units // size, some)


def summed(body: Body, words: Array) -> Array:
    """The sum of a row over the words of a student that lie side by side."""
    return words.sum(axis=0, keepdims=True, dtype=jnp.int32) if body.layout.inner > 1 else words


def flipped(flips: Array, term: Array) -> list[list[Array]]:
    """Columns of weights 1 and 2 of one more than the change of errors: 0, 1 or 2 for an example.

    flips: where the sign of a sum changes; term: the term that decides it, times the teacher's answer.
    """
    return [[~flips], [flips & ~term]]


def decide(body: Body, position: Array, numbers: Array, signs: Array | int) -> Array:
    """1 in the field of each student that accepts, else 0.

    A proposal is accepted if the change dE in the number of wrong outputs is at most 0, or a whole number
    of steps e with u < limit_e, u being the proposal's 24-bit number; limits fall with e, so that is dE <= (number
    of e with u < limit_e). Their last row serves all steps above it.

    Args:
        body: of the kernel.
        position: the proposal's place in its sweep.
        numbers: dE plus the number of signs of sums that were looked at, in each field.
        signs: that number, in words of a student.
    """
    layout = body.layout
    fields = layout.fields
    most = signs * (layout.inner * layout.bits)  # no change is larger, and twice as much has room in a field
    limit = most * bitwise.in_each_field(1, fields)
    if not body.heat:
        return bitwise.at_most(numbers, jnp.full_like(numbers, 0) + limit, fields)
    allowed = jnp.full_like(numbers, 0) + limit
    zero = jnp.zeros_like(numbers)
    for f in range(fields):
        key = Key(*(lax.bitcast_convert_type(body.key[2 * f + half], jnp.uint32) for half in range(2)))
        counter = (lax.bitcast_convert_type(zero + n, jnp.uint32) for n in (body.sweep, position))
        word = lax.bitcast_convert_type(threefry(key, *counter)[0], jnp.int32)
        drawn = lax.shift_right_logical(word, jnp.full_like(word, 8))

        def steps(e: Array, number: Array, f: int = f, drawn: Array = drawn) -> Array:
            return number + (drawn < body.limits[f * body.heat + e]).astype(jnp.int32)

        count = lax.fori_loop(0, body.heat, steps, zero)
        up = jnp.where((count == body.heat) | (count > most), zero + most, count)
        allowed += up << (f * layout.bits)
    return bitwise.at_most(numbers, allowed, fields)


def written_out(links: int) -> bool:
    """Whether the links of a unit are written out; otherwise there is a loop over them."""
    return links <= UNROLLED_LINKS


def for_links(links: int, do: Callable[[Array | int], None]) -> None:
    """do(link) for each link of a unit."""
    if written_out(links):
        for a in range(links):
            do(a)
    else:
        each(0, links, do)


def counted(body: Body, term: Callable[[Array | int], Array], links: int) -> list[Array]:
    """Planes of the number of links whose term(link) is one."""
    if written_out(links):
        return bitwise.count([[term(a) for a in range(links)]], links)
    nothing = jnp.zeros(body.layout.row, jnp.int32)

    def add(a: Array, planes: tuple[Array, ...]) -> tuple[Array, ...]:
        return tuple(bitwise.moved(planes, term(a), nothing))

    return list(lax.fori_loop(0, links, add, (nothing,) * links.bit_length()))


def majority(body: Body, term: Callable[[Array | int], Array], links: int) -> Array:
    """The sign of the sum of an odd number of terms."""
    return bitwise.at_least(counted(body, term, links), (links + 1) // 2)


def of_record(body: Body, record: Array, word: Array | int) -> Callable[[Array | int], Array]:
    """The terms of a record of d rows."""
    return lambda a: body.kept[record + a * body.layout.words + word]


def decisive(body: Body, record: Array, term: Array, word: Array | int) -> Array:
    """Ones where this term of a record decides the sign of its sum."""
    terms, d = of_record(body, record, word), body.shape.d
    if written_out(d):
        return bitwise.decisive([terms(a) for a in range(d)], term)
    return bitwise.decides(counted(body, terms, d), term, d)


def over_words(body: Body, number: Callable[[Array | int], Array]) -> Array:
    """The sum of number(word) over the words of a student."""
    words = body.layout.words
    if words_written_out(body.shape, body.layout):
        parts = [number(word) for word in range(words)]
        return sum(parts[1:], parts[0])
    zero = jnp.zeros(body.layout.row, jnp.int32)
    return lax.fori_loop(0, words, lambda word, total: total + number(word), zero)


def for_words(body: Body, change: Callable[[Array | int], None]) -> None:
    """change(word) for each word of a student."""
    if words_written_out(body.shape, body.layout):
        for word in range(body.layout.words):
            change(word)
    else:
        each(0, body.layout.words, change)
