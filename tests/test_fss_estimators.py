"""Estimators are registered objects: one more in one place is everywhere, and all carry a key and words."""

import json

import made_up
import numpy as np
import pytest
import xarray as xr
from known_answers.synthetic import M_C, continuous
from scipy.special import ndtr

import mbsim
from mbsim import fss
from mbsim.errors import DatasetError
from mbsim.fss.estimates import BUILT_IN
from mbsim.report import Source, html, tables

KEYS = ["midpoint", "steepest", "susceptibility", "binder_crossing", "success_crossing", "perfect_recovery"]
REGISTERED = [*KEYS[:2], "level", *KEYS[2:]]  # a level needs a natural scale, which `fss.planted` has not


@pytest.fixture
def halfway():
    """An estimator of success that is not among the built-in ones."""

    @fss.estimator("halfway", title="halfway up {order_parameter}", short="halfway", needs=("success",))
    def halfway(study):
        """The first m with ⟨q⟩ above the middle of its range."""
        for one in study.curves:
            mean = one.quantities["mean"].estimate
            place = one.ensemble.m[np.argmax(mean > (mean.max() + mean.min()) / 2)]
            yield study.number(one.ensemble.labels, place, place - 0.5, place + 0.5)

    yield halfway
    fss.unregister("halfway")


def test_the_built_in_ones_have_keys_words_and_formulas():
    assert list(fss.ESTIMATORS) == REGISTERED == [one.key for one in BUILT_IN]
    for one in BUILT_IN:
        assert isinstance(one, fss.Estimator)
        assert any(sign in type(one).__doc__ for sign in "=⟨(")
    assert len({one.title for one in BUILT_IN}) == len({one.short for one in BUILT_IN}) == 7


def test_records_carry_the_key_and_the_variable_and_the_words_follow():
    found = fss.estimates(fss.planted([64, 128]), bootstrap=50)
    assert list(dict.fromkeys(one.estimator for one in found)) == KEYS
    assert {one.estimator: one.order_parameter for one in found} == {
        "midpoint": "q",
        "steepest": "q",
        "susceptibility": "q",
        "binder_crossing": "q",
        "success_crossing": "success",
        "perfect_recovery": "success",
    }
    assert list(dict.fromkeys(one.title for one in found)) == [
        "midpoint of q",
        "steepest slope of q",
        "peak of the susceptibility of q",
        "crossing of the Binder cumulant of q",
        "crossing of the success probability",
        "perfect recovery, midpoint of success",
    ]
    for record, plain in zip(found, fss.as_json(found), strict=True):
        assert (plain["estimator"], plain["estimator_key"]) == (record.title, record.estimator)


def test_one_more_is_in_estimates_analysis_report_and_tables(halfway):
    ds = fss.planted([64, 128, 256])
    [first, *_] = fss.estimates(ds, ["halfway"], bootstrap=50)
    assert (first.estimator, first.order_parameter, first.title) == ("halfway", "q", "halfway up q")
    analysis = fss.analyze(ds, bootstrap=50)
    own = [one for one in analysis.critical if one.estimator == "halfway"]
    assert [one.labels["N"] for one in own] == [64, 128, 256]
    assert "halfway" in {one.estimator for one in analysis.extrapolations}
    assert "halfway up q" in json.dumps(fss.as_json(analysis.critical))
    assert "halfway" in tables.critical_table(analysis.critical).heads
    assert ">halfway</th>" in html(ds, analysis, Source(bootstrap=50))
    assert "halfway" in analysis.to_dataframe()["estimator"].to_numpy()
    assert halfway.formula.startswith("The first m")


def test_it_is_left_out_where_the_dataset_lacks_what_it_needs(halfway):
    ds = fss.planted([64]).drop_vars("success")
    keys = {one.estimator for one in fss.estimates(ds, bootstrap=50)}
    assert keys == {"midpoint", "steepest", "susceptibility", "binder_crossing"}


# ---------------------------------------------------------------- which one is used


def test_the_midpoint_is_used_between_plateaus_and_the_steepest_slope_elsewhere():
    m = np.arange(2, 30)
    plateaus, none = gaussian_rise(m), 1.2 * (m / 30) ** 0.7 + 0.4 * gaussian_rise(m)
    names = ("plateaus", "none", "flat")
    values = np.stack([plateaus, none, 0.2 + 0.01 * np.random.default_rng(0).normal(size=plateaus.shape)])
    ds = xr.Dataset({"q": (("kind", "teacher", "replica", "m"), values)}, {"kind": list(names), "m": m})
    records = fss.estimates(ds.expand_dims(N=[64]), ["midpoint", "steepest"], "q", bootstrap=100)
    found = {one.labels["kind"]: one for one in fss.chosen(records)}
    assert [found[name].estimator for name in names] == ["midpoint", "steepest", "midpoint"]
    assert [found[name].choice.key for name in names] == ["used_midpoint", "used_steepest", "used_anyway"]
    assert "no plateau is seen" in str(found["none"].choice)
    assert abs(found["none"].m_c - 17.3) < 0.5 and np.isnan(found["flat"].m_c)


