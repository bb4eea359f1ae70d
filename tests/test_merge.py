"""Datasets of one kind of run, joined: every number at its labels, and nothing that does not belong."""

import json

import numpy as np
import pytest
import xarray as xr
from small_runs import PROVENANCE, result_of, small_config

import mbsim
from mbsim.config.configuration import load_config
from mbsim.data.dataset import from_results
from mbsim.errors import DatasetError
from mbsim.plan.times import measurement_times
from mbsim.plan.units import units


def in_memory(config, salt=0, **changes) -> xr.Dataset:
    times = measurement_times(config.dynamics.length, config.measure.measurements)
    results = {unit: result_of(unit, len(times), salt) for unit in units(config)}
    return from_results(config, results, times, PROVENANCE | changes)


def part(whole: xr.Dataset, **grid) -> xr.Dataset:
    """What a run of a smaller grid would have given."""
    config = small_config(**grid)
    labels = {"N": config.grid.N, "d": config.grid.d, "m": config.grid.m}
    labels |= {"teacher": range(config.grid.teachers), "replica": range(config.grid.replicas)}
    some = whole.sel({name: list(values) for name, values in labels.items()})
    small = in_memory(config)
    return some.assign_attrs(small.attrs)


def test_parts_of_a_grid_are_the_whole_again():
    whole = in_memory(small_config())
    for dim, parts in {
        "N": ([9], [11]),
        "d": ([5], [3]),
        "m": ([6], [4, 40]),
    }.items():
        joined = mbsim.concat([part(whole, **{dim: list(some)}) for some in parts])
        xr.testing.assert_identical(joined, whole)
    three = mbsim.concat([part(whole, m=[m]) for m in (40, 4, 6)])
    xr.testing.assert_identical(three, whole)
    assert load_config(json.loads(three.attrs["config"])) == small_config()


def test_where_no_part_has_run_nothing_stands():
    whole = in_memory(small_config())
    joined = mbsim.concat([part(whole, m=[4, 40]), part(whole, m=[6], teachers=1)])
    lacking = joined.sel(m=6, teacher=1)
    assert (lacking.status == 0).all()
    assert lacking.overlap.isnull().all()
    there = joined.status != 0
    assert int(there.sum()) == whole.status.size - lacking.status.size
    for name in whole:
        assert joined[name].dtype == whole[name].dtype
        np.testing.assert_array_equal(joined[name].where(there), whole[name].where(there))


def test_another_temperature_becomes_a_dimension():
    cold, hot = (in_memory(load_config(small_config(), [f"dynamics.temperature={T}"])) for T in (0.0, 0.5))
    joined = mbsim.concat([cold, hot])
    assert joined.temperature.values.tolist() == [0.0, 0.5]
    for one, temperature in ((cold, 0.0), (hot, 0.5)):
        np.testing.assert_array_equal(joined.overlap.sel(temperature=temperature), one.overlap)
    config = load_config(json.loads(joined.attrs["config"]))
    assert config.grid.temperature == (0.0, 0.5)


def test_provenance_names_all_that_computed():
    one, other = small_config(m=[4]), small_config(m=[6])
    joined = mbsim.concat([in_memory(one, device_kind="cpu"), in_memory(other, device_kind="H100")])
    assert joined.attrs["device_kind"] == "H100, cpu"


def test_a_scalar_coordinate_stands_for_its_dimension():
    whole = in_memory(small_config())
    joined = mbsim.concat([whole.sel(d=3), whole.sel(d=5)])
    xr.testing.assert_identical(joined, whole)
    bare = in_memory(small_config(d=[3])).isel(d=0, drop=True)  # the configuration has one value only
    assert mbsim.concat([bare.sel(N=[9]), bare.sel(N=[11])]).d.values.tolist() == [3]


def test_students_without_what_was_measured_over_time_are_joined():
    whole = in_memory(small_config())
    last = whole.isel(time=-1, drop=True)
    joined = mbsim.concat([last.sel(N=[9]), last.sel(N=[11])])
    assert "time" not in joined.dims
    np.testing.assert_array_equal(joined.overlap, whole.overlap.isel(time=-1))


@pytest.mark.parametrize(
    ("datasets", "words"),
    [
        (lambda: [in_memory(small_config())], "datasets: must be two or more, not 1"),
        (lambda: [in_memory(small_config()), xr.Dataset()], "dataset 2: must be one that mbsim.open_run"),
        (
            lambda: [in_memory(small_config()), in_memory(load_config(small_config(), ["run.seed=2"]))],
            "these are different runs: run.seed is 1 there and 2 here",
        ),
        (
            lambda: [in_memory(small_config()), in_memory(small_config(), salt=1)],
            "of the same students differs between these datasets",
        ),
        (
            lambda: [in_memory(small_config()), in_memory(small_config(m={"unit": "N", "values": [1]}))],
            "grid.m: is in other units in one of these runs",
        ),
        (
            lambda: [in_memory(small_config(m=[4])), in_memory(small_config(m=[6])).drop_vars("overlap")],
            "only some of these datasets have overlap",
        ),
        *(
            (lambda change=change: [in_memory(small_config()), change(in_memory(small_config()))], words)
            for change, words in [
                (
                    lambda ds: ds.sel(d=3, drop=True),
                    "dataset 2: d: the dataset does not say which of 3, 5 it",
                ),
                (
                    lambda ds: ds.sel(N=9, drop=True),
                    "dataset 2: N: the dataset does not say which of 9, 11 it",
                ),
                (lambda ds: ds.isel(time=-1), "dataset 2: time: must be a dimension"),
                (
                    lambda ds: ds.isel(time=-1, drop=True),
                    "dataset 2: generalization_error: must have the dimensions that it has in dataset 1",
                ),
                (lambda ds: ds.isel(m=[0, 0, 1]), "dataset 2: m: must have each value once, and has 4 more"),
                (
                    lambda ds: ds.assign_coords(teacher=ds.teacher + 2),  # students counted twice
                    "dataset 2: teacher: must be among 0, 1, as in its run, and has 2",
                ),
                (
                    lambda ds: ds.isel(teacher=0).assign_coords(teacher=7),  # a scalar is a label too
                    "dataset 2: teacher: must be among 0, 1, as in its run, and has 7",
                ),
                (lambda ds: ds.isel(m=0).assign_coords(m="x"), "dataset 2: m: its values must be there"),
                (lambda ds: ds.assign_coords(replica=ds.replica - 1), "replica: must be among .* has -1"),
                (lambda ds: ds.assign_coords(m=ds.m + 0.5), "m: must be among 4, 6, 40, .* has 4.5"),
                (lambda ds: ds.assign_coords(N=ds.N + 2), "N: must be among 9, 11, as in .* has 13"),
                (lambda ds: ds.assign_coords(time=ds.time + 1), "time: must be among 0, .* as in its run"),
                (lambda ds: ds.drop_vars("m"), "dataset 2: m: its values must be there"),
                (lambda ds: ds.stack(point=["N", "d"]), "dataset 2: dimension point: must be one of N, d"),
                (lambda ds: ds.assign_attrs(config="{"), "dataset 2: attribute config is no configuration"),
            ]
        ),
    ],
)
def test_what_does_not_belong_together_is_refused_in_one_line(datasets, words):
    with pytest.raises(DatasetError, match=words) as caught:
        mbsim.concat(datasets())
    assert len(caught.value.lines) == 1
