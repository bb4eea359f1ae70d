"""An analysis with every part in it, and a run folder, made by hand: what figures and report show in tests.

d = 3 is continuous and d = 5 discontinuous with a hysteresis loop, at N = 64, 128, 256.
"""

import json
from dataclasses import replace

import numpy as np
import xarray as xr

from mbsim.config.configuration import load_config
from mbsim.data import provenance
from mbsim.data.store import RunFolder
from mbsim.data.variables import contents_of
from mbsim.fss import Critical, Interval, laws, note, results
from mbsim.plan.units import Unit

SIZES = np.array([64.0, 128.0, 256.0])
GRID = np.arange(2, 31)
M_C = {3: 7.0, 5: 18.0}
WIDTHS = {3: 1.5, 5: 0.3}
LONG_NAMES = {
    "mean": "mean of the overlap",
    "binder": "Binder cumulant",
    "susceptibility": "susceptibility, N Var",
    "success": "success probability",
    "success_time": "median time of success",
}
CONFIG = {
    "name": "made-up",
    "model": {"output": "vector", "student": "sparse", "weights": "binary", "train_output": True},
    "grid": {"N": [64, 128, 256], "d": [3, 5], "m": GRID.tolist(), "teachers": 16, "replicas": 64},
    "dynamics": {"sweeps": 300, "order": "random", "refresh": "sweep", "temperature": 0.0},
    "measure": {"measurements": 32, "test_size": 256},
    "run": {"seed": 1},
}
ATTRS = {
    "config": json.dumps(CONFIG),
    "config_hash": "0123456789abcdef",
    "name": "made-up",
    "model": "sparse-vector",
    "seed": 1,
    "mbsim_version": "0.1.0",
    "jax_version": "0.10.1",
    "jaxlib_version": "0.10.1",
    "numpy_version": "2.4.6",
    "device_kind": "cpu",
    "prng": "threefry2x32",
    "git_commit": "",
}


def interval(value, half):
    return Interval(value, value - half, value + half)


def summaries() -> xr.Dataset:
    """Over (N, d, m), every variable with its interval; N = 256 did not run at d = 3."""
    size, d, m = np.meshgrid(SIZES, [3, 5], GRID, indexing="ij")
    centre, width = np.vectorize(M_C.get)(d), np.vectorize(WIDTHS.get)(d)
    z = (m - centre) / width * np.sqrt(size / 64)
    share = 1 / (1 + np.exp(-np.clip(z, -50, 50)))
    mean = 0.02 * m * (1 - share) + share
    bump = share * (1 - share)
    values = {
        "mean": (mean, 0.02),
        "binder": (2 / 3 - bump * (d == 5), 0.02),
        "susceptibility": (bump * size * np.where(d == 5, 0.4, 0.01), 0.4),
        "success": (share**3, 0.03),
        "success_time": (np.where(share > 0.5, 300 - 200 * share, np.nan), 10.0),
    }
    ran = ~((size == 256) & (d == 3))
    found = {}
    for name, (value, half) in values.items():
        units = "sweep" if name == "success_time" else "1"
        for ending, shift in (("", 0.0), ("_low", -half), ("_high", half)):
            shifted = np.where(ran, value + shift, np.nan)
            attrs = {"long_name": LONG_NAMES[name], "units": units, "of": "the overlap"}
            found[name + ending] = (("N", "d", "m"), shifted, attrs)
    coords = {
        "N": ("N", SIZES.astype(int), {"long_name": "number of inputs", "units": "1"}),
        "d": ("d", [3, 5], {"long_name": "in-degree, links into each unit", "units": "1"}),
        "m": ("m", GRID, {"long_name": "mini-batch size", "units": "1"}),
    }
    return xr.Dataset(found, coords)


def critical() -> list[Critical]:
    """The midpoints, one of them not known, and a crossing."""
    records = []
    for N in (64, 128, 256):
        for d in (3, 5):
            labels = {"N": N, "d": d}
            if (N, d) == (256, 3):
                nothing = dict.fromkeys(("m_c", "low", "high"), np.nan)
                records.append(
                    Critical(
                        labels,
                        order="none",
                        estimator="midpoint",
                        order_parameter="overlap_mean",
                        because=(note("nothing ran"),),
                        **nothing,
                    )
                )
                continue
            m_c = M_C[d] + N / 1000
            order = {3: "second", 5: "first"}[d]
            ends = m_c - 0.2, m_c + 0.2
            records.append(Critical(labels, m_c, *ends, order, "midpoint", "overlap_mean"))
    records.append(
        Critical(
            {"N": 64, "N_next": 128, "d": 5},
            18.1,
            17.8,
            18.4,
            "first",
            "binder_crossing",
            "overlap_mean",
        )
    )
    return records


