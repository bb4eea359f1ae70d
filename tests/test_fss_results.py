"""Results read well where they are looked at: one line in a console, a table in a notebook, a frame, a dataset."""

import json
from dataclasses import replace
from html.parser import HTMLParser

import made_up
import numpy as np
import pytest
import xarray as xr

from mbsim import fss
from mbsim.errors import DatasetError

RECORDS = {
    "Critical": made_up.critical()[0],
    "Extrapolation": made_up.extrapolation(),
    "ConnectivityLaw": made_up.connectivity(),
    "Collapse": made_up.collapse(),
    "Verdict": made_up.verdict(5),
    "Hysteresis": made_up.loop(64),
    "Analysis": made_up.analysis(),
}


class Table(HTMLParser):
    """Cells by row; every element is closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.rows = [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.rows += [[]] if tag == "tr" else []

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1] in ("td", "th"):
            self.rows[-1].append(data)


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_is_one_short_line_without_arrays(name):
    said = repr(RECORDS[name])
    assert said.startswith(f"<{name}") and said.endswith(">")
    assert "\n" not in said and "array" not in said and len(said) < 200


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_is_a_table_in_a_notebook(name):
    text = RECORDS[name]._repr_html_()
    assert Table(text).rows and "array" not in text


def test_the_lines_tell_what_was_found():
    lines = [repr(one) for one in RECORDS.values()]
    assert lines[:3] == [
        "<Critical N = 64, d = 3: m_c = 7.06 (6.86 to 7.26), second order, midpoint of overlap_mean>",
        "<Extrapolation d = 5: law power correction, m_c(∞) = 18.30 (18.15 to 18.45), "
        "midpoint of overlap_mean>",
        "<ConnectivityLaw law power, d^x with x = 1.91 (1.85 to 1.97), m_c(∞), midpoint of overlap_mean>",
    ]
    lost = made_up.critical()[4]
    assert repr(lost) == "<Critical N = 256, d = 3: m_c = not known, midpoint of overlap_mean (nothing ran)>"
    assert repr(made_up.loop(64)).startswith("<Hysteresis N = 64, d = 5: spinodals ")
    assert lines[-1].startswith("<Analysis: order second, first; 7 critical, 2 extrapolations, ")


def test_lists_are_lists_and_tables():
    found = fss.Records(made_up.critical())
    assert found == made_up.critical() and found[0].labels == {"N": 64, "d": 3}
    frame = found.to_dataframe()
    assert list(frame.columns[:6]) == ["N", "d", "estimator", "order_parameter", "m_c", "low"]
    assert frame["m_c"].tolist()[:2] == pytest.approx([7.064, 18.064])
    assert frame["reason"].tolist()[4] == "nothing ran"
    rows = Table(found._repr_html_()).rows
    assert rows[0] == ["N", "d", "estimator", "m_c", "order", "N_next", "reason"]
    assert rows[1][:4] == ["64", "3", "midpoint of overlap_mean", "7.06 (6.86 to 7.26)"]
    assert len(rows) == 1 + len(found)


def test_a_list_is_a_dataset_over_labels_and_estimators():
    ds = fss.Records(made_up.critical()).to_xarray()
    assert set(ds.m_c.dims) == {"estimator", "N", "d"}
    assert ds.m_c.sel(estimator="midpoint", N=128, d=5) == pytest.approx(18.128)
    assert np.isnan(ds.m_c.sel(estimator="binder_crossing", N=128, d=5))
    assert ds.N_next.sel(estimator="binder_crossing", N=64, d=5) == 128
    loops = fss.Records([made_up.loop(64), made_up.loop(128)]).to_xarray()
    assert (loops.width_low <= loops.width).all() and set(loops.width.dims) == {"N", "d"}
    laws = fss.Records([made_up.connectivity()]).to_xarray()
    assert laws.exponent.sel(estimator="midpoint").item() == pytest.approx(1.91)
    verdicts = fss.Records([made_up.verdict(3), made_up.verdict(5)]).to_xarray()
    assert verdicts.order.sel(d=5) == "first"
    assert isinstance(made_up.collapse().to_xarray(), xr.Dataset)
    assert made_up.verdict(3).to_dataframe()["order"].tolist() == ["second"]


def test_empty_lists_are_empty_tables():
    assert fss.Records().to_dataframe().empty and not fss.Records().to_xarray()
    Table(fss.Records()._repr_html_())
    assert fss.hysteresis(fss.planted([64]), bootstrap=20) == []


def test_the_same_labels_twice_are_no_dataset():
    twice = fss.Records(made_up.critical()[:1] * 2)
    with pytest.raises(DatasetError, match="estimator = midpoint, N = 64, d = 3 occurs twice"):
        twice.to_xarray()


def test_records_without_labels_are_numbered():
    found = fss.Records([fss.Verdict({}, "first", [])])
    assert found.to_xarray().order.item() == "first"


def test_every_function_gives_such_a_list():
    ds = fss.planted(jump=True, starts=True)
    found = fss.analyze(ds, bootstrap=50)
    for name in found.parts():
        part = getattr(found, name)
        assert isinstance(part, fss.Records)
        part.to_xarray(), part.to_dataframe(), Table(part._repr_html_())
    Table(found._repr_html_())
    assert found.to_dataframe().equals(found.critical.to_dataframe())
    assert json.dumps(fss.as_json(found.critical))
    for one in (fss.midpoint(ds, bootstrap=20), fss.estimates(ds, ["midpoint"], bootstrap=20)):
        assert isinstance(one, fss.Records)


def test_a_text_table_of_several_estimators_names_them():
    several = fss.as_text(made_up.critical())
    assert "estimator" in several.splitlines()[0] and "midpoint of overlap_mean" in several
    assert "estimator" not in fss.as_text(made_up.critical()[:4]).splitlines()[0]
    of_success = [replace(one, order_parameter="success") for one in made_up.critical()[:4]]
    assert "midpoint of success" in fss.as_text(of_success)


def test_html_is_text_not_markup():
    record = fss.Critical({"<b>": "<i>"}, 3.0, 2.9, 3.1, "undecided", "midpoint", "<script>")
    text = record._repr_html_()
    assert "<script>" not in text and "<b>" not in text and "<i>" not in text


def test_the_midpoint_is_the_same_alone_and_in_the_whole_analysis():
    """There its resampled means are those that the summaries drew already."""
    ds = fss.planted([64, 128])
    alone = fss.midpoint(ds, bootstrap=100)
    within = [one for one in fss.analyze(ds, bootstrap=100).critical if one.estimator == "midpoint"]
    numbers = [[(one.m_c, one.low, one.high) for one in found] for found in (alone, within)]
    np.testing.assert_allclose(*numbers, rtol=1e-7)
