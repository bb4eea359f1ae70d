"""Whatever stands in a dataset or an option of the analysis: records, or one line that names it; no traceback, no
warning of numpy.
"""

import os
from functools import cache

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mbsim import fss
from mbsim.errors import MbsimError

EXAMPLES = int(os.environ.get("MBSIM_FUZZ", "400"))
SLOW = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
QUICK = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@cache
def plain():
    """Three sizes, two starts, five teachers of four replicas, the order parameter over time too."""
    ds = fss.planted([64, 128, 256], jump=True, starts=True)
    ds = ds.isel(teacher=slice(5), replica=slice(4), m=slice(2, 19))
    places = [np.clip(np.arange(ds.sizes["m"]) - shift, 0, None) for shift in (2, 1, 0)]
    late = [ds.q.isel(m=place).assign_coords(m=ds.m) for place in places]
    return ds.assign(
        q_t=xr.concat(late, xr.Variable("time", [10, 30, 100])), e=0 * ds.q.mean("replica") + 0.1
    )


def put(name, value, **at):
    """One value in place of others."""

    def change(ds):
        where = xr.ones_like(ds[name], bool)
        for dim, place in at.items():
            where = where & (xr.DataArray(np.arange(ds.sizes[dim]), dims=dim) == place)
        return ds.assign({name: ds[name].where(~where, value)})

    return change


def coords(**values):
    return lambda ds: ds.assign_coords(values)


def label(dim, make):
    return lambda ds: ds.assign_coords({dim: make(ds[dim].to_numpy())})


