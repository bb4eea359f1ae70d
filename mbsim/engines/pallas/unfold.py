"""From packed weights and inputs to the products that a sweep works on, and back.

With weights w, v of a student, inputs x and the teacher's answers y*, a program keeps, for every example,

    vector output   w_kb x_in(k,b)       for each hidden link,   v_oa h_in(o,a) y*_o   for each output link
    scalar output   w_kb x_in(k,b) v_k y*                        and the number of hidden units k whose majority
                                                                 of these is -1, bit by bit

so that an output is wrong where the majority of its own record is -1, whatever the teacher says. A flip of a
weight is a flip of its row, weights need not be kept, and the rows of a record follow each other: nothing is
looked up.

The kept rows of outputs come first, then those of hidden units (`tables`). h, the teacher's hidden states and his
answers are kept for one word at a time, in the end the first; with it weights are found again: w = (w x) x.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from mbsim.engines.pallas import bitwise
from mbsim.engines.pallas.body import Body, each, for_links, majority, several, written_out


class Unfolded(NamedTuple):
    """A unit before it is kept: the terms of its sum, the teacher's sign, its own where it is wanted."""

    terms: Callable[[Array | int], Array]
    taught: Array
    sign: Array | None


def unfold(body: Body) -> None:
    """Fill the kept rows, and leave the teacher's answers to the first word behind."""
    forward = _unfold_scalar if body.shape.scalar else _unfold_vector
    each(0, body.layout.words, lambda i: forward(body, body.layout.words - 1 - i))
    if body.shape.scalar and body.shape.train_output:
        bits = body.layout.bits

        def weights(k: Array) -> None:
            row = _scalar_weight(body, k)
            body.kept[weights_begin(body) + k] = row

        each(0, -(-body.shape.K // bits) * bits, weights)


def fold(body: Body) -> None:
    """Write the packed weights that the kept rows stand for."""
    if body.shape.scalar:
        _fold_scalar(body)
        return
    shape, words = body.shape, body.layout.words

    def hidden(k: Array) -> tuple[Array, list[Array]]:
        row = _kept_row(body, k, 0)
        terms = _ready(shape.d, lambda b: body.kept[row + b * words])
        weights = _packed(body, lambda b: terms(b) ^ body.x[_source(body, k * shape.d + b)[0]], shape.d)
        return majority(body, terms, shape.d), weights

    def keep(k: Array, found: tuple[Array, list[Array]]) -> None:
        body.hidden[k] = found[0]
        _write(body.w_out, k, found[1])

    def output(o: Array) -> list[Array]:
        def sign(a: Array | int) -> Array:
            unit, _ = _source(body, shape.hidden_links + o * shape.d + a)
            return body.kept[(o * shape.d + a) * words] ^ body.hidden[unit] ^ body.answers[o]

        return _packed(body, sign, shape.d)

    several(shape.K, shape.d, hidden, keep)
    if shape.train_output:
        several(shape.M, shape.d, output, lambda o, found: _write(body.v_out, o, found))


def planes_begin(body: Body) -> int:
    """Row of the lowest plane of a scalar output's count."""
    return body.shape.hidden_links * body.layout.words


def weights_begin(body: Body) -> int:
    """Row of the first weight of a scalar output."""
    return planes_begin(body) + body.shape.K.bit_length() * body.layout.words


def _source(body: Body, link: Array) -> tuple[Array, Array]:
    """Number of the row that a link reads, and the teacher's weight, 0 or -1."""
    return body.sources[0, 2 * link], body.sources[0, 2 * link + 1]


def _kept_row(body: Body, k: Array, word: Array | int) -> Array:
    """The first row of a hidden unit's record."""
    first = 0 if body.shape.scalar else body.shape.output_links
    return (first + k * body.shape.d) * body.layout.words + word


def _ready(links: int, term: Callable[[Array | int], Array]) -> Callable[[Array | int], Array]:
    """The same terms, each looked up once where the links of a unit are written out."""
    if not written_out(links):
        return term
    terms = [term(a) for a in range(links)]
    return lambda a: terms[a]


def _weights(body: Body, rows, unit: Array, degree: int) -> Callable[[Array | int], Array]:
    """The weights of a unit's links, ready to multiply rows."""
    bits, fields = body.layout.bits, body.layout.fields
    first = unit * -(-degree // bits)
    if not written_out(degree):
        shift = bits.bit_length() - 1
        return lambda b: bitwise.expanded(rows[first + (b >> shift)], b & (bits - 1), fields)
    packed = [rows[first + i] for i in range(-(-degree // bits))]
    return lambda b: bitwise.expanded(packed[b // bits], b % bits, fields)


def _packed(body: Body, sign: Callable[[Array | int], Array], degree: int) -> list[Array]:
    """The weights of a unit's links: the first bit of each field of their `sign`."""
    words = []
    bits, one = body.layout.bits, bitwise.in_each_field(1, body.layout.fields)
    nothing = jnp.zeros(body.layout.row, jnp.int32)
    for i in range(-(-degree // bits)):
        first, stop = i * bits, min(degree, (i + 1) * bits)

        def add(b: Array | int, word: Array, first: int = first) -> Array:
            return word | ((sign(b) & one) << (b - first))

        if written_out(degree):
            word = sign(first) & one
            for b in range(first + 1, stop):
                word = add(b, word)
        else:
            word = lax.fori_loop(first, stop, add, nothing)
        words.append(word)
    return words


def _write(rows, unit: Array, words: list[Array]) -> None:
    """Write the packed weights of a unit."""
    for i, word in enumerate(words):
        rows[unit * len(words) + i] = word


def _inputs(body: Body, k: Array, word: Array) -> tuple[Callable, Callable]:
    """The inputs of hidden unit k, and the teacher's terms."""
    d = body.shape.d
    inputs = _ready(d, lambda b: body.x[_source(body, k * d + b)[0] + word])
    return inputs, lambda b: inputs(b) ^ _source(body, k * d + b)[1]


def _unfold_vector(body: Body, word: Array) -> None:
    shape, words = body.shape, body.layout.words

    def hidden(k: Array) -> Unfolded:
        inputs, taught = _inputs(body, k, word)
        weights = _weights(body, body.w, k, shape.d)
        terms = _ready(shape.d, lambda b: inputs(b) ^ weights(b))
        return Unfolded(terms, majority(body, taught, shape.d), majority(body, terms, shape.d))

    def keep_hidden(k: Array, found: Unfolded) -> None:
        row = _kept_row(body, k, word)
        _keep(body, row, found.terms)
        body.taught[k], body.hidden[k] = found.taught, found.sign

    def output(o: Array) -> Unfolded:
        def source(a: Array | int) -> tuple[Array, Array]:
            return _source(body, shape.hidden_links + o * shape.d + a)

        def taught(a: Array | int) -> Array:
            unit, sign = source(a)
            return body.taught[unit] ^ sign

        answer = majority(body, taught, shape.d)
        weights = _weights(body, body.v, o, shape.d) if shape.train_output else None

        def term(a: Array | int) -> Array:
            sign = body.hidden[source(a)[0]] ^ answer
            return sign if weights is None else sign ^ weights(a)

        return Unfolded(_ready(shape.d, term), answer, None)

    def keep_output(o: Array, found: Unfolded) -> None:
        _keep(body, o * (shape.d * words) + word, found.terms)
        body.answers[o] = found.taught

    several(shape.K, shape.d, hidden, keep_hidden)
    several(shape.M, shape.d, output, keep_output)


def _keep(body: Body, row: Array, terms: Callable[[Array | int], Array]) -> None:
    """Write the d terms of a record that begins at this row."""

    def keep(a: Array | int) -> None:
        body.kept[row + a * body.layout.words] = terms(a)

    for_links(body.shape.d, keep)


def _scalar_weight(body: Body, k: Array) -> Array:
    """All bits of a student's field where the output weight of unit k is -1."""
    bits = body.layout.bits
    row = body.v[k >> (bits.bit_length() - 1)]
    return bitwise.expanded(row, k & (bits - 1), body.layout.fields)


def _counted(body: Body, term: Callable[[Array], Array]) -> tuple[Array, ...]:
    """Planes of the number of hidden units whose term(k) is one."""
    nothing = jnp.zeros(body.layout.row, jnp.int32)

    def add(k: Array, planes: tuple[Array, ...]) -> tuple[Array, ...]:
        return tuple(bitwise.moved(planes, term(k), nothing))

    return lax.fori_loop(0, body.shape.K, add, (nothing,) * body.shape.K.bit_length())


def _unfold_scalar(body: Body, word: Array) -> None:
    shape = body.shape

    def taught(k: Array) -> Array:
        _, terms = _inputs(body, k, word)
        return majority(body, terms, shape.d) ^ _source(body, shape.hidden_links + k)[1]

    answer = bitwise.at_least(_counted(body, taught), (shape.K + 1) // 2)
    body.answers[0] = answer

    def wrong(k: Array) -> Array:
        inputs, _ = _inputs(body, k, word)
        weights, row = _weights(body, body.w, k, shape.d), _kept_row(body, k, word)
        common = answer ^ _scalar_weight(body, k) if shape.train_output else answer

        def term(b: Array | int) -> Array:
            product = inputs(b) ^ weights(b) ^ common
            body.kept[row + b * body.layout.words] = product
            return product

        return majority(body, term, shape.d)

    for p, plane in enumerate(_counted(body, wrong)):
        body.kept[planes_begin(body) + p * body.layout.words + word] = plane


def _fold_scalar(body: Body) -> None:
    shape, bits = body.shape, body.layout.bits
    one = bitwise.in_each_field(1, body.layout.fields)

    def hidden(k: Array) -> None:
        common = body.answers[0]
        if shape.train_output:
            common = common ^ body.kept[weights_begin(body) + k]
        first = _kept_row(body, k, 0)

        def sign(b: Array | int) -> Array:
            row, _ = _source(body, k * shape.d + b)
            return body.kept[first + b * body.layout.words] ^ body.x[row] ^ common

        _write(body.w_out, k, _packed(body, sign, shape.d))

    def weights(i: Array) -> None:
        first = weights_begin(body) + i * bits
        word = body.kept[first] & one
        for b in range(1, bits):
            word = word | ((body.kept[first + b] & one) << b)
        body.v_out[i] = word

    each(0, shape.K, hidden)
    if shape.train_output:
        each(0, -(-shape.K // bits), weights)
