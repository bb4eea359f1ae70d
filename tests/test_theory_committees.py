"""The equations of motion: one step of real SGD, gradient flow, fixed points, limits and identities."""

import math

import numpy as np
import pytest
from scipy.special import erf

from mbsim.theory import TheoryError, committees, linear
from mbsim.theory.order_parameters import (
    Committee,
    OrderParameters,
    mean_squared_error,
    overlaps,
    teacher_variance,
)

ERF = (lambda z: erf(z / np.sqrt(2)), lambda z: np.sqrt(2 / np.pi) * np.exp(-(z**2) / 2))
ACTIVATIONS = {"erf": ERF, "linear": (lambda z: z, np.ones_like)}


def start(K=2, M=2, N=40, seed=3):
    rng = np.random.default_rng(seed)
    return overlaps(rng.normal(size=(K, N)), rng.normal(size=(M, N)))


def steps_of_sgd(w, B, committee, lr, m, count, rng):
    """Changes of R and Q, times N, in independent steps, and <delta delta (|x|^2 / N - 1)>, sampled."""
    g, slope = ACTIVATIONS[committee.activation]
    N, (v, teacher_v) = w.shape[1], committee[:2]
    x = rng.standard_normal((count, m, N), np.float32).astype(float)
    fields = x @ w.T / np.sqrt(N)
    y = g(x @ B.T / np.sqrt(N)) @ teacher_v + committee.noise * rng.standard_normal((count, m))
    delta = slope(fields) * v * (g(fields) @ v - y)[..., None]
    new = w - lr / np.sqrt(N) / m * np.swapaxes(delta, 1, 2) @ x
    dR = (new - w) @ B.T
    dQ = new @ np.swapaxes(new, 1, 2) - w @ w.T
    excess = (x**2).sum(-1) / N - 1
    return dR, dQ, np.einsum("smi,smk,sm->sik", delta, delta, excess) / m


@pytest.mark.parametrize(
    ("K", "activation", "outputs", "teacher_outputs"),
    [
        (2, "erf", [1.0, 1.0], [1.0, 1.0]),
        (3, "erf", [0.7, -1.2, 0.4], [1.0, 0.6]),
        (2, "linear", [0.7, -1.2], [1.0, 0.6]),
    ],
)
def test_one_step_has_the_mean_that_the_rates_say(K, activation, outputs, teacher_outputs):
    """At N = 60, m = 40 every term counts; |x|^2 differing from N is measured on the same samples.

    Up to 15 numbers, |z| < 6.
    """
    rng = np.random.default_rng(7)
    N, m, lr = 60, 40, 0.7
    committee = Committee(np.array(outputs), np.array(teacher_outputs), 0.3, activation)
    w, B = 0.6 * rng.normal(size=(K, N)), rng.normal(size=(2, N))
    parts = [steps_of_sgd(w, B, committee, lr, m, 2000, rng) for _ in range(12)]
    dR, dQ, excess = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    samples = {"R": dR, "Q": dQ - lr**2 / m * excess}
    parameters = overlaps(w, B)
    rates = committees.rates(parameters, lr=lr, m=m, N=N, committee=committee)
    for (name, sampled), expected in zip(samples.items(), rates, strict=True):
        error = sampled.std(axis=0) / np.sqrt(len(sampled))
        assert (np.abs(sampled.mean(axis=0) - expected) < 6 * error).all(), name
    without_1_over_m = committees.rates(parameters, lr=lr, m=math.inf, N=N, committee=committee)[1]
    without_N = committees.rates(parameters, lr=lr, m=m, committee=committee)[1]
    for mutant in (without_1_over_m, without_N):
        assert (np.abs(samples["Q"].mean(axis=0) - mutant) > 6 * error).any()


@pytest.mark.parametrize("activation", ["erf", "linear"])
def test_without_a_batch_term_it_is_gradient_flow_on_the_mean_squared_error(activation):
    """Infinite m: F is N times the gradient of epsilon_g in w, projected on the weights; by differences."""
    parameters = start(3, 2)
    committee = Committee(np.array([0.8, -0.5, 1.1]), np.array([1.0, 0.7]), activation=activation)
    Q, R, T = parameters

    def half_error(Q, R):
        return mean_squared_error(OrderParameters(Q, R, T), committee) / 2

    by_Q, by_R = np.zeros_like(Q), np.zeros_like(R)
    for slope, size in ((by_Q, Q), (by_R, R)):
        for index in np.ndindex(*slope.shape):
            change = np.zeros_like(size)
            change[index] = 1e-5
            up, down = (
                half_error(Q + sign * change * (slope is by_Q), R)
                if slope is by_Q
                else half_error(Q, R + sign * change)
                for sign in (1, -1)
            )
            slope[index] = (up - down) / 2e-5
    gradient_on_w = (by_Q + by_Q.T) @ Q + by_R @ R.T
    gradient_on_B = (by_Q + by_Q.T) @ R + by_R @ T
    dR, dQ = committees.rates(parameters, lr=0.9, m=math.inf, committee=committee)
    np.testing.assert_allclose(dR, -0.9 * gradient_on_B, atol=1e-9)
    np.testing.assert_allclose(dQ, -0.9 * (gradient_on_w + gradient_on_w.T), atol=1e-9)


