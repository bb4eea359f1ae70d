"""The report holds what the analysis found, needs nothing from outside, and says why a part is absent."""

import base64
import itertools
import json
import re
import shutil
import tomllib
import xml.etree.ElementTree as ET
from dataclasses import fields, replace
from html.parser import HTMLParser

import made_up
import numpy as np
import pytest
from matplotlib.legend import Legend
from matplotlib.text import Text

from mbsim import fss
from mbsim.cli import main
from mbsim.config.configuration import load_config
from mbsim.fss import Critical, because
from mbsim.report import Source, drawings, findings, html, page, tables, words

ABSENT = {"extrapolations", "connectivity", "collapses", "verdicts", "hysteresis", "critical"}
VOID = {"meta", "img", "br", "link"}


class Page(HTMLParser):
    """What a reader meets: text, images, anchors; every element closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.images, self.links, self.loads, self.words = [], [], [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open
        self.text = re.sub(r"\s+", " ", "".join(self.words))

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found["href"]] if "href" in found else []
        self.loads += [tag] if tag in ("script", "link", "iframe", "object") else []
        if tag == "img":
            self.images.append(found)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)


def dataset(**attrs):
    return made_up.summaries().drop_vars(list(made_up.summaries())).assign_attrs(made_up.ATTRS | attrs)


def blank():
    """An analysis of nothing at all: no figure is drawn."""
    return replace(made_up.nothing(), summaries=made_up.summaries().where(False))


@pytest.fixture(scope="module")
def text():
    return html(dataset(), made_up.analysis(), Source("runs/made-up", note="2 of 3 units are done"))


@pytest.fixture(scope="module")
def read(text):
    return Page(text)


@pytest.fixture(scope="module")
def bare():
    return Page(html(dataset(), made_up.nothing()))


def test_it_needs_nothing_from_outside(text, read):
    assert not read.loads
    assert "@import" not in text and "url(" not in text
    assert all(link.startswith("#") and link[1:] in read.ids for link in read.links)
    assert len(read.ids) == len(set(read.ids))
    for image in read.images:
        kind, data = image["src"].split(",")
        assert kind == "data:image/svg+xml;base64"
        root = ET.fromstring(base64.b64decode(data))
        outside = [value for one in root.iter() for name, value in one.items() if name.endswith("href")]
        assert all(value.startswith(("#", "data:")) for value in outside)
        assert len(image["alt"]) > 20


def test_it_has_every_figure_and_table_numbered_in_order(read):
    assert len(read.images) == 11
    assert re.findall(r"Figure (\d+)\.", read.text) == [str(n) for n in range(1, 12)]
    assert re.findall(r"Table (\d+)\.", read.text) == [str(n) for n in range(1, 6)]


def test_every_number_of_the_analysis_is_in_it(read):
    analysis = made_up.analysis()
    for record in analysis.critical:
        for number in fss.table.number_and_interval(record):
            assert number == "-" or number in read.text
        assert record.reason.capitalize() in read.text
    intervals = [one.m_c for one in analysis.extrapolations] + [one.exponent for one in analysis.connectivity]
    intervals += [value for one in analysis.collapses for value in (one.m_c, one.nu, one.beta)]
    intervals += [value for one in analysis.hysteresis for value in (one.random, one.planted, one.width)]
    for interval in intervals:
        value, _, between = str(interval).rstrip(")").partition(" (")
        assert value in read.text and between in read.text
    for verdict in analysis.verdicts:
        for sentence in verdict.evidence:
            assert plain(sentence) in read.text


def plain(sentence):
    """As the page's text has it: no-break spaces are spaces there, powers stand without their sign."""
    return sentence.replace("^", "")


