"""What the report says was found."""

from dataclasses import replace

import made_up
import numpy as np

from mbsim import fss
from mbsim.report import findings


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


def test_a_crossover_is_told_with_its_midpoint_and_as_no_transition():
    verdict = replace(made_up.verdict(5), order="crossover")
    whole = replace(made_up.blank(), verdicts=[verdict], critical=made_up.critical())
    [said] = findings.findings(whole)
    assert said == (
        "d = 5: the transition is a smooth crossover (nothing sharpens with the size), with its midpoint at "
        "m = 18.26 (18.06 to 18.46) for N = 256."
    )
