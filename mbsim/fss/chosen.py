"""Which estimator's m_c is stated at each combination of labels, and why.

The midpoint where both plateaus are seen: then it is half-way between two phases. Otherwise the steepest slope, which
needs no plateau; and the midpoint with its systematic error where there is no steepest slope either. A law against
N or d is always that of one estimator: it never mixes them.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mbsim.fss.critical import Critical
from mbsim.fss.design import need_records
from mbsim.fss.interval import Label
from mbsim.fss.names import MIDPOINT, STEEPEST
from mbsim.fss.reasons import Reason, because
from mbsim.fss.records import Records

Key = tuple[tuple[str, Label], ...]


def chosen(critical: Sequence[Critical]) -> Records[Critical]:
    """The record of m_c to state for each combination of labels, with `choice`: why this one.

    Args:
        critical: records as `estimates` gives them. Combinations without a midpoint or a steepest slope among
            them are left out.

    Raises:
        DatasetError: `critical` holds no records.

    >>> from mbsim import fss
    >>> [record] = fss.chosen(fss.estimates(fss.planted([64]), bootstrap=100))
    >>> record.estimator, str(record.choice)
    ('midpoint', 'both plateaus are seen')
    """
    found: dict[Key, dict[str, Critical]] = {}
    for one in need_records(critical, "critical", "mbsim.fss.estimates(ds)"):
        if one.estimator in (MIDPOINT, STEEPEST):
            found.setdefault(tuple(one.labels.items()), {})[one.estimator] = one
    return Records(_choice(own.get(MIDPOINT), own.get(STEEPEST)) for own in found.values())


def marked(critical: Sequence[Critical]) -> Records[Critical]:
    """All records, those that `chosen` gives with their `choice`."""
    choices = {(one.estimator, tuple(one.labels.items())): one for one in chosen(critical)}
    return Records(choices.get((one.estimator, tuple(one.labels.items())), one) for one in critical)


def _choice(midpoint: Critical | None, steepest: Critical | None) -> Critical:
    if midpoint is None or steepest is None:
        only = midpoint or steepest
        assert only is not None
        return replace(only, choice=because("used_alone"))
    why = _unseen(midpoint)
    if why is None:
        return replace(midpoint, choice=because("used_midpoint"))
    if np.isfinite(steepest.m_c):
        return replace(steepest, choice=because("used_steepest", why=why))
    return replace(midpoint, choice=because("used_anyway"))


def _unseen(midpoint: Critical) -> Reason | None:
    """Why the midpoint is not half-way between two plateaus, or None where it is."""
    if not np.isfinite(midpoint.m_c):
        return midpoint.because[0] if midpoint.because else because("used_anyway")
    return next((one for one in midpoint.because if one.key == "no_plateau"), None)