def test_it_begins_with_the_findings_and_tells_what_was_run_and_how_to_repeat_it(text, read):
    findings = text[text.index('class="findings"') : text.index('id="run"')]
    said = Page(findings[findings.index(">") + 1 : findings.index("</section>")]).text
    assert "d = 3: the transition is continuous (second order), mc(∞) = 7.30 (7.15 to 7.45)." in said
    assert "d = 5: the transition is discontinuous (first order), spinodals 7.00 (6.70 to 7.30) and" in said
    assert "in 300 sweeps; coexistence lies between them." in said
    assert "2 of 3 units are done" in read.text
    assert "random and planted starts in 300 sweeps, with" in read.text
    for said in ("300 sweeps, random order, a fresh mini-batch every sweep", "2 to 30", "64, 128, 256"):
        assert said in read.text
    assert "mbsim run config.toml --out runs/made-up" in read.text
    assert all(str(made_up.ATTRS[name]) in read.text for name in ("config_hash", "prng", "jax_version"))


def test_the_findings_tell_the_limit_or_the_growth_or_the_largest_size_of_the_random_start():
    unknown, known = fss.Interval(), made_up.interval(18.3, 0.1)

    def told(law, m_c=unknown, order="second"):
        verdict = replace(made_up.verdict(5), order=order)
        one = replace(made_up.extrapolation(5), law=law, m_c=m_c)
        whole = replace(blank(), verdicts=[verdict], extrapolations=[one], critical=records)
        return findings.findings(whole, "300 sweeps")[0]

    records = made_up.critical()
    second = "d = 5: the transition is continuous (second order), "
    largest = "m_c = 18.26 (18.06 to 18.46) at N = 256."
    assert told("undecided", known) == second + largest
    assert told("constant", known) == second + "m_c(∞) = 18.30 (18.20 to 18.40)."
    assert told("proportional") == second + "m_c grows in proportion to N, " + largest
    assert told("undecided").startswith(second + "m_c runs from 18.06 (17.86 to 18.26) at N = 64 to 18.26 (")
    planted = [replace(one, labels=one.labels | {"init_overlap": 1.0}, m_c=one.m_c - 9) for one in records]
    records = [replace(one, labels=one.labels | {"init_overlap": 0.0}) for one in records] + planted
    assert told("undecided", known) == second + "m_c = 18.26 (18.06 to 18.46) at N = 256, init overlap = 0."
    assert told("undecided", order="none").startswith("d = 5: the transition is of undecided order, m_c")
    records = []
    assert told("undecided", order="none") == "d = 5: the transition is not seen on this grid."


def test_of_a_discontinuous_transition_both_spinodals_are_told_and_none_is_called_m_c():
    whole = made_up.analysis()
    said = findings.findings(whole, "300 sweeps")[1]
    assert said == (
        "d = 5: the transition is discontinuous (first order), spinodals 7.00 (6.70 to 7.30) and "
        "18.00 (17.80 to 18.20) at N = 128 in 300 sweeps; coexistence lies between them."
    )
    alone = findings.findings(replace(whole, hysteresis=[]), "300 sweeps")[1]
    assert "the start that was run goes over at 18.26 (18.06 to 18.46) at N = 256 in 300 sweeps" in alone
    assert "m_c" not in said + alone and "a second start is needed" in alone
    undecided = replace(whole, verdicts=[replace(made_up.verdict(5), order="undecided")])
    assert findings.findings(undecided)[0].endswith("18.00 (17.80 to 18.20) at N = 128, a loop is open.")
    shut = replace(made_up.loop(128), width=made_up.interval(0.4, 0.2))
    assert findings.open_loop(made_up.verdict(5), replace(whole, hysteresis=[shut])) is None


def test_the_growth_between_the_ends_is_the_exponent_of_a_power():
    records = [
        fss.Critical({"N": N, "d": 3}, 2 * N**1.4, 1.98 * N**1.4, 2.02 * N**1.4, "undecided", "midpoint", "q")
        for N in (31, 63, 127)
    ]
    assert "to 1763 (1746 to 1781) at N = 127, as N^x with x = 1.400 (1.390 to 1.410)" in findings.growth(
        records
    )
    assert findings.growth(records[:1]) == ""
    lost = [replace(one, m_c=np.nan, low=np.nan, high=np.nan) for one in records]
    assert findings.growth(lost) == ""


