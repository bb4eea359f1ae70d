"""One proposal of the compiled kernel on tiny networks: its exact law, from enumerating every batch of inputs.

Each sample is the first proposal of another sweep, so the index of the proposal, the batch and the number that decides acceptance are
all drawn afresh, by the kernel's own labels. Lanes differ in their student, m and temperature, and each is a test of its own:
its samples are independent, though lanes share the index. There are fewer than a hundred such tests.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
from scipy import stats

from mbsim.kernel import memory, metropolis, networks, streams
from mbsim.kernel import order as orders

FALSE_ALARM = 5e-8  # of one test
SAMPLES = 8192
SEED = 5

# (N, K, M, d, train_output). The second has units with one reader, with several and with none.
REGULAR = (4, 4, 4, 3, True)
IRREGULAR = (4, 5, 3, 3, True)
FIXED = (4, 4, 4, 3, False)
SCALAR = (4, 5, 1, 3, True)
GREEDY = ((1, 0.0), (3, 0.0))  # (m, temperature)
THERMAL = ((1, 0.0), (2, 0.6), (3, 0.0), (3, 1.7))


class Sample(NamedTuple):
    """Counts (lanes, n + 1) of the weight that flipped, last of none; the teacher, the students, m and T of each lane."""

    counts: np.ndarray
    teacher: networks.Teacher
    students: list
    m: list
    temperature: list


def students_of(teacher, count):
    """The teacher itself, then random students."""
    rng = np.random.default_rng(SEED)
    pairs = [(teacher.w, teacher.v)]
    for _ in range(count - 1):
        v = rng.choice([-1, 1], teacher.v.shape) if (teacher.v < 0).any() else teacher.v
        pairs.append((rng.choice([-1, 1], teacher.w.shape), v))
    return pairs


def compiled(setting, orders_of):
    """A program that makes one proposal in each of many sweeps, always from the same students."""
    shape = setting.shape

    def sample(tables, lanes, w, v, key, sweeps, one):
        view = metropolis.view_of(setting, tables, lanes, one)
        first = orders_of(jax.random.wrap_key_data(key), sweeps, shape.proposals)[:, :1]
        schedule = orders.schedule(
            first,
            jnp.zeros_like(sweeps),
            jnp.int32(1),
            tables.readers,
            one,
            outputs=shape.M,
            output_degree=shape.output_degree,
            first_hidden=shape.first_hidden,
            hidden_degree=shape.d,
            pad=setting.block,
        )
        start = metropolis.init(setting, tables, lanes)._replace(w=w, v=v)

        def experiment(sweep):
            state = start._replace(batch=sweep)
            after, accepted = metropolis.step(setting, view, lanes.keys, state, sweep, schedule, sweep)
            return accepted, after.w != w, after.v != v

        return jax.lax.map(experiment, sweeps)

    return jax.jit(sample)


def sample(network, settings, thermal, students=4) -> Sample:
    """Make SAMPLES proposals in each lane: the product of students and settings (m, temperature)."""
    N, K, M, d, train_output = network
    teacher = networks.draw_teacher(N, K, M, d, train_output, SEED, 0)
    shape = networks.shape_of(teacher, N, train_output)
    pairs = [pair for pair in students_of(teacher, students) for _ in settings]
    m, temperature = (list(column) * students for column in zip(*settings, strict=True))
    setting = memory.setting_of(shape, max(m), 32, thermal)

    def masks(weights):
        columns = np.stack([x.ravel() for x in weights], axis=1)
        return jnp.asarray(np.where(columns < 0, 255, 0).astype(setting.word))

    count = len(m)
    keys = streams.lane_keys(SEED, N, d, 0, np.array(m), np.arange(count))
    heat = jnp.asarray(temperature, jnp.float32)
    lanes = metropolis.Lanes(jnp.asarray(m, jnp.int32), jnp.zeros(count), heat, jax.tree.map(jnp.asarray, keys))
    tables = jax.tree.map(jnp.asarray, networks.tables_of(teacher, shape))
    w, v = masks([w for w, _ in pairs]), masks([v for _, v in pairs])
    key, sweeps = jnp.asarray(streams.order_key(SEED, N, d, 0)), jnp.arange(SAMPLES, dtype=jnp.int32)
    run = compiled(setting, orders.random_order)
    accepted, w_flips, v_flips = (np.asarray(x) for x in run(tables, lanes, w, v, key, sweeps, jnp.int32(1)))

    if train_output:
        flips = np.concatenate([v_flips, w_flips], axis=1)
    else:
        assert not v_flips.any()
        flips = w_flips
    np.testing.assert_array_equal(flips.sum(axis=1), accepted)
    assert accepted.max() == 1
    counts = np.concatenate([flips.sum(axis=0), (1 - accepted).sum(axis=0)[None]]).T
    return Sample(counts, teacher, pairs, m, temperature)


def chi_square(counts, law):
    """The counts of one lane are those of the exact law: none where it says never, chi-square elsewhere."""
    assert counts[law == 0].sum() == 0, "an impossible transition happened"
    expected = law * counts.sum()
    small = expected < 20
    if expected[small].sum() > 0:
        largest = np.flatnonzero(~small)[-1]
        small[largest] = True
    seen = np.append(counts[~small], counts[small].sum())
    wanted = np.append(expected[~small], expected[small].sum())
    seen, wanted = seen[wanted > 0], wanted[wanted > 0]
    if len(seen) > 1:
        assert stats.chisquare(seen, wanted).pvalue > FALSE_ALARM, "the transitions do not have their law"


def check(network, settings, thermal, students=4):
    """Sample every lane and compare it with its law."""
    N, *_, train_output = network
    result = sample(network, settings, thermal, students)
    teacher = result.teacher
    for counts, (w, v), m, temperature in zip(result.counts, *result[2:], strict=True):
        law = oracle.transition_probabilities(
            inputs_count=N,
            batch=m,
            hidden_sources=teacher.hidden_sources,
            output_sources=teacher.output_sources,
            teacher_w=teacher.w,
            teacher_v=teacher.v,
            w=w,
            v=v,
            train_output=train_output,
            temperature=temperature,
        )
        chi_square(counts, np.append(law.flips, law.stay))


@pytest.mark.parametrize("network", [REGULAR, IRREGULAR, SCALAR])
def test_transitions(network):
    """Zero and two positive temperatures, one to three examples."""
    check(network, THERMAL, thermal=True)


@pytest.mark.parametrize("network", [FIXED, SCALAR])
def test_greedy_transitions(network):
    """The program that knows no temperature."""
    check(network, GREEDY, thermal=False)


def test_chi_square_sees_a_small_bias():
    """Five per cent more of one of 24 flips is more than these tests let pass."""
    law = np.append(np.full(24, 0.03), 0.28)
    rng = np.random.default_rng(4)
    chi_square(rng.multinomial(SAMPLES, law), law)
    biased = law.copy()
    biased[[3, -1]] += 0.02, -0.02
    with pytest.raises(AssertionError):
        chi_square(rng.multinomial(SAMPLES, biased), law)
    with pytest.raises(AssertionError):
        chi_square(np.array([1, 99]), np.array([0.0, 1.0]))
