"""The windows that m_c is read off by, of controls of either sign."""

import numpy as np
import pytest

from mbsim import fss
from mbsim.report import checks


@pytest.mark.parametrize("shift", [0.0, 18.0, 40.0])
def test_windows_lie_about_m_c_whatever_the_sign_of_the_control(shift):
    """At zero and below there is no factor of m_c: windows end half-way to the ends of the grid."""
    ds = fss.planted([64])
    ds = ds.assign_coords(m=ds.m - shift)
    analysis = fss.analyze(ds, bootstrap=20)
    [drawing] = checks.window_drawings(ds, analysis, "q")
    windows, found = checks._windows(ds.isel(N=0), analysis.critical[0], "q", "m")
    assert drawing.name == "windows" and len(windows) >= 3
    for (low, high), record in zip(windows, found, strict=True):
        assert low < 18 - shift < high
        assert not np.isfinite(record.m_c) or abs(record.m_c - (18 - shift)) < 1
    assert sum(np.isfinite(record.m_c) for record in found) >= 3
    assert len(set(windows)) == len(windows) and windows[0] == (ds.m.min(), ds.m.max())
    assert np.ptp(windows[-1]) < np.ptp(windows[0])
