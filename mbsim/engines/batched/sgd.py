"""Mini-batch gradient descent for real weights: `init`, `step`, `observe` on one state.

    w <- w − lr * direction(gradient of ½|y − y*|² averaged over the m examples of the batch)

All functions are for one student: `programs.py` maps them. (On CPU students are done one after the other,
many steps at a time, so that the weights of a student stay in the cache: a step of N = K = M = 256, m = 1, so
reaches six times the rate of JAX's own batched matrix products, which are bound by memory.)

A batch is compiled for a width, the least of a few that m fits in (`width_of`), and slots beyond m are
masked: the width follows from m alone, so a student's bits do not depend on the others of its launch.

A student whose weights stop being finite has diverged: it is put back to where it was at the end of the last
whole chunk of steps, or the last measurement, whichever is later, and stays there.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array, lax

from mbsim.engines.batched import networks
from mbsim.engines.batched.inputs import inputs, normals
from mbsim.engines.batched.networks import Weights
from mbsim.engines.batched.setting import Context, SgdSetting
from mbsim.sampling.example_sets import ExampleSet, example_numbers
from mbsim.sampling.streams import Key, Leaf, fold

TEST_TILE = 256  # examples measured at a time
ERROR_CEILING = 1e9  # an error above it, or one that overflows, is given as this


class SgdKeys(NamedTuple):
    """One key for each purpose."""

    weights: Key
    examples: Key
    test: Key
    choice: Key
    noise: Key


class Student(NamedTuple):
    """What distinguishes one student, scalars: the place of its teacher, m examples in a batch, learning rates of
    the two layers, noise of the labels (its standard deviation), keys, and the training set if it is finite.
    """

    teacher: Leaf
    m: Leaf
    hidden_rate: Leaf
    output_rate: Leaf
    noise: Leaf
    keys: SgdKeys
    examples: ExampleSet


class SgdState(NamedTuple):
    """The state of a student: its weights, the memory of its optimiser, and whether it has diverged."""

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
    """float32 scalars of a student; `diverged` bool.

    overlap: mean over teacher units of the best |cosine| with a student unit. generalization_error and
    training_error: mean squared error over the variance of y*, on `test_size` fresh examples without noise,
    and on the next mini-batch with its labels. loss: ½|y − y*|² averaged over that mini-batch.
    """

    overlap: Leaf
    generalization_error: Leaf
    training_error: Leaf
    loss: Leaf
    diverged: Leaf


def init(setting: SgdSetting, student: Student) -> SgdState:
    """The student at time 0."""
    weights = networks.initial_weights(setting.shape, student.keys.weights)
    return SgdState(weights, setting.optimizer.transformation().init(weights), jnp.zeros((), bool))


class Labels(NamedTuple):
    """What makes examples: keys of their inputs and noises, and a counter; every array (examples,) uint32."""

    inputs: Key
    noise: Key
    counter: Array


def labels_of(context: Context, student: Student, step: Array, slot: Array) -> Labels:
    """The training examples in the given slots of the batches of the given steps, both (examples,) uint32.

    A fresh example is labelled by its step and its slot in the batch, one of a finite set by its number.
    """
    setting, keys = context.setting, student.keys

    def flat(key: Key) -> Key:
        return Key(*(jnp.broadcast_to(half, step.shape) for half in key))

    if setting.sampling is None:
        keys_of_step = context.staged(lambda: (fold(keys.examples, step), fold(keys.noise, step)))
        return Labels(*keys_of_step, slot)
    sampling, m = setting.sampling, student.m.astype(jnp.uint32)
    numbers = context.staged(
        lambda: example_numbers(sampling, flat(keys.choice), step, slot, m, student.examples)
    )
    return Labels(flat(keys.examples), flat(keys.noise), numbers)


def examples(context: Context, labels: Labels, noise: Array) -> tuple[Array, Array, Array]:
    """Inputs (examples, N), the same transposed, and labels (M, examples) with noise of the given size."""
    setting = context.setting
    x, transposed = inputs(setting.inputs, labels.inputs, labels.counter, setting.shape.N, context.staged)
    y = networks.teacher_outputs(context, transposed)
    if setting.noisy:
        y = y + noise * normals(labels.noise, labels.counter, setting.shape.M, context.staged).T
    return x, transposed, y


def batches(context: Context, student: Student, first: Array) -> Batches:
    """The mini-batches of steps first, first + 1, ..., a chunk of them."""
    shape, width, steps = context.shape, context.setting.width, context.setting.chunk
    step = jnp.repeat(first.astype(jnp.uint32) + jnp.arange(steps, dtype=jnp.uint32), width)
    slot = jnp.tile(jnp.arange(width, dtype=jnp.uint32), steps)
    labels = labels_of(context, student, step, slot)
    x, transposed, y = examples(context, labels, student.noise)

    def by_step(rows: Array) -> Array:
        """(rows, steps * m) to (steps, rows, m)."""
        return jnp.swapaxes(rows.reshape(len(rows), steps, width), 0, 1)

    if shape.dense:
        return Batches(
            x.reshape(steps, width, shape.N), context.staged(lambda: y.T.reshape(steps, width, shape.M))
        )
    return Batches(context.staged(lambda: by_step(transposed)), context.staged(lambda: by_step(y)))


def step(context: Context, student: Student, state: SgdState, batch: Batches) -> SgdState:
    """One update on one mini-batch, inputs and labels as in `Batches` without the first axis."""
    setting = context.setting
    seen = networks.forward(context, state.weights, batch.inputs)
    used = jnp.arange(setting.width, dtype=jnp.int32) < student.m
    used = used[:, None] if setting.shape.dense else used[None]
    delta = jnp.where(used, seen.y - batch.labels, 0) * (1 / student.m.astype(jnp.float32))
    gradient = networks.gradient(context, state.weights, seen, delta)
    direction, memory = setting.optimizer.transformation().update(gradient, state.optimizer, state.weights)
    rates = Weights(student.hidden_rate, None if state.weights.v is None else student.output_rate)
    change = jax.tree.map(lambda rate, towards: -rate * towards, rates, direction)
    return state._replace(weights=optax.apply_updates(state.weights, change), optimizer=memory)


def advance(context: Context, student: Student, state: SgdState, begin: Array, end: Array) -> SgdState:
    """Steps `begin` to `end`, a chunk of batches at a time; a student that has diverged stays as it is.

    Chunks start at multiples of their length, and what a step does depends on its number alone, so a run may
    be cut anywhere.
    """
    size = context.setting.chunk

    def chunk(c: Array, state: SgdState) -> SgdState:
        first = c * size
        drawn = batches(context, student, first)

        def body(i: Array, state: SgdState) -> SgdState:
            batch = Batches(*(lax.dynamic_index_in_dim(part, i, keepdims=False) for part in drawn))
            return step(context, student, state, batch)

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


def observe(context: Context, student: Student, state: SgdState, time: Array) -> SgdObservation:
    """Measure a student on fresh examples and on the mini-batch of step `time`, before it is used."""
    shape, count = context.shape, context.setting.test_size
    test_tiles = -(-count // TEST_TILE)
    place = jnp.arange(TEST_TILE, dtype=jnp.uint32)
    test_key = context.staged(lambda: fold(student.keys.test, time))

    def add(i: Array, sums: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        # Tiles of the test come first, those of the mini-batch after: one code, compiled once.
        square, total, total_square, batch_square = sums
        test = i < test_tiles
        index = jnp.where(test, i, i - test_tiles).astype(jnp.uint32) * np.uint32(TEST_TILE) + place
        used = (index < jnp.where(test, count, student.m).astype(jnp.uint32))[None]
        step = jnp.broadcast_to(time.astype(jnp.uint32), index.shape)
        training = labels_of(context, student, step, index)
        labels = Labels(
            Key(*(jnp.where(test, a, b) for a, b in zip(test_key, training.inputs, strict=True))),
            training.noise,
            jnp.where(test, index, training.counter),
        )
        x, transposed, y = examples(context, labels, jnp.where(test, 0, student.noise))
        answer = networks.forward(context, state.weights, x if shape.dense else transposed).y
        y = context.staged(lambda: jnp.where(used, y, 0))
        wrong = jnp.where(used, (answer.T if shape.dense else answer) - y, 0)
        new = (wrong * wrong).sum()
        return (
            square + jnp.where(test, new, 0),
            total + jnp.where(test, y.sum(axis=1), 0),
            total_square + jnp.where(test, (y * y).sum(axis=1), 0),
            batch_square + jnp.where(test, 0, new),
        )

    zero, each = jnp.zeros(()), jnp.zeros(shape.M)
    tiles = test_tiles + (student.m + TEST_TILE - 1) // TEST_TILE
    square, total, total_square, batch_square = lax.fori_loop(0, tiles, add, (zero, each, each, zero))
    variance = ((total_square - total * total / count) / (count - 1)).mean()
    batch_square = batch_square / student.m.astype(jnp.float32)
    return SgdObservation(
        networks.best_matches(context, state.weights.w),
        bounded(square / (count * shape.M * variance)),
        bounded(batch_square / (shape.M * variance)),
        bounded(batch_square / 2),
        state.diverged,
    )
