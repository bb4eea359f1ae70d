"""The page itself: one HTML text that needs nothing from outside, figures embedded as SVG.

It reads like the results section of a paper: what was found, what was run, m_c, its laws, the collapse, the
order of the transition and its evidence, how to reproduce.
"""

import base64
import json
import shlex
import tomllib
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import tomli_w
import xarray as xr
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from mbsim.figures.collapse import is_determined
from mbsim.figures.style import written
from mbsim.fss.design import need_dataset, need_record
from mbsim.fss.results import Analysis
from mbsim.report import checks, drawings, law_tables, model, tables, words
from mbsim.report.findings import configuration, findings, labels_text, protocol, stated

MISSING = {
    "critical": "no estimator gave a critical size",
    "extrapolations": "this analysis holds no law of m_c against N",
    "connectivity": "this analysis holds no law of m_c against d",
    "collapses": "this analysis holds no data collapse",
    "verdicts": "nothing is said of the order of the transition",
    "hysteresis": "this analysis holds no hysteresis loop",
    "over_time": "m_c was not read off at earlier times",
}
"""What the report says of an absent part for which the analysis gives no reason."""
LONGEST_ERROR = 300
RASTER = 200
"""Dots per inch of what is a raster within a figure."""


class Source(NamedTuple):
    """Where the dataset came from, for the words that tell how to reproduce it; and what its dimensions are."""

    folder: str = ""
    order_parameter: str = "overlap_mean"
    bootstrap: int = 1000
    note: str = ""
    size: str = "N"
    control: str = "m"

    @property
    def commands(self) -> list[str]:
        """What makes the run and this page again, for a shell; none where there is no folder."""
        if not self.folder:
            return []
        report = ["mbsim", "report", self.folder]
        if self.bootstrap != 1000:
            report += ["--bootstrap", str(self.bootstrap)]
        if self.order_parameter != "overlap_mean":
            report += ["--order-parameter", self.order_parameter]
        return [shlex.join(["mbsim", "run", "config.toml", "--out", self.folder]), shlex.join(report)]


