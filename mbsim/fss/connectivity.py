"""m_c against the connectivity d."""

from collections.abc import Sequence

from mbsim.fss.results import ConnectivityLaw, Extrapolation
from mbsim.fss.table import Critical


def connectivity_law(
    critical: Sequence[Critical] | Sequence[Extrapolation], *, size: str = "N", connectivity: str = "d"
) -> list[ConnectivityLaw]:
    """Linear or power law of m_c against d."""
    raise NotImplementedError
