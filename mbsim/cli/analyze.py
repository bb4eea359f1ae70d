"""What `mbsim analyze` says: m_c of a run folder as a table, or as one JSON object for programs.

The object has "model" and "name" of the run, "order_parameter", "run_length" ("300 sweeps"), and lists of
records, each with its labels and, if there is something to say, "reason":

* "critical": m_c for each (N, d) and any other dimension of the grid, by the estimator that it is stated by: m_c,
  low, high, order, estimator in words, and its key; "used" says why this one. Where the order is "first" it is
  the spinodal of that start, and "hysteresis" has both.
* "estimators": the same of the other estimators; a crossing has "N_next" too.
* "verdicts", one for each d: order, evidence as sentences.
* "extrapolations": estimator, law, m_c(∞) as [value, low, high], weights, chi2_per_dof.
* "connectivity": source, law, exponent as [value, low, high], weights, chi2_per_dof.
* "hysteresis": random, planted and width, each [value, low, high].

"reason" is a sentence, and "reason_keys" says the same for programs (`mbsim.fss.reasons`).
Then "findings" (sentences), "units" (total, done, damaged, left) and "note" (empty for a finished run).
Unknown numbers are null.
"""

import json
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

import xarray as xr

from mbsim import fss
from mbsim.cli import terminal
from mbsim.cli.drawing import picture
from mbsim.data.dataset import open_run
from mbsim.data.files import one_line_errors, write_atomically
from mbsim.data.store import RunFolder
from mbsim.errors import DatasetError
from mbsim.fss.interval import null_if_nan
from mbsim.fss.table import reason_json
from mbsim.report import findings
from mbsim.running import status

FIGURES = (".png", ".pdf", ".svg")


class Wanted(NamedTuple):
    """What to print, from which variable, with how many resamples, and where to draw."""

    as_json: bool
    order_parameter: str | None
    bootstrap: int
    figure: Path | None


def analyze(path: Path, wanted: Wanted) -> None:
    """Analyse what is done of a run, and print it.

    Raises:
        RunFolderError: `path` is no run folder.
        DatasetError: the variable is not in the dataset, or the figure cannot be written.
        DrawingError: matplotlib fails; the numbers are printed then.
    """
    _check_figure(wanted.figure)
    folder = RunFolder.open(path)
    units = status.counts(status.states(folder))
    dataset = open_run(path)
    order_parameter = check_variable(dataset, wanted.order_parameter)
    analysis = fss.analyze(dataset, order_parameter, bootstrap=wanted.bootstrap)
    critical = findings.stated(analysis)
    others = [one for one in analysis.critical if not any(one is used for used in critical)]
    run_length = findings.protocol(dataset)
    found = findings.findings(analysis, run_length)
    note = unfinished(units)
    if wanted.as_json:
        whole = {
            "model": dataset.attrs["model"],
            "name": dataset.attrs["name"],
            "order_parameter": order_parameter,
            "run_length": run_length,
            "critical": fss.as_json(critical),
            "estimators": fss.as_json(others),
            "verdicts": [_verdict_json(verdict) for verdict in analysis.verdicts],
            "extrapolations": [_extrapolation_json(one) for one in analysis.extrapolations],
            "connectivity": [_connectivity_json(law) for law in analysis.connectivity],
            "hysteresis": [_hysteresis_json(loop) for loop in analysis.hysteresis],
            "over_time": fss.times_json(analysis.over_time),
            "findings": found,
            "units": units,
            "note": note,
        }
        print(json.dumps(whole, allow_nan=False), flush=True)
    else:
        terminal.print_critical(critical)
        if any(record.order == "first" for record in critical):
            terminal.say("where the order is first, m_c is where students of that start go over: a spinodal")
        for verdict, sentence in zip(analysis.verdicts, found, strict=True):
            terminal.say(_verdict_text(verdict, sentence))
        terminal.say("\n".join(["", *findings.details(analysis)]).rstrip())
        if note:
            terminal.note(f"note: {note}")
    if wanted.figure:
        drawn = picture(dataset, critical, order_parameter, wanted.figure.suffix[1:].lower())
        with one_line_errors(DatasetError, f"{wanted.figure} cannot be written"):
            write_atomically(wanted.figure, drawn)


def _reason(record: fss.Verdict | fss.Extrapolation | fss.ConnectivityLaw | fss.Hysteresis) -> dict[str, Any]:
    return reason_json(record.because, record.reason)


def _numbers(values: Iterable[float]) -> list[float | None]:
    return [null_if_nan(value) for value in values]


def _verdict_json(verdict: fss.Verdict) -> dict[str, Any]:
    return {**verdict.labels, "order": verdict.order, "evidence": verdict.evidence, **_reason(verdict)}


def _extrapolation_json(one: fss.Extrapolation) -> dict[str, Any]:
    return {
        **one.labels,
        "estimator": one.title,
        "estimator_key": one.estimator,
        "law": one.law,
        "m_c": _numbers(one.m_c),
        "weights": one.weights,
        "chi2_per_dof": null_if_nan(one.chi2_per_dof),
        **_reason(one),
    }


def _connectivity_json(law: fss.ConnectivityLaw) -> dict[str, Any]:
    return {
        **law.labels,
        "source": law.source,
        "estimator_key": law.estimator,
        "law": law.law,
        "exponent": _numbers(law.exponent),
        "weights": law.weights,
        "chi2_per_dof": null_if_nan(law.chi2_per_dof),
        **_reason(law),
    }


def _hysteresis_json(loop: fss.Hysteresis) -> dict[str, Any]:
    spinodals = {name: _numbers(getattr(loop, name)) for name in ("random", "planted", "width")}
    return {**loop.labels, **spinodals, **_reason(loop)}


def _verdict_text(verdict: fss.Verdict, sentence: str) -> str:
    """What was found, why it is not more, and the evidence below it."""
    why = [f"  ({verdict.reason})"] if verdict.reason else []
    return "\n".join(["", sentence, *why, *(f"  {evidence}" for evidence in verdict.evidence)])


def _check_figure(file: Path | None) -> None:
    if file is None:
        return
    if file.suffix.lower() not in FIGURES:
        raise DatasetError(f"--figure {file}: the ending must be one of {', '.join(FIGURES)}")
    if not file.parent.is_dir():
        raise DatasetError(f"--figure {file}: {file.parent} is no folder")


def unfinished(units: Mapping[str, int]) -> str:
    """What to say of a run that is not finished; empty for one that is."""
    if units["done"] == units["total"]:
        return ""
    return f"{units['done']} of {units['total']} units are done: more will change the numbers"


def check_variable(dataset: xr.Dataset, name: str | None) -> str:
    """The variable to analyse: the one named, or what the dataset says.

    Of a measured series it is the mean of the last quarter, where that is kept: "overlap" is "overlap_mean".

    Raises:
        DatasetError: it is not in the dataset, or is a series without such a mean; the nearest is named.
    """
    if name is None:
        return fss.order_parameter_of(dataset)
    variables = {str(key): value for key, value in dataset.data_vars.items() if "time" not in value.dims}
    if name not in variables and f"{name}_mean" in variables:
        return f"{name}_mean"
    if name not in variables:
        nearest = get_close_matches(name, variables, n=1, cutoff=0.0)[0]
        raise DatasetError(
            f"--order-parameter {name}: must be one of {', '.join(sorted(variables))}; nearest is {nearest}"
        )
    return name
