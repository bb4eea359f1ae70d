"""m_c against planted transitions: recovered, with intervals that cover, or refused with a reason."""

import json
import math

import numpy as np
import pytest
import xarray as xr
from rises import GRID, PLANTED, dataset, logistic, overlap, students

from mbsim import fss
from mbsim.errors import DatasetError
from mbsim.fss import resample


def only(ds, **options):
    [record] = fss.midpoint(ds, **options)
    return record


# ---------------------------------------------------------------- the planted value comes back


@pytest.mark.parametrize("m_c", [13.4, 16.0, 17.3, 21.7])
@pytest.mark.parametrize("width", [0.3, 0.6, 1.0])
def test_a_planted_midpoint_is_recovered(m_c, width):
    record = only(dataset({64: students(m_c, width=width)}))
    assert record.m_c == pytest.approx(m_c, abs=0.1)
    assert record.m_c - 0.5 < record.low < record.m_c < record.high < record.m_c + 0.5
    assert record.value == pytest.approx(0.6, abs=0.03)
    assert record.width == pytest.approx(2 * np.log(9) * width, rel=0.15, abs=0.3)
    assert (record.order, record.reason) == ("undecided", "")


def test_a_broad_rise_is_recovered():
    record = only(dataset({64: students(m=np.arange(6, 30), width=1.8)}, m=np.arange(6, 30)))
    assert record.m_c == pytest.approx(PLANTED, abs=0.25)


def test_a_sloping_lower_branch_does_not_move_m_c_with_the_start_of_the_grid():
    ds = dataset({64: students(low=0.35, slope=0.025, width=0.5, noise=0.0)})
    found = [only(ds.isel(m=slice(start, None))).m_c for start in range(6)]
    assert found == pytest.approx(6 * [PLANTED], abs=0.05)


def test_a_geometric_grid_is_fitted_in_the_logarithm():
    m = np.round(4 * 2 ** np.arange(0, 7, 0.5)).astype(int)
    values = overlap(np.log(m), np.log(30.0), width=0.25)[None, None] * np.ones((4, 8, 1))
    record = only(dataset({64: values}, m=m), scale="log")
    assert record.m_c == pytest.approx(30.0, rel=0.02)
    assert m[0] < record.low <= record.m_c <= record.high < m[-1]


@pytest.mark.parametrize("left", [12, 16, 22])
def test_a_jump_between_two_points_is_known_to_half_the_gap(left):
    values = np.where(GRID <= left, 0.2, 1.0) + np.zeros((4, 8, 1))
    record = only(dataset({64: values}))
    assert record.m_c == pytest.approx(left + 0.5, abs=0.05)
    assert (record.low, record.high) == pytest.approx((left, left + 1), abs=0.1)


@pytest.mark.parametrize("m_c", np.arange(16.2, 19.0, 0.2))
def test_on_a_coarse_grid_the_interval_still_covers_a_steep_rise(m_c):
    coarse = GRID[::3]
    record = only(dataset({64: students(m_c, coarse, width=0.3, low=0.3, slope=0.02, noise=0.005)}, m=coarse))
    assert record.low <= m_c <= record.high


def test_teachers_that_jump_at_different_m_are_averaged():
    jumps = np.array([16.5, 17.5, 17.5, 18.5])
    values = np.where(jumps[:, None, None] > GRID, 0.2, 1.0) * np.ones((4, 8, 1))
    record = only(dataset({64: values}))
    assert record.m_c == pytest.approx(17.5, abs=0.05)
    assert record.low < 16.8
    assert record.high > 18.2


def test_only_the_rise_counts_where_the_order_parameter_falls_again():
    values = students(14.0) - 0.6 * logistic((GRID - 22.0) / 0.3)
    record = only(dataset({64: values}))
    assert record.m_c == pytest.approx(14.0, abs=0.1)
    assert "falls again from m = 22 on" in record.reason


# ---------------------------------------------------------------- labels, gaps, seeds


def test_there_is_one_record_for_each_label_and_gaps_change_nothing():
    small, large = GRID[:13], GRID[3::2]
    alone = {
        64: dataset({64: students(15.0, small)}, m=small),
        128: dataset({128: students(19.0, large, seed=1)}, m=large),
    }
    ragged = xr.concat([alone[64], alone[128]], dim="N", join="outer")
    ragged["overlap_mean"] = ragged["overlap_mean"].transpose("m", "replica", "N", "teacher")
    assert ragged["overlap_mean"].isnull().any()
    assert fss.midpoint(ragged) == [only(alone[64]), only(alone[128])]
    assert fss.midpoint(ragged.isel(m=slice(None, None, -1))) == fss.midpoint(ragged)


def test_every_other_dimension_is_a_label():
    learnt = np.ones((4, 8, len(GRID)))
    values = np.stack([students(), learnt])[None, None]
    dims = ("N", "d", "init_overlap", "teacher", "replica", "m")
    ds = xr.Dataset(
        {"overlap_mean": (dims, values)}, coords={"N": [64], "d": [5], "init_overlap": [0.0, 1.0], "m": GRID}
    )
    random, planted = fss.midpoint(ds)
    assert random.labels == {"N": 64, "d": 5, "init_overlap": 0.0}
    assert random.m_c == pytest.approx(PLANTED, abs=0.1)
    assert (planted.labels["init_overlap"], planted.order) == (1.0, "none")


