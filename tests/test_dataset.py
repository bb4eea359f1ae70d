"""The dataset holds every finished number at its labels and nothing else, and survives export."""

import errno
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from small_runs import PROVENANCE, fill, result_of, small_config

import mbsim
from mbsim.config.configuration import Config, load_config
from mbsim.data import export as exports
from mbsim.data import provenance as prov
from mbsim.data.dataset import from_results, open_run
from mbsim.data.export import export
from mbsim.data.store import RunFolder
from mbsim.errors import DatasetError, RunFolderError
from mbsim.plan.times import measurement_times
from mbsim.plan.units import units

UNEVEN = {"N": [9, 15], "d": [3, 5], "m": {"unit": "N*d", "values": [0.1, 0.5, 1.0]}, "replicas": 2}


def in_memory(config: Config, todo=None) -> xr.Dataset:
    times = measurement_times(config.dynamics.length, config.measure.measurements)
    results = {unit: result_of(unit, len(times)) for unit in todo or units(config)}
    return from_results(config, results, times, PROVENANCE)


@pytest.fixture(scope="module")
def uneven(tmp_path_factory) -> RunFolder:
    """A finished run whose values of m differ from one (N, d) to the next; not to be changed."""
    folder = RunFolder.create_or_open(tmp_path_factory.mktemp("runs") / "uneven", small_config(**UNEVEN))
    fill(folder)
    return folder


@pytest.fixture
def folder(uneven, tmp_path) -> RunFolder:
    shutil.copytree(uneven.path, tmp_path / "run")
    return RunFolder.open(tmp_path / "run")


def test_every_number_is_at_its_labels_and_nothing_else(uneven):
    ds = open_run(uneven.path)
    assert ds.sizes == {
        "N": 2, "d": 2, "m": 9, "teacher": 2, "replica": 2, "time": len(uneven.times)
    }  # fmt: skip
    found = 0
    for unit in units(uneven.config):
        result = result_of(unit, ds.sizes["time"])
        block = ds.sel(N=unit.N, d=unit.d, m=list(unit.m))
        for name, values in result.items():
            np.testing.assert_array_equal(block[name].values, values[0, 0])
        found += unit.students
    assert int((ds.status != 0).sum()) == found == 2 * 2 * 2 * 3 * 2
    empty = ds.status == 0
    assert empty.any()
    for name, variable in ds.data_vars.items():
        if name != "status":
            assert variable.dtype.kind == "f"
            assert variable.where(empty).isnull().all()
    assert ds.status.dtype == np.int8
    for dim in ds.dims:
        assert (np.diff(ds[dim].values) > 0).all()


def test_memory_and_disk_give_the_same_dataset(uneven):
    xr.testing.assert_identical(open_run(uneven.path), in_memory(uneven.config))


def test_lists_in_the_grid_become_dimensions():
    single = in_memory(small_config())
    assert "init_overlap" not in single.dims
    assert "temperature" not in single.dims
    assert single.init_overlap == single.temperature == 0
    one = in_memory(small_config(init_overlap=[1.0]))
    assert one.sizes["init_overlap"] == 1
    both = in_memory(small_config(init_overlap=[0.0, 1.0], temperature=[0.0, 0.5, 2.0]))
    assert (both.sizes["init_overlap"], both.sizes["temperature"]) == (2, 3)
    assert set(both.sizes) == {"N", "d", "m", "teacher", "replica", "time", "init_overlap", "temperature"}
    unit = units(small_config(init_overlap=[0.0, 1.0], temperature=[0.0, 0.5, 2.0]))[0]
    expected = result_of(unit, both.sizes["time"])["overlap"][1, 2, 0, 0, 1]
    student = both.overlap.sel(init_overlap=1.0, temperature=2.0, N=9, d=3, m=4, teacher=0, replica=1)
    np.testing.assert_array_equal(student, expected)


