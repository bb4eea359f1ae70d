"""Findings, figures, tables and words of the report, each on its own."""

import itertools
import json
from dataclasses import replace

import made_up
import numpy as np
import pytest
from matplotlib.legend import Legend
from matplotlib.text import Text

from mbsim import fss
from mbsim.fss import Critical, because
from mbsim.physics.rules import RULES
from mbsim.report import drawings, findings, law_tables, model, page, tables, words


def test_the_findings_tell_the_limit_or_the_growth_or_the_largest_size_of_the_random_start():
    unknown, known = fss.Interval(), made_up.interval(18.3, 0.1)

    def told(law, m_c=unknown, order="second"):
        verdict = replace(made_up.verdict(5), order=order)
        one = replace(made_up.extrapolation(5), law=law, m_c=m_c)
        whole = replace(made_up.blank(), verdicts=[verdict], extrapolations=[one], critical=records)
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
    assert told("undecided", known) == second + "m_c = 18.26 (18.06 to 18.46) at N = 256, random start."
    assert told("undecided", order="none").startswith("d = 5: the transition is of undecided order, m_c")
    records = []
    assert told("undecided", order="none") == "d = 5: the transition is not seen on this grid."


def test_of_a_discontinuous_transition_both_spinodals_are_told_and_none_is_called_m_c():
    whole = made_up.analysis()
    said = findings.findings(whole, "300 sweeps")[1]
    assert said == (
        "d = 5: the transition is discontinuous (first order), spinodals 18.00 (17.80 to 18.20) from random and "
        "7.00 (6.70 to 7.30) from planted starts at N = 128 in 300 sweeps; coexistence lies between them."
    )
    alone = findings.findings(replace(whole, hysteresis=[]), "300 sweeps")[1]
    assert "the start that was run goes over at 18.26 (18.06 to 18.46) at N = 256 in 300 sweeps" in alone
    assert "m_c" not in said + alone and "a second start is needed" in alone
    undecided = replace(whole, verdicts=[replace(made_up.verdict(5), order="undecided")])
    assert findings.findings(undecided)[0].endswith("from planted starts at N = 128: a loop is open.")
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
    assert table.heads == ["d", "N", "midpoint", "U4 crossing"]
    assert [[cell.text for cell in row[:2]] for row in table.rows] == [
        [str(d), str(N)] for d in (3, 5) for N in (64, 128, 256)
    ]
    third, fourth = table.rows[2], table.rows[3]
    assert third[2] == ("–", "", "a") and table.notes == [("a", "nothing ran")]
    assert fourth[3] == ("18.10", "17.80 to 18.40; with N = 128", "")


def test_an_estimator_without_any_number_has_no_column_but_is_named_once_with_its_reason():
    why = tuple(
        because("one_sided", large=f"N = {N}", small="N = 64", side="above", control="m") for N in (128, 256)
    )
    lost = [
        Critical({"N": N, "d": d}, *[np.nan] * 3, "undecided", "success_crossing", because=(one,))
        for N, one in zip((64, 128), why, strict=True)
        for d in (3, 5)
    ]
    table = tables.critical_table([*made_up.critical(), *lost])
    assert table.heads == ["d", "N", "midpoint", "U4 crossing"]
    [said] = [text for mark, text in table.notes if not mark]
    assert said.startswith("success crossing: ") and said.count("no crossing on this grid") == 1


def test_the_result_has_a_column_for_each_size_and_the_order_of_each_row():
    table = tables.result_table(made_up.analysis())
    assert table.heads == ["d", "N = 64", "N = 128", "N = 256", "transition"]
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["3", "7.06", "7.13", "–", "second order"],
        ["5", "18.06", "18.13", "18.26", "first order"],
    ]
    assert table.rows[1][1].below == "17.86 to 18.26"
    starts = [
        replace(one, labels=one.labels | {"init_overlap": q})
        for one in made_up.critical()
        for q in (0.0, 1.0)
    ]
    rows = tables.result_table(replace(made_up.analysis(), critical=starts)).rows
    assert [row[1].text for row in rows] == ["random", "planted"] * 2
    assert tables.result_table(made_up.blank()) is None


def test_where_another_estimator_states_m_c_the_result_and_the_findings_say_which_and_why():
    why = because("no_plateau", sides=("before",))
    steep = Critical(
        {"N": 256, "d": 3},
        7.08,
        6.93,
        7.14,
        "undecided",
        "steepest",
        choice=because("used_steepest", why=why),
    )
    mid = replace(steep, m_c=7.48, low=6.72, high=7.54, estimator="midpoint", choice=None)
    verdict = replace(made_up.verdict(3), order="undecided")
    whole = replace(made_up.blank(), critical=[mid, steep], verdicts=[verdict])
    table = tables.result_table(whole)
    assert table.rows == [[("3", "", ""), ("7.08", "6.93 to 7.14", "a"), ("undecided", "", "")]]
    assert table.notes == [("a", "a steepest slope where a plateau is not seen")]
    assert findings.findings(whole)[0].endswith(
        "m_c = 7.08 (6.93 to 7.14) at N = 256, by the steepest slope."
    )
    assert "at d = 3, where a branch is no plateau" in words.how_found(findings.stated(whole), 1000)


