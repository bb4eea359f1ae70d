"""Greedy and thermal Metropolis for ±1 weights: `init`, `step`, `observe` on one state.

A step is a sweep: as many proposals as there are trained weights. A proposal flips one weight; with dE the
change in the number of wrong outputs on the current mini-batch, it is accepted if dE <= 0, and otherwise with
probability exp(-dE / T). Each mini-batch is drawn afresh, its examples labelled by (lane, number of the
batch) alone. Levels of commuting proposals (`order.py`) are done in groups of a fixed number of proposals for
all lanes at once; how one group is done depends on the output: `vector.py`, `scalar.py`.

All arrays are (rows, words, lanes) or (rows, lanes), as `bits.py` and `networks.py` say. Everything here is
pure and is compiled by `programs.py`.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from mbsim.engines.networks import Shape, Tables
from mbsim.engines.staging import staged
from mbsim.engines.task import TrainingSet
from mbsim.engines.xla import bits, networks, scalar, vector
from mbsim.engines.xla.groups import Group, State, View
from mbsim.engines.xla.order import Schedule, UnitPlan
from mbsim.sampling.example_sets import ExampleSet, example_numbers, example_set
from mbsim.sampling.streams import Key, Leaf, StudentKeys, fold, input_words, threefry, uniform

TEST_WORDS = 8  # test words done at a time with a scalar output; with a vector output one is wide enough


class Setting(NamedTuple):
    """All that a compiled program depends on besides the shapes of its arguments; hashable.

    training: None where every batch is of fresh examples.
    """

    shape: Shape
    words: int
    word: str
    test_size: int
    thermal: bool
    group: int
    training: TrainingSet | None = None


class Lanes(NamedTuple):
    """The lanes of a launch, every array (lanes,): m examples in a batch, initial overlap, temperature,
    keys.
    """

    m: Leaf
    init_overlap: Leaf
    temperature: Leaf
    keys: StudentKeys


class Observation(NamedTuple):
    """Exact integer counts for each lane, (lanes,) int32.

    agreement: sum of (v v*)(w w*) over the paths (output link, hidden link); test_wrong and batch_wrong:
    wrong outputs on `test_size` fresh examples and on the next mini-batch, before it is used.
    """

    agreement: Leaf
    test_wrong: Leaf
    batch_wrong: Leaf


def view_of(setting: Setting, tables: Tables, lanes: Lanes, one: Array | None) -> View:
    """What the proposals of a launch read and never change."""
    dtype = np.dtype(setting.word)
    return View(
        shape=setting.shape,
        tables=tables,
        mask=bits.batch_mask(lanes.m, setting.words, dtype),
        temperature=lanes.temperature if setting.thermal else None,
        acceptance=lanes.keys.acceptance,
        group=setting.group,
        one=one,
    )


def initial_weights(key: Key, bits_of_teacher: Array, layer: int, init_overlap: Array) -> Array:
    """Weights (links, L): each is the teacher's with probability (1 + q0)/2, so that their mean overlap is
    q0.
    """
    links = len(bits_of_teacher)
    lanes = Key(key.first[None, :], key.second[None, :])
    link = jnp.arange(links, dtype=jnp.uint32)[:, None]
    word = threefry(lanes, jnp.full_like(link, layer), link)[0]
    agrees = uniform(word) < (1 + init_overlap[None, :]) / 2
    return bits.spread((bits_of_teacher[:, None] == 1) == agrees, bits.WEIGHT)


def init(setting: Setting, tables: Tables, lanes: Lanes) -> State:
    """Students at time 0. Their first batch is drawn by the first step."""
    shape, dtype = setting.shape, np.dtype(setting.word)
    count = lanes.m.shape[0]

    def empty(rows: int) -> Array:
        return jnp.zeros((rows, setting.words, count), dtype)

    w = initial_weights(lanes.keys.weights, tables.w, 0, lanes.init_overlap)
    if shape.train_output:
        v = initial_weights(lanes.keys.weights, tables.v, 1, lanes.init_overlap)
    else:
        v = jnp.zeros((shape.output_links, count), bits.WEIGHT)
    plane = jnp.zeros((setting.words, count), dtype)
    sums = tuple(plane for _ in range(shape.K.bit_length())) if shape.scalar else empty(shape.K)
    return State(w, v, empty(shape.N), empty(shape.M), sums, jnp.zeros((), jnp.int32))


def teacher_outputs(view: View, inputs: Array) -> Array:
    """The teacher's outputs (M, W, L) on packed inputs (N, W, L)."""
    shape, tables = view.shape, view.tables
    w, v = (bits.spread(weights == 1, bits.WEIGHT)[:, None] for weights in (tables.w, tables.v))
    hidden = networks.hidden_states(inputs, tables.hidden_sources, w, shape.d, view.one)
    return networks.outputs(hidden, tables.output_sources, v, shape, view.one)


