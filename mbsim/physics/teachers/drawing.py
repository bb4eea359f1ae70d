"""What all teachers on sparse random graphs share: how graph and weights are drawn, and sums over links.

Hidden unit k reads d of N inputs, output o reads d of K hidden units, a single output all of them. Everything
drawn follows from the labels (seed, N, d, teacher).
"""

import numpy as np

from mbsim.lazy import Array
from mbsim.physics.graphs import random_sources
from mbsim.physics.problem import Teacher


def draw_teacher(N: int, K: int, M: int, d: int, train_output: bool, seed: int, teacher: int) -> Teacher:
    """The teacher with labels (seed, N, d, teacher): graph, then ±1 weights; output weights are +1 unless
    trained.
    """
    rng = np.random.default_rng([seed, N, d, teacher])
    hidden = random_sources(N, K, d, rng)
    outputs = np.arange(K, dtype=np.int32)[None, :] if M == 1 else random_sources(K, M, d, rng)
    w = 1 - 2 * rng.integers(0, 2, hidden.shape, dtype=np.int8)
    v = 1 - 2 * rng.integers(0, 2, outputs.shape, dtype=np.int8)
    return Teacher(hidden, outputs, w, v if train_output else np.ones_like(v))


def draw_real_teacher(
    N: int, K: int, M: int, d: int, train_output: bool, normal_weights: bool, seed: int, teacher: int
) -> Teacher:
    """The graph of the ±1 teacher with the same labels, and its weights or standard normal ones, float32."""
    drawn = draw_teacher(N, K, M, d, train_output, seed, teacher)
    w, v = drawn.w.astype(np.float32), drawn.v.astype(np.float32)
    if normal_weights:
        rng = np.random.default_rng([seed, N, d, teacher, 1])
        w = rng.standard_normal(w.shape, np.float32)
        v = rng.standard_normal(v.shape, np.float32) if train_output else v
    return drawn._replace(w=w, v=v)


def linked(weights: Array, values: Array, sources: Array) -> Array:
    """Σ_b weights[k, b] values[:, sources[k, b]]: (examples, units) of values (examples, units below)."""
    return (weights[:, :, None] * values.T[sources]).sum(axis=1).T  # whole rows are gathered faster
