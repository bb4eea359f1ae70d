"""The mesh of devices over which students are split: one axis, for students never speak to each other."""

from collections.abc import Sequence

import jax
import numpy as np
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

AXIS = "student"
"""Name of the one axis."""
EVERYWHERE = P()
"""Of arrays that every device holds whole: what students share."""
SPLIT = P(AXIS)
"""Of arrays whose first axis is that of the students."""


def student_mesh(devices: Sequence[jax.Device] | None = None) -> Mesh:
    """The one-axis mesh over the given devices, or over all of this process.

    Example:
        >>> student_mesh(jax.devices()[:1]).shape
        OrderedDict({'student': 1})
    """
    return Mesh(np.array(jax.local_devices() if devices is None else devices), (AXIS,))
