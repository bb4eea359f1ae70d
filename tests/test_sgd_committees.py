"""Committees trained by mbsim's gradient descent follow the differential equations, closer the larger N is.

Each run is compared with the equations from its own initial weights, translated by `mbsim.theory.scaling`, at
the ends of runs of several lengths. Deviations are fluctuations of a run, so their mean over runs is zero to
the accuracy of the equations and their mean square D(N) falls like 1/N. What is wrong in the kernel, or in
the translation, leaves a deviation that does not fall.
"""

import functools
import math

import numpy as np
import pytest
from scipy import stats
from sgd_students import Case, labels

from mbsim.theory import committees, scaling
from mbsim.theory.order_parameters import Committee, OrderParameters, overlaps

UNITS = 2  # K = M of the theory
DEGREE = 3
TIMES = np.array([2.0, 4.0])  # alpha: steps over N
LR = 3.0  # in the theory's units
NOISE = 0.2
OUTPUTS = 1 / math.sqrt(UNITS)
FALSE_ALARM = 1e-7


@pytest.fixture(autouse=True)
def equations_in_less_time(monkeypatch):
    """Integrated to a hundredth of a per cent of the deviations at most, in a quarter of the time."""
    monkeypatch.setattr(committees, "TOLERANCE", 1e-6)


def case_of(N):
    return Case(
        N,
        UNITS,
        1,
        DEGREE,
        train_output=False,
        activation="erf",
        inputs="normal",
        noise=NOISE,
        test_size=2,
    )


def order_parameters(case, students, units, steps):
    """Q, R, T of each student after `steps` steps of the engine, from the weights that `train` returns."""
    _, weights = case.train(students, [steps] if steps == 0 else [0, steps])
    links = np.zeros((UNITS, case.N))
    np.put_along_axis(links, case.teacher.hidden_sources, case.teacher.w, axis=1)
    w = units.weights * np.swapaxes(weights.w.astype(float), 1, 2)
    return overlaps(w, np.broadcast_to(scaling.teacher_weights(links, DEGREE), w.shape))


def numbers(R, Q):
    """The order parameters that differ: R, and Q without what its symmetry repeats; last axis 7."""
    return np.concatenate([R.reshape(*R.shape[:-2], -1), Q[..., [0, 0, 1], [0, 1, 1]]], axis=-1)


@functools.lru_cache(maxsize=1)
def simulate(N, m, runs):
    """What the kernel does: order parameters at the start, and at TIMES as `numbers` (runs, times, 7)."""
    case, lr = case_of(N), LR / scaling.committee_units(1.0, N, teacher_hidden=UNITS).lr
    units, students = scaling.committee_units(lr, N, teacher_hidden=UNITS), labels(m, runs, lr)
    start = order_parameters(case, students, units, 0)
    after = [order_parameters(case, students, units, round(alpha * N)) for alpha in TIMES]
    return start, np.stack([numbers(at.R, at.Q) for at in after], axis=1)


def deviations(start, simulated, N, m, wrong=None):
    """Order parameters of runs minus those of the equations, (runs, times * 7); `wrong` changes these."""
    outputs = scaling.committee_units(1.0, N, teacher_hidden=UNITS).outputs
    arguments = {"lr": LR, "m": m, "N": N, "committee": Committee(outputs, outputs, NOISE)} | (wrong or {})
    expected = []
    for of_run in zip(*start, strict=True):
        ds = committees.trajectory(OrderParameters(*of_run), TIMES, **arguments)
        expected.append(numbers(ds.R.to_numpy(), ds.Q.to_numpy()))
    return (simulated - np.array(expected)).reshape(len(simulated), -1)


def mean_is_zero(deviation):
    """Student's t of every order parameter, each at the false-alarm rate of all over their number."""
    found = stats.ttest_1samp(deviation, 0.0).pvalue
    return bool(found.min() > FALSE_ALARM / found.size)


def slope_of(sizes, squares):
    """Slope of log <squares> in log N, and its standard error, from the scatter of the runs."""
    x = np.log(sizes) - np.log(sizes).mean()
    y = np.log([one.mean() for one in squares])
    errors = np.array([one.std(ddof=1) / math.sqrt(len(one)) / one.mean() for one in squares])
    weights = x / (x @ x)
    return weights @ y, math.sqrt(weights**2 @ errors**2)


def check(m, sizes, all_runs):
    """The mean deviation is zero, and log D falls with slope -1 in log N; returns the slope and its error."""
    squares = []
    for N, runs in zip(sizes, all_runs, strict=True):
        deviation = deviations(*simulate(N, m, runs), N, m)
        assert mean_is_zero(deviation), N
        squares.append((deviation**2).mean(axis=1))
    slope, error = slope_of(sizes, squares)
    sizes_of_error = " ".join(f"{math.sqrt(one.mean()):.4f}" for one in squares)
    print(f"m = {m}: root mean squares {sizes_of_error}, slope {slope:.3f} ± {error:.3f}")
    assert abs(slope + 1) < 5 * error
    return error


@pytest.mark.slow
def test_order_parameters_follow_the_equations():
    assert check(4, (64, 256), (24, 24)) < 0.3


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"lr": 1.2 * LR}, id="another learning rate", marks=pytest.mark.slow),
        pytest.param({"m": math.inf}, id="no noise of the batch", marks=pytest.mark.slow),
        pytest.param(
            {"committee": Committee(OUTPUTS, OUTPUTS)}, id="no noise of the labels", marks=pytest.mark.slow
        ),
    ],
)
def test_equations_that_differ_are_told_from_the_kernel(wrong):
    N, m = 256, 4
    assert not mean_is_zero(deviations(*simulate(N, m, 24), N, m, wrong))


@pytest.mark.slow
@pytest.mark.parametrize("m", [1, 4, 16])
def test_deviations_shrink_like_one_over_the_root_of_n(m):
    assert check(m, (128, 256, 512, 1024, 2048), (80, 80, 56, 40, 40)) < 0.05
