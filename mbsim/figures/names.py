"""Short names for axes, legends and heads of columns, where the full ones of the analysis would not fit."""

QUANTITIES = {
    "mean": "order parameter",
    "binder": "Binder cumulant $U_4$",
    "susceptibility": r"susceptibility $\chi$",
    "success": "success probability",
    "success_time": "median time of success",
}
_ESTIMATORS = {
    "midpoint": "midpoint",
    "peak of the susceptibility": "peak of χ",
    "crossing of the Binder cumulant": "U4 crossing",
    "crossing of the success": "success crossing",
    "perfect recovery": "perfect recovery",
}
ESTIMATORS = tuple(_ESTIMATORS.values())
"""The short names; an estimator has the same colour in every panel, by its place here."""


def estimator_name(estimator: str) -> str:
    """The short name of an estimator: "midpoint of overlap_mean" is the "midpoint".

    >>> estimator_name("crossing of the Binder cumulant of overlap_mean")
    'U4 crossing'
    """
    found = [name for start, name in _ESTIMATORS.items() if estimator.startswith(start)]
    return found[0] if found else estimator.replace("_", " ")
