"""The engine of CPUs against a NumPy simulation fed the same random numbers: equal weights, bit by bit.

Compiling takes nearly all the time. So the quick tests meet every mode, word type and kind of network, each in some
combination, and the slow ones go through the combinations.
"""

from itertools import product

import numpy as np
import pytest
from against_oracle import COLD, COMMITTEE, FIVE, NETWORKS, SCALAR, SCALAR_BOTH, VECTOR, WARM, WIDE, check

from mbsim.engines.registers import compiled, unit_sweeps

SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("network", "order", "refresh", "m"),
    [
        (VECTOR, "random", None, [3, 8]),
        (VECTOR, "sequential", None, [3, 8]),  # unit by unit
        (FIVE, "random", None, [3, 8]),
        (FIVE, "sequential", None, [3, 8]),
        pytest.param((10, 10, 10, 3, False), "random", None, [3, 8], marks=SLOW),
        pytest.param((10, 10, 10, 3, False), "sequential", None, [40, 64], marks=SLOW),
        pytest.param((11, 15, 9, 5, True), "random", None, [40, 64], marks=SLOW),
        pytest.param((11, 15, 9, 5, True), "sequential", None, [65, 130], marks=SLOW),
        (COMMITTEE, "sequential", 19, [17, 32]),  # link by link
        pytest.param(SCALAR, "random", 7, [3, 8], marks=SLOW),
        # Narrow batches fill up a register of wide ones.
        pytest.param(VECTOR, "random", 100, [3, 70, 200], marks=SLOW),
        pytest.param((13, 13, 13, 9, True), "random", 100, [3, 70, 200], marks=SLOW),
        pytest.param(VECTOR, "random", 1, [3, 8], marks=SLOW),
        # So many readers that words of eight bits would overflow.
        pytest.param(WIDE, "random", None, [9, 16], marks=SLOW),
        pytest.param(WIDE, "sequential", 1000, [9, 16], marks=SLOW),
        pytest.param(WIDE, "sequential", None, [65, 130], marks=SLOW),
        pytest.param(VECTOR, "sequential", 19, [3, 8], marks=SLOW),
        pytest.param(COMMITTEE, "random", None, [17, 32], marks=SLOW),
        pytest.param(COMMITTEE, "sequential", None, [17, 32], marks=SLOW),
        pytest.param((9, 9, 9, 7, True), "sequential", 100, [17, 32], marks=SLOW),
        pytest.param((9, 9, 9, 1, True), "random", None, [40, 64], marks=SLOW),
        pytest.param(SCALAR, "sequential", None, [3, 8], marks=SLOW),
        pytest.param(SCALAR_BOTH, "random", None, [70, 200], marks=SLOW),
    ],
)
def test_weights_and_measurements_are_the_oracles(network, order, refresh, m):
    """Every word, one and several of them, cold and warm, with what is measured; of two teachers."""
    check(network, order, refresh, m, np.resize(WARM, 3 * len(m)), replicas=3, sweeps=2, teachers=2)


@pytest.mark.parametrize(
    ("network", "order", "m", "far"),
    [
        (WIDE, "random", [9, 16], True),
        pytest.param(VECTOR, "random", [3, 8], False, marks=SLOW),
        pytest.param(COMMITTEE, "random", [17, 32], True, marks=SLOW),
        pytest.param(VECTOR, "random", [40, 64], True, marks=SLOW),
        pytest.param(FIVE, "random", [40, 64], True, marks=SLOW),
        pytest.param(FIVE, "sequential", [12, 16], True, marks=SLOW),
        pytest.param(VECTOR, "sequential", [40, 64], True, marks=SLOW),
        pytest.param(SCALAR, "random", [70, 200], False, marks=SLOW),
    ],
)
def test_greedy_students_are_the_oracles(network, order, m, far, monkeypatch):
    """The programs without a temperature, which most runs use; and those that ask for far memory ahead."""
    monkeypatch.setattr(compiled, "SECOND_LEVEL", 0 if far else 2**30)
    check(network, order, None, m, COLD, replicas=3)


@SLOW
def test_units_of_too_many_links_are_done_link_by_link(monkeypatch):
    """Where a word of eight bits could not count what a unit accepts."""
    monkeypatch.setattr(unit_sweeps, "TOTAL", 2)
    monkeypatch.setattr(unit_sweeps, "sweeps", None)  # not to be used
    check(VECTOR, "sequential", None, [3, 8], COLD, replicas=3)


def test_initial_overlap():
    check(VECTOR, "random", None, [3, 8], WARM, init_overlap=(0.5, 1.0, 0.0, 0.3), sweeps=1)


MANY = [*NETWORKS, *((33, 33, 33, d, True) for d in (1, 7, 15, 31))]
WIDTHS = [[1, 5, 8], [12], [31], [33, 64], [65, 300]]
MODES = [
    # Every network, order and refresh, each network with every width and both temperatures in some of them.
    *(
        (*mode, WIDTHS[i % 5], (COLD, WARM)[i // 5 % 2])
        for i, mode in enumerate(product(MANY, ("random", "sequential"), (None, 1, 19, 1000)))
    ),
    # Every width and temperature, for two networks and both orders.
    *product((VECTOR, SCALAR), ("random", "sequential"), (None,), WIDTHS, (COLD, WARM)),
]


@SLOW
@pytest.mark.parametrize(("network", "order", "refresh", "m", "temperature"), MODES)
def test_every_mode(network, order, refresh, m, temperature):
    # The oracle takes minutes for a sweep of 62 N proposals, as there are for d = 31.
    replicas, sweeps = (4, 2) if network[3] <= 9 else (1, 1) if refresh == 1 else (2, 1)
    temperature = np.resize(temperature, replicas * len(m))
    check(network, order, refresh, m, temperature, replicas=replicas, sweeps=sweeps)


@SLOW
@pytest.mark.parametrize("m", [1, 9, 16, 17, 32, 33, 70])
@pytest.mark.parametrize("network", [VECTOR, FIVE, SCALAR])
@pytest.mark.parametrize("order", ["random", "sequential"])
def test_partial_words(network, m, order):
    check(network, order, None, [m, max(1, m - 1)], WARM, sweeps=2)


@SLOW
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("order", ["random", "sequential"])
@pytest.mark.parametrize("refresh", [1, 7, 19, 100, 1000])
def test_every_refresh(network, order, refresh):
    check(network, order, refresh, [3, 8], WARM)
