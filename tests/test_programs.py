"""Compiled programs: made once for a shape, and as large as was estimated before."""

import jax
import numpy as np
import pytest
from against_oracle import SCALAR, VECTOR, examples_to_test
from numba import njit
from numba.core import event
from students import labels, one_device

from mbsim.engines import ensemble, networks
from mbsim.engines.mesh import student_mesh
from mbsim.engines.registers import cores, sizes
from mbsim.engines.xla import memory, programs
from mbsim.physics import teachers

COMPILED = "/jax/core/compile/backend_compile_duration"
GIBIBYTE = 2**30


@pytest.fixture
def compilations():
    """The list of what XLA compiles while the test runs."""
    seen = []

    def listen(event, duration, **details):
        if event == COMPILED:
            seen.append(details)

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield seen
    jax.monitoring.unregister_event_duration_listener(listen)


def launch(network, order, teacher, seed, m, times, engine):
    N, K, M, d, train_output = network
    drawn = teachers.draw_teacher(N, K, M, d, train_output, seed, teacher)
    lanes = labels(m, 3, temperature=0.3)
    records, _ = ensemble.train(
        drawn,
        lanes,
        np.array(times),
        seed=seed,
        N=N,
        teacher_label=teacher,
        train_output=train_output,
        dynamics=ensemble.Dynamics(order),
        test_size=examples_to_test(network),
        mesh=one_device(),
        lanes_per_device=16,
        engine=engine,
    )
    return records.agreement


@pytest.mark.parametrize(
    ("network", "order"), [(VECTOR, "random"), pytest.param(SCALAR, "sequential", marks=pytest.mark.slow)]
)
def test_a_second_launch_compiles_nothing(network, order, compilations):
    """Another teacher and seed, other batches of the same words, other numbers of lanes, times and sweeps."""
    launch(network, order, teacher=0, seed=1, m=[2, 5], times=[0, 2], engine="xla")
    compilations.clear()
    second = launch(
        network, order, teacher=1, seed=2, m=[1, 4, 7, 8, 3, 6], times=[0, 1, 5, 130], engine="xla"
    )
    assert compilations == []
    assert second.shape == (18, 4)
    # The listener does hear when something is compiled.
    jax.jit(lambda x: x + 1)(np.float32(2))
    assert len(compilations) == 1


def test_a_second_launch_compiles_no_loops(compilations):
    """The engine of CPUs: another teacher, seed, number of sweeps; and another size shares its loops."""
    launch(VECTOR, "random", teacher=0, seed=1, m=[2, 5], times=[0, 2], engine="native")
    compilations.clear()
    with event.install_recorder("numba:compile") as loops:
        launch(
            VECTOR, "random", teacher=1, seed=2, m=[1, 4, 7, 8, 3, 6], times=[0, 1, 5, 130], engine="native"
        )
    assert compilations == []
    assert loops.buffer == []
    with event.install_recorder("numba:compile") as loops:
        launch((21, 21, 21, 3, True), "random", 0, seed=1, m=[8], times=[0, 1], engine="native")
    assert loops.buffer == []
    # The recorder does see what is compiled.
    with event.install_recorder("numba:compile") as loops:
        njit(lambda x: x + 1)(2)
    assert loops.buffer != []


def test_irregular_teachers_share_programs():
    """Teachers differ in the readers of their most read unit, and yet nearly all have one shape."""
    drawn = [teachers.draw_teacher(40, 50, 30, 3, True, 1, teacher) for teacher in range(40)]
    most = {int(np.bincount(teacher.output_sources.ravel()).max()) for teacher in drawn}
    assert len(most) > 3
    assert len({networks.shape_of(teacher, 40, True) for teacher in drawn}) <= 2


# (N, K, M, d, train_output), widest m, test size, thermal, order, lanes
SETTINGS = [
    ((64, 64, 64, 3, True), 32, 256, False, "random", 512),  # the launch of the learning test, compiled once
]
MORE_SETTINGS = [
    ((63, 63, 1, 3, False), 256, 4096, True, "sequential", 256),
    ((64, 64, 64, 3, True), 8, 256, False, "sequential", 2048),
    ((256, 256, 256, 3, True), 16, 256, False, "random", 1024),
    ((256, 256, 256, 9, True), 56, 256, False, "random", 512),
    ((256, 256, 256, 3, False), 16, 256, True, "sequential", 1024),
    ((100, 150, 80, 5, True), 200, 256, True, "random", 256),
    ((255, 255, 1, 3, False), 256, 4096, False, "random", 512),
    ((63, 63, 1, 9, True), 16, 4096, False, "random", 1024),
    ((63, 63, 1, 3, False), 1024, 4096, False, "sequential", 256),
]