def extrapolation(d=5, estimator="midpoint") -> laws.Extrapolation:
    values = M_C[d] + SIZES / 1000
    line = np.linspace(64, 256, 20)
    return laws.Extrapolation(
        labels={"d": d},
        estimator=estimator,
        order_parameter="overlap_mean",
        law="power correction",
        m_c=interval(M_C[d] + 0.3, 0.15),
        parameters={
            "m_c": interval(M_C[d] + 0.3, 0.15),
            "a": interval(1.0, 0.5),
            "omega": interval(1.0, 0.3),
        },
        weights={"constant": 0.2, "power correction": 0.8},
        chi2_per_dof=0.9,
        stability=[laws.Stability(128.0, interval(M_C[d] + 0.3, 0.3))],
        sizes=SIZES,
        values=values,
        low=values - 0.2,
        high=values + 0.2,
        curve_sizes=line,
        curve=M_C[d] + line / 1000,
    )


def connectivity() -> laws.ConnectivityLaw:
    d, line = np.array([3.0, 5.0, 7.0]), np.linspace(3, 7, 30)
    m_c = np.array([7.0, 18.0, 35.5])
    return laws.ConnectivityLaw(
        labels={},
        estimator="midpoint",
        order_parameter="overlap_mean",
        at=np.inf,
        law="power",
        exponent=interval(1.91, 0.06),
        weights={"linear": 0.03, "power": 0.97},
        d=d,
        m_c=m_c,
        low=m_c - 0.4,
        high=m_c + 0.4,
        curve_d=line,
        curves={"linear": -15 + 7.1 * line, "power": 0.86 * line**1.91},
    )


def collapse(d=3) -> results.Collapse:
    rng = np.random.default_rng(0)
    size = np.repeat(SIZES, 15)
    m = np.tile(np.linspace(4, 10, 15), 3)
    x = (m - M_C[d]) * np.sqrt(size)
    master = np.linspace(x.min(), x.max(), 100)
    axis_m, axis_nu = np.linspace(6.5, 7.5, 21), np.linspace(0.3, 0.7, 17)
    bowl = 1 + 40 * (axis_m[:, None] - 7) ** 2 + 60 * (axis_nu - 0.5) ** 2
    return results.Collapse(
        labels={"d": d},
        quantity="mean",
        m_c=interval(7.0, 0.1),
        inverse_nu=interval(0.5, 0.05),
        beta_over_nu=interval(0.0, 0.01),
        nu=interval(2.0, 0.2),
        beta=interval(0.0, 0.02),
        chi2_per_dof=1.1,
        x=x,
        y=1 / (1 + np.exp(-x / 12)) + 0.01 * rng.normal(size=len(x)),
        error=np.full(len(x), 0.01),
        size=size,
        master_x=master,
        master_y=1 / (1 + np.exp(-master / 12)),
        landscape=results.Landscape(axis_m, axis_nu, bowl),
    )


def histogram(size, d) -> results.Histogram:
    edges = np.linspace(0, 1, 41)
    q = (edges[1:] + edges[:-1]) / 2
    if d == 5:
        high, low = np.exp(-(((q - 0.95) / 0.03) ** 2)), np.exp(-(((q - 0.33) / 0.05) ** 2))
        counts = np.round(100 * (high + low) + 300 / size)
        barrier = Interval(*(np.log(size / 3) + np.array([0.0, -0.3, 0.3])))
        return results.Histogram(size, 18, edges, counts, barrier, 0.5, 0.6, (0.33, 0.95))
    counts = np.round(100 * np.exp(-(((q - 0.6) / 0.1) ** 2)))
    return results.Histogram(size, 7, edges, counts, Interval(0.0, 0.0, 0.1))


