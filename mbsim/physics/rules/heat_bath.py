"""Heat bath (Glauber): as Metropolis, but a flip is accepted with another probability.

    P(ΔE) = 1 / (1 + exp(ΔE/T));   at T = 0: 1 if ΔE < 0, ½ if ΔE = 0, 0 otherwise

Both laws obey detailed balance for exp(−E/T), as P(ΔE) / P(−ΔE) = exp(−ΔE/T). Here a flip that costs nothing
is taken half of the time, and one that gains is not always taken.

Reference: R. J. Glauber, J. Math. Phys. 4, 294 (1963).
"""

from dataclasses import replace

import numpy as np

from mbsim.physics.rules.metropolis import METROPOLIS


def acceptance(change: np.ndarray, temperature: np.ndarray) -> np.ndarray:
    """P(ΔE) = 1 / (1 + exp(ΔE/T)), its limit at T = 0; float64, arguments broadcast."""
    safe = np.where(temperature > 0, temperature, 1)
    return np.where(temperature > 0, np.exp(-np.logaddexp(0, change / safe)), 0.5 - 0.5 * np.sign(change))


HEAT_BATH = replace(
    METROPOLIS,
    name="heat-bath",
    title="heat bath",
    equation="a flip is accepted with probability 1 / (1 + exp(ΔE/T)), at T = 0 one with ΔE = 0 half of the time",
    law=acceptance,
)
