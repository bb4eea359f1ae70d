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

import jax.numpy as jnp
from jax import Array, lax

from mbsim.engines.pallas import bitwise
from mbsim.engines.pallas.body import Body, each


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
    shape = body.shape

    def hidden(k: Array) -> None:
        rows = [body.kept[_hidden_row(body, k, b, 0)] for b in range(shape.d)]
        body.hidden[k] = bitwise.majority(rows)
        signs = [row ^ body.x[_source(body, k * shape.d + b)[0]] for b, row in enumerate(rows)]
        _pack(body, body.w_out, k, signs)

    def output(o: Array) -> None:
        signs = []
        for a in range(shape.d):
            unit, _ = _source(body, shape.hidden_links + o * shape.d + a)
            row = body.kept[(o * shape.d + a) * body.layout.words]
            signs.append(row ^ body.hidden[unit] ^ body.answers[o])
        _pack(body, body.v_out, o, signs)

    each(0, shape.K, hidden)
    if shape.train_output:
        each(0, shape.M, output)


def planes_begin(body: Body) -> int:
    """Row of the lowest plane of a scalar output's count."""
    return body.shape.hidden_links * body.layout.words


def weights_begin(body: Body) -> int:
    """Row of the first weight of a scalar output."""
    return planes_begin(body) + body.shape.K.bit_length() * body.layout.words


def _source(body: Body, link: Array) -> tuple[Array, Array]:
    """Number of the row that a link reads, and the teacher's weight, 0 or -1."""
    return body.sources[0, 2 * link], body.sources[0, 2 * link + 1]


def _hidden_row(body: Body, k: Array, b: int, word: Array | int) -> Array:
    first = 0 if body.shape.scalar else body.shape.output_links
    return (first + k * body.shape.d + b) * body.layout.words + word


def _weights(body: Body, rows, unit: Array, degree: int) -> list[Array]:
    """The weights of a unit's links, ready to multiply rows."""
    bits, fields = body.layout.bits, body.layout.fields
    packed = [rows[unit * -(-degree // bits) + i] for i in range(-(-degree // bits))]
    return [bitwise.expanded(packed[b // bits], b % bits, fields) for b in range(degree)]


def _pack(body: Body, rows, unit: Array, signs: list[Array]) -> None:
    """Write the weights of a unit's links: the first bit of each field of `signs`."""
    bits, one = body.layout.bits, bitwise.in_each_field(1, body.layout.fields)
    for i in range(-(-len(signs) // bits)):
        parts = [(sign & one) << b for b, sign in enumerate(signs[i * bits : (i + 1) * bits])]
        word = parts[0]
        for part in parts[1:]:
            word = word | part
        rows[unit * -(-len(signs) // bits) + i] = word


def _inputs(body: Body, k: Array, word: Array) -> tuple[list[Array], list[Array]]:
    """The inputs of hidden unit k, and the teacher's terms."""
    inputs, taught = [], []
    for b in range(body.shape.d):
        row, sign = _source(body, k * body.shape.d + b)
        inputs.append(body.x[row + word])
        taught.append(inputs[-1] ^ sign)
    return inputs, taught


def _unfold_vector(body: Body, word: Array) -> None:
    shape = body.shape

    def hidden(k: Array) -> None:
        inputs, taught = _inputs(body, k, word)
        weights = _weights(body, body.w, k, shape.d)
        terms = [x ^ weight for x, weight in zip(inputs, weights, strict=True)]
        for b, term in enumerate(terms):
            body.kept[_hidden_row(body, k, b, word)] = term
        body.hidden[k] = bitwise.majority(terms)
        body.taught[k] = bitwise.majority(taught)

    def output(o: Array) -> None:
        terms, taught = [], []
        for a in range(shape.d):
            unit, sign = _source(body, shape.hidden_links + o * shape.d + a)
            terms.append(body.hidden[unit])
            taught.append(body.taught[unit] ^ sign)
        if shape.train_output:
            weights = _weights(body, body.v, o, shape.d)
            terms = [term ^ weight for term, weight in zip(terms, weights, strict=True)]
        answer = bitwise.majority(taught)
        body.answers[o] = answer
        for a, term in enumerate(terms):
            body.kept[(o * shape.d + a) * body.layout.words + word] = term ^ answer

    each(0, shape.K, hidden)
    each(0, shape.M, output)


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
        return bitwise.majority(terms) ^ _source(body, shape.hidden_links + k)[1]

    answer = bitwise.at_least(_counted(body, taught), (shape.K + 1) // 2)
    body.answers[0] = answer

    def wrong(k: Array) -> Array:
        inputs, _ = _inputs(body, k, word)
        weights = _weights(body, body.w, k, shape.d)
        common = answer ^ _scalar_weight(body, k) if shape.train_output else answer
        terms = [x ^ weight ^ common for x, weight in zip(inputs, weights, strict=True)]
        for b, term in enumerate(terms):
            body.kept[_hidden_row(body, k, b, word)] = term
        return bitwise.majority(terms)

    for p, plane in enumerate(_counted(body, wrong)):
        body.kept[planes_begin(body) + p * body.layout.words + word] = plane


def _fold_scalar(body: Body) -> None:
    shape, bits = body.shape, body.layout.bits

    def hidden(k: Array) -> None:
        common = body.answers[0]
        if shape.train_output:
            common = common ^ body.kept[weights_begin(body) + k]
        signs = []
        for b in range(shape.d):
            row, _ = _source(body, k * shape.d + b)
            signs.append(body.kept[_hidden_row(body, k, b, 0)] ^ body.x[row] ^ common)
        _pack(body, body.w_out, k, signs)

    def weights(i: Array) -> None:
        _pack(body, body.v_out, i, [body.kept[weights_begin(body) + i * bits + b] for b in range(bits)])

    each(0, shape.K, hidden)
    if shape.train_output:
        each(0, -(-shape.K // bits), weights)