CHANGES = {
    "as it is": lambda ds: ds,
    "all missing": lambda ds: ds.assign(q=ds.q * np.nan),
    "a size missing": put("q", np.nan, N=1),
    "a column missing": put("q", np.nan, m=5),
    "an infinite column": put("q", np.inf, m=5),
    "a negative infinity": put("q", -np.inf, m=5, teacher=1, replica=1),
    "two columns": lambda ds: ds.where(ds.m.isin([13, 14])),
    "two columns alone": lambda ds: ds.isel(m=[3, 4]),
    "one column": lambda ds: ds.isel(m=[4]),
    "no column": lambda ds: ds.isel(m=[]),
    "one size": lambda ds: ds.isel(N=[0]),
    "no size": lambda ds: ds.isel(N=[]),
    "a size aside": lambda ds: ds.isel(N=0),
    "sizes descend": lambda ds: ds.isel(N=[2, 1, 0], m=slice(None, None, -1)),
    "one teacher": lambda ds: ds.isel(teacher=[0]),
    "one replica": lambda ds: ds.isel(replica=[0]),
    "no teacher": lambda ds: ds.isel(teacher=[]),
    "copies": lambda ds: ds.isel(teacher=[1] * 5),
    "copies of replicas": lambda ds: ds.isel(replica=[1] * 4),
    "constant": lambda ds: ds.assign(q=0 * ds.q + 0.3),
    "zero": lambda ds: ds.assign(q=0 * ds.q),
    "two values": lambda ds: ds.assign(q=(ds.q > 0.5) * 1.0),
    "booleans": lambda ds: ds.assign(q=ds.q > 0.5),
    "integers": lambda ds: ds.assign(q=(100 * ds.q).astype(int)),
    "huge": lambda ds: ds.assign(q=1e300 * ds.q),
    "tiny": lambda ds: ds.assign(q=1e-300 * ds.q),
    "falls": lambda ds: ds.assign(q=-ds.q),
    "one far value": put("q", 1e12, m=5, teacher=1, replica=1, N=0),
    "text": lambda ds: ds.assign(q=ds.q.astype(str)),
    "objects": lambda ds: ds.assign(q=ds.q.astype(object)),
    "complex": lambda ds: ds.assign(q=ds.q + 1j),
    "text sizes": label("N", lambda values: values.astype(str)),
    "text controls": label("m", lambda values: values.astype(str)),
    "text starts": coords(init_overlap=["random", "planted"]),
    "starts missing": coords(init_overlap=[0.0, np.nan]),
    "starts alike": coords(init_overlap=[0.0, 0.0]),
    "control zero and less": label("m", lambda values: values - 15.0),
    "control in reverse": label("m", lambda values: -values),
    "a wide control": label("m", lambda values: 10.0 ** (values - 4.0)),
    "control of time": label("m", lambda values: values.astype("datetime64[D]")),
    "control missing": label("m", lambda values: np.where(values == values[3], np.nan, values * 1.0)),
    "control infinite": label("m", lambda values: np.where(values == values[3], np.inf, values * 1.0)),
    "control without values": lambda ds: ds.drop_vars("m"),
    "size without values": lambda ds: ds.drop_vars("N"),
    "size zero": coords(N=[0, 64, 128]),
    "size negative": coords(N=[-1, 64, 128]),
    "size huge": coords(N=[64.0, 1e200, 1e300]),
    "no errors": lambda ds: ds.assign(e=0 * ds.e),
    "errors negative": lambda ds: ds.assign(e=-ds.e),
    "errors infinite": lambda ds: ds.assign(e=ds.e / 0),
    "one start": lambda ds: ds.isel(init_overlap=[0]),
    "three starts": lambda ds: ds.reindex(init_overlap=[0.0, 0.5, 1.0]),
    "no start": lambda ds: ds.isel(init_overlap=0, drop=True),
    "times missing": coords(time=[10.0, np.nan, 100.0]),
    "times text": coords(time=["a", "b", "c"]),
    "times descend": coords(time=[100, 30, 10]),
    "times negative": coords(time=[-100, -30, -10]),
    "two times": lambda ds: ds.isel(time=[0, 2]),
    "no times": lambda ds: ds.drop_vars("q_t"),
}
ODD = [
    None, True, False, 0, 1, -1, 2, 3.5, 0.0, 1e-9, 1e9, 1e300, -1e300, np.nan, np.inf, -np.inf, "", "x", "m",
    "N", "q", "fit", "mean", "teacher", b"m", [], (), {}, [1], [1, 2], [2, 1], ["mean"], ["mean", "binder"],
    ["x", "y"], {"x": 1},
    {"m_c": 1.0}, {"mean": 0.1}, {"m_c": (0, 1)}, {"inverse_nu": (-np.inf, np.inf)}, {"m_c": (-np.inf, np.inf)},
    {"beta_over_nu": (0.1, 0.1)}, {"omega": (0, 1)}, {"inverse_nu": (1e-9, 1e9)}, (14, 20), (-np.inf, 18),
    (18, np.inf),
    (np.nan, 1), (1e300, 1e301), ("a", "b"), np.array([1.0, 2.0]), np.float64(2.0), np.int64(3), 1 + 1j, object(),
]  # fmt: skip
USUAL = {
    "quantity": ["mean", "binder", "susceptibility", ["mean", "success"]], "m_c": [16.0], "nu": [2.0], "beta": [0.1],
    "correction": [1.0, "fit"], "window": [(14, 20)], "scaled_window": [(-40, 40)], "start": [{"m_c": 17.0}],
    "bounds": [{"m_c": (10, 20)}], "error": ["e", {"mean": ("q", "e")}], "size": ["N", "init_overlap"],
    "control": ["m", "N"], "samples": [("teacher", "replica"), "teacher", ("replica",), ()],
    "label": ["init_overlap"],
    "estimators": [["steepest"], ["midpoint", "binder_crossing"]], "estimator": ["steepest", "level"],
    "connectivity": ["init_overlap", "d"], "scale": ["log"], "minimum_rise": [0.5], "time": ["time"], "seed": [5],
    "order_parameter": ["q", "success", "q_t", "e"],
}  # fmt: skip
DESIGN = ("order_parameter", "control", "samples", "seed", "error")
COLLAPSE = (
    "quantity", "m_c", "nu", "beta", "correction", "window", "scaled_window", "start", "bounds",
)  # fmt: skip
FUNCTIONS = {
    fss.summaries: (*DESIGN, "size"),
    fss.midpoint: (*DESIGN, "scale", "minimum_rise"),
    fss.estimates: (*DESIGN, "size", "estimators"),
    fss.hysteresis: (*DESIGN, "size", "label"),
    fss.transition_order: (*DESIGN, "size", "label"),
    fss.over_time: (*DESIGN, "size", "time", "estimator"),
    fss.collapse: (*DESIGN, "size", *COLLAPSE),
    fss.analyze: (*DESIGN, "size", "label", "connectivity"),
}


@st.composite
def calls(draw):
    """A function, a dataset with up to two things changed, and up to two options, odd or usual."""
    function = draw(st.sampled_from(list(FUNCTIONS)))
    changes = draw(st.lists(st.sampled_from(sorted(CHANGES)), max_size=2))
    options = {}
    for key in draw(st.lists(st.sampled_from(FUNCTIONS[function]), max_size=2, unique=True)):
        options[key] = draw(st.one_of(st.sampled_from(USUAL[key]), st.sampled_from(ODD)))
    return function, changes, options


def answers(function, changes, options):
    """What is returned, or the one line."""
    ds = plain()
    for change in changes:
        try:
            ds = CHANGES[change](ds)
        except (ValueError, LookupError, TypeError, RuntimeWarning):
            return None  # changes that do not go together
    try:
        return function(ds, bootstrap=20, **{"order_parameter": "q"} | options)
    except MbsimError as refused:
        text = str(refused)
    assert "\n" not in text and len(text) > 10
    return None


@QUICK
@given(call=calls())
def test_some_calls_answer_or_say_why(call):
    answers(*call)


def test_a_label_that_is_missing_is_one_label():
    """Times 10, NaN, 100, over which a loop pairs its branches."""
    assert answers(fss.hysteresis, ["times missing"], {"order_parameter": "q_t"})


@pytest.mark.slow
@SLOW
@given(call=calls())
def test_any_call_answers_or_says_why(call):
    answers(*call)
