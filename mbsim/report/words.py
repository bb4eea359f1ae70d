"""Words of the report: what was run, with what, and how text is set.

Plain text becomes `Markup` here, with the symbols of physics set as such; nothing else is trusted as HTML.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import xarray as xr
from markupsafe import Markup, escape

from mbsim.physics.rules import RULES, axes, rules_for
from mbsim.physics.students import STUDENTS
from mbsim.physics.teachers import TEACHERS
from mbsim.report.findings import configuration

TAGS = {"first": "first order", "second": "second order", "undecided": "undecided", "none": "none seen"}
SYMBOL = re.compile(
    r"(?P<critical>\bm_c\b)"
    r"|(?P<inverse_nu>\binverse_nu\b)"
    r"|(?P<binder>\bU_?4\b)"
    r"|\^\(?(?P<power>[-−]?[\w.∞/]+)\)?"
    r"|(?<![\w'’])(?P<letter>[NdmKM])(?![\w'’])"
)
LAWS = {
    "constant": "m_c",
    "power correction": "m_c + a N^−ω",
    "logarithm": "a + b log N",
    "proportional": "b N",
    "undecided": "undecided",
}


def typeset(text: object) -> Markup:
    """Plain text with m_c, U4, powers and the letters N, K, M, d, m set as symbols."""
    unbroken = str(escape(text)).replace(" = ", "\u00a0=\u00a0").replace(" %", "\u00a0%")
    return Markup(SYMBOL.sub(_symbol, unbroken))


def _symbol(found: re.Match[str]) -> str:
    if found["critical"]:
        return "<i>m</i><sub>c</sub>"
    if found["inverse_nu"]:
        return "1/ν"
    if found["binder"]:
        return "<i>U</i><sub>4</sub>"
    if found["power"]:
        return f"<sup>{found['power']}</sup>"
    return f"<i>{found['letter']}</i>"


def what_was_run(ds: xr.Dataset) -> list[tuple[str, str]]:
    """The rows of the table of what was run: a name and a text each, as far as the dataset tells."""
    config = configuration(ds)
    rows = [("model", _model(ds, config.get("model", {})))]
    for name, words in (("N", "inputs, N"), ("d", "in-degree, d"), ("m", "mini-batch sizes, m")):
        if name in ds.dims:
            rows.append((words, _listed(ds[name].to_numpy().tolist())))
    for name, key in axes().items():
        if name in ds.dims and key.axis:
            rows.append((key.axis.long_name, _listed(ds[name].to_numpy().tolist())))
    if "status" in ds:
        asked, ran = int(ds["status"].size), int((ds["status"] != 0).sum())
        rows.append(
            ("students", f"{ran:,} trained" + (f", of {asked:,} cells of the grid" if ran < asked else ""))
        )
    if {"teacher", "replica"} <= set(ds.dims):
        rows.append(("samples", f"{ds.sizes['teacher']} teachers, {ds.sizes['replica']} replicas of each"))
    if dynamics := config.get("dynamics"):
        rows.append(("dynamics", _dynamics(dynamics, ds)))
    if measure := config.get("measure"):
        rows.append(("measured", _measured(measure)))
    if "seed" in ds.attrs:
        rows.append(("root seed", str(ds.attrs["seed"])))
    return rows


def rule(ds: xr.Dataset) -> str:
    """The rule that trained the students, as the dataset names it; of one from before rules had names, as its
    weights say, by the default rule for these; else empty.
    """
    config = configuration(ds)
    named = ds.attrs.get("rule") or config.get("dynamics", {}).get("rule", "")
    weights = config.get("model", {}).get("weights", "")
    defaults = rules_for(weights)
    return str(named or (defaults[0] if defaults else ""))


def success(ds: xr.Dataset) -> str:
    """What success of a student is in this run, as a clause; empty where the dataset does not tell."""
    config = configuration(ds)
    model = config.get("model", {})
    if not model:
        return ""
    if model.get("weights") != "binary":
        threshold = config.get("measure", {}).get("success_threshold", 1e-2)
        return f"the error on fresh examples is at most {threshold:g}"
    return "no test example fails" if model.get("output") == "scalar" else "every weight is right"


def critical_caption(ds: xr.Dataset, discontinuous: str) -> str:
    """The caption of the table of m_c; `discontinuous` is a sentence that goes with it, or nothing."""
    clause = success(ds)
    means = f", the m at which half of the students succeed (at the end {clause})," if clause else ""
    caption = f"The critical size m_c by each estimator, with 95 % intervals.{discontinuous}"
    return f"{caption} Perfect recovery{means} is a quantity of its own, and no estimator of m_c."


def provenance(ds: xr.Dataset) -> list[tuple[str, str]]:
    """Name and text of everything that identifies the numbers: hash, versions, device, generator, commit."""
    names = {
        "config_hash": "configuration hash",
        "mbsim_version": "mbsim",
        "git_commit": "commit",
        "jax_version": "jax",
        "jaxlib_version": "jaxlib",
        "numpy_version": "numpy",
        "engine": "engine",
        "device_kind": "device",
        "prng": "random generator",
    }
    return [(words, str(ds.attrs[name])) for name, words in names.items() if ds.attrs.get(name)]


def sentence(text: str) -> str:
    """With a capital (unless a symbol comes first) and a full stop."""
    text = text.strip().rstrip(".")
    is_word = re.match(r"(a |[a-z][a-z'’]+\b)", text)
    return (text[:1].upper() if is_word else text[:1]) + text[1:] + "."


def _model(ds: xr.Dataset, model: Mapping[str, Any]) -> str:
    name = str(ds.attrs.get("model") or ds.attrs.get("name") or "not named")
    if not model:
        return name
    output = "one output" if model.get("output") == "scalar" else "as many outputs as inputs"
    kind = "binary" if model.get("weights") == "binary" else model.get("student", "")
    student = STUDENTS[kind].title if kind in STUDENTS else f"{kind} student"
    teacher = TEACHERS.get(model.get("teacher", "sparse"))
    of = f" taught by {teacher.title}" if teacher else ""
    keys = STUDENTS[kind].keys if kind in STUDENTS else ()
    told = [key.told(model[key.name]) for key in keys if key.name in model]
    return ", ".join([f"{name}: {student}{of}", output, *filter(None, told)])


def _dynamics(dynamics: Mapping[str, Any], ds: xr.Dataset) -> str:
    """The law, the length of the run, and its settings, in the words of the rule that the dataset names."""
    law = RULES.get(rule(ds))
    if law is None:
        return ", ".join(f"{name} {value}" for name, value in dynamics.items())
    parts = [f"{law.title}: {law.equation}"]
    for key in law.keys:
        value = dynamics.get(key.name)
        if value is None or key.name in ds.dims:
            continue
        if key.name == law.length:
            parts.append(f"{value:,} {law.time.many}")
        elif key.name == "refresh" and value != "sweep":
            parts.append(key.told(f"{value} proposals"))
        elif told := key.told(value):
            parts.append(told)
    return "; ".join(parts[:1]) + "; " + ", ".join(parts[1:])


def _measured(measure: Mapping[str, Any]) -> str:
    parts = [f"at {measure['measurements']} log-spaced times"] if "measurements" in measure else []
    if measure.get("test_size"):
        parts.append(f"on {measure['test_size']:,} fresh examples")
    return ", ".join(parts)


def _listed(values: Sequence[float]) -> str:
    """A range where the steps are even, else the values, of many only the ends."""
    texts = [f"{value:g}" if isinstance(value, float) else str(value) for value in values]
    steps = {round(b - a, 12) for a, b in pairwise(values)}
    if len(values) > 4 and len(steps) == 1:
        step = steps.pop()
        return f"{texts[0]} to {texts[-1]}" + ("" if step == 1 else f" in steps of {step:g}")
    if len(texts) > 12:
        return f"{', '.join(texts[:3])}, …, {texts[-1]} ({len(texts)} values)"
    return ", ".join(texts)
