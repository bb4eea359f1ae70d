"""What `mbsim analyze` says: m_c of a run folder as a table, or as one JSON object for programs.

The object has "model" and "name" of the run, "order_parameter", "critical" (one record for each (N, d) and
any other dimension of the grid: labels, m_c, low, high, order, estimator and, if there is something to say,
reason), "verdicts" (one for each d: labels, order, evidence as sentences and, if there is something to say,
reason), "units" (total, done, damaged, left) and "note" (empty for a finished run). Unknown numbers are null.
"""

import io
import json
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

import xarray as xr

from mbsim import fss, status, terminal
from mbsim.dataset import open_run
from mbsim.errors import DatasetError
from mbsim.files import one_line_errors
from mbsim.store import RunFolder

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
    """
    _check_figure(wanted.figure)
    folder = RunFolder.open(path)
    units = status.counts(status.states(folder))
    dataset = open_run(path)
    order_parameter = check_variable(dataset, wanted.order_parameter)
    verdicts = fss.transition_order(dataset, order_parameter, bootstrap=wanted.bootstrap)
    found = fss.midpoint(dataset, order_parameter, bootstrap=wanted.bootstrap)
    critical = fss.judged(found, verdicts)
    note = unfinished(units)
    if wanted.as_json:
        whole = {
            "model": dataset.attrs["model"],
            "name": dataset.attrs["name"],
            "order_parameter": order_parameter,
            "critical": fss.as_json(critical),
            "verdicts": [_verdict_json(verdict) for verdict in verdicts],
            "units": units,
            "note": note,
        }
        print(json.dumps(whole, allow_nan=False), flush=True)
    else:
        terminal.print_critical(critical)
        for verdict in verdicts:
            terminal.say(_verdict_text(verdict))
        if note:
            terminal.note(f"note: {note}")
    if wanted.figure:
        drawn = picture(dataset, critical, order_parameter, wanted.figure.suffix[1:].lower())
        with one_line_errors(DatasetError, f"{wanted.figure} cannot be written"):
            wanted.figure.write_bytes(drawn)


def _verdict_json(verdict: fss.Verdict) -> dict[str, Any]:
    reason = {"reason": verdict.reason} if verdict.reason else {}
    return {**verdict.labels, "order": verdict.order, "evidence": verdict.evidence, **reason}


def _verdict_text(verdict: fss.Verdict) -> str:
    """The order in a line, and the evidence below it."""
    where = ", ".join(f"{name} = {value}" for name, value in verdict.labels.items())
    order = {"none": "no transition is seen"}.get(verdict.order, f"order {verdict.order}")
    head = (f"{where}: " if where else "") + order + (f": {verdict.reason}" if verdict.reason else "")
    return "\n".join(["", head, *(f"  {sentence}" for sentence in verdict.evidence)])


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

    Raises:
        DatasetError: it is not in the dataset, or is a time series; the nearest one is named.
    """
    if name is None:
        return fss.order_parameter_of(dataset)
    variables = {str(key): value for key, value in dataset.data_vars.items() if "time" not in value.dims}
    if name not in variables:
        nearest = get_close_matches(name, variables, n=1, cutoff=0.0)[0]
        raise DatasetError(
            f"--order-parameter {name}: must be one of {', '.join(sorted(variables))}; nearest is {nearest}"
        )
    return name


def picture(
    dataset: xr.Dataset,
    critical: Sequence[fss.Critical],
    order_parameter: str | None = None,
    format: str = "png",
) -> bytes:
    """The figure of the order parameter against m, as the bytes of a file."""
    from mbsim.figures import order_parameter_panels

    file = io.BytesIO()
    figure = order_parameter_panels(dataset, critical, order_parameter=order_parameter)
    figure.savefig(file, format=format, dpi=150)
    return file.getvalue()