def test_unfinished_runs_open(folder):
    config, everything = folder.config, units(folder.config)
    for unit in everything[3:]:
        folder.record_path(unit).unlink()
    part = open_run(folder.path)
    xr.testing.assert_identical(part, in_memory(config, everything[:3]))
    assert int((part.status != 0).sum()) == sum(unit.students for unit in everything[:3])
    for unit in everything[:3]:
        folder.record_path(unit).unlink()
    none = open_run(folder.path)
    assert none.sizes == part.sizes
    assert (none.status == 0).all()
    assert none.overlap.isnull().all()
    assert none.attrs["config_hash"] == config.hash
    assert none.attrs["device_kind"] == ""


def test_damaged_files_are_named_and_left_out(folder):
    everything = units(folder.config)
    path = folder.chunk_path(everything[2], "overlap")
    path.write_bytes(path.read_bytes()[:-100] + b"x" * 100)
    with pytest.warns(UserWarning, match="run again to recompute") as caught:
        opened = mbsim.open_run(folder.path)
    assert len(caught) == 1
    assert str(path) in str(caught[0].message)
    assert "\n" not in str(caught[0].message)
    assert caught[0].filename == __file__
    xr.testing.assert_identical(opened, in_memory(folder.config, [*everything[:2], *everything[3:]]))


def test_no_run_folder_is_an_error(tmp_path):
    with pytest.raises(RunFolderError, match="no run folder"):
        open_run(tmp_path / "nowhere")


def test_everything_is_labelled(uneven):
    ds = open_run(uneven.path)
    for name, variable in ds.variables.items():
        assert variable.attrs["long_name"], name
        assert variable.attrs["units"] == ("sweep" if name in ("time", "success_time") else "1"), name
    for a in ds.variables.values():  # no two quantities under one name
        assert sum(a.attrs["long_name"] == b.attrs["long_name"] for b in ds.variables.values()) == 1


def test_attributes_say_where_the_numbers_come_from(folder):
    everything, times = units(folder.config), folder.times
    elsewhere = PROVENANCE | {"device_kind": "another device", "git_commit": ""}
    folder.write(everything[0], result_of(everything[0], len(times)), times, elsewhere)
    attrs = open_run(folder.path).attrs
    assert load_config(json.loads(attrs["config"])) == folder.config
    assert attrs["config_hash"] == folder.config.hash
    assert (attrs["seed"], attrs["name"], attrs["model"]) == (1, "sparse-vector", "sparse-vector")
    assert attrs["device_kind"] == "<device_kind>, another device"
    assert attrs["git_commit"] == "<git_commit>"
    assert attrs["jax_version"] == "<jax_version>"
    assert attrs["order_parameter"] == "overlap_mean"
    given = {"config", "config_hash", "seed", "name", "model", "rule", "order_parameter"}
    assert attrs["rule"] == "metropolis"
    assert set(attrs) == {*prov.FIELDS, *given}


# -- export


def reopened(path: Path) -> xr.Dataset:
    engine = "zarr" if path.suffix == ".zarr" else "h5netcdf"
    with xr.open_dataset(path, engine=engine) as ds:
        return ds.load()


@pytest.mark.parametrize("name", ["a.nc", "a.netcdf", "a.h5", "a.zarr"])
def test_export_round_trip(uneven, tmp_path, name):
    ds = open_run(uneven.path)
    export(ds, tmp_path / name)
    back = reopened(tmp_path / name)
    xr.testing.assert_identical(back, ds)
    for variable in ds.variables:
        assert back[variable].dtype == ds[variable].dtype
        assert back[variable].values.tobytes() == ds[variable].values.tobytes()
    assert [entry.name for entry in tmp_path.iterdir()] == [name]
    export(back, tmp_path / f"again-{name}")  # what was read back can be exported, in any format
    other = "b.nc" if name == "a.zarr" else "b.zarr"
    export(back, tmp_path / other)
    xr.testing.assert_identical(reopened(tmp_path / other), ds)


