"""Datasets that users selected from, as run folders: every number where it belongs, or one line, nothing written."""

import errno
import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from small_runs import PROVENANCE, result_of, small_config

import mbsim
from mbsim.cli import main
from mbsim.config import Config, load_config
from mbsim.data.dataset import from_results
from mbsim.data.store import RunFolder
from mbsim.errors import DatasetError
from mbsim.plan.times import measurement_times
from mbsim.plan.units import units


def in_memory(config: Config) -> xr.Dataset:
    times = measurement_times(config.dynamics.length, config.measure.measurements)
    results = {unit: result_of(unit, len(times)) for unit in units(config)}
    return from_results(config, results, times, PROVENANCE)


@pytest.fixture(scope="module")
def whole() -> xr.Dataset:
    """A finished run, not to be changed."""
    return in_memory(small_config())


@pytest.mark.parametrize("labels", [{"d": 5}, {"N": 11}, {"N": 11, "d": 3}, {"d": [5]}])
def test_a_selection_is_written_at_its_own_labels(whole, tmp_path, labels):
    mbsim.export(whole.sel(labels), tmp_path / "part")
    back = mbsim.open_run(tmp_path / "part")
    mine = whole.status != 0
    for dim, value in labels.items():
        mine = mine & whole[dim].isin(value)
    assert 0 < int(mine.sum()) < mine.size
    for name in whole:
        expected = whole[name].where(mine, 0 if name == "status" else np.nan)
        np.testing.assert_array_equal(back[name], expected)


def test_what_has_one_value_only_may_be_dropped(tmp_path):
    one = in_memory(small_config(d=[3], teachers=1, replicas=1))
    bare = one.isel(d=0, teacher=0, replica=0, drop=True).drop_vars(["init_overlap", "temperature"])
    mbsim.export(bare, tmp_path / "new")
    assert RunFolder.open(tmp_path / "new").missing() == []
    back = mbsim.open_run(tmp_path / "new")
    for name in one:
        np.testing.assert_array_equal(back[name], one[name])


def damaged(ds: xr.Dataset, config: object) -> xr.Dataset:
    return ds.assign_attrs(config=config)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda ds: ds.sel(d=5, drop=True), "d: the dataset does not say which of 3, 5 it is of: keep it"),
        (lambda ds: ds.sel(N=9, drop=True), "N: the dataset does not say which of 9, 11 it is of: keep it"),
        (lambda ds: ds.isel(teacher=0), "36 students .* of work units .* whole units only: write a .nc or"),
        (lambda ds: ds.isel(replica=0), "24 students that have run are of work units"),
        (lambda ds: ds.isel(m=0), "24 students that have run are of work units"),
        (lambda ds: ds.isel(time=-1), r"time: must be a dimension, as isel\(time=\[-1\]\) leaves it"),
        (lambda ds: ds.isel(time=-1, drop=True), "generalization_error: must be over .*, time, not"),
        (lambda ds: ds.isel(time=[-1]), "time: a run folder needs all 32 measured times, .* lacks 31"),
        (lambda ds: ds.isel(m=[0, 0, 1, 2]), "m: must have each value once, and has 4 more often"),
        (lambda ds: ds.drop_vars("m"), "m: its values must be there, as the coordinate m of numbers"),
        (lambda ds: ds.assign_coords(m=["a", "b", "c"]), "m: its values must be there"),
        (lambda ds: ds.stack(point=["N", "d"]), "dimension point: must be one of N, d, "),
        (lambda ds: ds.assign_coords(teacher=ds.teacher + 1), "teacher: must be among 0, 1, as in .* has 2"),
        (lambda ds: ds.astype("float32"), "success: must be float64, as in the run, not float32"),
        (lambda ds: damaged(ds, "{"), "attribute config is no configuration of mbsim: "),
        (lambda ds: damaged(ds, 5), "attribute config is no configuration of mbsim: "),
        (lambda ds: damaged(ds, '"x.toml"'), "no configuration of mbsim: must be a table, not str"),
        (lambda ds: damaged(ds, '{"model": 3}'), "attribute config is no configuration of mbsim: "),
        (lambda ds: ds.assign_attrs(registered="["), "attribute registered is damaged"),
    ],
)
def test_what_cannot_be_placed_is_refused_in_one_line(whole, tmp_path, change, words):
    with pytest.raises(DatasetError, match=words) as caught:
        mbsim.export(change(whole), tmp_path / "new")
    assert len(caught.value.lines) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ending", [".nc", ".zarr"])
