"""Tables of the report and their footnotes."""

from dataclasses import replace

import made_up
import numpy as np

from mbsim import fss
from mbsim.fss import Critical, because
from mbsim.report import findings, law_tables, tables, words


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
    trend, at_end = made_up.interval(-2, 0.1), made_up.interval(-1.5, 0.2)
    moving = (because("still_moving", since=10.0, trend=trend, at_end=at_end, until=100.0),)
    found = [
        fss.OverTime(
            {"N": N, "d": 5}, "midpoint", "q", "sweep", t, np.array([np.nan, 20.0, 18.0]),
            np.array([np.nan, 19.8, 17.8]), np.array([np.nan, 20.2, 18.2]), trend, moving, at_end,
        )
        for N in (64, 128)
    ]  # fmt: skip
    [row] = tables.trend_table(found).rows
    assert [cell.text for cell in row] == [
        "5",
        "128",
        "20.00",
        "10",
        "18.00",
        "100",
        "-2.00",
        "-1.50",
        "moves",
    ]
    said = words.moving(found)
    assert "at N = 128 over its last decade by so much: -2.00 (-2.10 to -1.90) at d = 5" in said
    assert said.endswith("-1.50 (-1.70 to -1.30) in its last half.")
    some = replace(found[1], because=(*moving, because("times_left_out", count=16, of=40)))
    assert [text for _, text in tables.trend_table([some]).notes] == [
        "read off at some of the measured times; mbsim.fss.over_time takes all"
    ]
    assert words.moving([replace(one, because=()) for one in found]) == ""
    assert tables.trend_table([replace(found[0], trend=fss.Interval())]) is None


def test_what_was_fixed_in_a_collapse_is_told():
    fixed = replace(made_up.collapse(), nu=fss.Interval(2.0, 2.0, 2.0), fixed=("nu",))
    [row] = tables.collapse_table([fixed]).rows
    assert row[3] == ("2", "fixed", "")


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