def verdict(d) -> results.Verdict:
    first = d == 5
    heights = 0.4 * SIZES / 4 if first else 0.1 * SIZES**0.1
    histograms = [histogram(size, d) for size in SIZES]
    if first:
        histograms[-1] = replace(histograms[-1], unresolved=True, barrier=Interval(np.nan, 4.5, np.nan))
    return results.Verdict(
        labels={"d": d},
        order="first" if first else "second",
        evidence=[
            "The barrier grows from 3.1 (2.8 to 3.4) at N = 64 to more than 4.5 at N = 256.",
            "The loop at N = 256 is 11 wide (10 to 12).",
        ]
        if first
        else ["One peak at every size.", "The peak of the susceptibility grows as N^0.10 (0.05 to 0.15)."],
        histograms=histograms,
        barrier_growth=interval(1.4, 0.4) if first else Interval(),
        sizes=SIZES,
        peak_heights=heights,
        peak_low=0.9 * heights,
        peak_high=1.1 * heights,
        susceptibility_exponent=interval(1.0 if first else 0.1, 0.05),
        binder_minima={64.0: interval(0.4, 0.02)} if first else {},
    )


def loop(N, d=5) -> results.Hysteresis:
    def branch(centre):
        return 0.2 + 0.8 / (1 + np.exp(-np.clip((GRID - centre) / 0.3, -50, 50)))

    far, near = M_C[d], M_C[d] - 10 - N / 128
    return results.Hysteresis(
        labels={"N": N, "d": d},
        starts=(0.0, 1.0),
        random=interval(far, 0.2),
        planted=interval(near, 0.3),
        width=interval(far - near, 0.4),
        m=GRID.astype(float),
        random_mean=branch(far),
        random_error=np.full(len(GRID), 0.01),
        planted_mean=branch(near),
        planted_error=np.full(len(GRID), 0.01),
    )


def analysis() -> results.Analysis:
    """Every part is there."""
    return results.Analysis(
        summaries=summaries(),
        critical=critical(),
        extrapolations=[extrapolation(3), extrapolation(5)],
        connectivity=[connectivity()],
        collapses=[collapse(3)],
        verdicts=[verdict(3), verdict(5)],
        hysteresis=[loop(64), loop(128)],
    )


def nothing() -> results.Analysis:
    """Every part is missing, with a reason."""
    parts = ("critical", "extrapolations", "connectivity", "collapses", "verdicts", "hysteresis", "over_time")
    return results.Analysis(
        summaries(), [], [], [], [], [], [], {part: (note(f"one size only, no {part}"),) for part in parts}
    )


def attributes(**attrs) -> xr.Dataset:
    """A dataset without variables: what the report reads in its attributes, some of them others."""
    found = summaries()
    return found.drop_vars(list(found)).assign_attrs(ATTRS | attrs)


def blank() -> results.Analysis:
    """An analysis of nothing at all: no figure is drawn."""
    return replace(nothing(), summaries=summaries().where(False))


RUN = {
    "name": "made-up",
    "model": "sparse-vector",
    "grid": {
        "N": [32, 64, 128],
        "d": [5],
        "m": {"start": 2, "stop": 26},
        "init_overlap": [0.0, 1.0],
        "teachers": 3,
        "replicas": 120,
    },
    "dynamics": {"sweeps": 32},
    "measure": {"measurements": 12},
}


def run_folder(path):
    """A finished run without training: a jump at m = 18 from random starts, at m = 9 from the teacher."""
    folder = RunFolder.create_or_open(path, load_config(RUN))
    folder.prepare()
    for unit in folder.units:
        origin = dict.fromkeys(provenance.FIELDS, "made up")
        folder.write(unit, trained(unit, len(folder.times)), folder.times, origin)
    return folder.path


def trained(unit: Unit, times: int) -> dict[str, np.ndarray]:
    """Students, each on one of two branches."""
    random = np.random.default_rng([unit.N, unit.d, unit.first_teacher])
    start = np.array(unit.axes["init_overlap"])[:, None, None, None, None]
    m = np.array(unit.m)[:, None, None]
    centre = 18.0 - 9.0 * start + 0.1 * random.normal(size=(unit.teachers, 1))
    learned = random.random(unit.shape) < 1 / (1 + np.exp(-np.clip((m - centre) * unit.N / 40, -50, 50)))
    overlap = np.where(learned, 0.97, 0.01 * m) + 0.01 * random.normal(size=unit.shape)
    result: dict[str, np.ndarray] = {}
    for name, variable in contents_of(unit).variables().items():
        shape = (*unit.shape, times) if "time" in variable.dims else unit.shape
        result[name] = np.ones(shape, variable.dtype)
    moments = {"overlap_mean": overlap, "overlap_second": overlap**2, "overlap_fourth": overlap**4}
    success = {"success": learned.astype(float), "success_time": np.where(learned, 16.0, np.nan)}
    return result | moments | success