def test_the_analysis_says_which_is_used():
    analysis = fss.analyze(fss.planted([64, 128]), bootstrap=50)
    assert [(one.labels["N"], one.estimator) for one in analysis.used] == [
        (64, "midpoint"),
        (128, "midpoint"),
    ]
    plain = fss.as_json(analysis.critical)
    assert [one["used"] for one in plain if one["estimator_key"] == "midpoint"] == 2 * [
        "both plateaus are seen"
    ]
    assert {one["used"] for one in plain if one["estimator_key"] != "midpoint"} == {None}


def test_crossings_of_what_falls_are_those_of_what_rises():
    grid = np.arange(10, 27)
    ds = continuous({64: grid, 256: grid}, teachers=16, replicas=64, seed=2)
    cold = ds.assign_coords(m=-ds.m)
    for other in (ds.assign(success=1 - ds.success), cold):
        [up], [down] = (fss.estimates(one, ["success_crossing"], "q", bootstrap=100) for one in (ds, other))
        assert up.low <= M_C <= up.high
        assert abs(down.m_c) == pytest.approx(up.m_c, abs=0.05)


# ---------------------------------------------------------------- steepest slope and fixed level


def gaussian_rise(m, centre=17.3, spread=1.4, teachers=6, replicas=32, noise=0.02, seed=0):
    """A rise whose slope is a normal law about `centre`: steepest there, and one half there."""
    rng = np.random.default_rng(seed)
    own = centre + 0.3 * rng.normal(size=(teachers, 1, 1)) + 0.3 * rng.normal(size=(teachers, replicas, 1))
    return ndtr((m - own) / spread) + noise * rng.normal(size=(teachers, replicas, len(m)))


def one_of(key, values, m, **attrs):
    ds = xr.Dataset({"q": (("N", "teacher", "replica", "m"), values[None], attrs)}, {"N": [64], "m": m})
    [record] = fss.estimates(ds, [key], "q", bootstrap=200)
    return record


@pytest.mark.parametrize("key", ["steepest", "level"])
@pytest.mark.parametrize("spread", [0.6, 1.4, 3.0])
def test_a_place_known_by_symmetry_is_found_rising_and_falling(key, spread):
    m = np.arange(6, 30)
    values = gaussian_rise(m, spread=spread)
    record = one_of(key, values, m, natural_scale=[0.0, 1.0])
    assert record.low <= 17.3 <= record.high and record.high - record.low < 1.2
    falling = one_of(key, 2 - 3 * values, m, natural_scale=[2.0, -1.0])
    assert [falling.m_c, falling.low, falling.high] == pytest.approx([record.m_c, record.low, record.high])


@pytest.mark.parametrize("key", ["steepest", "level"])
def test_a_jump_between_two_points_is_known_to_the_gap(key):
    m = np.arange(10, 27)
    values = np.where(m < 18, 0.1, 0.98) + 0.001 * np.random.default_rng(0).normal(size=(4, 8, len(m)))
    record = one_of(key, values, m, natural_scale=(0, 1))
    assert record.low <= 17.1 and record.high >= 17.9
    assert record.low >= 16.9 and record.high <= 18.1


@pytest.mark.slow
@pytest.mark.parametrize("key", ["steepest", "level"])
def test_their_intervals_cover(key):
    m, hits = np.arange(10, 26), []
    for seed in range(200):
        record = one_of(key, gaussian_rise(m, seed=seed), m, natural_scale=(0, 1))
        hits.append(record.low <= 17.3 <= record.high)
    assert np.mean(hits) >= 0.90


def test_a_level_of_your_own_and_one_that_is_not_passed():
    ds = fss.planted([64])
    assert not fss.estimates(ds, ["level"], bootstrap=50)  # q says nothing of its scale
    fss.register(fss.Level(0.55, key="level_055", short="q = 0.55"))
    fss.register(fss.Level(3.0, key="level_3", short="q = 3"))
    try:
        found, beyond = fss.estimates(ds, ["level_055", "level_3"], bootstrap=50)
    finally:
        fss.unregister("level_055")
        fss.unregister("level_3")
    assert found.low <= 18 <= found.high
    assert np.isnan(beyond.m_c) and "does not pass 3: extend grid.m above 28" in beyond.reason
    with pytest.raises(DatasetError, match="level = nan: must be a finite number"):
        fss.Level(float("nan"))
    with pytest.raises(DatasetError, match=r"natural_scale = .* of q: must be two different numbers"):
        fss.estimates(ds.assign(q=ds.q.assign_attrs(natural_scale=[1.0, 1.0])), ["level"], bootstrap=50)


