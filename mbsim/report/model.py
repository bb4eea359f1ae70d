"""What was trained, in words and equations: network, start, law of training, what is measured, how m_c is read off.

Every equation is that of the registered object (student, teacher, rule, observable, estimator); nothing about one is
written here a second time. Of a dataset of another origin what its attributes do not tell is left out.
"""

import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import xarray as xr

from mbsim.fss.critical import Critical
from mbsim.fss.estimators import ESTIMATORS
from mbsim.fss.records import START, start_text
from mbsim.physics.observables import OBSERVABLES
from mbsim.physics.rules import RULES, Rule, rules_for
from mbsim.physics.students import STUDENTS, StudentKind
from mbsim.physics.teachers import TEACHERS
from mbsim.report.findings import configuration


class Paragraph(NamedTuple):
    """A heading, sentences, and equations that stand on lines of their own."""

    head: str
    text: str
    equations: tuple[str, ...] = ()


def paragraphs(ds: xr.Dataset, order_parameter: str) -> list[Paragraph]:
    """Network, start, dynamics and order parameter of a run, as far as the dataset tells."""
    config = configuration(ds)
    model, dynamics = config.get("model", {}), config.get("dynamics", {})
    found = [*_network(ds, model), *_start(ds, model, dynamics), *_dynamics(ds, dynamics)]
    return [*found, *_measured(ds, order_parameter, config.get("measure", {}))]


def rule(ds: xr.Dataset) -> str:
    """The rule that trained the students, as the dataset names it; of one from before rules had names, as its
    weights say, by the default rule for these; else empty.
    """
    config = configuration(ds)
    named = ds.attrs.get("rule") or config.get("dynamics", {}).get("rule", "")
    weights = config.get("model", {}).get("weights", "")
    defaults = rules_for(weights)
    return str(named or (defaults[0] if defaults else ""))


def student_of(model: Mapping[str, Any]) -> StudentKind | None:
    """The kind of student that a table `[model]` names; None where it names none that is known here."""
    return STUDENTS.get("binary" if model.get("weights") == "binary" else model.get("student", ""))


def formulas(critical: Sequence[Critical]) -> list[tuple[str, str]]:
    """The estimators that gave a record, each by its short name, with its formula."""
    keys = dict.fromkeys(one.estimator for one in critical)
    known = [(key, ESTIMATORS[key]) for key in keys if key in ESTIMATORS]
    return [(one.short, _formula(one)) for _, one in known]


def _formula(estimator: Any) -> str:
    """What the estimator says of itself, up to its arguments and examples."""
    text = getattr(estimator, "formula", "") or inspect.getdoc(estimator) or ""
    return " ".join(re.split(r"\n\s*(?:Args:|>>>)", text)[0].split())


def _network(ds: xr.Dataset, model: Mapping[str, Any]) -> list[Paragraph]:
    if not model:
        return []
    student, teacher = student_of(model), TEACHERS.get(model.get("teacher", "sparse"))
    if student is None or teacher is None:
        return []
    outputs = "one output" if model.get("output") == "scalar" else "as many outputs as inputs"
    told = [key.told(model[key.name]) for key in student.keys if key.name in model]
    text = f"The teacher is {teacher.title} of in-degree d with {outputs}, the student a {student.title}"
    text += "".join(f", {one}" for one in told if one) + "."
    fixed = "" if model.get("train_output", True) else " The output weights v are fixed to one."
    real = student.weights == "real"
    equations = {
        "teacher": teacher.equation if real else "",
        "student" if real else "both": student.equation,
    }
    lines = tuple(f"{name}:  {one}" if real else one for name, one in equations.items() if one)
    inputs = (
        " Inputs x are " + ("standard normal" if model.get("inputs") == "normal" else "±1 at random") + "."
    )
    return [Paragraph("Network", text + fixed + inputs, lines)]


def _start(ds: xr.Dataset, model: Mapping[str, Any], dynamics: Mapping[str, Any]) -> list[Paragraph]:
    student = student_of(model)
    if student is None:
        return []
    text = inspect.getdoc(student.init) or ""
    starts = ds[START].to_numpy().ravel().tolist() if START in ds.coords else []
    starts = starts or ([dynamics[START]] if START in dynamics else [])
    named = [f"{start_text(START, one) or 'a start'} (q0 = {one:g})" for one in starts]
    return [Paragraph("Start", text + (f" Here: {' and '.join(named)}." if named else ""))]


def _dynamics(ds: xr.Dataset, dynamics: Mapping[str, Any]) -> list[Paragraph]:
    """The law, the length of the run, and its settings, in the words of the rule that the dataset names."""
    if not dynamics:
        return []
    law = RULES.get(rule(ds))
    if law is None:
        return [Paragraph("Dynamics", ", ".join(f"{name} {value}" for name, value in dynamics.items()) + ".")]
    proposal = getattr(law, "proposal", "")
    text = f"{law.title}." + (f" At each proposal {proposal}." if proposal else "")
    return [Paragraph("Dynamics", f"{text} The run: {_settings(ds, law, dynamics)}.", (law.equation,))]


def _settings(ds: xr.Dataset, law: Rule, dynamics: Mapping[str, Any]) -> str:
    parts = []
    for key in law.keys:
        value = dynamics.get(key.name)
        if value is None or key.name in ds.dims or key.name == START:
            continue
        if key.name == law.length:
            parts.append(f"{value:,} {law.time.many}")
        elif key.name == "refresh" and value != "sweep":
            parts.append(key.told(f"{value} proposals"))
        elif told := key.told(value):
            parts.append(told)
    return ", ".join(parts)


def _measured(ds: xr.Dataset, order_parameter: str, measure: Mapping[str, Any]) -> list[Paragraph]:
    if not measure and order_parameter not in ds:
        return []
    base = order_parameter.removesuffix("_mean")
    long_name = ds[order_parameter].attrs.get("long_name", base) if order_parameter in ds else base
    text = f"The order parameter is the {str(long_name).removeprefix('the ')}."
    if base in OBSERVABLES:
        one = OBSERVABLES[base]
        doc = inspect.getdoc(one.value or one.derive) or ""
        text += " " + " ".join(doc.split("\n\n")[-1].split())
    when = (
        f" It is measured at {measure['measurements']} log-spaced times" if "measurements" in measure else ""
    )
    when += f" on {measure['test_size']:,} fresh examples" if when and measure.get("test_size") else ""
    return [Paragraph("Order parameter", text + (when + "." if when else ""))]
