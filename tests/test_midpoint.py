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
    noise = 1e-3 * np.random.default_rng(0).normal(size=(4, 8, len(m)))
    values = overlap(np.log(m), np.log(30.0), width=0.25) + noise
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


# ---------------------------------------------------------------- the window of the control

# Means as measured at d = 3, N = 64 after 300 sweeps: the overlap rises from the first example on.
MEASURED = {
    2: 0.112, 3: 0.168, 4: 0.231, 5: 0.310, 6: 0.421, 7: 0.589, 8: 0.784, 9: 0.908, 10: 0.958, 11: 0.979,
    12: 0.990, 14: 0.997, 16: 0.999, **dict.fromkeys(range(18, 77, 2), 1.0),
}  # fmt: skip
WINDOWS = [(2, 76), (2, 24), (2, 16), (4, 76)]


def windows(estimator, means=MEASURED, noise=0.03, seed=0):
    """Records of one dataset whose control is cut to each of the windows."""
    m, mean = np.array(list(means)), np.array(list(means.values()))
    values = mean + noise * np.random.default_rng(seed).normal(size=(8, 32, len(m)))
    ds = dataset({64: values}, m=m)
    return [fss.estimates(ds.sel(m=slice(*ends)), [estimator], bootstrap=200)[0] for ends in WINDOWS]


def test_without_a_lower_plateau_the_interval_holds_what_the_window_does():
    found = windows("midpoint")
    for one in found:
        assert all(one.low <= other.m_c <= one.high for other in found)
        assert [reason.key for reason in one.because] == ["no_plateau"]
        assert one.because[0]["sides"] == ("before",)
        down, up = one.systematic
        assert max(down, up) > 3 * (one.statistical[1] - one.statistical[0]) / 2
        assert one.low == pytest.approx(one.m_c - np.hypot(one.m_c - one.statistical[0], down))
        assert one.high == pytest.approx(one.m_c + np.hypot(one.statistical[1] - one.m_c, up))


@pytest.mark.parametrize("estimator", ["steepest", "level"])
def test_estimators_that_need_no_plateau_do_not_move_with_the_window(estimator):
    found = windows(estimator)
    narrow = min(one.high - one.low for one in found)
    assert np.ptp([one.m_c for one in found]) < narrow / 2
    assert narrow < 0.4


def test_where_both_plateaus_are_seen_nothing_is_said_and_chance_makes_the_error():
    means = dict(zip(GRID.tolist(), overlap(GRID, PLANTED, width=0.6).tolist(), strict=True))
    m, mean = np.array(list(means)), np.array(list(means.values()))
    values = mean + 0.05 * np.random.default_rng(1).normal(size=(8, 32, len(m)))
    record = only(dataset({64: values}, m=m))
    assert record.reason == ""
    assert max(record.systematic) < (record.statistical[1] - record.statistical[0]) / 2


def test_a_branch_after_the_transition_that_rises_on_is_said():
    m = np.arange(2, 40)
    rise = np.clip(m - 12.0, 0, None) ** 0.5 / 28**0.5
    record = only(dataset({64: rise + 0.01 * np.random.default_rng(2).normal(size=(8, 16, len(m)))}, m=m))
    assert [reason.key for reason in record.because] in (["no_plateau"], ["part_of_rise"])


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
    record, plain = only(dataset({64: spoilt})), only(dataset({64: values}).isel(m=others))
    assert (record.m_c, record.low, record.high) == (plain.m_c, plain.low, plain.high)
    assert plain.reason == "" and [one.key for one in record.because] == ["points_left_out"]
    assert "1 value of m is left out, which fewer than half of the teachers have" in record.reason


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
    "constant": (np.full(len(GRID), 0.3), "does not stand out, extend grid.m"),
    "all learnt": (np.ones(len(GRID)), "does not stand out"),
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
    # Of missing points it is not that no transition is seen.
    assert record.order == ("undecided" if case in ("all missing", "three points") else "none")
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


@pytest.mark.parametrize("size", [0.5, 1e-6])
def test_noise_is_not_a_transition(size):
    noise = size * np.random.default_rng(0).normal(size=(20, 4, 8, len(GRID)))
    found = fss.midpoint(dataset(dict(enumerate(0.5 + noise, 1))), bootstrap=200)
    assert {one.order for one in found} == {"none"}


@pytest.mark.parametrize("factor", [1e-4, 1e5])
def test_how_large_an_order_parameter_is_plays_no_part(factor):
    ds = dataset({64: students()})
    plain, scaled = only(ds, bootstrap=200), only(factor * ds, bootstrap=200)
    numbers = [
        (one.m_c, one.low, one.high, one.width, *one.statistical, *one.systematic) for one in (plain, scaled)
    ]
    assert numbers[0] == pytest.approx(numbers[1], rel=1e-6, abs=1e-6)
    assert np.isfinite(only(ds, minimum_rise=0.7).m_c) and np.isnan(only(ds, minimum_rise=0.9).m_c)


def test_an_order_parameter_that_falls_is_the_same_upside_down():
    """A magnetisation against temperature, an error against the mini-batch."""
    ds = dataset({64: students(width=0.8)})
    for falling in (1 - ds, ds.assign_coords(m=-ds.m)):
        up, down = only(ds, bootstrap=200), only(falling, bootstrap=200)
        assert np.isfinite(up.m_c) and (down.order, down.reason) == ("undecided", "")
    upside_down = only(1 - ds, bootstrap=200)
    assert (upside_down.m_c, upside_down.low, upside_down.high) == pytest.approx((up.m_c, up.low, up.high))
    assert upside_down.value == pytest.approx(1 - up.value)


def test_two_students_that_disagree_on_everything_are_not_significant():
    fails, learns = np.full(len(GRID), 0.2), overlap(GRID, PLANTED, width=0.3)
    record = only(dataset({64: np.stack([fails, learns])[:, None]}))
    assert record.order == "none"
    assert "or more teachers or replicas" in record.reason


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
    assert 0.88 <= coverage(teachers=4, repeats=80, seed=0)


@pytest.mark.slow
def test_intervals_cover_and_not_too_often():
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
    assert coverage(teachers=8, repeats=40, seed=0) < 0.75


# ---------------------------------------------------------------- tables and errors


def test_records_as_json_and_as_text():
    ds = dataset({64: students(), 128: np.full((4, 8, len(GRID)), np.nan)}).expand_dims(d=[5])
    found = fss.midpoint(ds)
    first, second = json.loads(json.dumps(fss.as_json(found), allow_nan=False))
    keys = ["m_c", "low", "high", "statistical", "systematic", "order", "estimator", "estimator_key", "used"]
    assert list(first) == ["d", "N", *keys]
    assert first["statistical"] == list(found[0].statistical)
    assert (first["N"], first["d"], first["order"]) == (64, 5, "undecided")
    assert first["low"] < first["m_c"] < first["high"]
    assert (first["estimator"], first["estimator_key"]) == ("midpoint of overlap_mean", "midpoint")
    assert (second["m_c"], second["low"], second["high"], second["order"]) == (None, None, None, "undecided")
    assert second["reason"].startswith("0 values of m hold data")
    assert second["reason_keys"] == ["few_points"]
    heading, *lines = fss.as_text(found).splitlines()
    assert heading.split() == ["d", "N", "m_c", "95%", "interval", "order"]
    assert lines[0].split()[:2] == ["5", "64"]
    assert f"{found[0].low:.2f} to {found[0].high:.2f}" in lines[0]
    assert lines[1].split()[:5] == ["5", "128", "-", "-", "undecided"]


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
