"""Sentences of the report: what was run, what was found, and the reasons where nothing was.

Plain text becomes `Markup` here, with the symbols of physics set as such; nothing else is trusted as HTML.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import xarray as xr
from markupsafe import Markup, escape

from mbsim.fss.results import Analysis, Extrapolation, Interval, Verdict
from mbsim.fss.table import Critical, Label

TAGS = {"first": "first order", "second": "second order", "undecided": "undecided", "none": "none seen"}
ORDERS = {
    "first": "discontinuous (first order)",
    "second": "continuous (second order)",
    "undecided": "of undecided order",
    "none": "not seen on this grid",
}
SYMBOL = re.compile(
    r"(?P<critical>\bm_c\b)"
    r"|(?P<inverse_nu>\binverse_nu\b)"
    r"|(?P<binder>\bU_?4\b)"
    r"|\^\(?(?P<power>[-−]?[\w.∞/]+)\)?"
    r"|(?<![\w'’])(?P<letter>[NdmKM])(?![\w'’])"
)
GROWTHS = {"proportional": "in proportion to N", "logarithm": "like log N"}
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


def labels_text(labels: Mapping[str, object]) -> str:
    """The labels as they are read: "d = 5, init overlap = 1"."""
    shown = (
        (name.replace("_", " "), f"{value:g}" if isinstance(value, float) else value)
        for name, value in labels.items()
    )
    return ", ".join(f"{name} = {value}" for name, value in shown)


def configuration(ds: xr.Dataset) -> dict[str, Any]:
    """The run's configuration, empty where the dataset carries none."""
    return dict(json.loads(ds.attrs.get("config", "{}")))


def what_was_run(ds: xr.Dataset) -> list[tuple[str, str]]:
    """The rows of the table of what was run: a name and a text each, as far as the dataset tells."""
    config = configuration(ds)
    rows = [("model", _model(ds, config.get("model", {})))]
    for name, words in (("N", "inputs, N"), ("d", "in-degree, d"), ("m", "mini-batch sizes, m")):
        if name in ds.dims:
            rows.append((words, _listed(ds[name].to_numpy().tolist())))
    for name, words in (("init_overlap", "initial overlaps"), ("temperature", "temperatures")):
        if name in ds.dims:
            rows.append((words, _listed(ds[name].to_numpy().tolist())))
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


def provenance(ds: xr.Dataset) -> list[tuple[str, str]]:
    """Name and text of everything that identifies the numbers: hash, versions, device, generator, commit."""
    names = {
        "config_hash": "configuration hash",
        "mbsim_version": "mbsim",
        "git_commit": "commit",
        "jax_version": "jax",
        "jaxlib_version": "jaxlib",
        "numpy_version": "numpy",
        "device_kind": "device",
        "prng": "random generator",
    }
    return [(words, str(ds.attrs[name])) for name, words in names.items() if ds.attrs.get(name)]


def findings(analysis: Analysis) -> list[str]:
    """One sentence for each combination of labels: its order, and where the transition is."""
    found = []
    for verdict in analysis.verdicts:
        where = labels_text(verdict.labels)
        place = _place(verdict, analysis)
        # An estimator may see the transition where the evidence for its order is missing.
        order = "undecided" if place and verdict.order == "none" else verdict.order
        text = (f"{where}: t" if where else "T") + f"he transition is {ORDERS[order]}"
        text += f", {place}" if place else ""
        found.append(f"{text}.")
    return found


def sentence(text: str) -> str:
    """With a capital (unless a symbol comes first) and a full stop."""
    text = text.strip().rstrip(".")
    is_word = re.match(r"(a |[a-z][a-z'’]+\b)", text)
    return (text[:1].upper() if is_word else text[:1]) + text[1:] + "."


def interval_text(interval: Interval) -> str:
    """A value with its interval; a dash where it is not known."""
    return str(interval) if interval.known else "–"


def _place(verdict: Verdict, analysis: Analysis) -> str:
    """m_c(∞) where the sizes decide on a law, else m_c at the largest size; by the midpoint.

    Of several starts or temperatures the first is told, which for starts is the random one.
    """

    def is_own(one: Critical | Extrapolation) -> bool:
        return one.estimator.startswith("midpoint") and verdict.labels.items() <= one.labels.items()

    def extra(one: Critical | Extrapolation, *names: str) -> dict[str, Label]:
        return {name: value for name, value in one.labels.items() if name not in (*verdict.labels, *names)}

    laws = [one for one in analysis.extrapolations if is_own(one)]
    if laws and laws[0].law != "undecided" and laws[0].m_c.known:
        where = labels_text(extra(laws[0]))
        return f"m_c(∞) = {laws[0].m_c}" + (f" at {where}" if where else "")
    growth = f"m_c grows {GROWTHS[laws[0].law]}, " if laws and laws[0].law in GROWTHS else ""
    records = [one for one in analysis.critical if is_own(one)]
    first = [one for one in records if extra(one, "N") == extra(records[0], "N") and math.isfinite(one.m_c)]
    if not first:
        return ""
    last = first[-1]
    return f"{growth}m_c = {Interval(last.m_c, last.low, last.high)} at {labels_text(extra(last))}"


def _model(ds: xr.Dataset, model: Mapping[str, Any]) -> str:
    name = str(ds.attrs.get("model") or ds.attrs.get("name") or "not named")
    if not model:
        return name
    output = "one output" if model.get("output") == "scalar" else "as many outputs as inputs"
    student = "the teacher's links" if model.get("student") == "sparse" else "all links"
    weights = "±1 weights" if model.get("weights") == "binary" else f"{model.get('weights')} weights"
    return f"{name}: {weights}, {output}, student with {student}"


def _dynamics(dynamics: Mapping[str, Any], ds: xr.Dataset) -> str:
    parts = [f"{dynamics['sweeps']:,} sweeps"] if "sweeps" in dynamics else []
    if "order" in dynamics:
        parts.append(f"{dynamics['order']} order")
    if "refresh" in dynamics:
        refresh = dynamics["refresh"]
        every = "sweep" if refresh == "sweep" else f"{refresh} proposals"
        parts.append(f"a fresh mini-batch every {every}")
    if "temperature" not in ds.dims and "temperature" in dynamics:
        parts.append(f"temperature\u00a0{dynamics['temperature']:g}")
    if "init_overlap" not in ds.dims and "init_overlap" in dynamics:
        parts.append(f"initial overlap\u00a0{dynamics['init_overlap']:g}")
    return ", ".join(parts) or ", ".join(f"{name} {value}" for name, value in dynamics.items())


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
