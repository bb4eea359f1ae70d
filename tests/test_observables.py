"""What is measured: the path overlap and its gauge, errors counted on the right examples, and the physics."""

import functools

import jax
import numpy as np
import oracle
import pytest
from against_oracle import (
    COMMITTEE,
    SCALAR,
    SCALAR_BOTH,
    VECTOR,
    WARM,
    WIDE,
    PlainStudent,
    examples_to_test,
    train,
)
from one_step import packed
from students import SEED, labels, one_device, unpack

from mbsim.engines import ensemble, networks
from mbsim.engines.xla import memory, metropolis
from mbsim.physics import teachers
from mbsim.sampling import streams


def drawn(network):
    N, K, M, d, train_output = network
    teacher = teachers.draw_teacher(N, K, M, d, train_output, SEED, 0)
    return teacher, networks.shape_of(teacher, N, train_output)


def lanes_of(lanes, N, d):
    keys = streams.keys_of_students(SEED, N, d, 0, lanes.m, lanes.replica)
    numbers = np.int32(lanes.m), np.float32(lanes.init_overlap), np.float32(lanes.temperature)
    return metropolis.Lanes(*numbers, keys)


@functools.partial(jax.jit, static_argnums=0)
def _agreement(setting, tables, lanes, w, v, one):
    return metropolis.path_agreement(metropolis.view_of(setting, tables, lanes, one), w, v)


@functools.partial(jax.jit, static_argnums=0)
def _initial_agreement(setting, tables, lanes, one):
    state = metropolis.init(setting, tables, lanes)
    return metropolis.path_agreement(metropolis.view_of(setting, tables, lanes, one), state.w, state.v)


def near_copies(teacher, train_output, count):
    """Gauge copies of the teacher, copies of one layer only, and copies with one or two links flipped."""
    rng = np.random.default_rng(SEED)
    K = len(teacher.w)
    for i in range(count):
        sign = rng.choice([-1, 1], K) if train_output or i % 5 == 4 else np.ones(K, int)
        w = teacher.w * sign[:, None]
        v = teacher.v * sign[teacher.output_sources] if train_output else teacher.v.copy()
        for _ in range((0, 0, 1, 2)[i % 4]):
            weights = w if rng.random() < 0.6 or not train_output else v
            weights.flat[rng.integers(weights.size)] *= -1
        if i % 8 == 1:
            w[rng.integers(K)] *= -1
        yield w, v


@pytest.mark.parametrize("network", [VECTOR, WIDE, COMMITTEE, SCALAR_BOTH])
def test_success_is_equivalence_up_to_gauge(network):
    """All paths agree exactly where a sign for each unit turns the student into the teacher."""
    teacher, shape = drawn(network)
    students = list(near_copies(teacher, shape.train_output, 256))
    lanes = labels([8], len(students))
    setting = memory.setting_of(shape, 8, 64, False)

    w, v = packed([w for w, _ in students]), packed([v for _, v in students])
    tables = networks.tables_of(teacher, shape)
    agreement = np.asarray(_agreement(setting, tables, lanes_of(lanes, shape.N, shape.d), w, v, np.int32(1)))
    paths = shape.output_links * shape.d
    same = []
    for count, (w, v) in zip(agreement.tolist(), students, strict=True):
        overlap = oracle.path_overlap(w, v, teacher.w, teacher.v, teacher.output_sources)
        assert count == round(overlap * paths)
        same.append(oracle.gauge_equivalent(w, v, teacher.w, teacher.v, teacher.output_sources))
        assert (count == paths) == same[-1]
    assert 20 < sum(same) < len(same) - 20, "both kinds should occur"


@pytest.mark.parametrize(("network", "power"), [(VECTOR, 2), (WIDE, 2), (SCALAR_BOTH, 2), (COMMITTEE, 1)])
def test_initial_overlap(network, power):
    """Each link is right with probability (1 + q0)/2, on its own: a path of two has mean overlap q0^2."""
    teacher, shape = drawn(network)
    values = (0.0, 0.3, 0.6, 1.0)
    lanes = labels([8], 4096, init_overlap=np.repeat(values, 1024))
    setting = memory.setting_of(shape, 8, 64, False)
    tables = networks.tables_of(teacher, shape)
    agreement = _initial_agreement(setting, tables, lanes_of(lanes, shape.N, shape.d), np.int32(1))
    overlaps = np.asarray(agreement).reshape(len(values), -1) / (shape.output_links * shape.d)
    for overlap, value in zip(overlaps, values, strict=True):
        # Lanes are independent. Sixteen tests at 5.5 standard errors: a false alarm is rarer than 1e-6.
        error = overlap.std() / np.sqrt(overlap.size)
        assert abs(overlap.mean() - value**power) <= 5.5 * error
    assert (overlaps[-1] == 1).all()


@pytest.mark.parametrize("engine", ["native", "xla"])
@pytest.mark.parametrize(("network", "order"), [(VECTOR, "random"), (SCALAR, "sequential")])
def test_errors_are_the_oracles(network, order, engine):
    """Wrong outputs on the unpacked test examples of each time and on the next batch, counted one by one."""
    N, _, M, _, train_output = network
    lanes = labels([3, 8], 2, init_overlap=0.5, temperature=WARM)
    teacher, records, weights = train(network, lanes, order, None, 3, engine)
    tests = examples_to_test(network)
    assert records.test_outputs == tests * M
    words = np.arange(-(-tests // 32), dtype=np.uint32)
    for i in range(len(lanes.m)):
        lane = PlainStudent(teacher, N, ensemble.StudentLabels(*(c[[i]] for c in lanes)), train_output, order)

        def wrong(examples, student, teacher=teacher):
            error = oracle.generalization_error(examples, *teacher[:2], *student, *teacher[2:])
            return round(error * len(examples) * M)

        for time, student in (0, lane.initial()), (3, (weights.w[i], weights.v[i])):
            key = streams.fold(lane.keys.test, time)
            inputs = streams.threefry(key, np.arange(N, dtype=np.uint32)[:, None], words[None, :])[0]
            assert records.test_wrong[i, time] == wrong(unpack(inputs, tests), student)
            assert records.batch_wrong[i, time] == wrong(lane.examples(time), student)


def test_large_batches_learn_and_small_ones_do_not():
    """N = 64, d = 3: with m = 32 most students find the teacher in 100 sweeps; with m = 1 none comes near."""
    teacher = teachers.draw_teacher(64, 64, 64, 3, True, SEED, 0)
    lanes = labels([1, 32], 16)
    records, _ = ensemble.train(
        teacher,
        lanes,
        np.array([0, 20, 60, 100]),
        seed=SEED,
        N=64,
        teacher_label=0,
        train_output=True,
        test_size=256,
        mesh=one_device(),
        lanes_per_device=512,
    )
    overlap = (records.agreement / records.paths).reshape(2, 16, -1)
    error = (records.test_wrong / records.test_outputs).reshape(2, 16, -1)
    small, large = 0, 1
    assert (overlap[large, :, -1] == 1).mean() > 0.8
    # Equal functions make no error, and others err somewhere on 256 examples of 64 outputs.
    np.testing.assert_array_equal(overlap[large, :, -1] == 1, error[large, :, -1] == 0)
    assert abs(overlap[small]).max() < 0.3
    assert error[small].min() > 0.4
    # At the start both know nothing: q = 0 and half of the outputs wrong, within five standard errors or so.
    assert abs(overlap[:, :, 0].mean()) < 0.05
    assert abs(error[:, :, 0].mean() - 0.5) < 0.02
