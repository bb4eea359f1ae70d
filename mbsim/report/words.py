"""Words of the report: what was run, with what, and how text is set.

Plain text becomes `Markup` here, with the symbols of physics set as such; nothing else is trusted as HTML.
"""

import math
import re
from collections.abc import Sequence
from itertools import pairwise

import xarray as xr
from markupsafe import Markup, escape

from mbsim.fss.critical import Critical
from mbsim.fss.names import MIDPOINT, STEEPEST, short_of
from mbsim.fss.over_time import OverTime
from mbsim.fss.records import START, labels_text, start_text
from mbsim.physics.rules import RULES, axes
from mbsim.report.findings import configuration
from mbsim.report.model import rule, student_of

TAGS = {
    "first": "first order",
    "second": "second order",
    "crossover": "crossover",
    "undecided": "undecided",
    "none": "none seen",
}
SYMBOL = re.compile(
    r"(?P<critical>\bm_c\b)"
    r"|(?P<inverse_nu>\binverse_nu\b)"
    r"|(?P<binder>\bU_?4\b)"
    r"|\^\(?(?P<power>[-−]?[\w.∞/]+)\)?"
    r"|(?<![\w'’])(?P<letter>[NdmKM])(?![\w'’])"
)
EQUATION = re.compile(
    r"(?P<base>[A-Za-zΑ-Ωα-ω∇])_(?P<below>[\w*]+(?:\([\w,]+\))?)"
    r"|(?P<letter>(?<![\w'’])[A-Zb-z](?![\w'’]))"
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
    unbroken = re.sub(r"(?<![\w.^-])-(?=\d)", "−", unbroken)
    return Markup(SYMBOL.sub(_symbol, unbroken))


def equation(text: object) -> Markup:
    """An equation in plain text with its subscripts lowered and its letters in italics.

    >>> str(equation("y_o = sign( Σ_a v_oa h_in(o,a) )"))
    '<i>y</i><sub>o</sub> = sign( Σ<sub>a</sub> <i>v</i><sub>oa</sub> <i>h</i><sub>in(o,a)</sub> )'
    """
    return Markup(EQUATION.sub(_term, str(escape(text))))


def formula(text: object) -> Markup:
    """Text with equations in it: subscripts of single letters lowered, symbols set as `typeset` sets them."""
    lowered = re.sub(r"(?<![\w])([A-Za-zΑ-Ωα-ω])_(?!c\b)(\w+)", r"\1<sub>\2</sub>", str(typeset(text)))
    return Markup(lowered)


def _term(found: re.Match[str]) -> str:
    base = found["base"] or found["letter"]
    slanted = base if base in "Σ∇Π" else f"<i>{base}</i>"
    return slanted + (f"<sub>{found['below']}</sub>" if found["below"] else "")


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
    """The grid and its samples, a name and a text each, as far as the dataset tells."""
    rows = [("model", str(ds.attrs.get("model") or ds.attrs.get("name") or "not named"))]
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
    if "seed" in ds.attrs:
        rows.append(("root seed", str(ds.attrs["seed"])))
    return rows


def lead(ds: xr.Dataset) -> str:
    """What was run, in one sentence; empty for a dataset that does not tell."""
    config = configuration(ds)
    law = RULES.get(rule(ds))
    if law is None or "m" not in ds.dims:
        return ""
    m = ds["m"].to_numpy()
    students = f"{int((ds['status'] != 0).sum()):,} students" if "status" in ds else "Students"
    sizes = [f"{name} = {_listed(ds[name].to_numpy().tolist())}" for name in ("N", "d") if name in ds.dims]
    sizes.append(f"m = {m.min():g} to {m.max():g}")
    text = f"{students} ({', '.join(sizes)}) were trained by {law.title}"
    if law.length in config.get("dynamics", {}):
        text += f" for {config['dynamics'][law.length]:,} {law.time.many}"
    starts = [start_text(START, one) for one in ds[START].to_numpy().ravel()] if START in ds.coords else []
    if starts and all(starts):
        text += f" from {' and '.join(one.removesuffix(' start') for one in starts)} starts"
    if {"teacher", "replica"} <= set(ds.dims):
        text += f", {ds.sizes['replica']} replicas of each of {ds.sizes['teacher']} teachers for each N and d"
    return f"{text}."


def how_found(critical: Sequence[Critical], bootstrap: int) -> str:
    """How the stated m_c is read off and what its intervals hold, in sentences; empty without a number."""
    known = [one for one in critical if math.isfinite(one.m_c)]
    if not known:
        return ""
    text = (
        "m_c is the midpoint of the order parameter, half-way between its branches before and after the rise"
    )
    if others := [one for one in known if one.estimator == STEEPEST]:
        text += (
            f"; at {_where(others)}, where a branch is no plateau, m_c is where the order parameter rises most "
            "steeply, which needs none"
        )
    text += f". Intervals hold 95 %: teachers and replicas resampled {bootstrap:,} times"
    if any(max(one.systematic) > 0 for one in known):
        text += ", and in squares how far m_c moves with the window of m and the form of the curve"
    return f"{text}."


def by_estimator(critical: Sequence[Critical]) -> str:
    """By which estimator m_c is marked in a figure: "m_c by the midpoint, at d = 3 by the steepest slope"."""
    known = [one for one in critical if math.isfinite(one.m_c)]
    kinds = list(dict.fromkeys(one.estimator for one in known))
    if len(kinds) < 2:
        return "m_c" + "".join(f" by the {short_of(kind)}" for kind in kinds)
    kinds.sort(key=lambda kind: kind != MIDPOINT)
    parts = [f"by the {short_of(kinds[0])}"]
    parts += [
        f"at {_where([one for one in known if one.estimator == kind])} by the {short_of(kind)}"
        for kind in kinds[1:]
    ]
    return f"m_c {', '.join(parts)}"


def moving(records: Sequence[OverTime], size: str = "N") -> str:
    """That m_c still moves at the end of the run, where it does, in a sentence; of the largest size."""
    largest = max((float(one.labels.get(size, 0)) for one in records), default=0.0)
    told = [one for one in records if one.moving and float(one.labels.get(size, 0)) == largest]
    if not told:
        return ""
    each = [
        f"{one.trend} at {labels_text({k: v for k, v in one.labels.items() if k != size})}"
        + (f", {one.at_end} in its last half" if one.at_end.known and one.at_end != one.trend else "")
        for one in told
    ]
    sizes = f"at {size} = {largest:g} " if largest else ""
    return (
        f"These values still move with the length of the run, {sizes}over its last decade by so much: "
        f"{'; '.join(each)}."
    )


def _where(records: Sequence[Critical]) -> str:
    """The connectivities of the records, or their labels where they have none."""
    values = dict.fromkeys(one.labels.get("d") for one in records)
    if None in values:
        return "some labels"
    return f"d = {', '.join(f'{value:g}' for value in values)}"


def success(ds: xr.Dataset) -> str:
    """What success of a student is in this run, as a clause; empty where the dataset does not tell."""
    config = configuration(ds)
    model = config.get("model", {})
    student = student_of(model)
    if student is None:
        return ""
    threshold = config.get("measure", {}).get("success_threshold", 1e-2)
    return student.success(model.get("output") == "scalar", threshold)


def critical_caption(ds: xr.Dataset, discontinuous: str) -> str:
    """The caption of the table of m_c; `discontinuous` is a sentence that goes with it, or nothing."""
    clause = success(ds)
    means = f", the m at which half of the students succeed (at the end {clause})," if clause else ""
    caption = f"The critical size m_c by each estimator that gives one, with 95 % intervals.{discontinuous}"
    return f"{caption} Perfect recovery{means} is a quantity of its own, and no estimator of m_c."


def provenance(ds: xr.Dataset) -> list[tuple[str, str]]:
    """Name and text of everything that identifies the numbers: hash, versions, device, flags, generator, commit."""
    names = {
        "config_hash": "configuration hash",
        "mbsim_version": "mbsim",
        "git_commit": "commit",
        "jax_version": "jax",
        "jaxlib_version": "jaxlib",
        "numpy_version": "numpy",
        "engine": "engine",
        "device_kind": "device",
        "compiler_flags": "flags of the compiler",
        "prng": "random generator",
    }
    return [(words, str(ds.attrs[name])) for name, words in names.items() if ds.attrs.get(name)]


def sentence(text: str) -> str:
    """With a capital (unless a symbol comes first) and a full stop."""
    text = text.strip().rstrip(".")
    is_word = re.match(r"(a |[a-z][a-z'’]+\b)", text)
    return (text[:1].upper() if is_word else text[:1]) + text[1:] + "."


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
