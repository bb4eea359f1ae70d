"""Words, symbols and equations of the report: the model as it was trained."""

import json

import made_up
import pytest

from mbsim.physics.rules import RULES
from mbsim.report import model, words


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
    said = words.critical_caption(made_up.attributes(config=json.dumps(config)), "")
    assert clause in said and "log" not in said
    assert "succeed" not in words.critical_caption(made_up.summaries(), "")


def test_the_rule_is_that_of_the_dataset_and_nothing_is_guessed():
    def dynamics(ds):
        [part] = [part for part in model.paragraphs(ds, "overlap_mean") if part.head == "Dynamics"]
        return part

    # A dataset from before rules had names has ±1 weights, whose rule was Metropolis.
    old, named = dynamics(made_up.attributes()), dynamics(made_up.attributes(rule="heat-bath"))
    assert old.text.startswith("Metropolis. ") and named.text.startswith("heat bath. ")
    assert old.equations == (RULES["metropolis"].equation,)
    assert "ΔE is the change in the number of wrong outputs" in old.text
    assert old.text.endswith(" 300 sweeps, random order, a fresh mini-batch every sweep, temperature 0.")
    unknown = dynamics(made_up.attributes(rule="of another program"))
    assert unknown.text == "sweeps 300, order random, refresh sweep, temperature 0.0."
    assert ("engine", "reference") in words.provenance(made_up.attributes(engine="reference"))


def test_network_start_and_order_parameter_are_told_in_words_and_equations():
    parts = {part.head: part for part in model.paragraphs(made_up.attributes(), "overlap_mean")}
    assert list(parts) == ["Network", "Start", "Dynamics", "Order parameter"]
    assert parts["Network"].equations == (
        "h_k = sign( Σ_b w_kb x_in(k,b) ),  y_o = sign( Σ_a v_oa h_in(o,a) )",
    )
    assert "(1 + q0)/2" in parts["Start"].text
    assert (
        "path overlap" in parts["Order parameter"].text
        and "32 log-spaced times" in parts["Order parameter"].text
    )
    real = made_up.CONFIG | {
        "model": {"weights": "real", "student": "dense", "output": "scalar", "teacher": "parity"}
    }
    network = model.paragraphs(made_up.attributes(config=json.dumps(real)), "overlap_mean")[0]
    assert [line.split(":")[0] for line in network.equations] == ["teacher", "student"]
    assert model.paragraphs(made_up.summaries(), "q") == []


def test_every_estimator_of_the_report_has_its_formula():
    found = dict(model.formulas(made_up.critical()))
    assert list(found) == ["midpoint", "U4 crossing"]
    assert "1 - ⟨q⁴⟩ / (3 ⟨q²⟩²)" in found["U4 crossing"] and "Args" not in "".join(found.values())


def test_equations_are_set_with_subscripts():
    assert str(words.equation("w ← w − η ∇_w L")) == "<i>w</i> ← <i>w</i> − η ∇<sub>w</sub> <i>L</i>"
    assert "&lt;" in words.equation("x < 1")