def test_a_teacher_that_did_not_run_is_not_counted():
    values = students()
    more = np.concatenate([values, np.full((2, 8, len(GRID)), np.nan)])
    assert only(dataset({64: more})) == only(dataset({64: values}))


def test_values_of_m_that_few_teachers_have_are_left_out():
    values = students()
    spoilt = values.copy()
    spoilt[1:, :, 7] = np.nan  # one teacher of four is left at m = 17
    spoilt[0, :, 7] = 0.0
    others = [at for at in range(len(GRID)) if at != 7]
    assert only(dataset({64: spoilt})) == only(dataset({64: values}).isel(m=others))


def test_missing_students_are_left_out_of_the_mean():
    values = students(noise=0.0)
    holes = np.random.default_rng(5).random(values.shape) < 0.3
    record = only(dataset({64: np.where(holes, np.nan, values)}))
    assert record.m_c == pytest.approx(only(dataset({64: values})).m_c, abs=1e-6)


def test_the_seed_decides_the_interval_and_nothing_else_does():
    ds = dataset({64: students(), 128: students(seed=1)})
    first = fss.midpoint(ds, seed=3)
    assert fss.midpoint(ds, seed=3) == first
    assert fss.midpoint(ds.isel(N=[1]), seed=3) == first[1:]
    other = fss.midpoint(ds, seed=4)
    assert [record.m_c for record in other] == [record.m_c for record in first]
    assert [record.low for record in other] != [record.low for record in first]


def test_the_interval_stays_on_the_grid():
    rng = np.random.default_rng(2)
    scattered = np.stack([overlap(GRID, m_c) for m_c in (16.0, 19.0)])[:, None] + np.zeros((1, 8, 1))
    record = only(dataset({64: scattered + 0.01 * rng.normal(size=scattered.shape)}))
    assert record.order == "undecided"
    assert (record.low, record.high) == (GRID[0], GRID[-1])  # two teachers three apart tell little


# ---------------------------------------------------------------- no transition, no interval


NONE = {
    "constant": (np.full(len(GRID), 0.3), "no rise that is a transition, extend grid.m"),
    "all learnt": (np.ones(len(GRID)), "no rise"),
    "a small rise": (0.2 + 0.15 * logistic(GRID - PLANTED), "between 0.2 and 0.35 for m = 10 to 26: no rise"),
    "a fall": (1 - overlap(GRID, PLANTED), "no rise that is a transition"),
    "all missing": (np.full(len(GRID), np.nan), "0 values of m hold data, at least 4 are needed"),
    "three points": (np.where(np.isin(GRID, [12, 17, 24]), overlap(GRID, 17.3), np.nan), "3 values of m"),
    "ends below": (overlap(GRID, 25.5), r"part of a transition: extend grid.m above 26"),
    "ends half-way up": (overlap(GRID, 24.0, width=1.5), r"extend grid.m above 26"),
    "begins above": (overlap(GRID, 10.5), r"part of a transition: extend grid.m below 10"),
    "begins half-way up": (overlap(GRID, 12.0, width=1.5), r"extend grid.m below 10"),
    "one point after": (np.where(GRID < 26, 0.2, 1.0), r"extend grid.m above 26"),
    "one point before": (np.where(GRID < 11, 0.2, 1.0), r"extend grid.m below 10"),
    "ramp": (np.linspace(0, 1, len(GRID)), "extend grid.m"),
}


@pytest.mark.parametrize("case", NONE)
def test_a_grid_without_a_transition_says_so(case):
    values, reason = NONE[case]
    noise = 0.01 * np.random.default_rng(0).normal(size=(4, 8, len(GRID)))
    record = only(dataset({64: values + noise}))
    assert record.order == "none"
    assert all(math.isnan(number) for number in (record.m_c, record.low, record.high))
    assert reason in record.reason


def test_no_batch_is_smaller_than_one_example():
    """The advice is never to go below m = 1."""
    noise = 0.01 * np.random.default_rng(0).normal(size=(4, 8, len(GRID)))
    record = only(dataset({64: overlap(GRID, 10.5) + noise}, m=GRID - 9))
    assert record.reason.endswith(
        "part of a transition: it begins below m = 1, so that single examples already teach"
    )
    both = only(dataset({64: np.linspace(0.2, 0.9, len(GRID)) + noise}, m=GRID - 9))
    assert "extend grid.m below" not in both.reason


@pytest.mark.parametrize("seed", range(10))
def test_noise_is_not_a_transition(seed):
    noise = 0.5 * np.random.default_rng(seed).normal(size=(4, 8, len(GRID)))
    assert only(dataset({64: 0.5 + noise})).order == "none"


def test_two_students_that_disagree_on_everything_are_not_significant():
    fails, learns = np.full(len(GRID), 0.2), overlap(GRID, PLANTED, width=0.3)
    record = only(dataset({64: np.stack([fails, learns])[:, None]}))
    assert record.order == "none"
    assert "needs more teachers or replicas" in record.reason