@pytest.mark.parametrize("m", [1, 4, math.inf])
@pytest.mark.parametrize("N", [50, math.inf])
def test_a_student_that_is_its_teacher_stays(m, N):
    T = start(3, 3).T
    dR, dQ = committees.rates(OrderParameters(T, T, T), lr=1.0, m=m, N=N)
    assert max(np.abs(dR).max(), np.abs(dQ).max()) < 1e-12


def test_label_noise_moves_a_student_that_is_its_teacher():
    T = start(2, 2).T
    dR, dQ = committees.rates(OrderParameters(T, T, T), lr=1.0, m=4, committee=Committee(noise=0.5))
    assert np.abs(dR).max() < 1e-12
    i = np.arange(2)
    determinant = (1 + T[i, i])[:, None] * (1 + T[i, i]) - T**2
    np.testing.assert_allclose(dQ, 0.25 / 4 * 2 / np.pi / np.sqrt(determinant))


@pytest.mark.parametrize("m", [2, 16])
def test_a_batch_of_m_is_one_example_with_a_rate_m_times_smaller(m):
    """As N -> infinity, with time in examples."""
    times = np.linspace(0, 20, 5)
    committee = Committee(noise=0.2)
    batch = committees.trajectory(start(), times, lr=1.2, m=m, committee=committee)
    single = committees.trajectory(start(), m * times, lr=1.2 / m, m=1, committee=committee)
    for name in ("R", "Q", "epsilon_g"):
        np.testing.assert_allclose(batch[name], single[name], atol=1e-8)
    finite = committees.trajectory(start(), times, lr=1.2, m=m, N=20, committee=committee)
    assert np.abs(finite.Q - batch.Q).max() > 1e-3


def test_a_finite_system_is_followed_step_by_step():
    """The trajectory passes through the iterated mean steps up to 1/N^2; that of infinite N does not."""
    committee, times = Committee(noise=0.3), np.array([2.0, 4.0])
    strayed = []
    for N in (40, 80):
        now = start(N=400)
        for _ in range(4 * N):
            dR, dQ = committees.rates(now, lr=1.5, m=N, N=N, committee=committee)
            now = OrderParameters(now.Q + dQ / N, now.R + dR / N, now.T)
        far = [
            committees.trajectory(start(N=400), times, lr=1.5, m=N, N=size, committee=committee).isel(
                alpha=-1
            )
            for size in (N, math.inf)
        ]
        strayed.append([max(np.abs(ds.Q - now.Q).max(), np.abs(ds.R - now.R).max()) for ds in far])
    finite, infinite = np.array(strayed).T
    assert finite[0] / finite[1] == pytest.approx(4, rel=0.1)
    assert infinite[0] / infinite[1] == pytest.approx(2, rel=0.1)
    assert finite[0] < 0.1 * infinite[0]


@pytest.mark.parametrize("m", [1, 3])
def test_one_erf_unit_learns_below_its_known_critical_rate(m):
    """Near the teacher |w - B|^2 grows by -2 eta <g'^2> + (eta^2 / m) <g'^4>: eta_c = m pi sqrt(5/3)."""

    def growth(lr):
        Q = np.array([[1 + 1e-6]])
        one = np.ones((1, 1))
        dR, dQ = committees.rates(OrderParameters(Q, one, one), lr=lr, m=m)
        return (dQ - 2 * dR).item()

    critical = m * np.pi * np.sqrt(5 / 3)
    assert growth(0.999 * critical) < 0 < growth(1.001 * critical)