def test_a_slope_that_is_steepest_at_an_end_or_nowhere_is_no_number():
    m = np.arange(6, 30)
    cut = one_of("steepest", gaussian_rise(m, centre=29.5), m)
    assert np.isnan(cut.m_c) and "extend grid.m above 29" in cut.reason
    noise = one_of("steepest", np.random.default_rng(0).normal(size=(6, 8, len(m))), m)
    assert np.isnan(noise.m_c)


def test_an_estimator_without_a_number_says_why():
    @fss.estimator("never", title="never", short="never")
    def never(study):
        return [study.unknown(one.ensemble.labels, fss.note("it never does")) for one in study.curves]

    try:
        [record] = fss.estimates(fss.planted([64]), ["never"], bootstrap=20)
    finally:
        fss.unregister("never")
    assert np.isnan(record.m_c) and record.reason == "it never does"
    assert fss.as_json([record])[0]["reason_keys"] == ["note"]
    assert "never" not in fss.ESTIMATORS


def test_an_object_of_your_own_class_will_do():
    class Middle:
        """m_c = (m_1 + m_n) / 2."""

        key, title, short, needs = "middle", "middle of the grid", "middle", ()

        def records(self, study):
            return [study.number(one.ensemble.labels, one.ensemble.m.mean()) for one in study.curves]

    fss.register(Middle())
    try:
        [record] = fss.estimates(fss.planted([64]), ["middle"], bootstrap=20)
    finally:
        fss.unregister("middle")
    assert record.m_c == 18


def nothing(study):
    return []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"key": "midpoint"}, "estimator 'midpoint': this name is taken (built in); choose another"),
        ({"key": "Mid point"}, "estimator 'Mid point': a name must be lower-case letters, digits, - and _"),
        ({"short": "peak of χ"}, "the short name 'peak of χ' is taken, by 'susceptibility'"),
        ({"title": "of {variable}"}, "the only place allowed is {order_parameter}"),
        ({"title": 5}, "estimator 'mine': title = 5: must be text"),
        ({"needs": "success"}, "estimator 'mine': needs = 'success': must be a tuple of names"),
    ],
)
def test_what_is_taken_or_wrong_is_refused_in_one_line(options, message):
    given = {"key": "mine", "title": "mine", "short": "mine"} | options
    key = given.pop("key")
    with pytest.raises(mbsim.RegistrationError) as refused:
        fss.estimator(key, **given)(nothing)
    assert message in str(refused.value) and "\n" not in str(refused.value)
    assert list(fss.ESTIMATORS) == REGISTERED


def test_what_is_no_estimator_is_refused():
    with pytest.raises(
        mbsim.RegistrationError, match="int is no estimator: it has no key, title, short, needs, records"
    ):
        fss.register(3)
    fss.estimator("none", title="none", short="none")(lambda study: None)
    try:
        with pytest.raises(
            DatasetError, match=r"estimator 'none' gives NoneType: must give or yield fss\.Critical"
        ):
            fss.estimates(fss.planted([64]), ["none"], bootstrap=20)
    finally:
        fss.unregister("none")
    with pytest.raises(DatasetError, match="level = 'x': must be a finite number"):
        fss.Level("x", key="x", short="x")
    fss.estimator("wrong", title="wrong", short="wrong")(lambda study: [3.0])
    try:
        with pytest.raises(DatasetError, match=r"estimator 'wrong' gives float: must give fss\.Critical"):
            fss.estimates(fss.planted([64]), ["wrong"], bootstrap=20)
    finally:
        fss.unregister("wrong")
    for wrong in ("midpoint", True, 3.0):
        with pytest.raises(
            DatasetError, match=rf"estimators = {wrong!r}: must be a list, such as \['midpoint'\]"
        ):
            fss.estimates(fss.planted([64]), wrong)
    for wrong in ([["midpoint"]], [3]):
        with pytest.raises(DatasetError, match=r"estimators = .*: allowed are midpoint"):
            fss.estimates(fss.planted([64]), wrong)


def test_a_record_of_an_estimator_that_is_not_known_here_still_reads():
    record = fss.Critical({"N": 64}, 3.0, 2.9, 3.1, "undecided", "some_other", "q")
    assert record.title == "some other"
    assert "some other" in tables.critical_table([record, *made_up.critical()]).heads
