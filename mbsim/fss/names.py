"""How each estimator of m_c is called: in full in tables, JSON and reports, shortly on axes and in legends.

Records carry the key of their estimator and the name of their order parameter; the words come from here. An
estimator brings its words when it is registered (`mbsim.fss.estimators`).
"""

from typing import NamedTuple

from mbsim.errors import DatasetError

MIDPOINT = "midpoint"
"""The estimator that tables, findings and figures speak of first."""
STEEPEST = "steepest"
"""The one that needs no plateau."""
PERFECT_RECOVERY = "perfect_recovery"


class Name(NamedTuple):
    """title: in full, with the place {order_parameter} if it depends on one. short: for axes and columns."""

    title: str
    short: str


_NAMES: dict[str, Name] = {}


def name(key: str, title: str, short: str) -> None:
    """Give an estimator its words.

    Raises:
        DatasetError: the key, or the short name, is taken; the title names another place.
    """
    try:
        title.format(order_parameter="")
    except (KeyError, IndexError, ValueError):
        raise DatasetError(
            f"estimator {key!r}: title = {title!r}: the only place allowed is {{order_parameter}}"
        ) from None
    if key in _NAMES:
        raise DatasetError(f"estimator {key!r}: the key is taken, by the {title_of(key, 'order parameter')}")
    for other, words in _NAMES.items():
        if words.short == short:
            raise DatasetError(f"estimator {key!r}: the short name {short!r} is taken, by {other!r}")
    _NAMES[key] = Name(title, short)


def keys() -> tuple[str, ...]:
    """The keys that have words, in the order in which they were given: a place for each in every figure."""
    return tuple(_NAMES)


def title_of(key: str, order_parameter: str) -> str:
    """In full; the key itself for an estimator that is not registered here."""
    return _NAMES[key].title.format(order_parameter=order_parameter) if key in _NAMES else _spaced(key)


def short_of(key: str) -> str:
    """The short name; the key itself for an estimator that is not registered here."""
    return _NAMES[key].short if key in _NAMES else _spaced(key)


def _spaced(key: str) -> str:
    return key.replace("_", " ")


def forget(key: str) -> None:
    """Take its words away again."""
    _NAMES.pop(key, None)
