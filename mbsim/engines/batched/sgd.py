"""Mini-batch gradient descent for real weights: `init`, `step`, `observe` on one state.

    w <- w − lr * direction(gradient of ½|y − y*|² averaged over the m examples of the batch)

All functions are for one lane, that is one student: `sgd_programs.py` maps them. (On CPU lanes are done one
after the other, many steps at a time, so that the weights of a lane stay in the cache: a step of N = K = M =
256, m = 1, so reaches six times the rate of JAX's own batched matrix products, which are bound by memory.)

A batch is compiled for a width, the least of a few that m fits in (`width_of`), and slots beyond m are
masked: the width follows from m alone, so a lane's bits do not depend on the others of its launch.

A lane whose weights stop being finite has diverged: it is put back to where it was at the end of the last
whole chunk of steps, or the last measurement, whichever is later, and stays there.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array, lax

from mbsim.engines.batched import networks
from mbsim.engines.batched.inputs import Inputs, inputs, normals
from mbsim.engines.batched.networks import RealShape, RealTables, Weights
from mbsim.engines.staging import staged
from mbsim.physics.optimisers import Optimizer
from mbsim.sampling.example_sets import ExampleSet, Sampling, example_numbers
from mbsim.sampling.streams import Key, Leaf, fold

TEST_TILE = 256  # examples measured at a time
CHUNK_EXAMPLES = 128  # examples drawn at a time, in whole batches: few enough to stay in the cache
ERROR_CEILING = 1e9  # an error above it, or one that overflows, is given as this


class SgdSetting(NamedTuple):
    """All that a compiled program depends on besides the shapes of its arguments; hashable.

    width: slots of a batch. sampling: None for fresh examples at every step. noisy: labels carry noise.
    """

    shape: RealShape
    width: int
    inputs: Inputs
    optimizer: Optimizer
    test_size: int
    sampling: Sampling | None = None
    noisy: bool = False

    @property
    def chunk(self) -> int:
        """Steps whose batches are drawn together."""
        return max(1, CHUNK_EXAMPLES // self.width)


class SgdKeys(NamedTuple):
    """One key for each purpose."""

    weights: Key
    examples: Key
    test: Key
    choice: Key
    noise: Key


class Lane(NamedTuple):
    """One lane, scalars: m examples in a batch, learning rates of the two layers, noise of the labels (its
    standard deviation), keys, and the training set if it is finite.
    """

    m: Leaf
    hidden_rate: Leaf
    output_rate: Leaf
    noise: Leaf
    keys: SgdKeys
    examples: ExampleSet


class SgdState(NamedTuple):
    """A student: its weights, the memory of its optimiser, and whether it has diverged."""

    weights: Weights
    optimizer: Any
    diverged: Leaf


class Batches(NamedTuple):
    """Batches of consecutive steps, as the student reads them: inputs and labels, (steps, m, N) and (steps,
    m, M) for a dense student, (steps, N, m) and (steps, M, m) for a sparse one.
    """

    inputs: Array
    labels: Array


class SgdObservation(NamedTuple):
    """float32 scalars of a lane; `diverged` bool.

    overlap: mean over teacher units of the best |cosine| with a student unit. generalization_error and
    training_error: mean squared error over the variance of y*, on `test_size` fresh examples without noise,
    and on the next mini-batch with its labels. loss: ½|y − y*|² averaged over that mini-batch.
    """

    overlap: Leaf
    generalization_error: Leaf
    training_error: Leaf
    loss: Leaf
    diverged: Leaf


def width_of(m: int) -> int:
    """Slots of a batch of m: m up to 8, then the next multiple of an eighth to a quarter of m."""
    quantum = 1 << max(0, (m - 1).bit_length() - 3)
    return -(-m // quantum) * quantum


def init(setting: SgdSetting, lane: Lane) -> SgdState:
    """The student at time 0."""
    weights = networks.initial_weights(setting.shape, lane.keys.weights)
    return SgdState(weights, setting.optimizer.transformation().init(weights), jnp.zeros((), bool))


class Labels(NamedTuple):
    """What makes examples: keys of their inputs and noises, and a counter; every array (examples,) uint32."""

    inputs: Key
    noise: Key
    counter: Array


def labels_of(setting: SgdSetting, lane: Lane, step: Array, slot: Array, one: Array | None) -> Labels:
    """The training examples in the given slots of the batches of the given steps, both (examples,) uint32.

    A fresh example is labelled by its step and its slot in the batch, one of a finite set by its number.
    """
    keys = lane.keys

    def flat(key: Key) -> Key:
        return Key(*(jnp.broadcast_to(half, step.shape) for half in key))

    if setting.sampling is None:
        keys_of_step = staged(one, lambda: (fold(keys.examples, step), fold(keys.noise, step)))
        return Labels(*keys_of_step, slot)
    sampling, m = setting.sampling, lane.m.astype(jnp.uint32)
    numbers = staged(one, lambda: example_numbers(sampling, flat(keys.choice), step, slot, m, lane.examples))
    return Labels(flat(keys.examples), flat(keys.noise), numbers)


def examples(
    setting: SgdSetting, tables: RealTables, labels: Labels, noise: Array, one: Array | None
) -> tuple[Array, Array, Array]:
    """Inputs (examples, N), the same transposed, and labels (M, examples) with noise of the given size."""
    x, transposed = inputs(setting.inputs, labels.inputs, labels.counter, setting.shape.N, one)
    y = networks.teacher_outputs(setting.shape, tables, transposed, one)
    if setting.noisy:
        y = y + noise * normals(labels.noise, labels.counter, setting.shape.M).T
    return x, transposed, y


def batches(setting: SgdSetting, tables: RealTables, lane: Lane, first: Array, one: Array | None) -> Batches:
    """The mini-batches of steps first, first + 1, ..., a chunk of them."""
    shape, width, steps = setting.shape, setting.width, setting.chunk
    step = jnp.repeat(first.astype(jnp.uint32) + jnp.arange(steps, dtype=jnp.uint32), width)
    slot = jnp.tile(jnp.arange(width, dtype=jnp.uint32), steps)
    labels = labels_of(setting, lane, step, slot, one)
    x, transposed, y = examples(setting, tables, labels, lane.noise, one)

    def by_step(rows: Array) -> Array:
        """(rows, steps * m) to (steps, rows, m)."""
        return jnp.swapaxes(rows.reshape(len(rows), steps, width), 0, 1)

    if shape.dense:
        return Batches(
            x.reshape(steps, width, shape.N), staged(one, lambda: y.T.reshape(steps, width, shape.M))
        )
    return Batches(staged(one, lambda: by_step(transposed)), staged(one, lambda: by_step(y)))


def step(
    setting: SgdSetting, tables: RealTables, lane: Lane, state: SgdState, batch: Batches, one: Array | None
) -> SgdState:
    """One update on one mini-batch, inputs and labels as in `Batches` without the first axis."""
    seen = networks.forward(setting.shape, tables, state.weights, batch.inputs, one)
    used = jnp.arange(setting.width, dtype=jnp.int32) < lane.m
    used = used[:, None] if setting.shape.dense else used[None]
    delta = jnp.where(used, seen.y - batch.labels, 0) * (1 / lane.m.astype(jnp.float32))
    gradient = networks.gradient(setting.shape, tables, state.weights, seen, delta, one)
    direction, memory = setting.optimizer.transformation().update(gradient, state.optimizer, state.weights)
    rates = Weights(lane.hidden_rate, None if state.weights.v is None else lane.output_rate)
    change = jax.tree.map(lambda rate, towards: -rate * towards, rates, direction)
    return state._replace(weights=optax.apply_updates(state.weights, change), optimizer=memory)


def advance(
    setting: SgdSetting,
    tables: RealTables,
    lane: Lane,
    state: SgdState,
    begin: Array,
    end: Array,
    one: Array | None,
) -> SgdState:
    """Steps `begin` to `end`, a chunk of batches at a time; a lane that has diverged stays as it is.

    Chunks start at multiples of their length, and what a step does depends on its number alone, so a run may
    be cut anywhere.
    """
    size = setting.chunk

    def chunk(c: Array, state: SgdState) -> SgdState:
        first = c * size
        drawn = batches(setting, tables, lane, first, one)

        def body(i: Array, state: SgdState) -> SgdState:
            batch = Batches(*(lax.dynamic_index_in_dim(part, i, keepdims=False) for part in drawn))
            return step(setting, tables, lane, state, batch, one)

        later = lax.fori_loop(jnp.maximum(begin - first, 0), jnp.minimum(end - first, size), body, state)
        sound = jnp.stack([jnp.isfinite(part).all() for part in jax.tree.leaves(later.weights)]).all()
        sound &= ~state.diverged
        kept = jax.tree.map(lambda new, old: jnp.where(sound, new, old), later, state)
        return kept._replace(diverged=~sound)

    def train(state: SgdState) -> SgdState:
        return lax.fori_loop(begin // size, (end + size - 1) // size, chunk, state)

    return lax.cond(state.diverged, lambda state: state, train, state)


def bounded(error: Array) -> Array:
    """The error, or `ERROR_CEILING` where it is above that or no number."""
    return jnp.where(error < ERROR_CEILING, error, jnp.float32(ERROR_CEILING))


def observe(
    setting: SgdSetting, tables: RealTables, lane: Lane, state: SgdState, time: Array, one: Array | None
) -> SgdObservation:
    """Measure a student on fresh examples and on the mini-batch of step `time`, before it is used."""
    shape, count = setting.shape, setting.test_size
    test_tiles = -(-count // TEST_TILE)
    place = jnp.arange(TEST_TILE, dtype=jnp.uint32)
    test_key = staged(one, lambda: fold(lane.keys.test, time))

    def add(i: Array, sums: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        # Tiles of the test come first, those of the mini-batch after: one code, compiled once.
        square, total, total_square, batch_square = sums
        test = i < test_tiles
        index = jnp.where(test, i, i - test_tiles).astype(jnp.uint32) * np.uint32(TEST_TILE) + place
        used = (index < jnp.where(test, count, lane.m).astype(jnp.uint32))[None]
        step = jnp.broadcast_to(time.astype(jnp.uint32), index.shape)
        training = labels_of(setting, lane, step, index, one)
        labels = Labels(
            Key(*(jnp.where(test, a, b) for a, b in zip(test_key, training.inputs, strict=True))),
            training.noise,
            jnp.where(test, index, training.counter),
        )
        x, transposed, y = examples(setting, tables, labels, jnp.where(test, 0, lane.noise), one)
        answer = networks.forward(shape, tables, state.weights, x if shape.dense else transposed, one).y
        y = staged(one, lambda: jnp.where(used, y, 0))
        wrong = jnp.where(used, (answer.T if shape.dense else answer) - y, 0)
        new = (wrong * wrong).sum()
        return (
            square + jnp.where(test, new, 0),
            total + jnp.where(test, y.sum(axis=1), 0),
            total_square + jnp.where(test, (y * y).sum(axis=1), 0),
            batch_square + jnp.where(test, 0, new),
        )

    zero, each = jnp.zeros(()), jnp.zeros(shape.M)
    tiles = test_tiles + (lane.m + TEST_TILE - 1) // TEST_TILE
    square, total, total_square, batch_square = lax.fori_loop(0, tiles, add, (zero, each, each, zero))
    variance = ((total_square - total * total / count) / (count - 1)).mean()
    batch_square = batch_square / lane.m.astype(jnp.float32)
    return SgdObservation(
        networks.best_matches(shape, tables, state.weights.w),
        bounded(square / (count * shape.M * variance)),
        bounded(batch_square / (shape.M * variance)),
        bounded(batch_square / 2),
        state.diverged,
    )
