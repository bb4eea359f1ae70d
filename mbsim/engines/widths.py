"""Students by the width of their mini-batches, so that a small m never pays for the room of a large one.

What is compiled for a launch has slots for its widest batch, and examples beyond a student's own m are masked.
"""

import numpy as np

NARROWEST = 5  # log2 of the largest m of the first class: one 32-bit word


def by_width(m: np.ndarray) -> list[np.ndarray]:
    """Places of the students whose batches (students,) are alike in width: m <= 32, 33 to 64, 65 to 128, ...

    Example:
        >>> [places.tolist() for places in by_width(np.array([4, 200, 32, 33]))]
        [[0, 2], [3], [1]]
    """
    width = np.array([max(NARROWEST, (one - 1).bit_length()) for one in m.tolist()], int)
    return [np.flatnonzero(width == one) for one in np.unique(width)]