def examples(setting: Setting, keys: StudentKeys, batch: Array, one: Array | None) -> Array:
    """The inputs (N, W, L) of mini-batch number `batch`."""
    dtype = np.dtype(setting.word)
    key = fold(keys.examples, batch)
    return staged(one, lambda: input_words(key, setting.shape.N, setting.words).astype(dtype))


def examples_of_a_set(
    setting: Setting, training: TrainingSet, view: View, keys: StudentKeys, batch: Array
) -> Array:
    """As `examples`, from a finite training set, whose examples are never stored.

    Input n of example p is bit n mod 32 of the word with counter (p, n // 32): an example is here a column of
    bits, which is turned into rows of examples.
    """
    shape, width, dtype = setting.shape, np.dtype(setting.word).itemsize * 8, np.dtype(setting.word)
    choice, inputs = (Key(*(half[None] for half in fold(keys.examples, n))) for n in (0, 1))
    m = bits.popcount(view.mask).sum(axis=0)[None].astype(jnp.uint32)
    slot = jnp.arange(setting.words * width, dtype=jnp.uint32)[:, None]
    of = ExampleSet(*(jnp.full((1, 1), number, jnp.uint32) for number in example_set(training.size)))
    moment = batch.astype(jnp.uint32)
    number = staged(view.one, lambda: example_numbers(training.sampling, choice, moment, slot, m, of))
    word = jnp.arange(-(-shape.N // 32), dtype=jnp.uint32)[:, None, None]
    lanes = Key(*(half[None] for half in inputs))
    words = staged(view.one, lambda: threefry(lanes, number[None], word)[0])

    def rows() -> Array:
        place = jnp.arange(shape.N, dtype=jnp.uint32)
        bit = (words[place // 32] >> (place % 32)[:, None, None]) & np.uint32(1)
        grouped = bit.reshape(shape.N, setting.words, width, -1)
        shift = jnp.arange(width, dtype=jnp.uint32)[None, None, :, None]
        return (grouped << shift).sum(axis=2, dtype=jnp.uint32).astype(dtype)

    return staged(view.one, rows)


def mini_batch(setting: Setting, view: View, keys: StudentKeys, batch: Array) -> Array:
    """The inputs (N, W, L) of mini-batch number `batch`, fresh or from the training set."""
    if setting.training is None:
        return examples(setting, keys, batch, view.one)
    return examples_of_a_set(setting, setting.training, view, keys, batch)


def refresh(setting: Setting, view: View, keys: StudentKeys, state: State) -> State:
    """Draw a mini-batch, the teacher's answers to it, and the student's sums on it."""
    shape, tables = view.shape, view.tables
    inputs = mini_batch(setting, view, keys, state.batch)
    hidden = networks.hidden_states(inputs, tables.hidden_sources, state.w, shape.d, view.one)
    return state._replace(
        inputs=inputs,
        targets=teacher_outputs(view, inputs),
        sums=networks.scalar_counts(hidden, state.v) if shape.scalar else hidden,
        batch=state.batch + 1,
    )


def step(
    setting: Setting,
    view: View,
    keys: StudentKeys,
    state: State,
    sweep: Array,
    schedule: Schedule,
    row: Array,
) -> tuple[State, Array]:
    """One sweep: sweep number `sweep`, which is row `row` of the schedule. Returns the accepted proposals
    (L,) beside the state.
    """
    kind = scalar if view.shape.scalar else vector
    size = view.group

    def groups(begin: Array, end: Array, flip, carry: tuple[State, Array]) -> tuple[State, Array]:
        def body(i: Array, carry: tuple[State, Array]) -> tuple[State, Array]:
            state, accepted = carry
            offset = begin + i * size
            group = Group(
                links=lax.dynamic_slice(schedule.proposals, (row, offset), (1, size))[0],
                positions=lax.dynamic_slice(schedule.positions, (row, offset), (1, size))[0],
                valid=offset + jnp.arange(size, dtype=jnp.int32) < end,
                sweep=sweep,
            )
            state, more = flip(view, state, group)
            return state, accepted + more

        return lax.fori_loop(0, (end - begin + size - 1) // size, body, carry)

    def level(i: Array, carry: tuple[State, Array]) -> tuple[State, Array]:
        state, accepted = carry
        again = schedule.fresh[row, i].astype(jnp.int32)
        state = lax.fori_loop(0, again, lambda _, s: refresh(setting, view, keys, s), state)
        carry = (state, accepted)
        start, middle, end = (schedule.starts[row, 2 * i + j] for j in range(3))
        if view.shape.train_output:
            carry = groups(start, middle, kind.flip_output, carry)
        return groups(middle, end, kind.flip_hidden, carry)

    nothing = jnp.zeros(state.w.shape[1], jnp.int32)
    return lax.fori_loop(0, schedule.levels[row], level, (state, nothing))


def step_by_units(
    setting: Setting, view: View, keys: StudentKeys, state: State, sweep: Array, plan: UnitPlan
) -> tuple[State, Array]:
    """One sweep of the sequential order with its own batch, vector output: as `step`, but a unit's d
    proposals are done together.
    """
    shape, size = view.shape, view.group
    within = jnp.arange(size, dtype=jnp.int32)
    chunks = -(-shape.M // size)

    def outputs(i: Array, carry: tuple[State, Array]) -> tuple[State, Array]:
        state, total = carry
        slot, output = i // chunks, i % chunks * size + within
        group = Group(output * shape.d + slot, slot * shape.M + output, output < shape.M, sweep)
        state, more = vector.flip_output(view, state, group)
        return state, total + more

    def units(i: Array, carry: tuple[State, Array]) -> tuple[State, Array]:
        state, total = carry
        unit = plan.groups[i]
        state, more = vector.flip_units(view, state, unit, unit >= 0, plan.positions, sweep)
        return state, total + more

    carry = refresh(setting, view, keys, state), jnp.zeros(state.w.shape[1], jnp.int32)
    if shape.train_output:
        carry = lax.fori_loop(0, shape.d * chunks, outputs, carry)
    return lax.fori_loop(0, plan.used, units, carry)


def wrong_outputs(view: View, w: Array, v: Array, inputs: Array, mask: Array) -> Array:
    """Number (L,) of outputs on which student and teacher differ, over the examples in the mask (W, L)."""
    shape, tables, one = view.shape, view.tables, view.one
    hidden = networks.hidden_states(inputs, tables.hidden_sources, w, shape.d, one)
    answers = networks.outputs(hidden, tables.output_sources, v, shape, one)
    targets = teacher_outputs(view, inputs)
    wrong = staged(one, lambda: bits.popcount((answers ^ targets) & mask[None]))
    return wrong.reshape(-1, wrong.shape[-1]).sum(axis=0)


def path_agreement(view: View, w: Array, v: Array) -> Array:
    """Sum (L,) over output links (o,a -> k) and hidden links (k,b) of (v v*)(w w*): blind to the sign gauge
    of the units.
    """
    shape, tables, one = view.shape, view.tables, view.one

    def signs(weights: Array, teacher: Array) -> Array:
        return 1 - 2 * ((weights & 1) ^ teacher[:, None].astype(weights.dtype)).astype(jnp.int32)

    def of_units() -> Array:
        agreement = signs(w, tables.w).reshape(shape.K, shape.d, -1)
        return sum((agreement[:, b] for b in range(1, shape.d)), agreement[:, 0])

    units = staged(one, of_units)
    if shape.scalar:
        links = staged(one, lambda: signs(v, tables.v) * units)
    else:

        def of_outputs() -> Array:
            sign = signs(v, tables.v).reshape(shape.M, shape.d, -1)
            source = tables.output_sources.reshape(shape.M, shape.d)
            terms = [sign[:, a] * networks.take(units, source[:, a]) for a in range(shape.d)]
            return sum(terms[1:], terms[0])

        links = staged(one, of_outputs)
    return links.sum(axis=0)


def observe(setting: Setting, view: View, keys: StudentKeys, state: State, time: Array) -> Observation:
    """Count agreements with the teacher, and errors on fresh test examples and on the next mini-batch."""
    shape, one = view.shape, view.one
    batch = mini_batch(setting, view, keys, state.batch)
    batch_wrong = wrong_outputs(view, state.w, state.v, batch, view.mask)

    dtype = np.dtype(np.uint32)
    width = TEST_WORDS if shape.scalar else 1
    key = fold(keys.test, time)

    def add(i: Array, wrong: Array) -> Array:
        inputs = staged(one, lambda: input_words(key, shape.N, width, i * width))
        left = jnp.clip(setting.test_size - i * width * 32, 0, width * 32)
        mask = bits.batch_mask(jnp.broadcast_to(left, wrong.shape), width, dtype)
        return wrong + wrong_outputs(view, state.w, state.v, inputs, mask)

    chunks = -(-setting.test_size // (32 * width))
    test_wrong = lax.fori_loop(0, chunks, add, jnp.zeros_like(batch_wrong))
    return Observation(path_agreement(view, state.w, state.v), test_wrong, batch_wrong)
