"""Two-layer networks of real weights: a student's weights, the forward pass, gradients.

    h = φ(s1 Σ_n w x_n),  y = s2 Σ_k v h_k,  loss ½|y − y*|² averaged over the batch

for one student; `programs.py` maps students. A dense student has every link, and its matrix products want
examples first: inputs (m, N), hidden states (m, K'), outputs (m, M), w (N, K'), v (K', M). A sparse student
has the teacher's links, and its gathers want rows of examples: inputs (N, m), hidden states (K, m), outputs
(M, m), w (K, d), v (M, d). (Measured on one core, a step of N = 256, d = 5, m = 16: 61 us so, 355 us as
masked matrix products; with the students innermost 156.) The single output of either reads every hidden unit:
v (K', 1). A committee has no v: its output weights are one.

A teacher is always sparse, (rows, examples), with factors 1/sqrt(in-degree). What is gathered again is first
`staged`: else XLA:CPU computes the layer below anew for each link that reads it.

On a TPU, which multiplies matrices and looks up slowly, links are matrices made of comparisons (`Context.looks_up`):
a look-up that is another for each student takes its compiler 3 s, and a step has a dozen.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from mbsim.engines.batched.setting import Context, RealShape
from mbsim.physics.activations import ACTIVATIONS
from mbsim.sampling.streams import Key, Leaf, normal, threefry

FEW_EXAMPLES = 16
"""Batches up to this size, but of more than one, have the gradient of dense layers as sums of outer products.

Plain descent fuses them with the update of the weights; a matrix product over so few examples costs more. (A
step of N = K = M = 64 on one core: m = 4, 9.0 us to 5.7; m = 8, 12.6 to 10.3; m = 16, 18.4 to 16.4; but m =
32, 32 to 40.)
"""


class Weights(NamedTuple):
    """A student's trained weights, float32; v is None in a committee."""

    w: Leaf
    v: Leaf


class Pass(NamedTuple):
    """What a forward pass leaves for the gradient: what hidden units read (looked up, or all inputs), their sums,
    states, outputs.
    """

    read: Array
    z: Array
    h: Array
    y: Array


def rows(values: Array, index: Array) -> Array:
    """Rows by an index that is known to be inside: shape index.shape + values.shape[1:]."""
    return values.at[index].get(mode="promise_in_bounds", wrap_negative_indices=False)


def matrix(weights: Array, sources: Array, below: int) -> Array:
    """The links of units as a matrix (units, below): weights (units, links) in the columns `sources`, else zeros."""
    column = jnp.arange(below, dtype=jnp.int32)[None, None]
    return jnp.where(sources[:, :, None] == column, weights[:, :, None], 0).sum(axis=1)


def at_links(values: Array, sources: Array) -> Array:
    """Of a matrix (units, below) its numbers at the links (units, links)."""
    column = jnp.arange(values.shape[1], dtype=jnp.int32)[None, None]
    return jnp.where(sources[:, :, None] == column, values[:, None, :], 0).sum(axis=2)


def linked(context: Context, weights: Array, values: Array, sources: Array) -> Array:
    """Sums (units, examples) over the links of each unit of weight (units, links) times the row it reads."""
    if not context.looks_up:
        return context.staged(lambda: matrix(weights, sources, len(values))) @ values
    return (weights[:, :, None] * rows(values, sources)).sum(axis=1)


def teacher_outputs(context: Context, inputs: Array) -> Array:
    """The teacher's answers (M, examples) to inputs (N, examples)."""
    shape, tables = context.shape, context.tables
    activation, inner = ACTIVATIONS[shape.activation].value, np.float32(shape.d**-0.5)
    hidden = context.staged(
        lambda: activation(inner * linked(context, tables.w, inputs, tables.hidden_sources))
    )
    factor = np.float32(shape.output_degree**-0.5)
    if shape.scalar:
        return context.staged(lambda: factor * (tables.v @ hidden))
    return context.staged(lambda: factor * linked(context, tables.v, hidden, tables.output_sources))


def initial_weights(shape: RealShape, key: Key) -> Weights:
    """Normal weights of variance 1/in-degree, 1 with "ntk"; number i of a layer from counter (layer, i)."""

    def layer(number: int, size: tuple[int, int]) -> Array:
        index = jnp.arange(size[0] * size[1], dtype=jnp.uint32)
        values = normal(threefry(key, jnp.full_like(index, number), index)[0]).reshape(size)
        return values if shape.ntk else values * np.float32(shape.fan_in[number] ** -0.5)

    hidden, output = shape.weight_shapes
    return Weights(layer(0, hidden), None if output is None else layer(1, output))


