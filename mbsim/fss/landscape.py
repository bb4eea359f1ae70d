"""χ²/dof of a collapse over (m_c, 1/ν), about the best."""

import numpy as np
from numpy.typing import NDArray

from mbsim.fss import master
from mbsim.fss.interval import Interval
from mbsim.fss.results import Landscape
from mbsim.fss.search import Fit

Array = NDArray[np.float64]

NODES = 21
STEPS = 6


def landscape(fit: Fit, m_c: Interval, rate: Interval, expected: float) -> Landscape:
    """χ²/dof four half-intervals to each side of the best, the other parameters at their best for each.

    `expected`: of χ² where the points collapse (`goodness`).
    """
    axes = []
    for at, interval in ((master.M_C, m_c), (master.RATE, rate)):
        reach = 2 * (interval.high - interval.low)
        low = max(fit.theta[at] - reach, fit.bounds.low[at])
        axes.append(np.linspace(low, min(fit.theta[at] + reach, fit.bounds.high[at]), NODES))
    mesh = np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=-1)
    start = np.concatenate([mesh, np.broadcast_to(fit.theta[2:], (len(mesh), len(fit.theta) - 2))], axis=1)
    others = fit.bounds.holding(master.M_C, master.RATE)
    _, cost = master.minimise(fit.points, start, fit.data.value[None], others, STEPS)
    return Landscape(axes[0], axes[1], cost.reshape(NODES, NODES) / expected)
