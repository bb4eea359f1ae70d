"""How many programs of a kernel a device has room for at once."""

import os

import jax
import numpy as np
from jax.sharding import Mesh

from mbsim.engines.networks import Shape
from mbsim.engines.pallas import layout
from mbsim.engines.pallas.layout import Layout

SHARE = 0.8  # of a device's memory that a launch may take


def program_bytes(shape: Shape, of: Layout, heat: int) -> int:
    """Device memory of one program's students: what passes through twice, what is kept once, and for each of
    them some room to draw inputs.
    """
    row = 4 * int(np.prod(of.row))
    drawn = (2 + of.fields) * shape.N * of.words
    return row * (layout.kept_rows(shape, of) + 2 * layout.passed_rows(shape, of, heat) + drawn)


def available_bytes(device: jax.Device) -> int:
    """Memory that a device may hand out; of a CPU, its share of half the host's free memory."""
    stats = device.memory_stats() if device.platform != "cpu" else None
    if stats and "bytes_limit" in stats:
        return int(stats["bytes_limit"] - stats.get("bytes_in_use", 0))
    free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    return free // 2 // max(1, jax.local_device_count())


def most_programs(shape: Shape, of: Layout, heat: int, mesh: Mesh) -> int:
    """Programs on one device in one launch, at least one."""
    room = SHARE * available_bytes(mesh.devices.flat[0])
    return max(1, int(room // program_bytes(shape, of, heat)))
