"""One proposal of the compiled kernel on tiny networks: its exact law, found by enumerating all batches.

Each sample is the first proposal of another sweep, so the index of the proposal, the batch and the number
that decides acceptance are all drawn afresh, by the kernel's own labels. Lanes differ in their student, m and
temperature, and each is a test of its own: its samples are independent, though lanes share the index. There
are fewer than a hundred such tests.
"""

import numpy as np
import pytest
from one_step import FIXED, GREEDY, IRREGULAR, REGULAR, SAMPLES, SCALAR, THERMAL, check, chi_square


@pytest.mark.parametrize("network", [REGULAR, IRREGULAR, SCALAR])
def test_transitions(network):
    """Zero and two positive temperatures, one to three examples."""
    check(network, THERMAL, thermal=True)


def test_greedy_transitions():
    """The program that knows no temperature; output weights are not trained."""
    check(FIXED, GREEDY, thermal=False)


def test_chi_square_sees_a_bias():
    """One of 24 flips too frequent by two per cent of all proposals is more than these tests let pass."""
    law = np.append(np.full(24, 0.03), 0.28)
    rng = np.random.default_rng(4)
    chi_square(rng.multinomial(SAMPLES, law), law)
    biased = law.copy()
    biased[[3, -1]] += 0.02, -0.02
    with pytest.raises(AssertionError, match="their law"):
        chi_square(rng.multinomial(SAMPLES, biased), law)
    with pytest.raises(AssertionError, match="impossible"):
        chi_square(np.array([1, 99]), np.array([0.0, 1.0]))
