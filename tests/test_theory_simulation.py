"""Committees trained by plain NumPy SGD follow the equations, and stray from them like 1/sqrt(N).

The simulator here shares nothing with mbsim but the initial overlaps. Its runs start from exactly the same
order parameters at every N, so that the equations have one solution and what differs is fluctuation. With
squared deviations D(N), averaged over runs, overlaps and times, log D must fall with slope -1 in log N. A
term of the equations that is wrong or missing leaves a deviation that does not fall.
"""

import math

import numpy as np
import pytest
from scipy.special import erf

from mbsim.theory import committees
from mbsim.theory.order_parameters import Committee, OrderParameters, overlaps

TIMES = np.array([1.0, 2.0, 3.0, 4.0])
LR = 1.5
NOISE = 0.2
START = OrderParameters(
    np.array([[0.6, 0.1], [0.1, 0.5]]),
    np.array([[0.4, 0.1], [0.05, 0.3]]),
    np.array([[1.0, 0.2], [0.2, 1.0]]),
)


def weights_with(parameters, N, runs, rng):
    """Student (runs, K, N) and teacher (runs, M, N) weights with these overlaps, in random directions."""
    K = len(parameters.Q)
    C = np.block([[parameters.Q, parameters.R], [parameters.R.T, parameters.T]])
    frames = np.linalg.qr(rng.normal(size=(runs, N, len(C))))[0]
    both = np.linalg.cholesky(C) @ np.swapaxes(frames, 1, 2) * np.sqrt(N)
    return both[:, :K], both[:, K:]


def simulate(N, m, runs, rng):
    """R and Q of each run at TIMES: (times, runs, 2, 2) each."""
    w, B = (weights.astype(np.float32) for weights in weights_with(START, N, runs, rng))
    R, Q, done = [], [], 0
    for until in np.rint(TIMES * N).astype(int):
        for _ in range(until - done):
            x = rng.standard_normal((runs, m, N), np.float32)
            fields = x @ np.swapaxes(w, 1, 2) / np.float32(math.sqrt(N))
            targets = erf(x @ np.swapaxes(B, 1, 2) / np.float32(math.sqrt(2 * N))).sum(-1)
            targets += np.float32(NOISE) * rng.standard_normal((runs, m), np.float32)
            errors = erf(fields / np.float32(math.sqrt(2))).sum(-1) - targets
            delta = np.float32(math.sqrt(2 / math.pi)) * np.exp(-(fields**2) / 2) * errors[..., None]
            w = w - np.float32(LR / math.sqrt(N) / m) * np.swapaxes(delta, 1, 2) @ x
        done = until
        now = overlaps(w.astype(float), B.astype(float))
        R.append(now.R)
        Q.append(now.Q)
    return np.array(R), np.array(Q)


def deviations(N, m, runs, *wrong):
    """R and Q of the runs minus the equations' (2, times, runs, 2, 2), and minus each of the wrong ones."""
    simulated = np.array(simulate(N, m, runs, np.random.default_rng([1, N, m])))
    result = []
    for changed in ({}, *wrong):
        arguments = {"lr": LR, "m": m, "N": N, "committee": Committee(noise=NOISE)} | changed
        ds = committees.trajectory(START, TIMES, **arguments)
        result.append(simulated - np.array([ds.R, ds.Q])[:, :, None])
    return result


def slope_of(sizes, squares):
    """Slope of log <squares> in log N, and its standard error, from the scatter of the runs."""
    x = np.log(sizes) - np.log(sizes).mean()
    y = np.log([one.mean() for one in squares])
    errors = np.array([one.std(ddof=1) / math.sqrt(len(one)) / one.mean() for one in squares])
    weights = x / (x @ x)
    return weights @ y, math.sqrt(weights**2 @ errors**2)


def largest_z(deviation):
    """Largest mean over runs in units of its standard error: 32 numbers, or 28 that differ."""
    runs = deviation.shape[2]
    return np.abs(deviation.mean(axis=2) / deviation.std(axis=2, ddof=1) * math.sqrt(runs)).max()


def check(m, sizes, all_runs):
    """The mean is the equations', |z| < 6; the slope is -1 within 5 standard errors; returns one."""
    squares = []
    for N, runs in zip(sizes, all_runs, strict=True):
        [deviation] = deviations(N, m, runs)
        assert largest_z(deviation) < 6
        squares.append((deviation**2).mean(axis=(0, 1, 3, 4)))
    slope, error = slope_of(sizes, squares)
    assert abs(slope + 1) < 5 * error
    return error


@pytest.mark.parametrize(
    ("m", "runs"),
    [
        (1, (128, 96, 64)),
        pytest.param(4, (96, 64, 48), marks=pytest.mark.slow),
        pytest.param(16, (96, 48, 24), marks=pytest.mark.slow),
    ],
)
def test_deviations_shrink_like_one_over_the_root_of_n(m, runs):
    assert check(m, (128, 256, 512), runs) < 0.1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("m", "runs"), [(1, (192, 192, 128, 96, 64)), (4, (192, 96, 64, 48, 32)), (16, (192, 96, 48, 24, 16))]
)
def test_deviations_shrink_up_to_large_sizes(m, runs):
    assert check(m, (128, 256, 512, 1024, 2048), runs) < 0.05


@pytest.mark.slow
def test_equations_without_a_term_are_told_from_the_simulation():
    """N = 32, m = 64, where terms of order 1/N count, and N = 128, m = 4: noise of batch and labels."""
    small, *flaws = deviations(32, 64, 800, {"N": math.inf}, {"m": math.inf})
    large, *others = deviations(128, 4, 128, {"m": math.inf}, {"m": 5}, {"committee": Committee()})
    assert max(largest_z(small), largest_z(large)) < 6
    for other in [*flaws, *others]:
        assert largest_z(other) > 8