def forward(context: Context, weights: Weights, inputs: Array) -> Pass:
    """The student's answers; a dense one takes inputs (m, N), a sparse one (N, m)."""
    shape, tables = context.shape, context.tables
    inner, outer = (np.float32(s) for s in shape.factors)
    activation = ACTIVATIONS[shape.activation].value
    if shape.dense:
        z = inner * (inputs @ weights.w)
        h = activation(z)
        y = h.sum(axis=1, keepdims=True) if weights.v is None else h @ weights.v
        return Pass(inputs, z, h, outer * y)
    read = rows(inputs, tables.hidden_sources) if context.looks_up else inputs
    z = context.staged(lambda: inner * linked(context, weights.w, inputs, tables.hidden_sources))
    h = context.staged(lambda: activation(z))
    if shape.scalar:
        y = h.sum(axis=0, keepdims=True) if weights.v is None else weights.v.T @ h
    else:
        y = linked(context, tables.v if weights.v is None else weights.v, h, tables.output_sources)
    return Pass(read, z, h, outer * y)


def outer_products(left: Array, right: Array) -> Array:
    """left^T right (n, k) of left (m, n) and right (m, k), as a sum of m terms that is fused with its use."""
    return sum(one[:, None] * other[None] for one, other in zip(left, right, strict=True))


def gradient(context: Context, weights: Weights, seen: Pass, delta: Array) -> Weights:
    """The derivative of the loss; delta, of the shape of the outputs, is that by the outputs."""
    shape, tables = context.shape, context.tables
    inner, outer = (np.float32(s) for s in shape.factors)
    slope = inner * ACTIVATIONS[shape.activation].derivative(seen.z, seen.h)
    delta = outer * delta
    if shape.dense:
        back = delta if weights.v is None else delta @ weights.v.T
        if context.one is None or not 1 < len(delta) <= FEW_EXAMPLES:
            return Weights(seen.read.T @ (back * slope), None if weights.v is None else seen.h.T @ delta)
        h, delta, back = context.staged(lambda: (seen.h, delta, back * slope))
        return Weights(
            outer_products(seen.read, back), None if weights.v is None else outer_products(h, delta)
        )
    if shape.scalar:
        back = delta if weights.v is None else weights.v @ delta
        gradient_v = None if weights.v is None else seen.h @ delta.T
    elif not context.looks_up:
        trained = tables.v if weights.v is None else weights.v
        back = context.staged(lambda: matrix(trained, tables.output_sources, shape.K)).T @ delta
        gradient_v = None
        if weights.v is not None:
            gradient_v = at_links(context.staged(lambda: delta @ seen.h.T), tables.output_sources)
    else:
        output, present = tables.readers // shape.d, (tables.readers >= 0)[:, :, None]
        trained = tables.v if weights.v is None else weights.v
        v = rows(trained.reshape(-1), jnp.maximum(tables.readers, 0))[:, :, None]
        back = (jnp.where(present, v, 0) * rows(delta, jnp.maximum(output, 0))).sum(axis=1)
        read = rows(seen.h, tables.output_sources)
        gradient_v = None if weights.v is None else jnp.einsum("kam,km->ka", read, delta)
    if not context.looks_up:
        products = context.staged(lambda: (back * slope) @ seen.read.T)
        return Weights(at_links(products, tables.hidden_sources), gradient_v)
    return Weights(jnp.einsum("kam,km->ka", seen.read, back * slope), gradient_v)


def best_matches(context: Context, w: Array) -> Array:
    """Mean over the teacher's hidden units of the largest |cosine| with a hidden unit of the student.

    A student unit without weights matches nothing: its cosine is 0.
    """
    shape, tables = context.shape, context.tables
    if not shape.dense and not context.looks_up:
        w = matrix(w, tables.hidden_sources, shape.N).T
    elif not shape.dense:
        unit = jnp.arange(shape.K, dtype=jnp.int32)[:, None]
        w = jnp.zeros((shape.N, shape.K), w.dtype).at[tables.hidden_sources, unit].set(w)
    largest = jnp.abs(w).max(axis=0, keepdims=True)
    w = w / jnp.where(largest > 0, largest, 1)  # squares then cannot overflow
    length = jnp.sqrt((w * w).sum(axis=0))
    own = tables.w / jnp.sqrt((tables.w * tables.w).sum(axis=1, keepdims=True))
    if context.looks_up:
        # One link of every teacher unit at a time: what is gathered never exceeds a (K, K') table.
        products = sum(own[:, a, None] * rows(w, tables.hidden_sources[:, a]) for a in range(shape.d))
    else:
        products = matrix(own, tables.hidden_sources, shape.N) @ w
    cosines = jnp.abs(products) / jnp.where(length > 0, length, 1)[None]
    return cosines.max(axis=1).mean()
