"""The known answers of gradient descent are those of the plain simulation."""

import numpy as np
import pytest
import sgd_oracle
from sgd_students import Case

from mbsim.engines import known_answers as selfcheck
from mbsim.engines.batched import known_answers as sgd_selfcheck
from mbsim.engines.batched.ensemble import Sgd


def by_the_oracle(kind):
    case = Case(9, 9, 9, 3, dense=kind == "dense", test_size=sgd_selfcheck.TEST_SIZE)
    case.set_teacher(selfcheck.teacher("vector"), selfcheck.SEED)
    found = []
    for _, m, replica, lr in zip(*sgd_selfcheck.LABELS, strict=True):
        one = case.student(int(m), lr, replica)
        student, teacher = case.initial(one), case.as_teacher()
        batches = [case.examples(one, step) for step in range(sgd_selfcheck.STEPS)]
        sgd_oracle.train(student, teacher, sgd_oracle.Descent(), (lr, lr), batches)
        test = case.test_examples(one, sgd_selfcheck.STEPS)
        found.append((sgd_oracle.error(student, teacher, test), sgd_oracle.overlap(student, teacher)))
    return np.array(found).T


@pytest.mark.parametrize("kind", sgd_selfcheck.KNOWN)
def test_known_answers_are_those_of_the_oracle(kind):
    assert Sgd() == Case(9, 9, 9, 3).dynamics, "the check is for plain descent"
    np.testing.assert_allclose(sgd_selfcheck.KNOWN[kind], by_the_oracle(kind), rtol=1e-4)


def test_this_device_passes_and_a_wrong_one_would_not(monkeypatch):
    assert sgd_selfcheck.passes("dense")
    wrong = sgd_selfcheck.run("dense") * 1.02
    monkeypatch.setattr(sgd_selfcheck, "run", lambda kind, mesh: wrong)
    assert not sgd_selfcheck.passes("dense")
