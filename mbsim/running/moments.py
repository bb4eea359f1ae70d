"""What every dynamics reports of a lane besides its series: moments over the tail of the run, and success.

Series have shape (lanes, times), results (lanes,).
"""

from collections.abc import Mapping

import numpy as np

OVERLAP_TAIL = 0.75  # moments are taken over measured times later than this part of the run
MOMENTS = (("mean", 1), ("second", 2), ("fourth", 4))


def tail_moments(series: Mapping[str, np.ndarray], times: np.ndarray, guess: float) -> dict[str, np.ndarray]:
    """Mean, second and fourth moment over the measured times of the last quarter, for each lane.

    Of the overlap of weights, the generalisation error e, and the overlap of outputs: 1 - e / `guess`, where
    a guess has the error `guess` (1/2 for ±1 outputs, 1 for real ones), so that it is 0 for a guess and 1 for
    the teacher.
    """
    tail = times > OVERLAP_TAIL * times[-1]
    found = dict(series) | {"output_overlap": 1 - series["generalization_error"] / guess}
    return {
        f"{name}_{moment}": (found[name][:, tail] ** power).mean(axis=1)
        for name in ("overlap", "output_overlap", "generalization_error")
        for moment, power in MOMENTS
    }


def success(learned: np.ndarray, times: np.ndarray) -> dict[str, np.ndarray]:
    """Whether a lane has learned at the end, when it first had, and that it has finished."""
    first = np.where(learned.any(axis=1), times[learned.argmax(axis=1)].astype(float), np.nan)
    return {
        "success": learned[:, -1].astype(np.int8),
        "success_time": first,
        "status": np.ones(len(learned), np.int8),
    }
