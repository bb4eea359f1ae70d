"""One proposal of the compiled kernel, made many times from the same students, and its exact law."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import oracle
from scipy import stats

from mbsim.engines import networks
from mbsim.engines.xla import bits, memory, metropolis
from mbsim.engines.xla import order as orders
from mbsim.physics import order as proposals
from mbsim.physics import teachers
from mbsim.sampling import streams

FALSE_ALARM = 5e-8  # of one test
SAMPLES = 8192
SEED = 5

# (N, K, M, d, train_output). The second has units with one reader, with several and with none.
REGULAR = (4, 4, 4, 3, True)
IRREGULAR = (4, 5, 3, 3, True)
FIXED = (4, 8, 8, 3, False)
SCALAR = (4, 5, 1, 3, True)
GREEDY = ((1, 0.0), (3, 0.0))  # (m, temperature)
THERMAL = ((1, 0.0), (2, 0.6), (3, 0.0), (3, 1.7))


class Sample(NamedTuple):
    """Counts (lanes, n + 1) of which weight flipped, last of none; teacher; each student, m, T."""

    counts: np.ndarray
    teacher: teachers.Teacher
    students: list
    m: list
    temperature: list


def students_of(teacher, count, train_output):
    """The teacher itself, then random students."""
    rng = np.random.default_rng(SEED)
    pairs = [(teacher.w, teacher.v)]
    for _ in range(count - 1):
        v = rng.choice([-1, 1], teacher.v.shape) if train_output else teacher.v
        pairs.append((rng.choice([-1, 1], teacher.w.shape), v))
    return pairs


def packed(weights):
    """±1 weights of the lanes as the kernel holds them (links, lanes): 0 for +1, -1 for -1."""
    columns = np.stack([x.ravel() for x in weights], axis=1)
    return np.where(columns < 0, -1, 0).astype(bits.WEIGHT)


def one_proposal(numbers, shape, pad) -> orders.Schedule:
    """Sweeps that consist of one proposal each, on a fresh batch."""
    ones, zeros = np.ones_like(numbers), np.zeros_like(numbers)
    padding = np.zeros((len(numbers), pad), np.int32)
    starts = np.stack([zeros, numbers < shape.first_hidden, ones], axis=1).astype(np.int32)
    padded = (np.hstack([column[:, None], padding]) for column in (numbers, zeros))
    return orders.Schedule(*padded, starts, ones[:, None].astype(np.int8), ones)


def compiled(setting):
    """A program that makes the proposals one by one, each from the same students and on its own batch."""

    def run(tables, lanes, w, v, schedule, one):
        view = metropolis.view_of(setting, tables, lanes, one)
        start = metropolis.init(setting, tables, lanes)._replace(w=w, v=v)

        def experiment(sweep):
            state = start._replace(batch=sweep)
            after, accepted = metropolis.step(setting, view, lanes.keys, state, sweep, schedule, sweep)
            return accepted, after.w != w, after.v != v

        return jax.lax.map(experiment, jnp.arange(SAMPLES, dtype=jnp.int32))

    return jax.jit(run)


def sample(network, settings, thermal, students=4) -> Sample:
    """Make SAMPLES proposals in each lane: the product of students and settings (m, temperature)."""
    N, K, M, d, train_output = network
    teacher = teachers.draw_teacher(N, K, M, d, train_output, SEED, 0)
    shape = networks.shape_of(teacher, N, train_output)
    pairs = [pair for pair in students_of(teacher, students, train_output) for _ in settings]
    m, temperature = (list(column) * students for column in zip(*settings, strict=True))
    setting = memory.setting_of(shape, max(m), 32, thermal)

    key = jax.random.wrap_key_data(streams.order_key(SEED, N, d, 0))
    sweeps = np.arange(SAMPLES, dtype=np.int32)
    order = jax.jit(proposals.random_order, static_argnums=2)(key, sweeps, shape.proposals)
    schedule = one_proposal(np.asarray(order)[:, 0], shape, setting.group)
    keys = streams.keys_of_students(SEED, N, d, 0, np.array(m), np.arange(len(m)))
    lanes = metropolis.Lanes(np.int32(m), np.zeros(len(m), np.float32), np.float32(temperature), keys)
    tables = networks.tables_of(teacher, shape)
    w, v = packed([w for w, _ in pairs]), packed([v for _, v in pairs])
    result = compiled(setting)(tables, lanes, w, v, schedule, np.int32(1))
    accepted, w_flips, v_flips = (np.asarray(x) for x in result)

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
        small[np.argmax(np.where(small, -1, expected))] = True
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
