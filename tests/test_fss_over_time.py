"""m_c against the length of the run, on planted drifts: recovered at each time, and told where it still moves."""

import json
import re

import numpy as np
import pytest
import xarray as xr
from rises import logistic

from mbsim import fss
from mbsim.errors import DatasetError

M = np.arange(8, 29)
TIMES = np.array([0, 1, 3, 10, 20, 30, 60, 100, 200, 300])


def drifting(places, times=TIMES, sizes=(64, 128), teachers=6, replicas=24, noise=0.03, seed=0):
    """Order parameter `q` over time, which rises at m = places[t]; flat at time 0. `q_mean` is its end."""
    rng = np.random.default_rng(seed)
    own = 0.2 * rng.normal(size=(len(sizes), teachers, 1, 1)) + 0.2 * rng.normal(
        size=(len(sizes), teachers, replicas, 1)
    )
    values = np.stack([0.1 + 0.9 * logistic((M - place - own) / 0.6) for place in places], axis=-1)
    values[..., 0] = 0.1
    values += noise * rng.normal(size=values.shape)
    dims = ("N", "teacher", "replica", "m", "time")
    return xr.Dataset(
        {"q": (dims, values), "q_mean": (dims[:-1], values[..., -1])},
        {"N": list(sizes), "m": M, "time": ("time", times, {"units": "sweep"})},
        {"order_parameter": "q_mean"},
    )


def falling(rate):
    """m_c that falls by `rate` in each factor of ten, to 16 at the end."""
    return 16 - rate * np.log10(np.maximum(TIMES, 1) / TIMES[-1])


def test_m_c_and_its_trend_are_recovered_at_every_time():
    found = fss.over_time(drifting(falling(2.0)), bootstrap=200)
    assert [one.labels for one in found] == [{"N": 64}, {"N": 128}]
    for one in found:
        assert (one.estimator, one.order_parameter, one.unit) == ("midpoint", "q", "sweep")
        np.testing.assert_array_equal(one.times, TIMES[1:])
        np.testing.assert_allclose(one.m_c, falling(2.0)[1:], atol=0.25)
        assert (one.low < one.m_c).all() and (one.m_c < one.high).all()
        assert one.trend.low <= -2.0 <= one.trend.high
        assert one.moving and [reason.key for reason in one.because] == ["still_moving"]
        assert re.search(
            r"m_c moves by .* per factor of ten from time 3\d to 300: the run is too short", one.reason
        )


def test_what_has_come_to_rest_is_not_said_to_move():
    places = np.where(TIMES < 20, falling(2.0), 16.0)
    for one in fss.over_time(drifting(places), bootstrap=200):
        assert not one.moving and one.because == ()
        assert abs(one.trend.value) < 0.15 and one.trend.high - one.trend.low < 0.5


def slowing(end, bend):
    """m_c with slope `end` - `bend` in log10 t over the last decade, `end` - `bend` / 2 over its last half."""
    u = np.log10(np.maximum(TIMES, 1) / TIMES[-1])
    return 16 + end * u + bend * u**2


def test_a_drift_that_slows_down_is_told_at_its_end():
    """Over the last decade it is steeper than over its last half, by the curvature."""
    [one] = fss.over_time(drifting(slowing(-0.5, 1.0), sizes=(64,)), bootstrap=200)
    assert one.at_end.low <= -1.0 <= one.at_end.high and one.trend.high < -1.3 and one.moving
    [line] = fss.over_time(drifting(slowing(-1.0, 0.0), sizes=(64,)), bootstrap=200)
    assert line.at_end.low <= -1.0 <= line.at_end.high
    stops = 16 + 2 * np.maximum(0, np.log10(90 / np.maximum(TIMES, 1)))
    [rests] = fss.over_time(drifting(stops, sizes=(64,)), bootstrap=200)
    assert rests.trend.high < -0.5 and rests.at_end.low < 0 < rests.at_end.high and not rests.moving


@pytest.mark.slow
def test_the_interval_of_the_drift_at_the_end_covers():
    hits = []
    for seed in range(100):
        ds = drifting(slowing(-0.5, 1.0), sizes=(64,), seed=seed)
        [one] = fss.over_time(ds, bootstrap=200)
        hits.append(one.at_end.low <= -1.0 <= one.at_end.high)
    assert np.mean(hits) >= 0.88