@pytest.mark.parametrize("replicas", [1, 8])
def test_one_teacher_gives_a_reason_and_no_number(replicas):
    record = only(dataset({64: students(teachers=1, replicas=replicas, noise=0.005)}))
    assert all(math.isnan(number) for number in (record.m_c, record.low, record.high, record.width))
    assert record.order == "undecided"  # both branches are there: it is not that none is seen
    assert record.reason == "one teacher tells nothing of the others"
    [plain] = fss.as_json([record])
    assert (plain["m_c"], plain["low"], plain["high"]) == (None, None, None)


def test_one_replica_of_each_teacher_is_enough():
    record = only(dataset({64: students(replicas=1)}))
    assert record.low < PLANTED < record.high


# ---------------------------------------------------------------- coverage


def coverage(teachers, repeats, seed, teacher_scatter=0.5, student_scatter=0.5, bootstrap=100):
    """Share of the intervals that hold the planted m_c, which differs between teachers and between students."""
    rng, m = np.random.default_rng(seed), np.arange(12, 24)
    own = PLANTED + teacher_scatter * rng.normal(size=(repeats, teachers, 1, 1))
    own = own + student_scatter * rng.normal(size=(repeats, teachers, 8, 1))
    values = overlap(m, own, width=0.8) + 0.02 * rng.normal(size=(*own.shape[:3], len(m)))
    found = fss.midpoint(dataset(dict(enumerate(values)), m=m), bootstrap=bootstrap)
    return np.mean([record.low <= PLANTED <= record.high for record in found])


def test_intervals_cover():
    assert 0.90 <= coverage(teachers=4, repeats=200, seed=0) <= 0.99


@pytest.mark.slow
@pytest.mark.parametrize("teachers", [4, 8, 16])
@pytest.mark.parametrize(
    ("teacher_scatter", "student_scatter"), [(0.5, 0.5), (0.0, 0.5), (0.5, 0.0), (0.2, 0.5)]
)
def test_intervals_cover_whatever_the_scatter(teachers, teacher_scatter, student_scatter):
    covered = coverage(teachers, 300, 1, teacher_scatter, student_scatter, bootstrap=200)
    assert 0.90 <= covered <= 0.99


def test_resampling_replicas_alone_would_not_cover(monkeypatch):
    honest = resample.bootstrap_means
    monkeypatch.setattr(resample, "bootstrap_means", lambda *args, **_: honest(*args, redraw_teachers=False))
    assert coverage(teachers=8, repeats=60, seed=0) < 0.75


# ---------------------------------------------------------------- tables and errors


def test_records_as_json_and_as_text():
    ds = dataset({64: students(), 128: np.full((4, 8, len(GRID)), np.nan)}).expand_dims(d=[5])
    found = fss.midpoint(ds)
    first, second = json.loads(json.dumps(fss.as_json(found), allow_nan=False))
    assert list(first) == ["d", "N", "m_c", "low", "high", "order", "estimator", "estimator_key"]
    assert (first["N"], first["d"], first["order"]) == (64, 5, "undecided")
    assert first["low"] < first["m_c"] < first["high"]
    assert (first["estimator"], first["estimator_key"]) == ("midpoint of overlap_mean", "midpoint")
    assert (second["m_c"], second["low"], second["high"], second["order"]) == (None, None, None, "none")
    assert second["reason"].startswith("0 values of m hold data")
    assert second["reason_keys"] == ["few_points"]
    heading, *lines = fss.as_text(found).splitlines()
    assert heading.split() == ["d", "N", "m_c", "95%", "interval", "order"]
    assert lines[0].split()[:2] == ["5", "64"]
    assert f"{found[0].low:.2f} to {found[0].high:.2f}" in lines[0]
    assert lines[1].split()[:5] == ["5", "128", "-", "-", "none"]


def test_the_order_parameter_is_the_bulk_overlap():
    ds = dataset({64: students()})
    assert fss.order_parameter_of(ds.assign(success=ds["overlap_mean"])) == "overlap_mean"
    # Unless the dataset says otherwise: where many weights give one function they do not tell.
    assert fss.order_parameter_of(ds.assign(e=ds["overlap_mean"]).assign_attrs(order_parameter="e")) == "e"
    with pytest.raises(DatasetError, match="'overlap_mean' is not in the dataset, which holds success"):
        fss.order_parameter_of(ds.rename(overlap_mean="success"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"order_parameter": "overlap"}, "'overlap' is not in the dataset, which holds overlap_mean"),
        ({"control": "lr"}, "'lr' is no dimension of overlap_mean, which has N, teacher, replica, m"),
        ({"scale": "cubic"}, "scale = 'cubic': allowed are 'linear' and 'log'"),
        ({"scale": "log"}, "scale = 'log' needs a positive control: m has -7"),
    ],
)
def test_what_cannot_be_analysed_is_refused_in_one_line(options, message):
    with pytest.raises(DatasetError, match=message) as refused:
        fss.midpoint(dataset({64: students()}, m=GRID - 17), **options)
    assert "\n" not in str(refused.value)
