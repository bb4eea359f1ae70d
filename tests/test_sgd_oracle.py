"""Gradient descent against a plain NumPy simulation fed the same random numbers, in every mode."""

import numpy as np
import pytest
import sgd_oracle
from sgd_students import Case, labels

from mbsim.physics.optimisers import Optimizer

STEPS = 40
ADAM, HEAVY = Optimizer("adam", epsilon=1e-3), Optimizer(momentum=0.8)
CASES = {
    "dense vector": (dict(), 5, 0.05),
    "dense scalar, other hidden size": (dict(M=1, student_hidden=7), 4, 0.05),
    "sparse vector": (dict(dense=False), 6, 0.2),
    "sparse vector, irregular": (dict(dense=False, K=9, M=11), 6, 0.2),
    "sparse scalar": (dict(dense=False, M=1), 3, 0.1),
    "dense committee, erf": (dict(M=1, train_output=False, activation="erf", student_hidden=5), 4, 0.1),
    "sparse committee": (dict(M=1, dense=False, train_output=False), 4, 0.1),
    "sparse vector, outputs fixed": (dict(dense=False, train_output=False), 4, 0.1),
    "relu, normal weights": (dict(activation="relu", normal_weights=True), 8, 0.02),
    "linear, normal inputs": (dict(M=1, activation="linear", inputs="normal"), 8, 0.02),
    "erf, ntk": (dict(activation="erf", ntk=True), 7, 0.5),
    "sparse ntk": (dict(dense=False, ntk=True), 7, 0.5),
    "committee, ntk": (dict(M=1, train_output=False, ntk=True), 7, 0.5),
    "width above m": (dict(), 9, 0.05),
    "width above m, sparse": (dict(dense=False), 17, 0.2),
    "momentum": (dict(optimizer=HEAVY), 5, 0.01),
    "adam": (dict(optimizer=ADAM, dense=False), 5, 0.01),
    "noisy labels": (dict(noise=0.3), 5, 0.05),
    "noisy labels, sparse": (dict(noise=0.3, dense=False, inputs="normal"), 5, 0.05),
    "training set, with replacement": (dict(examples=17, sampling="with", noise=0.2), 5, 0.05),
    "training set, without": (dict(examples=17, sampling="without"), 5, 0.05),
    "training set, epochs": (dict(examples=17, sampling="epochs", dense=False), 5, 0.2),
    "full batch": (dict(examples=9, sampling="epochs"), 9, 0.05),
    "chunks of one step": (dict(M=1), 130, 0.05),
    "lr linear in m": (dict(lr_scaling="linear"), 4, 0.02),
    "lr as the root of m": (dict(lr_scaling="sqrt"), 4, 0.02),
    "mup": (dict(M=1, K=6, mup=True), 4, 0.1),
    "mup, ntk": (dict(M=1, ntk=True, mup=True), 4, 0.05),
}


# The others differ from these in one detail, and take as long to compile.
QUICK = ()
SELECTED = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in CASES]


@pytest.mark.parametrize("name", SELECTED)
def test_weights_and_errors_are_those_of_plain_numpy(name):
    """To the accuracy of float32: products of some tens of steps, each rounded to 6e-8."""
    keywords, m, lr = CASES[name]
    case = Case(**keywords)
    one = case.student(m, lr)
    student, teacher = case.initial(one), case.as_teacher()
    times = [0, 13, STEPS]
    records, weights = case.train(labels(m, lr=lr), times)

    dynamics, shape = case.dynamics, case.shape
    rate = lr * {"constant": 1, "linear": m, "sqrt": m**0.5}[dynamics.lr_scaling]
    rates = [rate, rate]
    if dynamics.mup:
        fans = (shape.N, shape.student_hidden), (shape.student_hidden, shape.M)
        rates = [rate * (out if shape.ntk else out / into) for into, out in fans]
    descent = sgd_oracle.Descent(*dynamics.optimizer)
    began = student.W.copy()
    for i, time in enumerate(times):
        batches = [case.examples(one, step) for step in range(times[i - 1] if i else 0, time)]
        sgd_oracle.train(student, teacher, descent, rates, batches)
        x, noise = case.examples(one, time)
        wrong = student.answers(x) - teacher.answers(x) - noise
        test = case.test_examples(one, time)
        variance = teacher.answers(test).var(axis=0, ddof=1).mean()
        assert records.generalization_error[0, i] == pytest.approx(
            sgd_oracle.error(student, teacher, test), rel=2e-4
        )
        assert records.training_error[0, i] == pytest.approx((wrong**2).mean() / variance, rel=2e-4)
        assert records.loss[0, i] == pytest.approx((wrong**2).sum() / m / 2, rel=2e-4)
        assert records.overlap[0, i] == pytest.approx(sgd_oracle.overlap(student, teacher), rel=2e-4)
    found = case.as_network(weights.w[0], None if weights.v is None else weights.v[0])
    moved = np.abs(student.W - began).max()
    assert moved > 1e-2, "a student that does not move tests nothing"
    np.testing.assert_allclose(found.W, student.W, atol=2e-4 * moved)
    np.testing.assert_allclose(found.V, student.V, atol=2e-4 * max(1, np.abs(student.V).max()))
    assert not records.diverged.any()
