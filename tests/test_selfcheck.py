"""The known answers that the self-check expects come from the oracle, not from the engines."""

import numpy as np
import pytest
from students import Student, pick

from mbsim.engines import known_answers as selfcheck

QUICK = [("vector", True, "random")]
CASES = [case if case in QUICK else pytest.param(case, marks=pytest.mark.slow) for case in selfcheck.DIGESTS]


def oracle_digest(kind, thermal, order, law=None):
    """The digest of the same students trained one by one by the oracle."""
    trained = []
    labels, teacher = selfcheck.labels(thermal), selfcheck.teacher(kind)
    assert thermal == bool((labels.temperature > 0).any())
    for i in range(len(labels.m)):
        one = pick(labels, [i])
        student = Student(teacher, selfcheck.SIZE, one, kind != "scalar", order, seed=selfcheck.SEED)
        trained.append(student.oracle(selfcheck.SWEEPS, law=law))
    return selfcheck.digest(
        *(np.stack([getattr(t, name) for t in trained]) for name in ("w", "v", "accepted"))
    )


@pytest.mark.parametrize("case", selfcheck.DIGESTS)
def test_digest_is_the_oracles(case):
    assert oracle_digest(*case) == selfcheck.DIGESTS[case]


def heat_bath(change, temperature):
    if temperature == 0:
        return {-1: 1.0, 0: 0.5, 1: 0.0}[int(np.sign(change))]
    return 1 / (1 + np.exp(float(change) / temperature))


@pytest.mark.parametrize("case", selfcheck.ANY_LAW)
def test_digest_of_another_law_is_the_oracles(case):
    kind, order = case
    assert oracle_digest(kind, True, order, heat_bath) == selfcheck.ANY_LAW[case]


@pytest.mark.parametrize("case", CASES)
def test_this_machine_passes(case):
    assert selfcheck.passes(*case)


@pytest.mark.slow
@pytest.mark.parametrize("case", selfcheck.ANY_LAW)
def test_this_machine_passes_with_another_law(case):
    kind, order = case
    assert selfcheck.passes(kind, True, order, rule="heat-bath")


def test_a_wrong_number_is_noticed(monkeypatch):
    """One weight of one student the wrong way round."""
    right = selfcheck.train

    def wrong(*args, **kwargs):
        records, weights = right(*args, **kwargs)
        weights.w[2, 4, 1] *= -1
        return records, weights

    monkeypatch.setattr(selfcheck, "train", wrong)
    assert not selfcheck.passes("vector", True, "random")
