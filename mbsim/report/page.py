"""The page itself: one HTML text that needs nothing from outside, figures embedded as SVG.

It reads like the results section of a paper: what was found, what was run, m_c, its laws, the collapse, the
order of the transition and its evidence, how to reproduce.
"""

import base64
import io
import json
import tomllib
from typing import Any, NamedTuple

import tomli_w
import xarray as xr
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib import rc_context
from matplotlib.figure import Figure

from mbsim.figures import PAPER
from mbsim.fss.design import need_dataset, need_record
from mbsim.fss.results import Analysis
from mbsim.report import drawings, tables, words
from mbsim.report.findings import configuration, findings, labels_text, protocol

MISSING = {
    "critical": "no estimator gave a critical size",
    "extrapolations": "this analysis holds no law of m_c against N",
    "connectivity": "this analysis holds no law of m_c against d",
    "collapses": "this analysis holds no data collapse",
    "verdicts": "nothing is said of the order of the transition",
    "hysteresis": "this analysis holds no hysteresis loop",
}
"""What the report says of an absent part for which the analysis gives no reason."""
RASTER = 200
"""Dots per inch of what is a raster within a figure."""


class Source(NamedTuple):
    """Where the dataset came from, for the words that tell how to reproduce it."""

    folder: str = ""
    order_parameter: str = "overlap_mean"
    bootstrap: int = 1000
    note: str = ""


def html(ds: xr.Dataset, analysis: Analysis, source: Source | None = None) -> str:
    """The report as one HTML text.

    Args:
        ds: the dataset, as `open_run` gives it; other datasets leave out what their attributes do not tell.
        analysis: of `fss.analyze`.
        source: the run folder, the variable and the resamples; a note such as "12 of 20 units are done".

    Raises:
        DatasetError: `ds` is no dataset, or `analysis` no analysis.

    >>> from mbsim import fss
    >>> ds = fss.planted([64])
    >>> html(ds, fss.analyze(ds, bootstrap=100)).splitlines()[0]
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
    environment.filters |= {"typeset": words.typeset, "sentence": words.sentence, "svg": data_uri}
    source = source or Source()
    return environment.get_template("report.html.j2").render(**_content(ds, analysis, source))


def data_uri(figure: Figure) -> str:
    """The figure as an SVG data URI, the same bytes for the same figure."""
    file = io.BytesIO()
    figure.set_layout_engine("none")  # `panels` has laid it out: once is enough
    with rc_context(PAPER):
        figure.savefig(file, format="svg", dpi=RASTER, metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(file.getvalue()).decode()


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

    summaries = drawings.summary_drawings(analysis)
    return {
        "title": str(ds.attrs.get("name") or ds.attrs.get("model") or "dataset"),
        "findings": findings(analysis, protocol(ds)) or [missing("verdicts")],
        "note": source.note,
        "source": source,
        "run": words.what_was_run(ds),
        "provenance": words.provenance(ds),
        "config": configuration_toml(ds),
        "critical": tables.critical_table(analysis.critical) if analysis.critical else None,
        "critical_caption": words.critical_caption(ds, drawings.discontinuous(analysis)),
        "critical_missing": missing("critical"),
        "transition": [summaries[name] for name in ("mean", "success") if name in summaries],
        "fluctuations": [summaries[name] for name in ("susceptibility", "binder") if name in summaries],
        "phase": drawings.phase_drawings(analysis),
        "extrapolations": tables.extrapolation_table(analysis.extrapolations)
        if analysis.extrapolations
        else None,
        "extrapolations_missing": missing("extrapolations"),
        "size": drawings.size_drawings(analysis),
        "connectivity": tables.connectivity_table(analysis.connectivity) if analysis.connectivity else None,
        "connectivity_missing": missing("connectivity"),
        "connectivity_figures": drawings.connectivity_drawings(analysis),
        "collapses": tables.collapse_table(analysis.collapses) if analysis.collapses else None,
        "collapses_missing": missing("collapses"),
        "collapse_figures": drawings.collapse_drawings(analysis),
        "verdicts": analysis.verdicts,
        "verdicts_missing": missing("verdicts"),
        "tags": words.TAGS,
        "labels_text": labels_text,
        "order_figures": drawings.order_drawings(analysis),
        "hysteresis": tables.hysteresis_table(analysis.hysteresis) if analysis.hysteresis else None,
        "run_length": protocol(ds),
        "hysteresis_missing": missing("hysteresis"),
        "hysteresis_figures": drawings.hysteresis_drawings(analysis),
    }
