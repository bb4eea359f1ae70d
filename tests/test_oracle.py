"""The compiled kernels against a NumPy simulation fed the same random numbers: equal weights, bit by bit.

Compiling takes nearly all the time. So the quick tests meet every mode, word type and degree, each in some
combination, and the slow ones go through the combinations. There are two engines: the programs of XLA, and
the loops over registers that CPUs use.
"""

from contextlib import contextmanager, nullcontext
from itertools import product
from unittest import mock

import jax.numpy as jnp
import numpy as np
import oracle
import pytest
from students import SEED, Lane, labels, one_device, unpack

from mbsim.engines import ensemble, networks
from mbsim.engines.registers import compiled, unit_sweeps
from mbsim.engines.xla import launches, memory, metropolis, programs
from mbsim.sampling import streams

# (N, K, M, d, train_output)
VECTOR = (12, 12, 12, 3, True)
WIDE = (11, 15, 9, 3, True)  # unequal sides: units with different numbers of readers, some with none
COMMITTEE = (10, 10, 10, 5, False)  # output weights fixed to one
SCALAR = (15, 9, 1, 3, False)
SCALAR_BOTH = (13, 13, 1, 5, True)
NETWORKS = [VECTOR, WIDE, COMMITTEE, SCALAR, SCALAR_BOTH]

COLD = 0.0
WARM = (0.0, 0.7, 0.7, 2.0)


class PlainLane(Lane):
    """One lane's random numbers, worked out in NumPy from the definition of its streams."""

    def __init__(self, teacher, N, lane, train_output, order):
        super().__init__(teacher, N, lane, train_output, order=order)
        self.init_overlap = np.float32(lane.init_overlap[0])

    def initial(self):
        def weights(teacher, layer):
            link = np.arange(teacher.size, dtype=np.uint32)
            word, _ = streams.threefry(self.keys.weights, np.full_like(link, layer), link)
            agrees = _uniform(word) < (1 + self.init_overlap) / 2
            return teacher * np.where(agrees, 1, -1).reshape(teacher.shape)

        v = weights(self.teacher.v, 1) if self.train_output else self.teacher.v
        return weights(self.teacher.w, 0), v

    def examples(self, batch):
        key = streams.fold(self.keys.examples, batch)
        row = np.arange(self.N, dtype=np.uint32)[:, None]
        word = np.arange(-(-self.m // 32), dtype=np.uint32)[None, :]
        return unpack(streams.threefry(key, row, word)[0], self.m)

    def uniforms(self, sweep):
        position = np.arange(self.shape.proposals, dtype=np.uint32)
        return _uniform(streams.threefry(self.keys.acceptance, np.full_like(position, sweep), position)[0])


def _uniform(word):
    return np.float32(word >> np.uint32(8)) * np.float32(2.0**-24)


def examples_to_test(network):
    """Test examples: partial words, and of a scalar output more than are done at a time."""
    return 300 if network[2] == 1 else 40


def _see_nothing(setting, view, keys, state, time):
    return metropolis.Observation(*[jnp.zeros(state.w.shape[-1], jnp.int32)] * 3)


@contextmanager
def blind():
    """Programs that measure nothing compile faster; they are not kept."""
    with (
        mock.patch.object(metropolis, "observe", _see_nothing),
        mock.patch.object(launches, "programs", programs.programs.__wrapped__),
    ):
        yield


def train(network, lanes, order, refresh, sweeps, engine):
    """Train lanes of one teacher, and measure them after every sweep."""
    N, K, M, d, train_output = network
    teacher = networks.draw_teacher(N, K, M, d, train_output, SEED, 0)
    result = ensemble.train(
        teacher,
        lanes,
        np.arange(sweeps + 1),
        seed=SEED,
        N=N,
        teacher_label=0,
        train_output=train_output,
        dynamics=ensemble.Dynamics(order, refresh),
        test_size=examples_to_test(network),
        mesh=one_device(),
        lanes_per_device=16,
        engine=engine,
    )
    return teacher, *result


def check(
    network,
    order,
    refresh,
    m,
    temperature,
    init_overlap=0.0,
    sweeps=3,
    measured=True,
    engine="xla",
    replicas=2,
):
    """Train lanes of one teacher with the kernel and one by one with the oracle."""
    N, _, M, _, train_output = network
    lanes = labels(m, replicas, init_overlap, temperature)
    with nullcontext() if measured else blind():
        teacher, records, weights = train(network, lanes, order, refresh, sweeps, engine)
    for i in range(len(lanes.m)):
        lane = PlainLane(teacher, N, ensemble.LaneLabels(*(c[[i]] for c in lanes)), train_output, order)
        trained = lane.oracle(sweeps, refresh)
        np.testing.assert_array_equal(weights.w[i], trained.w)
        np.testing.assert_array_equal(weights.v[i], trained.v)
        np.testing.assert_array_equal(records.accepted[i, 1:], trained.accepted)
        if not measured:
            continue
        overlap = oracle.path_overlap(trained.w, trained.v, teacher.w, teacher.v, teacher.output_sources)
        assert records.agreement[i, -1] / records.paths == pytest.approx(overlap, abs=1e-12)
        if refresh is None or refresh == records.proposals:
            wrong = np.array(trained.training_errors) * lane.m * M
            np.testing.assert_allclose(records.batch_wrong[i, :sweeps], wrong, atol=1e-9)


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
