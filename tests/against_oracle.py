"""Students trained by an engine and, one by one, by the oracle, on the same random numbers."""

from contextlib import contextmanager, nullcontext
from unittest import mock

import jax.numpy as jnp
import numpy as np
import oracle
import pytest
from students import SEED, Student, labels, one_device, unpack

from mbsim.engines import ensemble
from mbsim.engines.xla import launches, metropolis, programs
from mbsim.physics import teachers
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


class PlainStudent(Student):
    """One student's random numbers, worked out in NumPy from the definition of its streams."""

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
        mock.patch.object(launches, "programs", programs.compiled),
    ):
        yield


def train(network, lanes, order, refresh, sweeps, engine):
    """Train students of one teacher, and measure them after every sweep."""
    N, K, M, d, train_output = network
    teacher = teachers.draw_teacher(N, K, M, d, train_output, SEED, 0)
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
    """Train students of one teacher with an engine and one by one with the oracle."""
    N, _, M, _, train_output = network
    lanes = labels(m, replicas, init_overlap, temperature)
    with nullcontext() if measured else blind():
        teacher, records, weights = train(network, lanes, order, refresh, sweeps, engine)
    for i in range(len(lanes.m)):
        lane = PlainStudent(teacher, N, ensemble.StudentLabels(*(c[[i]] for c in lanes)), train_output, order)
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
