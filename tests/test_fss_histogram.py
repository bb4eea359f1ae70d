"""What a histogram says of a second peak that holds too few students for a barrier."""

import numpy as np
import pytest

from mbsim.fss.coexistence import histogram
from mbsim.fss.samples import Ensemble


def reason(values):
    students = Ensemble({"N": 64}, 64.0, np.array([5.0]), {"q": values[..., None]})
    drawn, _ = histogram(students, "q", 0, False, (0.0, 1.0), 200, np.random.default_rng(1))
    assert not drawn.barrier.known
    return drawn.reason


@pytest.mark.parametrize("flip", [False, True])
def test_a_second_peak_beyond_a_gap_is_named_with_its_share(flip):
    values = np.random.default_rng(0).normal(0.3, 0.03, (8, 32))
    values[:, ::16] = 0.98  # 16 of 256 students, and a tenth is needed for a valley
    said = reason(1 - values if flip else values)
    assert said == "a second peak holds 6% of the students, too few to measure a barrier"


def test_a_wide_peak_is_one_peak():
    assert reason(np.random.default_rng(0).uniform(0.2, 0.9, (8, 32))).startswith("one peak, but the grid")