def html(ds: xr.Dataset, analysis: Analysis, source: Source | None = None) -> str:
    """The report as one HTML text.

    A figure that cannot be drawn, as where matplotlib finds no font, is a note in its place.

    Args:
        ds: the dataset, as `open_run` gives it; other datasets leave out what their attributes do not tell.
        analysis: of `fss.analyze`.
        source: the run folder, the variable and the resamples; a note such as "12 of 20 units are done".

    Raises:
        DatasetError: `ds` is no dataset, or `analysis` no analysis.

    >>> from mbsim import fss
    >>> ds = fss.planted([64])
    >>> html(ds, fss.analyze(ds, bootstrap=100), Source(order_parameter="q")).splitlines()[0]
    '<!doctype html>'
    """
    need_dataset(ds)
    need_record(analysis, Analysis, "analysis", "mbsim.fss.analyze(ds)")
    environment = Environment(
        loader=PackageLoader("mbsim.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "typeset": words.typeset,
        "sentence": words.sentence,
        "equation": words.equation,
        "formula": words.formula,
        "quoted": lambda text: json.dumps(text, ensure_ascii=False),  # as Python reads it, too
    }
    source = source or Source()
    return environment.get_template("report.html.j2").render(**_content(ds, analysis, source))


class Shown(NamedTuple):
    """A figure as the page holds it: its name, its caption, an SVG data URI; without one the caption says why."""

    name: str
    caption: str
    uri: str = ""


def shown(what: str, draw: Callable[[], Iterable[drawings.Drawing]]) -> list[Shown]:
    """The figures that `draw` makes; one note where matplotlib cannot, for the numbers are worth more."""
    try:
        return [Shown(one.name, one.caption, data_uri(one.figure)) for one in draw()]
    except Exception as error:  # whatever a broken font, setting or library makes of it
        text = " ".join(str(error).split())
        return [Shown("", f"No figure of {what}: {type(error).__name__}: {text[:LONGEST_ERROR]}.")]


def data_uri(figure: Figure) -> str:
    """The figure as an SVG data URI, the same bytes for the same figure."""
    figure.set_layout_engine("none")  # `panels` has laid it out: once is enough
    file = written(figure, "svg", dpi=RASTER, metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(file).decode()


def configuration_toml(ds: xr.Dataset) -> str:
    """The configuration as TOML, which `mbsim run` takes as it stands; empty where there is none."""
    config = configuration(ds)
    if not config:
        return ""
    text = tomli_w.dumps(config)
    if tomllib.loads(text) != config:  # a configuration that TOML cannot say would not reproduce the run
        raise ValueError(f"configuration does not survive TOML: {json.dumps(config)}")
    return text


def _content(ds: xr.Dataset, analysis: Analysis, source: Source) -> dict[str, Any]:
    """Everything the template shows, by name."""

    def missing(field: str) -> str:
        return words.sentence(analysis.reasons.get(field, MISSING[field]))

    laws = law_tables.of_stated(analysis, source.size)
    used = {one.estimator for one in stated(analysis)}
    of_d = [law for law in analysis.connectivity if law.estimator in used] or analysis.connectivity
    collapsed = [one for one in analysis.collapses if is_determined(one)]
    bootstrap = f"{source.bootstrap:,}"
    return {
        "title": str(ds.attrs.get("name") or ds.attrs.get("model") or "dataset"),
        "lead": words.lead(ds),
        "findings": findings(analysis, protocol(ds), source.size) or [missing("verdicts")],
        "moving": words.moving(analysis.over_time, source.size),
        "how_found": words.how_found(stated(analysis), source.bootstrap),
        "result": tables.result_table(analysis, source.size),
        "note": source.note,
        "source": source,
        "bootstrap": bootstrap,
        "run": words.what_was_run(ds),
        "model": model.paragraphs(ds, source.order_parameter),
        "formulas": model.formulas(analysis.critical),
        "provenance": words.provenance(ds),
        "config": configuration_toml(ds),
        "critical": tables.critical_table(analysis.critical, source.size) if analysis.critical else None,
        "critical_caption": words.critical_caption(ds, drawings.discontinuous(analysis)),
        "critical_missing": missing("critical"),
        "discontinuous": drawings.discontinuous(analysis),
        "errors": tables.error_table(analysis.critical, source.size),
        "trends": tables.trend_table(analysis.over_time, source.size),
        "extrapolations": law_tables.extrapolation_table(laws) if laws else None,
        "extrapolations_missing": missing("extrapolations"),
        "connectivity": law_tables.connectivity_table(of_d) if of_d else None,
        "connectivity_missing": missing("connectivity"),
        "collapses": tables.collapse_table(analysis.collapses) if collapsed else None,
        "collapses_missing": [missing("collapses")]
        if not analysis.collapses
        else tables.refusals(analysis.collapses),
        "verdicts": analysis.verdicts,
        "verdicts_missing": missing("verdicts"),
        "tags": words.TAGS,
        "labels_text": labels_text,
        "hysteresis": tables.hysteresis_table(analysis.hysteresis) if analysis.hysteresis else None,
        "run_length": protocol(ds),
        "over_time_missing": missing("over_time"),
        "hysteresis_missing": missing("hysteresis"),
        "figures": _figures(ds, analysis, source),
    }


def _figures(ds: xr.Dataset, analysis: Analysis, source: Source) -> dict[str, list[Shown]]:
    """The figures of each part of the page."""
    name, axes = source.order_parameter, (source.size, source.control)

    def summary(*quantities: str) -> list[drawings.Drawing]:
        return list(drawings.summary_drawings(analysis, quantities, *axes).values())

    parts: dict[str, tuple[str, Callable[[], Iterable[drawings.Drawing]]]] = {
        "transition": ("the order parameter", lambda: summary("mean")),
        "success": ("the success", lambda: summary("success")),
        "phase": ("the phase diagram", lambda: drawings.phase_drawings(analysis, *axes)),
        "fluctuations": ("fluctuations", lambda: summary("susceptibility", "binder")),
        "windows": ("the windows", lambda: checks.window_drawings(ds, analysis, name, *axes)),
        "teachers": ("the teachers", lambda: checks.teacher_drawings(ds, analysis, name, *axes)),
        "relaxation": ("the relaxation", lambda: checks.relaxation_drawings(ds, analysis, name, *axes)),
        "over_time": ("m_c against time", lambda: checks.over_time_drawings(analysis.over_time, *axes)),
        "size": ("m_c against the size", lambda: drawings.size_drawings(analysis, *axes)),
        "connectivity": ("m_c against d", lambda: drawings.connectivity_drawings(analysis, source.control)),
        "collapse": ("the collapse", lambda: drawings.collapse_drawings(analysis, *axes)),
        "order": ("the order", lambda: drawings.order_drawings(analysis, *axes)),
        "hysteresis": ("the loop", lambda: drawings.hysteresis_drawings(analysis, *axes)),
    }
    return {part: shown(what, draw) for part, (what, draw) in parts.items()}