def test_the_configuration_that_it_prints_is_the_one_that_was_run(text):
    config = load_config(
        {"model": "sparse-scalar", "grid": {"N": [31], "d": [3], "m": {"start": 2, "stop": 9}}}
    )
    resolved = json.dumps(config.resolved())
    printed = page.configuration_toml(dataset(config=resolved))
    assert load_config(tomllib.loads(printed)).hash == config.hash
    read = Page(html(dataset(config=resolved), blank()))
    assert re.sub(r"\s+", " ", printed) in read.text
    assert page.configuration_toml(made_up.summaries()) == ""


def test_where_a_part_is_absent_it_says_the_reason_and_shows_no_figure(bare):
    for part, reason in made_up.nothing().reasons.items():
        assert part in ABSENT
        assert reason.capitalize() + "." in bare.text
    assert len(bare.images) == 5  # what the summaries give
    read = Page(html(dataset(), blank()))
    assert not read.images
    assert "Nothing has run yet" in read.text


def test_no_part_of_an_analysis_is_forgotten():
    parts = {field.name for field in fields(fss.Analysis)} - {"summaries", "because"}
    assert parts == ABSENT == set(page.MISSING)
    unexplained = Page(html(dataset(), replace(blank(), because={})))
    for sentence in page.MISSING.values():
        assert plain(words.sentence(sentence)).replace("m_c", "mc") in unexplained.text


def test_names_are_text_not_markup():
    hostile = "<script>alert(1)</script>"
    read = Page(html(dataset(name=hostile), blank(), Source(hostile, note=hostile)))
    assert not read.loads
    assert read.text.count(hostile) >= 3


def test_the_same_analysis_gives_the_same_bytes():
    pages = [html(dataset(), replace(blank(), verdicts=[made_up.verdict(5)])) for _ in range(2)]
    assert pages[0] == pages[1] and len(Page(pages[0]).images) == 2


def test_a_dataset_of_another_origin_can_be_reported():
    read = Page(html(made_up.summaries()[[]], replace(blank(), critical=made_up.critical())))
    assert "dataset: the critical mini-batch size" in read.text
    assert "config.toml" not in read.text


@pytest.fixture(scope="module")
def made():
    analysis = made_up.analysis()
    return [
        *drawings.summary_drawings(analysis).values(),
        *drawings.phase_drawings(analysis),
        *drawings.size_drawings(analysis),
        *drawings.connectivity_drawings(analysis),
        *drawings.collapse_drawings(analysis),
        *drawings.order_drawings(analysis),
        *drawings.hysteresis_drawings(analysis),
    ]


def test_no_text_of_a_figure_is_cut_off_or_runs_into_another(made):
    for drawing in made:
        figure = drawing.figure
        figure.draw_without_rendering()
        width, height = figure.bbox.size
        texts = [one for one in figure.findobj(Text) if one.get_text().strip() and one.get_visible()]
        texts = [one for one in texts if any(one.get_window_extent().size)]
        boxes = [(one.get_text(), one.get_window_extent()) for one in shown(figure, texts)]
        assert len(boxes) > 5
        for text, box in boxes:
            inside = box.x0 >= -1 and box.y0 >= -1 and box.x1 <= width + 1 and box.y1 <= height + 1
            assert inside, (drawing.name, text)
        for (one, a), (other, b) in itertools.combinations(boxes, 2):
            apart = a.x1 <= b.x0 + 1 or b.x1 <= a.x0 + 1 or a.y1 <= b.y0 + 1 or b.y1 <= a.y0 + 1
            assert apart, (drawing.name, one, other)


def shown(figure, texts):
    """Without the labels of ticks beyond the limits of their axis, which exist but are not drawn."""
    hidden = set()
    for ax in figure.axes:
        for axis, limits in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim())):
            for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
                if not min(limits) <= tick.get_loc() <= max(limits) or not tick.label1.get_visible():
                    hidden |= {id(tick.label1), id(tick.label2)}
    return [one for one in texts if id(one) not in hidden]


