"""How each estimator of m_c is called: in full in tables, JSON and reports, shortly on axes and in legends.

Records carry the key of their estimator and the name of their order parameter; the words are those of the
registered estimator. The registry is here, below the records; `mbsim.fss.estimators` fills it.
"""

from typing import Any

from mbsim.registry import Registry

MIDPOINT = "midpoint"
"""The estimator that tables, findings and figures speak of first."""
STEEPEST = "steepest"
"""The one that needs no plateau."""
PERFECT_RECOVERY = "perfect_recovery"

REGISTRY: Registry[Any] = Registry("estimator")
"""Estimators by key (`estimators.Estimator`, a type that records must not know of)."""


def keys() -> tuple[str, ...]:
    """The keys of all estimators, in the order of registration: a place for each in every figure."""
    return tuple(REGISTRY)


def title_of(key: str, order_parameter: str) -> str:
    """In full; the key itself for an estimator that is not registered here."""
    return REGISTRY[key].title.format(order_parameter=order_parameter) if key in REGISTRY else _spaced(key)


def short_of(key: str) -> str:
    """The short name; the key itself for an estimator that is not registered here."""
    return REGISTRY[key].short if key in REGISTRY else _spaced(key)


def _spaced(key: str) -> str:
    return key.replace("_", " ")
