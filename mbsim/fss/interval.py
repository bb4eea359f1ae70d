"""A value with its 95 % interval, and the few words that every record of the analysis shares."""

import math
from typing import Literal, NamedTuple

Order = Literal["first", "second", "crossover", "undecided", "none"]
"""Of the transition: "crossover" if nothing sharpens with the size, "none" if the grid shows none, "undecided" if
the evidence does not suffice.
"""
Label = int | float | str
"""A value of a dimension that is neither control nor sample."""


class Interval(NamedTuple):
    """A value and its 95 % interval; low = high = value where it was fixed by the caller.

    NaN is "not known". In text an interval has two digits of its length:

    >>> str(Interval(17.314, 17.08, 17.53)), str(Interval(17.314)), str(Interval())
    ('17.31 (17.08 to 17.53)', '17.31 (no interval)', 'not known')
    """

    value: float = math.nan
    low: float = math.nan
    high: float = math.nan

    @property
    def known(self) -> bool:
        """Whether there is a value (its interval may still be missing)."""
        return math.isfinite(self.value)

    @property
    def texts(self) -> tuple[str, str]:
        """The value, and the interval beside it, as text: ("17.31", "17.08 to 17.53")."""
        if not self.known:
            return "not known", ""
        if not math.isfinite(self.high - self.low):
            return f"{self.value:.4g}", "no interval"
        length = self.high - self.low
        decimals = min(6, max(0, 1 - math.floor(math.log10(length)))) if length > 0 else 4
        return f"{self.value:.{decimals}f}", f"{self.low:.{decimals}f} to {self.high:.{decimals}f}"

    def __str__(self) -> str:
        value, ends = self.texts
        return f"{value} ({ends})" if ends else value


UNKNOWN = Interval()


def null_if_nan(number: float) -> float | None:
    """A number for JSON, which has neither NaN nor infinity."""
    return float(number) if math.isfinite(number) else None
