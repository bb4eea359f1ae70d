"""The known answers that the self-check expects come from the oracle, not from the kernel."""

import numpy as np
import pytest
from students import Lane, one_device

from mbsim.kernel import selfcheck
from mbsim.kernel.ensemble import LaneLabels


@pytest.mark.parametrize("thermal", [False, True])
@pytest.mark.parametrize("kind", ["vector", "scalar"])
def test_digest_is_the_oracles(kind, thermal, monkeypatch):
    monkeypatch.setattr("students.SEED", selfcheck.SEED)
    trained = []
    labels = selfcheck.labels(thermal)
    assert thermal == bool((labels.temperature > 0).any())
    for i in range(len(labels.m)):
        lane = LaneLabels(*(column[i : i + 1] for column in labels))
        students = Lane(selfcheck.teacher(kind), selfcheck.SIZE, lane, kind == "vector")
        trained.append(students.oracle(selfcheck.SWEEPS))
    digest = selfcheck.digest(
        *(np.stack([getattr(t, name) for t in trained]) for name in ("w", "v", "accepted"))
    )
    assert digest == selfcheck.DIGESTS[kind, thermal]


@pytest.mark.parametrize("thermal", [False, True])
@pytest.mark.parametrize("kind", ["vector", "scalar"])
def test_this_device_passes(kind, thermal):
    assert selfcheck.passes(kind, thermal, one_device())


def test_a_wrong_number_is_noticed(monkeypatch):
    """One weight of one student the wrong way round."""
    right = selfcheck.train

    def wrong(*args, **kwargs):
        records, weights = right(*args, **kwargs)
        weights.w[2, 4, 1] *= -1
        return records, weights

    monkeypatch.setattr(selfcheck, "train", wrong)
    assert not selfcheck.passes("vector", True, one_device())