@pytest.mark.parametrize(
    "change",
    [
        lambda ds: ds.assign(mine=("m", [object(), 1, 2])),
        lambda ds: ds.stack(point=["teacher", "replica"]),
        lambda ds: ds.assign_attrs(mine={1, 2}),
    ],
)
def test_what_a_format_does_not_hold_is_refused_in_one_line(whole, tmp_path, change, ending):
    with pytest.raises(
        DatasetError, match=f"new{ending}: the dataset cannot be written as {ending}: "
    ) as caught:
        mbsim.export(change(whole), tmp_path / f"new{ending}")
    assert len(caught.value.lines) == 1
    assert not list(tmp_path.iterdir())


def test_one_of_many_temperatures_is_no_whole_unit(tmp_path):
    ds = in_memory(small_config(temperature=[0.0, 0.5]))
    with pytest.raises(DatasetError, match="72 students that have run are of work units"):
        mbsim.export(ds.sel(temperature=0.5), tmp_path / "new")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", ["", ".", "/", "z\0.nc", "z\0"])
def test_a_path_without_a_name_is_refused_in_one_line(whole, tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DatasetError, match="must name a new file or folder") as caught:
        mbsim.export(whole, path)
    assert len(caught.value.lines) == 1
    assert not list(tmp_path.iterdir())


def test_an_error_of_the_system_names_the_target(whole, tmp_path, monkeypatch):
    def refused(path, *_, **__):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "mkdir", refused)
    with pytest.raises(DatasetError) as caught:
        mbsim.export(whole, tmp_path / "new")
    assert caught.value.lines == (f"{tmp_path / 'new'} cannot be written: Permission denied",)
    assert not list(tmp_path.iterdir())


def write(path, config: Config) -> None:
    mbsim.export(in_memory(config), path)


def test_runs_that_fill_part_of_units_are_merged_to_a_file_only(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write("A", small_config(N=[9], d=[3], m=[2, 4, 6, 8]))
    write("B", small_config(N=[11], d=[3], m=[8, 12, 16, 20]))
    assert main(["merge", "A", "B", "--out", "C"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        "error: C: 48 students that have run are of work units in which others have not, and a run folder keeps "
        "whole units only: write a .nc or .zarr, or run first what is missing beside them\n"
    )
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["A", "B"]
    assert main(["merge", "A", "B", "--out", "C.nc"]) == 0
    with xr.open_dataset("C.nc", engine="h5netcdf") as joined:
        assert int((joined.status != 0).sum()) == 48


def test_a_run_that_grew_and_is_not_finished_loses_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write("G", small_config(m=[4, 6]))
    larger = RunFolder.create_or_open("G", load_config(small_config(m=[4, 6, 40])))
    with larger.lock():
        larger.prepare()
    assert main(["export", "G", "H"]) == 2
    assert "error: H: 48 students that have run are of work units" in capsys.readouterr().err
    assert [entry.name for entry in tmp_path.iterdir()] == ["G"]


def test_the_command_line_names_a_path_without_a_name(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write("A", small_config())
    for words in (["export", "A", ""], ["export", "A", "/"], ["merge", "A", "A", "--out", ""]):
        assert main(words) == 2
        assert "must name a new file or folder\n" in capsys.readouterr().err


def test_the_configuration_of_an_exported_part_is_that_of_the_run(whole, tmp_path):
    mbsim.export(whole.sel(d=5), tmp_path / "part")
    kept = RunFolder.open(tmp_path / "part").config
    assert kept == load_config(json.loads(whole.attrs["config"]))
