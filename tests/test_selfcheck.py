"""The known answers that the self-check expects come from the oracle, not from the kernel."""

import numpy as np
import pytest
from students import Student, one_device

from mbsim.engines import known_answers as selfcheck
from mbsim.engines.ensemble import StudentLabels

QUICK = [("vector", True, "random"), ("vector", False, "sequential"), ("scalar", False, "random")]
CASES = [case if case in QUICK else pytest.param(case, marks=pytest.mark.slow) for case in selfcheck.DIGESTS]


def oracle_digest(kind, thermal, order, monkeypatch, law=None):
    """The digest of the same students trained one by one by the oracle."""
    monkeypatch.setattr("students.SEED", selfcheck.SEED)
    trained = []
    labels = selfcheck.labels(thermal)
    assert thermal == bool((labels.temperature > 0).any())
    for i in range(len(labels.m)):
        one = StudentLabels(*(column[i : i + 1] for column in labels))
        student = Student(selfcheck.teacher(kind), selfcheck.SIZE, one, kind == "vector", order=order)
        trained.append(student.oracle(selfcheck.SWEEPS, law=law))
    return selfcheck.digest(
        *(np.stack([getattr(t, name) for t in trained]) for name in ("w", "v", "accepted"))
    )


@pytest.mark.parametrize("case", CASES)
def test_digest_is_the_oracles(case, monkeypatch):
    assert oracle_digest(*case, monkeypatch) == selfcheck.DIGESTS[case]


def heat_bath(change, temperature):
    if temperature == 0:
        return {-1: 1.0, 0: 0.5, 1: 0.0}[int(np.sign(change))]
    return 1 / (1 + np.exp(float(change) / temperature))


@pytest.mark.parametrize(
    "case",
    [
        ("vector", "random"),
        *(
            pytest.param(case, marks=pytest.mark.slow)
            for case in selfcheck.ANY_LAW
            if case != ("vector", "random")
        ),
    ],
)
def test_digest_of_another_law_is_the_oracles(case, monkeypatch):
    kind, order = case
    assert oracle_digest(kind, True, order, monkeypatch, heat_bath) == selfcheck.ANY_LAW[case]
    assert selfcheck.passes(kind, True, order, mesh=one_device(), rule="heat-bath")


@pytest.mark.parametrize("case", CASES)
def test_this_device_passes(case):
    assert selfcheck.passes(*case, mesh=one_device())


@pytest.mark.parametrize(
    "case",
    [
        ("vector", False, "random"),
        pytest.param(("vector", True, "sequential"), marks=pytest.mark.slow),
        pytest.param(("scalar", True, "random"), marks=pytest.mark.slow),
    ],
)
def test_the_programs_of_xla_pass(case):
    assert selfcheck.passes(*case, engine="xla", mesh=one_device())


def test_a_wrong_number_is_noticed(monkeypatch):
    """One weight of one student the wrong way round."""
    right = selfcheck.train

    def wrong(*args, **kwargs):
        records, weights = right(*args, **kwargs)
        weights.w[2, 4, 1] *= -1
        return records, weights

    monkeypatch.setattr(selfcheck, "train", wrong)
    assert not selfcheck.passes("vector", True, "random", mesh=one_device())
