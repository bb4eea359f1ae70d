"""The memory of gradient descent is never more than was estimated."""

import pytest
from students import one_device

from mbsim.engines.batched import ensemble as sgd_ensemble
from mbsim.engines.batched import memory as sgd_memory
from mbsim.engines.batched import programs as sgd_programs
from mbsim.engines.networks import stacked
from mbsim.physics import teachers
from mbsim.physics.optimisers import Optimizer

SLOW = pytest.mark.slow
DENSE, SPARSE = (64, 64, 64, 5, True), (64, 64, 64, 5, False)


@pytest.mark.parametrize(
    ("network", "hidden", "train_output", "m", "students", "optimizer"),
    [
        pytest.param(DENSE, None, True, 16, 64, "adam", marks=SLOW),
        pytest.param(SPARSE, None, True, 16, 64, "sgd", marks=SLOW),
        pytest.param(DENSE, None, True, 256, 64, "sgd", marks=SLOW),
        pytest.param((256, 256, 256, 9, False), None, True, 64, 1, "sgd", marks=SLOW),
        pytest.param((100, 4, 1, 5, True), 8, True, 16, 64, "sgd", marks=SLOW),
        pytest.param((100, 4, 1, 5, True), None, False, 16, 1, "sgd", marks=SLOW),
    ],
)
def test_estimated_memory(network, hidden, train_output, m, students, optimizer):
    """The estimate covers what the compiler reports; with many dense students it is not thrice that."""
    N, K, M, d, dense = network
    teacher = stacked([teachers.draw_real_teacher(N, K, M, d, train_output, False, 1, 0)])
    shape = sgd_ensemble.shape_of(
        teacher, N, dense=dense, train_output=train_output, activation="tanh", student_hidden=hidden
    )
    dynamics = sgd_ensemble.Sgd(optimizer=Optimizer(optimizer))
    setting = sgd_ensemble.setting_of(shape, dynamics, m, 256)
    reports = [made.memory_analysis() for made in sgd_programs.programs(setting, 1, students, one_device())]
    largest = max(
        report.argument_size_in_bytes
        + report.output_size_in_bytes
        + report.temp_size_in_bytes
        - report.alias_size_in_bytes
        for report in reports
    )
    estimate = sgd_memory.launch_bytes(setting, students, "cpu")
    assert largest <= estimate
    if dense and students > 1:  # sparse: gathered links count, which accelerators may hold
        assert estimate <= 3 * largest
