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

from mbsim.engines.networks import Shape, Tables


def sources(teachers: Tables, words: int) -> np.ndarray:
    """The tables of sources, (teachers, 2 (K d + M D)) int32."""
    hidden = np.stack([teachers.hidden_sources * words, -teachers.w.astype(np.int32)], axis=2)
    outputs = np.stack([teachers.output_sources, -teachers.v.astype(np.int32)], axis=2)
    return np.concatenate([hidden, outputs], axis=1).reshape(len(hidden), -1)


def reader_entries(shape: Shape) -> int:
    """Entries of one hidden unit in the table of readers."""
    return 2 * shape.readers + (0 if shape.regular else 1)


def readers(teachers: Tables, shape: Shape, words: int) -> np.ndarray:
    """The tables of readers, (teachers, K entries) int32."""
    T = len(teachers.readers)
    if shape.scalar:
        return np.zeros((T, 1), np.int32)
    links = np.maximum(teachers.readers, 0)
    rows = np.stack([links, links // shape.d * shape.d], axis=3).reshape(T, shape.K, -1) * words
    if not shape.regular:
        counts = (teachers.readers >= 0).sum(axis=2, keepdims=True, dtype=np.int32)
        rows = np.concatenate([counts, rows], axis=2)
    return rows.reshape(T, -1)


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
