"""Which steps up in errors a temperature makes possible: the limits of Metropolis (`registers/decisions.py`) as a
kernel looks them up.
"""

import numpy as np

from mbsim.engines.networks import Shape
from mbsim.engines.registers.decisions import limits_of

STEP = 8  # rows of limits are padded to a multiple, so that temperatures share programs


def limits(shape: Shape, m: int, temperatures: np.ndarray) -> np.ndarray:
    """`limits_of` for 1, 2, ... more errors (rows, temperatures), with batches of up to m examples."""
    readers = 1 if shape.scalar else shape.readers
    return limits_of(temperatures, m * readers)[1:]


def rows_of(shape: Shape, m: int, temperatures: np.ndarray) -> int:
    """Rows of limits that a student needs: 0 where all are greedy."""
    if not (temperatures > 0).any():
        return 0
    return -(-len(limits(shape, m, np.unique(temperatures))) // STEP) * STEP
