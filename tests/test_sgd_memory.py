"""The memory of gradient descent is never more than was estimated."""

from types import SimpleNamespace

import numpy as np
import pytest
from students import one_device

from mbsim.engines.batched import ensemble as sgd_ensemble
from mbsim.engines.batched import memory as sgd_memory
from mbsim.engines.batched import programs as sgd_programs
from mbsim.engines.batched import setting as setting_module
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


def made_up(platform: str, memory: int) -> SimpleNamespace:
    """A mesh of one device that is not there."""
    device = SimpleNamespace(platform=platform, memory_stats=lambda: {"bytes_limit": memory})
    return SimpleNamespace(devices=np.array([device], object))


def test_a_launch_on_an_accelerator_is_as_large_as_memory_allows():
    shape = setting_module.RealShape(64, 64, 64, 3, 64, True, True, "tanh", False, 0)
    setting = sgd_ensemble.setting_of(shape, sgd_ensemble.Sgd(), 8, 256)
    total = 20_000
    assert sgd_memory.students_per_device(setting, total, made_up("gpu", 80 * 2**30)) == total
    room = 2**30
    each = sgd_memory.students_per_device(setting, total, made_up("gpu", room))
    needed = sgd_memory.launch_bytes(setting, each, "gpu")
    assert 0.4 * room < needed < room and each < total
    # On a TPU links are matrices, which take room.
    sparse = setting._replace(shape=shape._replace(dense=False, readers=3))
    both = [sgd_memory.students_per_device(sparse, total, made_up(kind, 2**30)) for kind in ("gpu", "tpu")]
    assert both[1] < both[0]
    with pytest.raises(MemoryError, match="one student needs"):
        sgd_memory.students_per_device(setting, total, made_up("gpu", 2**10))
