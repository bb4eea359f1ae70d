"""What plays no part: the units of the control, and the order in which a dataset has its dimensions."""

import numpy as np
import pytest

from mbsim import fss

UNITS = (1e-9, 1e6, 1e9, 1e20)


@pytest.fixture(scope="module")
def planted():
    return fss.planted([64, 128, 256])


@pytest.mark.parametrize("unit", UNITS)
def test_m_c_is_the_same_in_every_unit_of_the_control(planted, unit):
    scaled = planted.assign_coords(m=planted.m.values * unit)
    for key in ("midpoint", "steepest", "susceptibility"):
        mine, theirs = (fss.estimates(ds, [key], bootstrap=50) for ds in (planted, scaled))
        for one, other in zip(mine, theirs, strict=True):
            numbers = np.array([[record.m_c, record.low, record.high] for record in (one, other)])
            np.testing.assert_allclose(numbers[1] / unit, numbers[0], rtol=1e-4)


@pytest.mark.parametrize("unit", UNITS)
def test_a_collapse_is_the_same_in_every_unit_of_the_control(planted, unit):
    scaled = planted.assign_coords(m=planted.m.values * unit)
    [one], [other] = (fss.collapse(ds, bootstrap=50) for ds in (planted, scaled))
    assert other.m_c.value / unit == pytest.approx(one.m_c.value, rel=1e-6)
    assert other.inverse_nu.value == pytest.approx(one.inverse_nu.value, rel=1e-5)
    assert (other.chi2_per_dof, other.dof) == pytest.approx((one.chi2_per_dof, one.dof), rel=1e-5)
    ends = np.array([[record.m_c.low, record.m_c.high] for record in (one, other)])
    np.testing.assert_allclose(ends[1] / unit, ends[0], rtol=1e-5)


def test_the_order_of_dimensions_changes_no_interval():
    ds = fss.planted([32, 64, 128], starts=True)
    turned = ds.transpose("init_overlap", "replica", "N", "m", "teacher")
    keys = ["midpoint", "steepest", "success_crossing", "binder_crossing"]
    mine, theirs = (fss.estimates(one, keys, bootstrap=50) for one in (ds, turned))
    by_labels = {(one.estimator, frozenset(one.labels.items())): one for one in theirs}
    assert len(by_labels) == len(mine)
    for one in mine:
        other = by_labels[one.estimator, frozenset(one.labels.items())]
        np.testing.assert_equal((one.m_c, one.low, one.high), (other.m_c, other.low, other.high))