@pytest.mark.parametrize("m", [1, 5, 200])
def test_one_linear_unit_is_the_closed_theory(m):
    """Weights w / sqrt N make its rate eta / N; the distance shrinks as for ±1 inputs, at any N and m."""
    N, lr, (Q, R, T) = 30, 1.3, start(1, 1)
    dR, dQ = committees.rates(
        OrderParameters(Q, R, T), lr=lr, m=m, N=N, committee=Committee(activation="linear")
    )
    distance = Q - 2 * R + T
    np.testing.assert_allclose((dQ - 2 * dR) / distance, N * (linear.multiplier(lr / N, m, N) - 1), rtol=1e-9)


def test_a_large_enough_student_finds_the_teacher():
    """R = Q = T up to the order of units, and the error falls until it is no longer told."""
    ds = committees.trajectory(start(2, 2, N=400), np.linspace(0, 400, 41), lr=1.0, m=4)
    R, T = ds.R[-1].to_numpy(), ds["T"].to_numpy()
    order = np.argmax(R, axis=1)
    assert sorted(order) == [0, 1]
    np.testing.assert_allclose(R, T[order], atol=1e-4)
    np.testing.assert_allclose(ds.Q[-1], T[np.ix_(order, order)], atol=1e-4)
    error = ds.generalization_error.to_numpy()
    told = np.isfinite(error)
    assert error[0] > 0.5 and error[told].min() < 1e-6
    assert not told[-1] and told[: told.sum()].all()
    np.testing.assert_allclose(
        ds.generalization_error, 2 * ds.epsilon_g / teacher_variance(start(2, 2, N=400)), rtol=1e-12
    )


def test_it_starts_where_it_is_told_and_the_error_is_that_of_the_weights():
    rng = np.random.default_rng(2)
    w, B, v = rng.normal(size=(3, 50)), rng.normal(size=(2, 50)), np.array([0.5, 1.0, -1.0])
    begin, committee = overlaps(w, B), Committee(v, 1.0)
    ds = committees.trajectory(begin, [0.0, 1.0], lr=0.1, m=1, committee=committee)
    np.testing.assert_allclose(ds.Q[0], begin.Q)
    np.testing.assert_allclose(ds.R[0], begin.R)
    x = rng.normal(size=(200_000, 50)) / np.sqrt(50)
    squares = (ERF[0](x @ w.T) @ v - ERF[0](x @ B.T).sum(1)) ** 2
    assert abs(squares.mean() / 2 - ds.epsilon_g[0]) < 5 * squares.std() / 2 / np.sqrt(len(squares))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lr": 0.0}, "lr = 0.0: must be a positive number"),
        ({"lr": math.nan}, "lr = nan: must be a positive number"),
        ({"m": 0}, "m = 0: must be at least 1"),
        ({"N": 0.5}, "N = 0.5: must be at least 1"),
        ({"committee": Committee(noise=-1.0)}, "noise = -1.0: must be zero or a positive number"),
        ({"committee": Committee(activation="tanh")}, "activation = 'tanh': must be 'erf' or 'linear'"),
        ({"committee": Committee(np.ones(3))}, "student_outputs has shape (3,): must be one number or (2,)"),
        ({"alpha": [1.0, 0.5]}, "alpha must be ascending times"),
        ({"alpha": [0.0]}, "alpha must be ascending times, not negative, the last of them positive"),
        ({"alpha": []}, "alpha must be ascending times"),
        ({"alpha": [-0.5, 1.0]}, "alpha begins at -0.5: must not be negative"),
        ({"alpha": [0.0, math.nan]}, "alpha must be ascending times"),
        (
            {"start": OrderParameters(np.eye(2), np.eye(3), np.eye(2))},
            "start has Q (2, 2), R (3, 3), T (2, 2)",
        ),
        ({"start": OrderParameters(np.eye(2), 2 * np.eye(2), np.eye(2))}, "start is no covariance"),
        ({"start": OrderParameters(np.eye(2), 0 * np.eye(2), 0 * np.eye(2))}, "start has a teacher whose"),
        (
            {"lr": 3.0, "alpha": [0.0, 1e4], "N": 30, "committee": Committee(activation="linear")},
            "lr = 3.0, m = 1: the order parameters leave every bound before alpha = 10000",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(change, message):
    arguments = {"start": start(), "alpha": [0.0, 1.0], "lr": 0.5, "m": 1} | change
    with pytest.raises(TheoryError) as caught:
        committees.trajectory(arguments.pop("start"), arguments.pop("alpha"), **arguments)
    assert str(caught.value).startswith(message)
    assert len(caught.value.lines) == 1


def test_different_inputs_of_student_and_teacher_are_refused():
    with pytest.raises(TheoryError, match="student reads 3 inputs and teacher 4: must be the same"):
        overlaps(np.ones((2, 3)), np.ones((2, 4)))