def test_zarr_is_version_3(uneven, tmp_path):
    export(open_run(uneven.path), tmp_path / "a.zarr")
    assert json.loads((tmp_path / "a.zarr" / "zarr.json").read_text())["zarr_format"] == 3


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("there.nc", "exists already"),
        ("there.zarr", "exists already"),
        (
            "a.csv",
            r"a\.csv: the ending must be one of \.nc, \.netcdf, \.h5, \.zarr, or none for a run folder",
        ),
        ("there", "exists already"),
        ("nowhere/a", "is no folder"),
        ("nowhere/a.nc", "is no folder"),
        ("nowhere/a.zarr", "is no folder"),
        ("there.nc/a.nc", "is no folder|Not a directory"),
    ],
)
def test_export_refuses_in_one_line(tmp_path, name, words):
    (tmp_path / "there.nc").write_text("x")
    (tmp_path / "there.zarr").mkdir()
    (tmp_path / "there").mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DatasetError, match=words) as caught:
        export(in_memory(small_config()), tmp_path / name)
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "there.nc").read_text() == "x"


@pytest.mark.parametrize("name", ["a.nc", "a.zarr"])
def test_export_that_fails_leaves_nothing(tmp_path, monkeypatch, name):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(exports, "sync", full)
    with pytest.raises(OSError, match="No space left"):
        export(in_memory(small_config()), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_an_exported_run_folder_goes_on(uneven, folder, tmp_path):
    export(open_run(uneven.path), tmp_path / "whole")
    again = RunFolder.open(tmp_path / "whole")
    assert again.config == uneven.config
    assert again.missing() == []
    xr.testing.assert_identical(open_run(again.path), open_run(uneven.path))
    folder.record_path(folder.units[1]).unlink()  # of an unfinished run, what is whole is taken
    export(open_run(folder.path), tmp_path / "part")
    part = RunFolder.open(tmp_path / "part")
    assert part.missing() == [part.units[1]]
    with pytest.raises(DatasetError, match="lacks overlap of its configuration"):
        export(open_run(uneven.path).drop_vars("overlap"), tmp_path / "lacking")
    with pytest.raises(DatasetError, match="a run folder needs a dataset with its configuration"):
        export(open_run(uneven.path).drop_attrs(), tmp_path / "bare")
    assert not (tmp_path / "lacking").exists()
    assert not (tmp_path / "bare").exists()


# -- provenance


def test_collected_provenance_is_this_machine():
    import jax

    found = prov.collect()
    assert tuple(found) == prov.FIELDS
    assert found["jax_version"] == jax.__version__
    assert found["numpy_version"] == np.__version__
    assert found["device_kind"] == jax.devices()[0].device_kind
    assert found["prng"] == "threefry2x32"
    assert prov.collect(prng="philox4x32", devices=[])["prng"] == "philox4x32"
    assert prov.collect(devices=[])["device_kind"] == ""


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_commit_is_that_of_mbsim_only(tmp_path):
    package = tmp_path / "repository" / "mbsim"
    (package / "engines").mkdir(parents=True)
    source = package / "engines" / "law.py"  # every folder of the package counts
    source.write_text("x")
    (package / "__init__.py").write_text("")

    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
        command = ["git", "-C", str(package), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    assert package.name == prov.PACKAGE.name and (prov.PACKAGE / "engines").is_dir()
    assert prov.git_commit(package) == ""  # no repository
    git("init")
    git("commit", "--allow-empty", "-m", "somebody else's")
    assert prov.git_commit(package) == ""  # mbsim is installed in it, not part of it
    git("add", ".")
    git("commit", "-m", "mbsim")
    commit = git("rev-parse", "HEAD")
    assert prov.git_commit(package) == commit
    (package.parent / "notes.txt").write_text("untracked, and not mbsim's")
    assert prov.git_commit(package) == commit
    source.write_text("y")
    assert prov.git_commit(package) == commit + "-dirty"
