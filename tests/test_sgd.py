"""Gradient descent: students are independent to the last bit, divergence is a result, known answers are met."""

import itertools
import tomllib

import jax
import numpy as np
import pytest
from scipy import stats
from sgd_students import SEED, Case, labels

import mbsim
from mbsim.engines.batched import inputs
from mbsim.engines.batched.ensemble import SgdLabels
from mbsim.engines.batched.setting import width_of
from mbsim.physics.optimisers import Optimizer, mup_multiplier
from mbsim.sampling.streams import Key, normal
from mbsim.theory import linear

TIMES = [0, 7, 150]


def same_bits(records, weights, at, others, other_weights, other_at):
    for name in records._fields:
        np.testing.assert_array_equal(getattr(records, name)[at], getattr(others, name)[other_at])
    np.testing.assert_array_equal(weights.w[at], other_weights.w[other_at])


@pytest.mark.slow
def test_a_student_is_the_same_alone_and_among_others_on_one_device_and_on_eight():
    """On CPU students go one after the other, so that this holds to the last bit, whatever the others do."""
    case = Case()
    many = SgdLabels(
        np.zeros(7, int),
        np.array([17, 5, 5, 17, 17, 5, 5]),
        np.array([0, 0, 1, 3, 1, 0, 3]),
        np.array([0.05] * 5 + [1e4, 0.02]),
    )
    together = case.train(many, TIMES, devices=8)
    assert together[0].diverged[5, -1] and not together[0].diverged[[0, 1, 2, 3, 4, 6], -1].any()
    launches = case.train(many, TIMES, devices=1, students_per_device=2)
    same_bits(*together, slice(None), *launches, slice(None))
    for one in (1, 5):
        alone = case.train(SgdLabels(*(column[one : one + 1] for column in many)), TIMES)
        same_bits(*together, one, *alone, 0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_many_teachers_in_one_task_are_each_of_them_alone(kind):
    """A task of three teachers, whose programs have room for four, in launches that mix them."""
    case = Case(dense=kind == "dense", numbers=(4, 1, 7))
    teacher = np.tile([0, 1, 2], 3)
    many = SgdLabels(teacher, np.full(9, 5), np.repeat([0, 1, 2], 3), np.full(9, 0.05))
    together = case.train(many, [0, 40], students_per_device=4)
    assert len(np.unique(together[1].w, axis=0)) == 9
    for place in range(3):
        mine = np.flatnonzero(teacher == place)
        own = SgdLabels(np.zeros(3, int), *(column[mine] for column in many[1:]))
        alone = case.of_teacher(place).train(own, [0, 40])
        same_bits(*together, mine, *alone, slice(None))


@pytest.mark.slow
def test_a_run_may_be_cut_anywhere():
    case = Case(dense=False)
    _, whole = case.train(labels(5, lr=0.2), [0, 150])
    _, cut = case.train(labels(5, lr=0.2), [0, 1, 2, 33, 64, 65, 150])
    np.testing.assert_array_equal(whole.w, cut.w)


def test_the_width_of_a_batch_follows_from_m_alone_and_wastes_little():
    assert [width_of(m) for m in (1, 8, 9, 10, 11, 16, 17, 100)] == [1, 8, 10, 10, 12, 16, 20, 112]
    for m in range(1, 3000):
        assert m <= width_of(m) < 1.25 * m + 1


def test_a_diverged_student_is_frozen_finite_and_harms_nobody():
    case = Case(M=1, K=1, train_output=False, activation="linear")
    students = SgdLabels(np.zeros(2, int), np.array([1, 1]), np.array([0, 0]), np.array([5.0, 0.05]))
    records, weights = case.train(students, [0, 400, 800])
    assert records.diverged.tolist() == [[False, True, True], [False, False, False]]
    assert np.isfinite(weights.w).all()
    for values in (records.overlap, records.generalization_error, records.training_error, records.loss):
        assert np.isfinite(values).all()
    np.testing.assert_array_equal(records.overlap[0, 1], records.overlap[0, 2])
    assert records.generalization_error[1, -1] < 0.02


@pytest.mark.slow
def test_divergence_is_status_2_and_a_failure_in_the_dataset():
    config = {
        "model": {
            "output": "scalar",
            "student": "dense",
            "weights": "real",
            "activation": "linear",
            "hidden": 1,
            "train_output": False,
        },
        "grid": {"N": [16], "d": [3], "m": [1, 12], "lr": [0.5, 1.0], "teachers": 2, "replicas": 4},
        "dynamics": {"steps": 600},
    }
    ds = mbsim.run(config)
    assert ds.sizes == {"N": 1, "d": 1, "lr": 2, "m": 2, "teacher": 2, "replica": 4, "time": 32}
    assert ds.time.attrs["units"] == "step"
    assert ds.attrs["model"] == "dense-scalar"
    one, many = ds.sel(m=1, lr=1.0), ds.sel(m=12, lr=0.5)
    assert (one.status == 2).all() and (one.success == 0).all() and (one.generalization_error_mean == 1).all()
    assert (many.status == 1).all() and (many.success == 1).all() and (many.overlap_mean > 0.999).all()
    never_nan = ds.drop_vars("success_time")
    assert all(np.isfinite(variable).all() for variable in never_nan.data_vars.values())


def test_students_that_differ_in_the_learning_rate_share_their_examples():
    case = Case()
    assert (case.examples(case.student(4, 0.1), 3)[0] == case.examples(case.student(4, 0.2), 3)[0]).all()
    assert (
        case.examples(case.student(4, 0.1), 3)[0] != case.examples(case.student(4, 0.1, replica=1), 3)[0]
    ).any()


def keys(count):
    words = np.random.default_rng(SEED).integers(0, 2**32, (2, count), dtype=np.uint32)
    return Key(*words)


def test_inputs_are_fair_signs_and_normal_numbers():
    index = np.zeros(4000, np.uint32)
    signs, turned = map(np.asarray, jax.jit(lambda key: inputs.signs(key, index, 70))(keys(4000)))
    np.testing.assert_array_equal(turned, signs.T)
    assert set(np.unique(signs)) == {-1.0, 1.0}
    assert abs(signs.mean()) * signs.size**0.5 < 5.4  # standard errors
    correlation = signs.T @ signs / len(signs) - np.eye(70)
    assert np.abs(correlation).max() * len(signs) ** 0.5 < 6.5
    numbers = np.asarray(jax.jit(lambda key: inputs.normals(key, index, 70))(keys(4000)))
    assert stats.kstest(numbers.ravel(), "norm").pvalue > 1e-7
    words = np.array([0, 2**31, 2**32 - 1], np.uint32)
    ends = (2 * (words >> 8).astype(float) + 1) / 2**24 - 1
    exact = stats.norm.ppf((1 + ends) / 2)
    np.testing.assert_allclose(np.asarray(normal(words)), exact, rtol=2e-5, atol=1e-6)


def test_mup_multipliers_move_the_function_as_much_in_either_scaling():
    """A weight u with factor 1/sqrt(n) moves the function as u/sqrt(n) without one does."""
    for name, power in (("sgd", 1.0), ("adam", 0.5)):
        optimizer = Optimizer(name)
        plain, ntk = (mup_multiplier(optimizer, scaling, 64, 16) for scaling in ("standard", "ntk"))
        assert ntk / 64**power == pytest.approx(plain)


# The linear student, whose mean square error is multiplied by the same factor at each step


@pytest.mark.parametrize("kind", ["sign", pytest.param("normal", marks=pytest.mark.slow)])
def test_the_mean_square_error_of_a_linear_student_shrinks_as_the_formula_says(kind):
    """By 1 − 2η + η²[(m − 1)/m + κ/m] a step, κ = N for signs and N + 2 for normal inputs."""
    N, m, lr, steps, students = 16, 6, 0.3, 8, 3000
    case = Case(N, 1, 1, train_output=False, activation="linear", inputs=kind, test_size=64)
    _, first = case.train(labels(m, students, lr), [0])
    _, last = case.train(labels(m, students, lr), [0, steps])
    target = np.zeros(N)
    target[case.teacher.hidden_sources[0]] = case.teacher.w[0] / 3**0.5
    before, after = (((weights.w[:, :, 0] - target) ** 2).sum(axis=1) for weights in (first, last))
    kappa = N if kind == "sign" else N + 2
    factor = 1 - 2 * lr + lr**2 * ((m - 1) / m + kappa / m)
    excess = after - before * factor**steps
    assert abs(excess.mean()) < 5.4 * excess.std() / students**0.5
    assert excess.std() / students**0.5 < 0.05 * before.mean() * factor**steps, "else this could not fail"


@pytest.fixture(scope="module")
def linear_runs():
    """The student of configs/linear.toml at every m near m_c: N to (record of m_c, success by m)."""
    with open("configs/linear.toml", "rb") as file:
        config = tomllib.load(file)
    lr, found = config["dynamics"]["lr"], {}
    for N in config["grid"]["N"]:
        formula = linear.critical_batch_size(lr, N)
        near = np.arange(-4, 5) + round(formula)
        ends = np.rint(formula * np.array([0.5, 0.75, 1.5, 2])).astype(int)
        m = sorted({*near[near > 0].tolist(), *ends.tolist()})
        ds = mbsim.run(config | {"grid": {"N": [N], "d": [3], "m": m, "teachers": 16, "replicas": 8}})
        [record] = mbsim.fss.midpoint(ds)
        found[N] = record, ds.success.isel(N=0, d=0).mean(("teacher", "replica"))
        line = f"N = {N}: m_c = {record.m_c:.2f} [{record.low:.2f}, {record.high:.2f}]"
        print(line, f"typical {linear.typical_critical_batch_size(lr, N):.2f}, mean {formula:.2f}")
    return lr, found


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_critical_batch_of_the_linear_student_is_the_formula(linear_runs):
    """The typical run's within the interval of each N = 16 to 256, η(N − 1)/(2 − η) of N >= 64 too.

    The formula of the mean square lies 2η²/(2 − η) = 1/3 above that of the typical run, which is what half of
    the replicas do: at N = 16 that is told apart, as m = 5 learns.
    """
    lr, found = linear_runs
    for N, (record, success) in found.items():
        assert record.low <= linear.typical_critical_batch_size(lr, N) <= record.high, record
        if N >= 64:
            assert record.low <= lr * (N - 1) / (2 - lr) <= record.high, record
        assert record.high - record.low <= 1.5, "else this could not fail"
        assert success[0] == 0 and success[-1] == 1
        assert (success[success.m < record.low] < 0.5).all() and (
            success[success.m > record.high] > 0.5
        ).all()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_critical_batch_of_the_linear_student_grows_in_proportion_to_n(linear_runs):
    """From each N to the next m_c rises by η/(2 − η) times what N does."""
    lr, found = linear_runs
    for (N, (one, _)), (larger, (other, _)) in itertools.pairwise(found.items()):
        assert other.low - one.high <= lr / (2 - lr) * (larger - N) <= other.high - one.low
