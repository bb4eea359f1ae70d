"""m_c against N: the limit and the law."""

from collections.abc import Sequence

from mbsim.fss.results import Extrapolation
from mbsim.fss.table import Critical


def extrapolate(critical: Sequence[Critical], *, size: str = "N") -> list[Extrapolation]:
    """The law of m_c against the size for each estimator and each combination of the other labels."""
    raise NotImplementedError
