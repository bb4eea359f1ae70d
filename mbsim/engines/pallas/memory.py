"""How many programs of a kernel a device has room for at once."""

import functools

import jax
import numpy as np
from jax.sharding import Mesh

from mbsim.engines.devices import available_bytes
from mbsim.engines.networks import Shape
from mbsim.engines.pallas import layout
from mbsim.engines.pallas.layout import Layout

SHARE = 0.9  # of the memory that a device may hand out


def program_bytes(shape: Shape, of: Layout, heat: int) -> int:
    """Device memory of one program's students: what passes through twice, what is kept once, and for each of
    them some room to draw inputs; and of its teacher's tables.
    """
    row = 4 * int(np.prod(of.row))
    # Tiles of a test have as many bytes as the rows that are made of them.
    drawn = max(2 + of.fields, 2 * of.fields) * shape.N * of.words
    rows = layout.kept_rows(shape, of) + 2 * layout.passed_rows(shape, of, heat) + drawn
    return row * rows + 2 * layout.table_bytes(shape)


def most_programs(shape: Shape, of: Layout, heat: int, mesh: Mesh) -> int:
    """Programs on one device in one launch, at least one."""
    room = SHARE * room_of(mesh.devices.flat[0])
    return max(1, int(room // program_bytes(shape, of, heat)))


@functools.cache
def room_of(device: jax.Device) -> int:
    """Bytes that a device may hand out, asked once: what is prepared while others train is of the size that it will
    have when they are done.
    """
    return available_bytes(device)