@pytest.mark.parametrize(
    ("network", "m", "test_size", "thermal", "order", "lanes"),
    [*SETTINGS, *(pytest.param(*setting, marks=pytest.mark.slow) for setting in MORE_SETTINGS)],
)
def test_estimated_memory(network, m, test_size, thermal, order, lanes):
    """The estimate covers what the compiler reports for the largest program, and is not thrice that."""
    N, K, M, d, train_output = network
    teacher = teachers.draw_teacher(N, K, M, d, train_output, 1, 0)
    shape = networks.shape_of(teacher, N, train_output)
    setting = memory.setting_of(shape, m, test_size, thermal)
    random = order == "random"
    sweeps = memory.schedule_sweeps(shape) if random else 1
    launch = programs.Launch(setting, lanes, sweeps, random, by_units=not random and not shape.scalar)
    largest = max(programs.programs(launch, one_device()).memory.values())
    estimate = memory.lane_bytes(setting) * lanes + memory.schedule_bytes(shape)
    assert largest <= estimate <= 3 * largest


@pytest.mark.parametrize(
    ("network", "order", "m"),
    [
        (VECTOR, "random", [3, 70, 200, 300]),
        (SCALAR, "random", [8, 40]),
        (VECTOR, "random", [5]),
        (VECTOR, "sequential", [5]),  # unit by unit, with room for effects
    ],
)
def test_memory_of_a_core(network, order, m, monkeypatch):
    """What a thread of the native engine allocates is what was estimated, however many widths it meets."""
    rooms = []
    make = cores.Room.__init__

    def remembered(room):
        make(room)
        rooms.append(room)

    monkeypatch.setattr(cores.Room, "__init__", remembered)
    launch(network, order, 0, seed=1, m=m, times=[0, 1], engine="native")
    N, K, M, d, train_output = network
    shape = networks.shape_of(teachers.draw_teacher(N, K, M, d, train_output, 1, 0), N, train_output)
    bits = sizes.word_bits(max(m), sizes.readers_of(shape))
    weights = sizes.weight_bytes(shape, sizes.students_in(bits))
    needed = rooms[0].memory.size + weights
    assert needed <= sizes.core_bytes(shape, max(m)) <= 2 * needed


def setting_for(m, N=64):
    shape = networks.shape_of(teachers.draw_teacher(N, N, N, 3, True, 1, 0), N, True)
    return memory.setting_of(shape, m, 256, thermal=False)


@pytest.mark.parametrize("total", [1, 15, 16, 37, 1000, 12345])
@pytest.mark.parametrize("devices", [1, 8])
def test_lanes_fit(total, devices, monkeypatch):
    """However little memory there is, no launch is estimated to need more; with plenty, whole vectors."""
    mesh, setting = student_mesh(jax.devices()[:devices]), setting_for(70)
    fixed, lane = memory.schedule_bytes(setting.shape), memory.lane_bytes(setting)
    for room in (1, 2, 5, 16, 40, 100, 10**6):
        available = fixed + room * lane + lane // 2
        monkeypatch.setattr(memory, "available_bytes", lambda device, available=available: available)
        each = memory.lanes_per_device(setting, total, mesh)
        assert 1 <= each <= room
        launches = -(-total // (each * devices))
        fewest = -(-total // (room * devices))
        # Launches are as few as the memory or a cache's worth of lanes allow, and none is left empty.
        assert launches >= fewest
        assert (launches - 1) * each * devices < total
    assert each % memory.LANE_MULTIPLE == 0


def test_too_little_memory(monkeypatch):
    """Not even one student fits: the message says what is needed and what there is."""
    setting = setting_for(70)
    fixed, lane = memory.schedule_bytes(setting.shape), memory.lane_bytes(setting)
    monkeypatch.setattr(memory, "available_bytes", lambda device: fixed + lane - 1)
    with pytest.raises(MemoryError, match=r"^one student .* need .* GiB, but the device has .* GiB$"):
        memory.lanes_per_device(setting, 10, one_device())
    monkeypatch.setattr(memory, "available_bytes", lambda device: fixed + lane)
    assert memory.lanes_per_device(setting, 10, one_device()) == 1


def test_available_memory_is_shared_by_the_devices(monkeypatch):
    """A CPU device may take its share of half the free memory of the host."""
    sizes = {"SC_PAGE_SIZE": 4096, "SC_AVPHYS_PAGES": GIBIBYTE // 4096}
    monkeypatch.setattr(memory.os, "sysconf", sizes.__getitem__)
    assert memory.available_bytes(jax.devices()[0]) == GIBIBYTE // 2 // 8
