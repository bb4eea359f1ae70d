"""What a data collapse is asked for: quantities, fixed parameters, windows, starts and bounds, checked."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from mbsim.errors import DatasetError

QUANTITIES = ("mean", "binder", "susceptibility", "success")
DIMENSIONLESS = ("binder", "success")
PARAMETERS = ("m_c", "inverse_nu", "beta_over_nu", "omega")
BOUNDS: dict[str, tuple[float, float]] = {
    "inverse_nu": (-1.0, 4.0),
    "beta_over_nu": (-2.0, 2.0),
    "omega": (0.05, 4.0),
}
"""Where parameters are searched for unless bounds are given; m_c within the points."""
LARGEST = 20.0
"""Exponents of N that are larger leave the range of numbers."""
Window = tuple[float, float] | None


@dataclass(frozen=True)
class Request:
    """A collapse A N^(β/ν) = f((m - m_c) N^(1/ν)) [+ N^-ω g] of one quantity, or of several with common m_c and ν.

    quantities: A, each of `QUANTITIES`. m_c, nu: fixed to this value. beta: {quantity: fixed value}.
    correction: ω, or "fit", or None for no correction. window: of the control. scaled_window: of
    x = (m - m_c) N^(1/ν). start, bounds: {parameter: value} and {parameter: (low, high)}, of `PARAMETERS`.

    Raises:
        DatasetError: a value that is not allowed, named with what is.

    >>> Request(("mean", "binder")).beta
    {'binder': 0.0}
    """

    quantities: tuple[str, ...] = ("mean",)
    m_c: float | None = None
    nu: float | None = None
    beta: Mapping[str, float] = field(default_factory=dict)
    correction: float | Literal["fit"] | None = None
    window: Window = None
    scaled_window: Window = None
    start: Mapping[str, float] = field(default_factory=dict)
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.quantities:
            if name not in QUANTITIES:
                raise DatasetError(f"quantity = {name!r}: allowed are {', '.join(QUANTITIES)}")
        if len(set(self.quantities)) != len(self.quantities) or not self.quantities:
            raise DatasetError(f"quantity = {self.quantities!r}: each quantity must be named once")
        for key in ("m_c", "nu"):
            if getattr(self, key) is not None:
                object.__setattr__(self, key, number(key, getattr(self, key), positive=key == "nu"))
        if self.correction is not None and not (
            isinstance(self.correction, str) and self.correction == "fit"
        ):
            object.__setattr__(self, "correction", number("correction", self.correction, True, ' or "fit"'))
        for key in ("window", "scaled_window"):
            if getattr(self, key) is not None:
                object.__setattr__(self, key, _ends(key, getattr(self, key)))
        if self.nu is not None and 1 / self.nu > LARGEST:
            raise DatasetError(f"nu = {self.nu:g}: must be at least {1 / LARGEST:g}")
        if isinstance(self.correction, float) and self.correction > LARGEST:
            raise DatasetError(f"correction = {self.correction:g}: must be at most {LARGEST:g}")
        beta = {name: number("beta", value) for name, value in self.beta.items()}
        for name in beta:
            if name not in self.quantities:
                raise DatasetError(f"beta of {name!r}: allowed are {', '.join(self.quantities)}")
        still = {name: 0.0 for name in self.quantities if name in DIMENSIONLESS}
        object.__setattr__(self, "beta", still | beta)
        start = {key: number(f"start[{key!r}]", value) for key, value in self._known("start").items()}
        bounds = {key: _bounds(key, value) for key, value in self._known("bounds").items()}
        for key, value in start.items():
            if key in bounds and not bounds[key][0] <= value <= bounds[key][1]:
                raise DatasetError(
                    f"start[{key!r}] = {value:g}: must lie within bounds {bounds[key][0]:g} to {bounds[key][1]:g}"
                )
        object.__setattr__(self, "start", start)
        object.__setattr__(self, "bounds", bounds)

    def _known(self, key: str) -> Mapping[str, Any]:
        given = getattr(self, key)
        if not isinstance(given, Mapping):
            raise DatasetError(f"{key} = {given!r}: must be a mapping such as {{'m_c': ...}}")
        for name in given:
            if name not in PARAMETERS:
                raise DatasetError(f"{key}[{name!r}]: allowed are {', '.join(PARAMETERS)}")
        return given

    @property
    def fewest_sizes(self) -> int:
        """Two sizes, one more for a correction to scaling, one more to fit its exponent."""
        return 2 + (self.correction is not None) + (self.correction == "fit")

    @property
    def fixed(self) -> tuple[str, ...]:
        """The names of what the caller fixed, or what the kind of the quantity does."""
        names = [key for key in ("m_c", "nu") if getattr(self, key) is not None]
        return (*names, *(["beta"] if len(self.beta) == len(self.quantities) else []))


def request(
    quantity: str | Sequence[str] = "mean", beta: float | Mapping[str, float] | None = None, **others: Any
) -> Request:
    """The request as a caller words it: one quantity or several, one beta or a mapping."""
    if not isinstance(quantity, (str, list, tuple)):
        raise DatasetError(f"quantity = {quantity!r}: allowed are {', '.join(QUANTITIES)}, or a list of them")
    names = (quantity,) if isinstance(quantity, str) else tuple(quantity)
    if beta is not None and not isinstance(beta, Mapping):
        if len(names) != 1:
            raise DatasetError(f"beta = {beta!r}: of several quantities a mapping, such as {{'mean': 0.125}}")
        beta = {names[0]: beta}
    given = {key: value for key, value in others.items() if value is not None}
    return Request(names, beta=beta or {}, **given)


def number(key: str, value: Any, positive: bool = False, alternative: str = "") -> float:
    """The value as a finite number.

    Raises:
        DatasetError: it is none, or not positive where it must be.
    """
    allowed = ("a positive number" if positive else "a finite number") + alternative
    real = not isinstance(value, (bool, str, complex))
    try:
        found = float(value) if real else math.nan
    except (TypeError, ValueError):
        found = math.nan
    if not math.isfinite(found) or (positive and not found > 0):
        shown = f"{value:g}" if isinstance(value, float) else repr(value)
        raise DatasetError(f"{key} = {shown}: must be {allowed}")
    return found


def _ends(key: str, value: Any) -> tuple[float, float]:
    if isinstance(value, str) or not hasattr(value, "__len__") or len(value) != 2:
        raise DatasetError(f"{key} = {value!r}: must be two numbers, (from, to)")
    low, high = (_end(key, one) for one in value)
    if not low < high:
        raise DatasetError(f"{key} = ({low:g}, {high:g}): the first must be less than the second")
    return low, high


def _bounds(name: str, value: Any) -> tuple[float, float]:
    """Finite ends, of exponents not too large for numbers."""
    key = f"bounds[{name!r}]"
    low, high = _ends(key, value)
    most = math.inf if name == "m_c" else LARGEST
    for end in (low, high):
        if not (math.isfinite(end) and abs(end) <= most):
            allowed = "be finite" if name == "m_c" else f"lie between {-most:g} and {most:g}"
            raise DatasetError(f"{key} has {end:g}: must {allowed}")
    return low, high


def _end(key: str, value: Any) -> float:
    """A number, which may be infinite: a window open to one side."""
    if isinstance(value, (bool, str, complex)):
        raise DatasetError(f"{key} = {value!r}: must be two numbers, (from, to)")
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if math.isnan(number):
        raise DatasetError(f"{key} has {value!r}: must be two numbers, (from, to)")
    return number
