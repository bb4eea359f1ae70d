"""When a run is measured."""

import numpy as np


def measurement_times(sweeps: int, measurements: int) -> np.ndarray:
    """When a run of `sweeps` sweeps or steps is measured: at 0, at log-spaced times, and evenly over the last
    quarter.

    The tail, a quarter of the measurements but eight at least, is spaced evenly over t > 3/4 sweeps and ends
    at `sweeps`; the moments of a student are taken over it. The times before it grow by one common factor, as
    nearly as different integers can.

    Returns:
        (at most `measurements`,) int64, strictly increasing, the first 0, the last `sweeps`.

    Raises:
        ValueError: sweeps < 32 or measurements < 12.

    >>> measurement_times(300, 12)
    array([  0,   1,   6,  38, 235, 244, 254, 263, 272, 282, 291, 300])
    """
    if sweeps < 32 or measurements < 12:
        raise ValueError(f"sweeps = {sweeps} must be at least 32, measurements = {measurements} at least 12")
    if measurements > sweeps:
        return np.arange(sweeps + 1, dtype=np.int64)
    tail_length = min(max(8, measurements // 4), sweeps // 4)
    tail = [sweeps - j * sweeps // (4 * tail_length) for j in reversed(range(tail_length))]
    times = [0, 1]
    # Each factor is taken anew from what is left, since small integers cannot be a common factor apart.
    for left in range(measurements - tail_length - 1, 1, -1):
        factor = (tail[0] / times[-1]) ** (1 / left)
        if (time := max(times[-1] + 1, round(times[-1] * factor))) >= tail[0]:
            break
        times.append(time)
    return np.array(times + tail, dtype=np.int64)
