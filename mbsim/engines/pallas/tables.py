"""Numbers of rows, tabulated so that a kernel divides and multiplies nothing.

What a program keeps (`unfold`) are rows of W words each, a row for each link:
    vector output   M*d of outputs, then K*d of hidden units; the d rows of a unit are its *record*
    scalar output   K*d of hidden units, then the planes of the output's count, then its weights
The tables of a teacher are int32 and hold numbers of rows already multiplied by W:
    sources   for each hidden link (input's row, teacher's weight 0 or -1), then so for each output link, where
              the row is that of a hidden unit
    readers   for each hidden unit (row, record) of each output link that reads it; where units differ in how many
              there are, that number comes first. Empty with a scalar output
An order is three numbers a proposal: the link's own row, the record that it is in, and where its unit's readers
begin. With a scalar output, the third is the output weight's place, and the first is -1 if it is this weight that
flips.
"""

import jax.numpy as jnp
import numpy as np
from jax import Array

from mbsim.engines.networks import Shape
from mbsim.physics.graphs import readers_of
from mbsim.physics.problem import Teacher


def sources(teacher: Teacher, shape: Shape, words: int) -> np.ndarray:
    """The table of sources, (2 (K d + M D),) int32."""
    hidden = np.stack([teacher.hidden_sources.ravel() * words, -(teacher.w.ravel() < 0).astype(int)], axis=1)
    outputs = np.stack([teacher.output_sources.ravel(), -(teacher.v.ravel() < 0).astype(int)], axis=1)
    return np.concatenate([hidden, outputs]).astype(np.int32).ravel()


def reader_entries(shape: Shape) -> int:
    """Entries of one hidden unit in the table of readers."""
    return 2 * shape.readers + (0 if shape.regular else 1)


def readers(teacher: Teacher, shape: Shape, words: int) -> np.ndarray:
    """The table of readers, (K entries,) int32."""
    if shape.scalar:
        return np.zeros(1, np.int32)
    links, counts = readers_of(teacher.output_sources, shape.K)
    padded = np.zeros((shape.K, shape.readers), np.int64)
    padded[:, : links.shape[1]] = np.maximum(links, 0)
    rows = np.stack([padded, padded // shape.d * shape.d], axis=2).reshape(shape.K, -1) * words
    if not shape.regular:
        rows = np.concatenate([np.asarray(counts)[:, None], rows], axis=1)
    return rows.astype(np.int32).ravel()


def order_rows(order: Array, shape: Shape, words: int) -> Array:
    """Orders (..., n) of proposals as numbers of rows, (..., 3n) int32."""
    d = shape.d
    if shape.scalar:
        hidden = order - shape.first_hidden
        flips_output = hidden < 0
        unit = jnp.where(flips_output, order, hidden // d)
        own = jnp.where(flips_output, -1, hidden * words)
        return jnp.concatenate([own, unit * d * words, unit], axis=-1)
    link = order if shape.train_output else order + shape.output_links
    unit = link // d
    reads = jnp.maximum(unit - shape.M, 0) * reader_entries(shape)
    return jnp.concatenate([link * words, unit * d * words, reads], axis=-1)
