"""What is measured: the path overlap and its gauge, errors counted on the right examples, and the physics."""

import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
from against_oracle import COMMITTEE, SCALAR, SCALAR_BOTH, VECTOR, WARM, WIDE, examples_to_test, train
from against_reference import problem_of
from students import SEED, Student, drawn, labels, pick

from mbsim.engines import ensemble
from mbsim.physics.observables import OBSERVABLES, Measured
from mbsim.physics.problem import Teacher


def teacher_of(network):
    return Teacher(*(part[0] for part in drawn(network)))


def overlaps(network, w, v):
    """The path overlaps of students (students, ...) of the first teacher, counted: agreeing paths less others."""
    problem, teacher = problem_of(network), jax.tree.map(jnp.asarray, teacher_of(network))

    @jax.jit
    @jax.vmap
    def count(w, v):
        nothing = jnp.zeros((1, problem.M))
        student = Measured(w, v, nothing, nothing, jnp.int32(1), problem)
        return OBSERVABLES["overlap"].value(student, teacher, None).count

    return np.asarray(count(*(np.stack(layer).astype(np.float32) for layer in (w, v))))


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
    teacher = teacher_of(network)
    students = list(near_copies(teacher, network[4], 256))
    agreement = overlaps(network, *zip(*students, strict=True))
    paths = teacher.output_sources.size * network[3]
    same = []
    for count, (w, v) in zip(agreement.tolist(), students, strict=True):
        overlap = oracle.path_overlap(w, v, teacher.w, teacher.v, teacher.output_sources)
        assert count == round(overlap * paths)
        same.append(oracle.gauge_equivalent(w, v, teacher.w, teacher.v, teacher.output_sources))
        assert (count == paths) == same[-1]
    assert 20 < sum(same) < len(same) - 20, "both kinds should occur"


@pytest.mark.parametrize(
    ("network", "power"),
    [
        (VECTOR, 2),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in ((WIDE, 2), (SCALAR_BOTH, 2), (COMMITTEE, 1))
        ),
    ],
)
def test_initial_overlap(network, power):
    """Each link is right with probability (1 + q0)/2, on its own: a path of two has mean overlap q0^2."""
    values = (0.0, 0.3, 0.6, 1.0)
    students = labels([8], 4096, init_overlap=np.repeat(values, 1024))
    given = dict(seed=SEED, N=network[0], train_output=network[4], test_size=32)
    records, _ = ensemble.train(drawn(network), np.zeros(1, int), students, np.zeros(1, int), **given)
    found = records.agreement.reshape(len(values), -1) / records.paths
    for overlap, value in zip(found, values, strict=True):
        # Students are independent. Sixteen tests at 5.5 standard errors: a false alarm is rarer than 1e-6.
        error = overlap.std() / np.sqrt(overlap.size)
        assert abs(overlap.mean() - value**power) <= 5.5 * error
    assert (found[-1] == 1).all()


@pytest.mark.parametrize(
    ("network", "order"), [(VECTOR, "random"), pytest.param(SCALAR, "random", marks=pytest.mark.slow)]
)
def test_errors_are_the_oracles(network, order):
    """Wrong outputs on the unpacked test examples of each time and on the next batch, counted one by one."""
    N, _, M, _, train_output = network
    students = labels([3, 8], 2, init_overlap=0.5, temperature=WARM, teachers=2)
    teachers, records, weights = train(network, students, order, None, 3)
    tests = examples_to_test(network)
    assert records.test_outputs == tests * M
    for i, number in enumerate(students.teacher.tolist()):
        teacher = Teacher(*(part[number] for part in teachers))
        one = Student(teacher, N, pick(students, [i]), train_output, order, number)

        def wrong(examples, student, teacher=teacher):
            error = oracle.generalization_error(examples, *teacher[:2], *student, *teacher[2:])
            return round(error * len(examples) * M)

        for time, student in (0, one.initial()), (3, (weights.w[i], weights.v[i])):
            assert records.test_wrong[i, time] == wrong(one.test_examples(time, tests), student)
            assert records.batch_wrong[i, time] == wrong(one.examples(time), student)


def test_large_batches_learn_and_small_ones_do_not():
    """N = 64, d = 3: with m = 32 most students find the teacher in 100 sweeps; with m = 1 none comes near."""
    times = np.array([0, 20, 60, 100])
    given = dict(seed=SEED, N=64, train_output=True, test_size=256)
    teacher, number = drawn((64, 64, 64, 3, True)), np.zeros(1, int)
    records, _ = ensemble.train(teacher, number, labels([1, 32], 16), times, **given)
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
