"""How many lanes fit: word type, group size and memory of a launch, estimated before anything is compiled."""

import os

import jax
import numpy as np
from jax.sharding import Mesh

from mbsim.engines.networks import Shape
from mbsim.engines.xla import bits
from mbsim.engines.xla.metropolis import TEST_WORDS, Setting

WIDE_GROUP = 64  # proposals at a time on an accelerator, where each step of a loop costs a launch
# Lanes on one CPU device at a time (measured): enough for long inner loops, few enough for rows to stay in
# cache.
WORD_BYTES = 2048  # one word of all lanes
ROW_BYTES = 2**14  # all words of all lanes
LANE_MULTIPLE = 16  # lanes on a device come in multiples of this, for whole vectors
SCHEDULE_ENTRIES = (
    2**23
)  # resources looked up while a schedule is made, all its sweeps together: bounds its memory
MOST_SWEEPS = 64  # sweeps scheduled at a time


def setting_of(shape: Shape, most_m: int, test_size: int, thermal: bool, platform: str = "cpu") -> Setting:
    """The setting of a launch whose widest batch has `most_m` examples."""
    word = bits.word_type(most_m, narrow=platform == "cpu")
    return Setting(
        shape, bits.words_for(most_m, word), word.name, test_size, thermal, group_size(shape, platform)
    )


def group_size(shape: Shape, platform: str) -> int:
    """Proposals done at a time. Levels hold some K/d^2 of them: wider groups than levels would be padding."""
    if shape.scalar:
        return 1
    if platform != "cpu":
        return WIDE_GROUP
    width = shape.K / shape.d**2
    return 8 if width > 12 else 4 if width > 1 else 2


def schedule_sweeps(shape: Shape) -> int:
    """Sweeps in one schedule: the more, the cheaper each, until its memory counts."""
    return int(np.clip(SCHEDULE_ENTRIES // (shape.proposals * shape.readers), 1, MOST_SWEEPS))


def schedule_bytes(shape: Shape) -> int:
    """Estimated device memory of making a schedule, in bytes: int32 touches, keys, ranks, counts and the
    result.
    """
    return 4 * schedule_sweeps(shape) * shape.proposals * (2 * shape.readers + 16)


def lane_bytes(setting: Setting) -> int:
    """Estimated device memory of one lane in bytes: the state, and the largest temporaries of a refresh or a
    measurement.
    """
    shape, size = setting.shape, np.dtype(setting.word).itemsize
    sums = shape.K.bit_length() if shape.scalar else shape.K
    weights = shape.hidden_links + shape.output_links
    state = (shape.N + shape.M + sums) * setting.words * size + weights
    # A forward pass holds inputs, and hidden states and outputs of student and teacher, beside the state; a
    # measurement does so in words of 32 bits.
    rows = shape.N + 2 * shape.K + 2 * shape.M
    forward = max(setting.words * size, 4 * (TEST_WORDS if shape.scalar else 1)) * rows
    # The words of a group of proposals, with those of the outputs that its units decide.
    group = setting.group * setting.words * ((2 * shape.readers + 4) * size + 4)
    # A quarter more for what has no name. (The compiler for CPUs reports a third to three quarters of all.)
    return int(state + 1.25 * forward) + group + 64


def available_bytes(device: jax.Device) -> int:
    """Memory that launches may take on a device: what its allocator may hand out, or its share of half the
    host's free memory.
    """
    stats = device.memory_stats() if device.platform != "cpu" else None
    if stats and "bytes_limit" in stats:
        return int(0.9 * (stats["bytes_limit"] - stats.get("bytes_in_use", 0)))
    free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    return free // 2 // max(1, jax.local_device_count())


def lanes_per_device(setting: Setting, total: int, mesh: Mesh) -> int:
    """Lanes of one launch on one device: few enough to fit, in launches as equal as they can be.

    Raises MemoryError when not even one lane fits.
    """
    device = mesh.devices.flat[0]
    room = available_bytes(device) - schedule_bytes(setting.shape)
    most = room // lane_bytes(setting)
    if most < 1:
        needed, room = lane_bytes(setting) + schedule_bytes(setting.shape), available_bytes(device)
        raise MemoryError(
            f"one student and its order of proposals need {needed / 2**30:.2f} GiB, "
            f"but the device has {room / 2**30:.2f} GiB"
        )
    if device.platform == "cpu":
        size = np.dtype(setting.word).itemsize
        most = min(most, WORD_BYTES // size, max(LANE_MULTIPLE, ROW_BYTES // (setting.words * size)))
    count = mesh.devices.size
    launches = -(-total // (most * count))
    each = -(-total // (launches * count))
    rounded = -(-each // LANE_MULTIPLE) * LANE_MULTIPLE
    return rounded if rounded <= most else each
