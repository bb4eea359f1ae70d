"""The figures of docs/results.md that `mbsim run` does not leave by itself, from finished runs.

    python benchmarks/figures.py [--runs runs] [--out benchmarks/results] [sparse-vector long linear ...]

Of a run in the folder `runs/NAME`: the hysteresis loop, m_c against the length of the run and the phase diagram
("sparse-vector"); m_c against time ("long"); m_c beside its formula ("linear"); of any other name the figure that the
run itself leaves.
"""

import argparse
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import xarray as xr

import mbsim
from mbsim import figures, fss
from mbsim.figures.theory import critical_figure

START = "init_overlap"


def loops(ds: xr.Dataset) -> Any:
    """Both starts against m, a panel for each d."""
    found = fss.hysteresis(ds)
    return figures.panels(
        [{"d": d} for d in ds["d"].values.tolist()],
        lambda labels, ax: figures.hysteresis_figure(
            [one for one in found if one.labels["d"] == labels["d"]], ax
        ),
        across=2,
        same_y=False,
    )


def over_time(ds: xr.Dataset) -> Any:
    """m_c at every measured time, a panel for each start and d; where no two plateaus are, by the steepest slope."""
    records = {key: fss.over_time(ds, estimator=key, bootstrap=200) for key in ("midpoint", "steepest")}
    used = {one.labels["d"]: one.estimator for one in fss.chosen(fss.estimates(ds, list(records)))}

    def draw(labels: dict[str, Any], ax: Any) -> Any:
        own = records[used[labels["d"]]]
        return figures.over_time_figure([one for one in own if labels.items() <= one.labels.items()], ax)

    choices = [{START: start, "d": d} for start in ds[START].values.tolist() for d in ds["d"].values.tolist()]
    return figures.panels(choices, draw, rows=START, same_y=False)


def phases(ds: xr.Dataset) -> Any:
    """The order parameter over d and m at the largest size, a panel for each start."""
    largest = ds.isel(N=-1)
    summaries = fss.summaries(ds).isel(N=-1)
    stated = fss.chosen(fss.estimates(ds.isel(N=[-1]), ["midpoint", "steepest"]))
    return figures.panels(
        [{START: start} for start in largest[START].values.tolist()],
        lambda labels, ax: figures.phase_diagram(summaries.sel(labels), ax=ax, critical=stated),
        across=2,
        height=2.9,
        same_y=False,
        same_legend=False,
    )


def beside_formula(ds: xr.Dataset) -> Any:
    """m_c of the linear student, η = ½, with its exact value."""
    return critical_figure(fss.midpoint(ds.sel(d=3)), lr=0.5).figure


DRAWN: dict[str, dict[str, Callable[[xr.Dataset], Any]]] = {
    "sparse-vector": {"hysteresis": loops, "m_c-over-time": over_time, "phase-diagram": phases},
    "long": {"m_c-long": over_time},
    "linear": {"linear": beside_formula},
}


def main() -> None:
    """Draw what is asked for."""
    parser = argparse.ArgumentParser(description="the figures of docs/results.md")
    parser.add_argument("names", nargs="*", default=list(DRAWN))
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    given = parser.parse_args()
    for name in given.names:
        folder = given.runs / name
        if name not in DRAWN:
            shutil.copy(folder / "order_parameter.png", given.out / f"{name}.png")
            continue
        ds = mbsim.open_run(folder)
        for file, draw in DRAWN[name].items():
            draw(ds).savefig(given.out / f"{file}.png", dpi=150)
            print(given.out / f"{file}.png")


if __name__ == "__main__":
    main()
