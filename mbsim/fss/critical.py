"""The critical value of the control at one combination of labels: the record that every estimator fills."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mbsim.fss import names
from mbsim.fss.interval import Interval, Label, Order
from mbsim.fss.reasons import Reason
from mbsim.fss.records import Record


@dataclass(frozen=True, repr=False)
class Critical(Record):
    """m_c at one combination of labels, by one estimator.

    labels: N, d and any other dimension of the dataset, such as init_overlap, each with its value. A crossing
        belongs to two sizes, N and N_next.
    m_c, low, high: the critical value and its 95 % interval, in units of the control; NaN if not known.
    order: of the transition; "none" if the grid shows no transition, "undecided" if nothing has judged it.
    estimator, order_parameter: the key of how m_c was read off, and the variable that it was read off;
        `title` has both in words.
    value, width: the order parameter at m_c; the range of the control in which the fit goes from 10 to 90 %.
    statistical: the part of the interval that chance and the resolution of the grid make, (low, high).
    systematic: how far m_c moves, (down, up), with what the data do not settle, such as the window of the control;
        m_c - low and high - m_c are the roots of the summed squares of both parts. NaN if not known.
    because: why a number is missing, or what to mind; `reason` has it in words.
    choice: why this is the estimator that m_c is stated by at its labels (`chosen`); None if it is not.
    draws: resampled m_c, shape (sample,), NaN where a resample has none. Records that share a size are
        correlated, and their draws tell how much. None where there are none.

    >>> Critical({"N": 64, "d": 5}, 17.31, 17.08, 17.53, "undecided", "midpoint", "overlap_mean")
    <Critical N = 64, d = 5: m_c = 17.31 (17.08 to 17.53), midpoint of overlap_mean>
    """

    labels: dict[str, Label]
    m_c: float
    low: float
    high: float
    order: Order
    estimator: str
    order_parameter: str = ""
    value: float = np.nan
    width: float = np.nan
    statistical: tuple[float, float] = (np.nan, np.nan)
    systematic: tuple[float, float] = (np.nan, np.nan)
    because: tuple[Reason, ...] = ()
    choice: Reason | None = None
    draws: NDArray[np.float64] | None = field(default=None, compare=False)

    keys: ClassVar[tuple[str, ...]] = ("estimator",)

    @property
    def title(self) -> str:
        """How m_c was read off, in words: "midpoint of overlap_mean"."""
        return names.title_of(self.estimator, self.order_parameter)

    @property
    def interval(self) -> Interval:
        """m_c with its interval."""
        return Interval(self.m_c, self.low, self.high)

    @property
    def of_chance(self) -> tuple[float, float]:
        """The ends of the interval of chance alone, or of the whole where the two parts are not told apart."""
        return self.statistical if np.isfinite(self.statistical).all() else (self.low, self.high)

    def fields(self) -> dict[str, Any]:
        """The estimator in words, m_c with its interval, and the order."""
        return {"estimator": self.title, "m_c": self.interval, "order": self.order}

    def row(self) -> dict[str, Any]:
        """Labels and numbers, under the names of the attributes."""
        numbers = ("estimator", "order_parameter", "m_c", "low", "high", "order", "value", "width", "reason")
        parts = {
            "statistical_low": self.statistical[0],
            "statistical_high": self.statistical[1],
            "systematic_down": self.systematic[0],
            "systematic_up": self.systematic[1],
            "used": "" if self.choice is None else str(self.choice),
        }
        return {**self.labels, **{name: getattr(self, name) for name in numbers}, **parts}

    def summary(self) -> str:
        """The critical value, its estimator, and why it is not known."""
        words = {"first": ["first order"], "second": ["second order"], "crossover": ["crossover"]}
        order = words.get(self.order, [])
        text = ", ".join([f"m_c = {self.interval}", *order, self.title])
        return text + (f" ({self.reason})" if self.reason else "")
