"""Reasons are records: a key and values, put into words in one place and compared as text nowhere."""

import ast
from pathlib import Path

import numpy as np
import pytest
from known_answers.synthetic import continuous

import mbsim
from mbsim import fss
from mbsim.errors import DatasetError
from mbsim.fss import because
from mbsim.fss.reasons import WORDS, Reason, _named, distinct, text_of

SOURCES = sorted(Path(mbsim.__file__).parent.rglob("*.py"))


def calls():
    """Every call of `because` in the sources: the key, and the names of its values."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "because":
                if isinstance(node.args[0], ast.Constant):
                    yield path.name, node.args[0].value, {one.arg for one in node.keywords}


def test_every_reason_is_given_somewhere_with_the_values_that_its_words_name():
    found = list(calls())
    assert {key for _, key, _ in found} == set(WORDS)
    for file, key, names in found:
        named = _named(WORDS[key].full)
        if named is not None and None not in names:  # None: `**span`
            assert names == named, (file, key)


def test_a_reason_reads_as_its_words_say():
    reason = because("no_limit", laws=("logarithm", "proportional"), share=0.672)
    assert str(reason) == (
        "no m_c(∞): laws without a limit (logarithm and proportional) hold 67% of the weight"
    )
    assert reason.line == str(reason)
    assert reason.brief == "no m_c(∞): laws without a limit hold part of the weight"
    told = because("laws_of_size", weights={"constant": 0.2, "power correction": 0.8})
    assert str(told) == "the sizes do not tell the laws apart (weights: constant 0.20, power correction 0.80)"
    assert told.line == told.brief == "the sizes do not tell the laws apart"
    assert text_of((reason, told)) == f"{reason}; {told}"
    few = because("few_sizes", count=1, needed=3, lost=(because("one_teacher"), fss.note("b")))
    assert str(few).endswith("are needed (one teacher tells nothing of the others; b)")
    assert str(because("coarse_grid", needed=3, control="m", sizes=(64.0, 1024.0))).startswith(
        "fewer than 3 values of m lie in the rise at size 64, 1024: "
    )


def test_a_value_that_the_words_do_not_name_is_a_fault_of_the_caller():
    with pytest.raises(TypeError, match="reason 'no_data' takes control, not size"):
        because("no_data", size="N")


def test_the_record_tells_what_happened_without_its_words():
    [one] = fss.midpoint(continuous({64: np.arange(16, 19)}), "q", bootstrap=20)
    [reason] = one.because
    assert (reason.key, reason["count"], reason["needed"]) == ("few_points", 3, 4)
    assert one.reason == str(reason) == "3 values of m hold data, at least 4 are needed"
    [law] = fss.extrapolate([one])
    assert law.because[0].key == "few_sizes"
    assert law.because[0]["lost"] == one.because


def test_those_that_read_alike_are_told_once():
    nearly = [because("few_resamples", share=share) for share in (0.931, 0.929, 0.5)]
    assert [one["share"] for one in distinct(nearly)] == [0.931, 0.5]


def test_reasons_compare_and_hash_by_what_they_hold():
    one, other = because("no_data", control="m"), because("no_data", control="T")
    assert one == Reason("no_data", {"control": "m"}) != other
    assert len({one, because("no_data", control="m"), other}) == 2


def test_a_reason_of_your_own_has_a_key_of_its_own():
    fss.register_reason("few_good", "{count} students are good")
    try:
        assert str(fss.because("few_good", count=3)) == "3 students are good"
        with pytest.raises(DatasetError, match="reason 'few_good': the key is taken"):
            fss.register_reason("few_good", "another")
    finally:
        del WORDS["few_good"]


@pytest.mark.parametrize("package", ["fss", "report/findings.py", "report/tables.py", "cli/analyze.py"])
def test_no_sentence_is_parsed(package):
    root = Path(mbsim.__file__).parent / package
    for path in sorted(root.glob("*.py")) if root.is_dir() else [root]:
        tree = ast.parse(path.read_text())
        imported = [
            name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names
        ]
        assert "re" not in imported, path.name
        compared = [
            ast.unparse(node)
            for node in ast.walk(tree)
            if isinstance(node, ast.Compare) and getattr(node.left, "attr", "") == "reason"
        ]
        assert not compared, path.name
