"""The report holds what the analysis found, needs nothing from outside, and says why a part is absent."""

import base64
import json
import re
import shutil
import tomllib
import xml.etree.ElementTree as ET
from dataclasses import fields, replace
from html import unescape
from html.parser import HTMLParser

import made_up
import pytest

from mbsim import fss
from mbsim.cli import main
from mbsim.config.configuration import load_config
from mbsim.report import Source, html, page, words

ABSENT = {"extrapolations", "connectivity", "collapses", "verdicts", "hysteresis", "critical", "over_time"}
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


@pytest.fixture(scope="module")
def text():
    return html(
        made_up.attributes(), made_up.analysis(), Source("runs/made-up", note="2 of 3 units are done")
    )


@pytest.fixture(scope="module")
def read(text):
    return Page(text)


@pytest.fixture(scope="module")
def bare():
    return Page(html(made_up.attributes(), made_up.nothing()))


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
    assert re.findall(r"Table (\d+)\.", read.text) == [str(n) for n in range(1, 7)]


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
        value, _, between = plain(str(interval)).rstrip(")").partition(" (")
        assert value in read.text and between in read.text
    for verdict in analysis.verdicts:
        for sentence in verdict.evidence:
            assert plain(sentence) in read.text


def plain(sentence):
    """As the page's text has it: no-break spaces are spaces there, powers stand without their sign, and a minus
    is no hyphen.
    """
    return re.sub(r"(?<![\w.-])-(?=\d)", "−", sentence.replace("^", ""))


def test_it_begins_with_the_findings_and_tells_what_was_run_and_how_to_repeat_it(text, read):
    findings = text[text.index('class="findings"') : text.index('id="run"')]
    said = Page(findings[findings.index(">") + 1 : findings.index("</section>")]).text
    assert "d = 3: the transition is continuous (second order), mc(∞) = 7.30 (7.15 to 7.45)." in said
    first = (
        "d = 5: the transition is discontinuous (first order), spinodals 18.00 (17.80 to 18.20) from random"
    )
    assert f"{first} and 7.00 (6.70 to 7.30) from planted starts" in said
    assert "were trained by Metropolis for 300 sweeps" in said
    assert "m c is the midpoint" in said.replace("mc", "m c")  # how the number was found
    for number in (
        "18.26",
        "18.06 to 18.46",
        "7.06",
        "6.86 to 7.26",
    ):  # m_c of each network, before any figure
        assert number in said
    assert "in 300 sweeps; coexistence lies between them." in said
    assert "2 of 3 units are done" in read.text
    assert "random and planted starts in 300 sweeps, with" in read.text
    for said in ("300 sweeps, random order, a fresh mini-batch every sweep", "2 to 30", "64, 128, 256"):
        assert said in read.text
    assert "mbsim run config.toml --out runs/made-up" in read.text
    assert all(str(made_up.ATTRS[name]) in read.text for name in ("config_hash", "prng", "jax_version"))


def test_the_configuration_that_it_prints_is_the_one_that_was_run(text):
    config = load_config(
        {"model": "sparse-scalar", "grid": {"N": [31], "d": [3], "m": {"start": 2, "stop": 9}}}
    )
    resolved = json.dumps(config.resolved())
    printed = page.configuration_toml(made_up.attributes(config=resolved))
    assert load_config(tomllib.loads(printed)).hash == config.hash
    read = Page(html(made_up.attributes(config=resolved), made_up.blank()))
    assert re.sub(r"\s+", " ", printed) in read.text
    assert page.configuration_toml(made_up.summaries()) == ""


def test_where_a_part_is_absent_it_says_the_reason_and_shows_no_figure(bare):
    for part, reason in made_up.nothing().reasons.items():
        assert part in ABSENT
        assert reason.capitalize() + "." in bare.text
    assert len(bare.images) == 5  # what the summaries give
    read = Page(html(made_up.attributes(), made_up.blank()))
    assert not read.images
    assert "Nothing has run yet" in read.text


def test_no_part_of_an_analysis_is_forgotten():
    parts = {field.name for field in fields(fss.Analysis)} - {"summaries", "because"}
    assert parts == ABSENT == set(page.MISSING)
    unexplained = Page(html(made_up.attributes(), replace(made_up.blank(), because={})))
    for sentence in page.MISSING.values():
        assert plain(words.sentence(sentence)).replace("m_c", "mc") in unexplained.text


def test_names_are_text_not_markup():
    hostile = "<script>alert(1)</script>"
    read = Page(html(made_up.attributes(name=hostile), made_up.blank(), Source(hostile, note=hostile)))
    assert not read.loads
    assert read.text.count(hostile) >= 3


def test_the_same_analysis_gives_the_same_bytes():
    pages = [
        html(made_up.attributes(), replace(made_up.blank(), verdicts=[made_up.verdict(5)])) for _ in range(2)
    ]
    assert pages[0] == pages[1] and len(Page(pages[0]).images) == 2


def test_a_dataset_of_another_origin_can_be_reported():
    read = Page(html(made_up.summaries()[[]], replace(made_up.blank(), critical=made_up.critical())))
    assert "dataset: the critical mini-batch size" in read.text
    assert "config.toml" not in read.text


@pytest.mark.slow
def test_the_command_writes_the_page_into_the_run(finished_run, capsys):
    assert main(["report", str(finished_run), "--bootstrap", "100"]) == 0
    file = finished_run / "report.html"
    assert capsys.readouterr().out == f"report: {file}\n"
    read = Page(file.read_text())
    assert read.text.count("Figure 1.") == 1
    assert f"mbsim report {finished_run} --bootstrap 100" in read.text
    assert "units are done" not in read.text


@pytest.mark.slow
def test_an_unfinished_run_is_reported_as_far_as_it_is(finished_run, tmp_path, monkeypatch):
    monkeypatch.setattr(fss, "analyze", lambda *_, **__: made_up.blank())
    part = tmp_path / "part"
    shutil.copytree(finished_run, part, ignore=shutil.ignore_patterns("report.html"))
    next(part.glob("done/*.json")).unlink()
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


@pytest.mark.slow
def test_a_dataset_with_dimensions_of_its_own_can_be_reported():
    ds = fss.planted([64, 256]).rename(N="L", m="T")
    analysis = fss.analyze(ds, "q", size="L", control="T", bootstrap=50)
    text = html(ds, analysis, Source(order_parameter="q", bootstrap=50, size="L", control="T"))
    assert "No figure of" not in text and "L = 256" in Page(text).text.replace("\u00a0", " ")
    assert len(Page(text).images) >= 8


def test_commands_of_the_page_are_quoted_for_the_shell_and_python():
    analysis = made_up.analysis()
    source = Source('x "y"/r n', order_parameter="a b", bootstrap=200)
    text = unescape(html(made_up.attributes(), analysis, source))
    assert "mbsim run config.toml --out 'x \"y\"/r n'\n" in text
    assert "mbsim report 'x \"y\"/r n' --bootstrap 200 --order-parameter 'a b'\n" in text
    assert 'mbsim.open_run("x \\"y\\"/r n")' in text
    assert "mbsim report" not in html(made_up.attributes(), analysis).split("How to reproduce")[1]
