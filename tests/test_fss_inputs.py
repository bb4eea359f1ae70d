"""What the public functions are given: a dataset, and a design; anything else is refused in one line."""

from pathlib import Path

import made_up
import numpy as np
import pytest
import xarray as xr

from mbsim import figures, fss
from mbsim.errors import DatasetError, MbsimError

ANALYSES = [
    fss.analyze,
    fss.collapse,
    fss.estimates,
    fss.hysteresis,
    fss.midpoint,
    fss.order_parameter_of,
    fss.summaries,
    fss.transition_order,
]
DRAWINGS = [
    figures.order_parameter_figure,
    figures.order_parameter_panels,
    figures.summary_figure,
    figures.phase_diagram,
]
NO_DATASETS = {
    "a text": ("runs/a", r"= 'runs/a': must be a dataset; mbsim.open_run\('runs/a'\) opens a run folder"),
    "a path": (Path("runs/a"), r"= 'runs/a': must be a dataset; mbsim.open_run\('runs/a'\)"),
    "an array": (
        xr.DataArray([1.0], name="q"),
        r"is a DataArray: must be a dataset; .to_dataset\(name='q'\)",
    ),
    "a nameless array": (xr.DataArray([1.0]), r".to_dataset\(name=...\) makes it one"),
    "nothing": (None, r"= None: must be a dataset; mbsim.open_run\(path\) opens a run folder"),
    "numbers": (np.zeros(3), "is a ndarray: must be an xarray.Dataset"),
}


@pytest.mark.parametrize("given", NO_DATASETS)
@pytest.mark.parametrize("function", ANALYSES + DRAWINGS, ids=lambda one: one.__name__)
def test_what_is_no_dataset_is_refused_with_what_to_do(function, given):
    value, message = NO_DATASETS[given]
    with pytest.raises(DatasetError, match=message) as refused:
        function(value)
    assert "\n" not in str(refused.value)


RECORDS = [
    fss.extrapolate,
    fss.connectivity_law,
    fss.as_json,
    fss.as_text,
    figures.size_figure,
    figures.barrier_figure,
    figures.growth_figure,
    figures.hysteresis_figure,
]


@pytest.mark.parametrize(
    "value", ["runs/a", None, fss.planted([64]), [1, 2]], ids=["a text", "nothing", "a dataset", "numbers"]
)
@pytest.mark.parametrize("function", RECORDS, ids=lambda one: one.__name__)
def test_what_holds_no_records_is_refused_with_what_gives_them(function, value):
    with pytest.raises(
        DatasetError, match=r"must be records, as mbsim\.fss\.\w+\(\w+\) gives them"
    ) as refused:
        function(value)
    assert "\n" not in str(refused.value)


def test_a_single_record_draws_where_a_record_is_needed():
    with pytest.raises(DatasetError, match="verdicts is a Verdict: must be records"):
        figures.barrier_figure(made_up.verdict(3))
    with pytest.raises(DatasetError, match="verdict is a Dataset: must be a Verdict, one of"):
        figures.histogram_figure(fss.planted([64]))


WRONG = {
    "size": (3, "size = 3: must be the name of a dimension"),
    "control": ("", "control = '': must be the name of a dimension"),
    "samples": (("a", "b", "c"), r"must be at most two dimensions, such as \('teacher', 'replica'\)"),
    "bootstrap": (1, "bootstrap = 1: must be an integer, 2 or more"),
    "seed": (-1, "seed = -1: must be an integer, 0 or more"),
}


DESIGNED = [one for one in ANALYSES if one is not fss.order_parameter_of]
CASES = [(one, key) for one in DESIGNED for key in WRONG if (one, key) != (fss.midpoint, "size")]


@pytest.mark.parametrize(("function", "key"), CASES)
def test_a_wrong_design_is_refused_at_the_door(function, key):
    value, message = WRONG[key]
    with pytest.raises(DatasetError, match=message):
        function(fss.planted([64]), **{key: value})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": ("a", "a")}, "must be two different dimensions"),
        ({"samples": ("a", "m")}, "control = 'm': must not be one of samples"),
        ({"samples": ("a", 3)}, "samples = 3: must be the name of a dimension"),
        ({"bootstrap": 10.5}, "bootstrap = 10.5: must be an integer"),
        ({"bootstrap": True}, "bootstrap = True: must be an integer"),
        ({"bootstrap": 10**20}, "bootstrap = 1(0+): must be an integer, 100000 or less"),
        ({"seed": "1"}, "seed = '1': must be an integer"),
    ],
)
def test_a_design_checks_itself(options, message):
    with pytest.raises(MbsimError, match=message):
        fss.Design(**options)


def test_a_design_takes_what_counts_as_a_whole_number_and_stays_as_it_is():
    design = fss.Design(bootstrap=np.int64(200), samples=["disorder", "copy"])
    assert design == fss.Design(bootstrap=200, samples=("disorder", "copy"))
    with pytest.raises(AttributeError):
        design.seed = 3
    with pytest.raises(DatasetError, match="size = 'm': must be another dimension than the control"):
        fss.summaries(fss.planted([64]), size="m")


def test_infinite_values_are_counted_and_named():
    ds = fss.planted([64])
    ds["q"][dict(m=4)] = np.inf
    ds["q"][dict(m=7, teacher=0, replica=1)] = -np.inf
    count = ds.sizes["teacher"] * ds.sizes["replica"] + 1
    said = f"{count} infinite values at m = 12, 15 count as missing"
    for found in (fss.midpoint(ds, bootstrap=50), fss.estimates(ds, ["steepest"], bootstrap=50)):
        assert said in found[0].reason and np.isfinite(found[0].m_c)


TEXT_STARTS = fss.planted([64], starts=True).assign_coords(init_overlap=["planted", "random"])


@pytest.mark.parametrize("function", [fss.hysteresis, fss.analyze, fss.transition_order])
def test_starts_with_names_are_refused_in_a_line(function):
    with pytest.raises(
        DatasetError, match="init_overlap holds text, such as 'planted': must be real numbers"
    ):
        function(TEXT_STARTS, bootstrap=20)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"order_parameter": ["q"]}, r"order_parameter = \['q'\]: must be the name of a variable"),
        ({"samples": "N"}, "size = 'N': must not be one of samples"),
        ({"samples": "techer"}, r"samples = \('techer',\): none is a dimension of q, which has N, teacher"),
        ({"error": "success"}, "q has samples already, over teacher, replica; either these or errors"),
    ],
)
def test_what_does_not_go_with_the_dataset_is_named(options, message):
    with pytest.raises(DatasetError, match=message):
        fss.summaries(fss.planted([64]), **options)
    with pytest.raises(DatasetError, match="q holds 1e\\+80: must be at most 1e\\+70"):
        fss.midpoint(fss.planted([64]) * 0 + 1e80, bootstrap=20)
    with pytest.raises(DatasetError, match="minimum_rise = 'x': must be a finite number"):
        fss.midpoint(fss.planted([64]), minimum_rise="x")