def test_both_parts_of_the_error_are_told_at_the_largest_size():
    one = Critical(
        {"N": 256, "d": 5},
        18.2,
        17.2,
        18.4,
        "undecided",
        "midpoint",
        statistical=(18.0, 18.4),
        systematic=(0.98, 0.0),
    )
    small, other = replace(one, labels={"N": 64, "d": 5}), replace(one, estimator="binder_crossing")
    [row] = tables.error_table([small, one, other]).rows
    assert [cell.text for cell in row] == [
        "5",
        "256",
        "midpoint",
        "18.2",
        "18.00 to 18.40",
        "−1.0 / +0.0",
        "17.2 to 18.4",
    ]
    assert tables.error_table(made_up.critical()) is None  # nothing tells a systematic part


def test_the_trend_with_the_length_of_the_run_is_told_at_the_largest_size():
    t = np.array([1.0, 10.0, 100.0])
    moving = (because("still_moving", trend=made_up.interval(-2, 0.1), until=100.0),)
    found = [
        fss.OverTime(
            {"N": N, "d": 5}, "midpoint", "q", "sweep", t, np.array([np.nan, 20.0, 18.0]),
            np.array([np.nan, 19.8, 17.8]), np.array([np.nan, 20.2, 18.2]), made_up.interval(-2, 0.1), moving,
        )
        for N in (64, 128)
    ]  # fmt: skip
    [row] = tables.trend_table(found).rows
    assert [cell.text for cell in row] == ["5", "128", "20.00", "10", "18.00", "100", "-2.00", "moves"]
    said = words.moving(found)
    assert "at N = 128 by so much per factor of ten in time: -2.00 (-2.10 to -1.90) at d = 5" in said
    assert words.moving([replace(one, because=()) for one in found]) == ""
    assert tables.trend_table([replace(found[0], trend=fss.Interval())]) is None


@pytest.mark.slow
def test_a_collapse_that_determined_nothing_is_told_and_not_drawn():
    lost = replace(made_up.collapse(3), inverse_nu=fss.Interval(), because=(because("nothing_to_collapse"),))
    whole = replace(made_up.analysis(), collapses=[lost, replace(lost, labels={"d": 5})])
    assert drawings.collapse_drawings(whole) == []
    assert tables.refusals(whole.collapses) == ["d = 3; d = 5: no data to collapse."]
    assert words.typeset("d = 3; d = 5: no data to collapse.") in page.html(made_up.attributes(), whole)


def test_a_figure_that_cannot_be_drawn_is_a_note_and_the_numbers_stay(monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("Failed to process string with tex:\nlatex could not be found")

    monkeypatch.setattr(drawings.figures, "panels", broken)
    text = page.html(made_up.attributes(), made_up.analysis())
    assert "<img" not in text and "18.06 to 18.46" in text
    assert "No figure of the order parameter: RuntimeError: Failed to process string with tex: latex" in text


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
    table = law_tables.extrapolation_table(
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
    assert law_tables.connectivity_table(poor).notes == [("a", "neither law fits")]


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


def test_a_crossover_is_told_with_its_midpoint_and_as_no_transition():
    verdict = replace(made_up.verdict(5), order="crossover")
    whole = replace(made_up.blank(), verdicts=[verdict], critical=made_up.critical())
    [said] = findings.findings(whole)
    assert said == (
        "d = 5: the transition is a smooth crossover (nothing sharpens with the size), with its midpoint at "
        "m = 18.26 (18.06 to 18.46) for N = 256."
    )


def test_the_table_of_a_collapse_has_its_chance_and_what_it_becomes_without_the_smallest_sizes():
    fewer = fss.results.CollapseStability(
        128.0, made_up.interval(7.1, 0.2), fss.Interval(0.4, 0.2, 0.5), fss.Interval(0.1, 0, 0.2), 0.4
    )
    one = replace(made_up.collapse(3), p_value=0.03, stability=(fewer,))
    table = tables.collapse_table([one])
    assert table.heads == ["d", "quantity", "m_c", "ν", "β", "χ²/dof", "p"]
    assert table.rows[0][-1].text == "0.03"
    assert [cell.text for cell in table.rows[1]] == ["", "from 128 on", "7.10", "2.5", "0.25", "", "0.4"]
    assert table.rows[1][3].below == "2.0 to 5.0"
    corrected = tables.collapse_table([replace(one, omega=made_up.interval(0.5, 0.1))])
    assert corrected.heads[-3:] == ["ω", "χ²/dof", "p"]
