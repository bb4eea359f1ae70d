"""The compiled kernels against a NumPy simulation fed the same random numbers: equal weights, bit by bit.

Compiling takes nearly all the time. So the quick tests meet every mode, word type and degree, each in some
combination, and the slow ones go through the combinations. There are two engines: the programs of XLA, and
the loops over registers that CPUs use.
"""

from itertools import product

import numpy as np
import pytest
from against_oracle import COLD, COMMITTEE, NETWORKS, SCALAR, SCALAR_BOTH, VECTOR, WARM, WIDE, check

from mbsim.engines.registers import compiled, unit_sweeps
from mbsim.engines.xla import memory


@pytest.mark.parametrize(
    ("network", "order", "refresh", "m"),
    [
        (VECTOR, "random", None, [3, 8]),
        (VECTOR, "random", 1, [3, 8]),
        (VECTOR, "sequential", 19, [3, 8]),
        (WIDE, "random", None, [9, 16]),  # so many readers that words of eight bits would overflow
        pytest.param(WIDE, "sequential", 1000, [9, 16], marks=pytest.mark.slow),
        (VECTOR, "sequential", None, [3, 8]),  # unit by unit
        (WIDE, "sequential", None, [65, 130]),
        (COMMITTEE, "random", None, [17, 32]),
        (COMMITTEE, "sequential", None, [17, 32]),
        ((9, 9, 9, 7, True), "sequential", 100, [17, 32]),
        pytest.param((9, 9, 9, 1, True), "random", None, [40, 64], marks=pytest.mark.slow),
        (
            (13, 13, 13, 9, True),
            "random",
            100,
            [3, 70, 200],
        ),  # narrow batches fill up a register of wide ones
        (SCALAR, "sequential", None, [3, 8]),
        (SCALAR, "random", 7, [3, 8]),
        pytest.param(SCALAR_BOTH, "random", None, [70, 200], marks=pytest.mark.slow),
    ],
)
def test_registers_are_the_oracles(network, order, refresh, m):
    """The engine of CPUs: every word, one and several of them, cold and warm, with what it measures."""
    check(network, order, refresh, m, np.resize(WARM, 3 * len(m)), engine="native", replicas=3)


@pytest.mark.parametrize(
    ("network", "order", "m", "far"),
    [
        (VECTOR, "random", [3, 8], False),
        (COMMITTEE, "random", [17, 32], True),
        (VECTOR, "random", [40, 64], True),
        (VECTOR, "sequential", [40, 64], True),
        (SCALAR, "random", [70, 200], False),
    ],
)
def test_greedy_registers_are_the_oracles(network, order, m, far, monkeypatch):
    """The programs without a temperature, which most runs use; and those that ask for far memory ahead."""
    monkeypatch.setattr(compiled, "SECOND_LEVEL", 0 if far else 2**30)
    check(network, order, None, m, COLD, engine="native", replicas=3)


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


def test_units_of_too_many_links_are_done_link_by_link(monkeypatch):
    """Where a word of eight bits could not count what a unit accepts."""
    monkeypatch.setattr(unit_sweeps, "TOTAL", 2)
    monkeypatch.setattr(unit_sweeps, "sweeps", None)  # not to be used
    check(VECTOR, "sequential", None, [3, 8], COLD, engine="native", replicas=3)


@pytest.mark.slow
@pytest.mark.parametrize(("network", "order", "refresh", "m", "temperature"), MODES)
def test_registers_in_every_mode(network, order, refresh, m, temperature):
    # The oracle draws a batch for every proposal with refresh = 1, of which there are 62 N for d = 31.
    replicas, sweeps = (1, 1) if refresh == 1 and network[3] > 9 else (4, 2)
    temperature = np.resize(temperature, replicas * len(m))
    check(network, order, refresh, m, temperature, engine="native", replicas=replicas, sweeps=sweeps)


@pytest.mark.parametrize(
    ("network", "order", "m", "temperature"),
    [
        (VECTOR, "random", [3, 8], WARM),
        pytest.param(VECTOR, "sequential", [3, 8], WARM, marks=pytest.mark.slow),
        (SCALAR, "sequential", [3, 8], WARM),
        pytest.param(SCALAR_BOTH, "random", [3, 8], WARM, marks=pytest.mark.slow),
    ],
)
def test_weights_and_measurements_are_the_oracles(network, order, m, temperature):
    check(network, order, None, m, temperature)


@pytest.mark.parametrize(
    ("network", "order", "refresh", "m", "temperature"),
    [
        (WIDE, "random", None, [9, 16], COLD),
        pytest.param(WIDE, "sequential", None, [3, 8], WARM, marks=pytest.mark.slow),
        pytest.param(SCALAR_BOTH, "sequential", 19, [33, 70], COLD, marks=pytest.mark.slow),
        pytest.param((9, 9, 9, 1, True), "sequential", None, [17, 32], WARM, marks=pytest.mark.slow),
        pytest.param((11, 11, 11, 9, False), "sequential", None, [33, 70], COLD, marks=pytest.mark.slow),
    ],
)
def test_weights_are_the_oracles(network, order, refresh, m, temperature):
    check(network, order, refresh, m, temperature, sweeps=2, measured=False)


@pytest.mark.parametrize(
    ("network", "order", "refresh", "chunk"),
    [
        (COMMITTEE, "random", 70, 2),
        pytest.param((9, 9, 9, 7, True), "sequential", 100, 1, marks=pytest.mark.slow),
    ],
)
def test_few_sweeps_scheduled_at_a_time(network, order, refresh, chunk, monkeypatch):
    """As in large networks: runs go through several schedules, and batches need not begin where those do."""
    monkeypatch.setattr(memory, "MOST_SWEEPS", chunk)
    check(network, order, refresh, [3, 8], WARM, sweeps=5, measured=False)


@pytest.mark.parametrize(("network", "refresh"), [(VECTOR, 7), (SCALAR_BOTH, 100)])
def test_any_refresh(network, refresh):
    check(network, "random", refresh, [3, 8], WARM)


def test_initial_overlap():
    check(VECTOR, "random", None, [3, 8], WARM, init_overlap=(0.5, 1.0, 0.0, 0.3), sweeps=2)


@pytest.mark.slow
@pytest.mark.parametrize("network", [*NETWORKS, *((13, 13, 13, d, True) for d in (1, 7, 9))])
@pytest.mark.parametrize("order", ["random", "sequential"])
@pytest.mark.parametrize("temperature", [COLD, WARM])
def test_every_mode(network, order, temperature):
    check(network, order, None, [3, 8], temperature)


@pytest.mark.slow
@pytest.mark.parametrize("m", [1, 9, 16, 17, 32, 33, 70])
@pytest.mark.parametrize("network", [VECTOR, SCALAR])
@pytest.mark.parametrize("order", ["random", "sequential"])
def test_every_word_type_and_partial_words(network, m, order):
    check(network, order, None, [m, max(1, m - 1)], WARM, sweeps=2)


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("order", ["random", "sequential"])
@pytest.mark.parametrize("refresh", [1, 7, 19, 100, 1000])
def test_every_refresh(network, order, refresh):
    check(network, order, refresh, [3, 8], WARM)