def test_every_figure_has_a_caption_that_names_its_intervals_and_a_name_of_its_own(made):
    assert len({one.name for one in made}) == len(made)
    for one in made:
        assert one.caption[0].isupper() or one.caption[0] in "(m"
        assert one.caption.endswith(".")
        assert "interval" in one.caption or one.name.startswith(("histograms", "hysteresis", "collapse"))
    assert any(one.figure.findobj(Legend) for one in made)


def test_more_panels_than_a_page_holds_are_left_out_and_counted():
    many = made_up.summaries()[["mean", "mean_low", "mean_high"]]
    many = many.sel(d=[5] * 15).assign_coords(d=np.arange(15))
    drawing = drawings.summary_drawings(replace(made_up.nothing(), summaries=many))["mean"]
    assert len(drawing.figure.axes) == drawings.MOST_PANELS
    assert drawing.caption.endswith("3 more panels are left out.")


def test_the_table_of_m_c_has_a_row_for_each_network_and_a_note_for_each_reason():
    table = tables.critical_table(made_up.critical())
    assert table.heads == ["d", "N", "midpoint", "U4 crossing", "order"]
    assert [[cell.text for cell in row[:2]] for row in table.rows] == [
        [str(d), str(N)] for d in (3, 5) for N in (64, 128, 256)
    ]
    third, fourth = table.rows[2], table.rows[3]
    assert third[2] == ("–", "", "a") and table.notes == [("a", "nothing ran")]
    assert fourth[3] == ("18.10", "17.80 to 18.40; with N = 128", "")
    assert [row[-1].text for row in table.rows] == ["second", "second", "none", "first", "first", "first"]


def test_an_estimator_without_m_c_does_not_blur_the_order():
    lost = Critical({"N": 64, "d": 3}, np.nan, np.nan, np.nan, "undecided", "success_crossing")
    assert tables.critical_table([*made_up.critical(), lost]).rows[0][-1].text == "second"


def test_what_was_fixed_in_a_collapse_is_told():
    fixed = replace(made_up.collapse(), nu=fss.Interval(2.0, 2.0, 2.0), fixed=("nu",))
    [row] = tables.collapse_table([fixed]).rows
    assert row[3] == ("2", "fixed", "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("m_c at N = 64", "<i>m</i><sub>c</sub> at <i>N</i>\u00a0=\u00a064"),
        ("grows as N^0.98 in N", "grows as <i>N</i><sup>0.98</sup> in <i>N</i>"),
        ("U4 & <b>", "<i>U</i><sub>4</sub> &amp; &lt;b&gt;"),
        ("a model don't", "a model don&#39;t"),
    ],
)
def test_symbols_are_typeset_and_the_rest_is_escaped(text, expected):
    assert words.typeset(text) == expected


def test_sentences_begin_with_a_capital_unless_a_symbol_does():
    assert words.sentence("one size only") == "One size only."
    assert words.sentence("needed: two") == "Needed: two."
    assert words.sentence("m_c = 3.") == "m_c = 3."
    assert words.sentence("d = 3 only") == "d = 3 only."


def test_the_command_writes_the_page_into_the_run(finished_run, capsys):
    assert main(["report", str(finished_run), "--bootstrap", "100"]) == 0
    file = finished_run / "report.html"
    assert capsys.readouterr().out == f"report: {file}\n"
    read = Page(file.read_text())
    assert read.text.count("Figure 1.") == 1
    assert f"mbsim report {finished_run} --bootstrap 100" in read.text
    assert "units are done" not in read.text