def test_a_first_look_takes_some_times_and_says_so():
    times = np.unique(np.round(10 ** np.linspace(0, 3.5, 60)))
    start = np.append(0.0, times)
    ds = drifting(
        16 - np.log10(np.maximum(start, 1) / times[-1]), start, sizes=(64, 128, 256), teachers=4, replicas=8
    )
    some = fss.analyze(ds, bootstrap=50).over_time
    for one in some:
        assert len(one.times) == 16 and one.times[0] == 1 and one.times[-1] == times[-1]
        assert (one.times >= times[-1] / 10).sum() == 8  # the decade that the trend is of
        assert f"read off at 16 of the {len(times)} measured times" in one.reason
        assert one.trend.value == pytest.approx(-1.0, abs=0.15)
    assert not any(one.notes for one in fss.over_time(ds, bootstrap=50))


def test_teachers_that_shift_all_times_alike_are_not_in_the_error_of_the_trend():
    """Times are measured on the same students: the trend is known far better than m_c."""
    [one] = fss.over_time(drifting(falling(1.0), sizes=(64,)), bootstrap=200)
    assert one.trend.high - one.trend.low < (one.high[-1] - one.low[-1]) / 2


@pytest.mark.slow
def test_the_interval_of_the_trend_covers():
    hits = []
    for seed in range(100):
        [one] = fss.over_time(drifting(falling(1.0), sizes=(64,), seed=seed), bootstrap=200)
        hits.append(one.trend.low <= -1.0 <= one.trend.high)
    assert 0.88 <= np.mean(hits) <= 1.0


def test_another_estimator_and_a_falling_order_parameter():
    ds = drifting(falling(2.0), sizes=(64,))
    [one] = fss.over_time(ds, "q", estimator="steepest", bootstrap=100)
    assert one.estimator == "steepest" and one.trend.low <= -2.0 <= one.trend.high
    error = ds.assign(generalization_error=1 - ds.q, output_overlap_mean=ds.q_mean).drop_vars(["q", "q_mean"])
    [one] = fss.over_time(error.assign_attrs(order_parameter="output_overlap_mean"), bootstrap=100)
    assert one.order_parameter == "generalization_error"
    assert one.trend.low <= -2.0 <= one.trend.high


def test_too_few_times_have_no_trend():
    [one] = fss.over_time(drifting(falling(2.0), sizes=(64,)).isel(time=[0, -2, -1]), bootstrap=100)
    assert np.isfinite(one.m_c).all()
    assert not one.trend.known and [reason.key for reason in one.because] == ["few_times"]


def test_what_is_not_measured_over_time_is_named():
    with pytest.raises(DatasetError, match="order parameter 'q' has no dimension 'time': allowed are none"):
        fss.over_time(fss.planted([64]))
    ds = drifting(falling(1.0), sizes=(64,))
    with pytest.raises(DatasetError, match="estimators = 'middle': allowed are"):
        fss.over_time(ds, estimator="middle")
    with pytest.raises(DatasetError, match="time holds text, such as"):
        fss.over_time(ds.assign_coords(time=ds.time.astype(str)))
    with pytest.raises(DatasetError, match="time has no values"):
        fss.over_time(ds.drop_vars("time"))


@pytest.mark.slow
def test_the_analysis_has_it_and_tells_a_spinodal_where_phases_coexist():
    rise = drifting(falling(2.0), sizes=(64, 128, 256))
    found = fss.analyze(rise, bootstrap=100)
    assert len(found.over_time) == 3 and all(one.moving for one in found.over_time)
    assert {one.because[0].key for one in found.over_time} == {"still_moving"}
    planted = rise.assign_coords(m=rise.m - 6).interp(m=rise.m)  # a branch that lasts down to m = 10
    step = [np.round((one - 0.1) / 0.9) * 0.9 + 0.1 for one in (rise.q, planted.q.fillna(1.0))]
    both = xr.concat(step, xr.Variable("init_overlap", [0.0, 1.0])).to_dataset(name="q")
    loop = both.assign(q_mean=both.q.isel(time=-1)).assign_attrs(rise.attrs)
    found = fss.analyze(loop, bootstrap=100)
    assert {one.order for one in found.verdicts} == {"first"}
    moving = [one for one in found.over_time if one.moving]
    assert moving and {one.because[0].key for one in moving} == {"spinodal"}
    assert all("limit of a metastable state" in one.reason for one in moving)
    assert fss.analyze(fss.planted([64]), bootstrap=50).reasons["over_time"] == "q is not measured over time"
    json.dumps(fss.times_json(found.over_time), allow_nan=False)