def test_an_unfinished_run_is_reported_as_far_as_it_is(finished_run, tmp_path, monkeypatch):
    monkeypatch.setattr(fss, "analyze", lambda *_, **__: blank())
    part = tmp_path / "part"
    shutil.copytree(finished_run, part, ignore=shutil.ignore_patterns("report.html"))
    next(part.glob("*.nc")).unlink()
    assert main(["report", str(part), "--bootstrap", "100", "--out", str(tmp_path / "page.html")]) == 0
    assert not (part / "report.html").exists()
    assert "units are done: more will change the numbers" in Page((tmp_path / "page.html").read_text()).text


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--out", "page.txt"], "error: --out page.txt: the ending must be one of .html, .htm"),
        (["--out", "none/page.html"], "error: --out none/page.html: none is no folder"),
        (["--order-parameter", "loss"], "error: --order-parameter loss: must be one of "),
        (["--bootstrap", "3"], "error: --bootstrap 3: must be an integer, 100 or more"),
    ],
)
def test_wrong_usage_is_one_line_and_writes_nothing(
    finished_run, tmp_path, monkeypatch, capsys, arguments, line
):
    monkeypatch.chdir(tmp_path)
    before = sorted(finished_run.iterdir())
    assert main(["report", str(finished_run), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith(line) and error.count("\n") == 1
    assert sorted(finished_run.iterdir()) == before and not any(tmp_path.iterdir())


def test_a_folder_that_holds_no_run_is_refused(tmp_path, capsys):
    assert main(["report", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("error: ")
    assert not any(tmp_path.iterdir())


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory):
    return made_up.run_folder(tmp_path_factory.mktemp("runs") / "made-up")


@pytest.mark.parametrize(
    ("changed", "clause"),
    [
        ({}, "every weight is right"),
        ({"output": "scalar"}, "no test example fails"),
        ({"weights": "real"}, "the error on fresh examples is at most 0.05"),
    ],
)
def test_perfect_recovery_is_told_as_the_model_means_it(changed, clause):
    config = made_up.CONFIG | {"model": made_up.CONFIG["model"] | changed}
    config["measure"] = config["measure"] | {"success_threshold": 0.05}
    said = words.critical_caption(dataset(config=json.dumps(config)), "")
    assert clause in said and "log" not in said
    assert "succeed" not in words.critical_caption(made_up.summaries(), "")


def test_captions_call_no_spinodal_m_c_and_no_spinodal_coexistence():
    analysis = made_up.analysis()
    continuous = replace(analysis, verdicts=[made_up.verdict(3)], hysteresis=[])
    for draw in (drawings.phase_drawings, drawings.size_drawings, drawings.connectivity_drawings):
        assert "these are spinodals" in draw(analysis)[0].caption
        assert "spinodals" not in draw(continuous)[0].caption
    assert "not coexistence" in drawings.order_drawings(analysis)[0].caption
    assert "coexistence" not in drawings.order_drawings(continuous)[0].caption


def test_rows_that_say_the_same_share_a_footnote():
    def apart(weight):
        return because("laws_of_size", weights={"constant": weight})

    def drift(most):
        return because("drift", most=most, size="N")

    none = because("no_limit", laws=("logarithm",), share=0.67)
    known = [replace(made_up.extrapolation(d), because=(drift(d / 10), apart(d))) for d in (3, 5)]
    table = tables.extrapolation_table(
        [*known, replace(made_up.extrapolation(3), because=(none, apart(0.2)))]
    )
    texts = [text for mark, text in table.notes if mark]
    assert texts == [
        "the sizes do not tell the laws apart",
        "no m_c(∞): laws without a limit hold part of the weight",
    ]
    assert sorted(cell.note for row in table.rows for cell in row if cell.note) == ["a", "a", "a, b"]
    cells = [cell.below for row in table.rows for cell in row]
    assert "7.15 to 7.45\ndrift ≤ 0.3 log N" in cells and "18.15 to 18.45\ndrift ≤ 0.5 log N" in cells
    poor = [
        replace(made_up.connectivity(), because=(because("neither_fits", chi2=x, law="power"),))
        for x in (9.0, 34.0)
    ]
    assert tables.connectivity_table(poor).notes == [("a", "neither law fits")]
