"""Runs of older versions, one sealed netCDF file for each teacher and block of m: read, exported, never added to."""

import hashlib
import itertools
import json
import shutil

import pytest
import xarray as xr
from small_runs import PROVENANCE, finely_cut, result_of, small_config

import mbsim
from mbsim.config import load_config
from mbsim.data import export as exports
from mbsim.data import provenance as prov
from mbsim.data.configs import write_config
from mbsim.data.files import netcdf_bytes
from mbsim.data.netcdf_units import OldUnits, is_old
from mbsim.data.store import RunFolder
from mbsim.data.variables import contents_of, labelled, unit_arrays, unit_labels
from mbsim.errors import RunFolderError
from mbsim.plan.times import measurement_times
from mbsim.plan.units import units
from mbsim.running import status

DRAWN = "threefry2x32"  # the generator of that version


@pytest.fixture
def old(tmp_path, written):
    """A run as mbsim wrote it before units spanned teachers, and the dataset that it must give."""
    path, whole = written
    shutil.copytree(path, tmp_path / "old")
    return tmp_path / "old", whole


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The same, written once."""
    tmp_path = tmp_path_factory.mktemp("written")
    config = small_config()
    times = measurement_times(config.dynamics.length, config.measure.measurements)
    path = tmp_path / "old"
    path.mkdir()
    write_config(path / "config.toml", config)
    contents = contents_of(units(config)[0])
    blocks = []
    for unit in OldUnits(path, config, times, contents):
        arrays = unit_arrays(unit, result_of(unit, len(times)), times, contents)
        labels = unit_labels(unit, times)
        block = labelled(
            arrays, labels, prov.of_config(config, config.hash) | PROVENANCE | {"prng": DRAWN}, contents
        )
        blocks.append(block)
        identity = [config.hash, {dim: values.tolist() for dim, values in labels.items()}]
        payload = netcdf_bytes(block)
        digest = hashlib.sha256(payload + json.dumps(identity, separators=(",", ":")).encode()).hexdigest()
        stem = f"N{unit.N:05d}-d{unit.d:03d}-t{unit.first_teacher:04d}-m{unit.m[0]:05d}-{unit.m[-1]:05d}"
        (path / f"{stem}.nc").write_bytes(payload + f"\nmbsim sha256 {digest}\n".encode())
    names = {path.name for path in path.glob("*.nc")}
    assert "N00009-d003-t0001-m00040-00040.nc" in names  # m <= 32, and m <= 64
    assert len(names) == 2 * 2 * 2 * 2
    whole = xr.combine_by_coords(blocks, combine_attrs="override").squeeze(["init_overlap", "temperature"])
    return path, whole


def test_an_old_run_opens_as_it_did(old):
    path, whole = old
    assert is_old(path)
    xr.testing.assert_equal(mbsim.open_run(path), whole)
    assert mbsim.open_run(path).attrs["config_hash"] == small_config().hash
    (path / "N00009-d003-t0001-m00040-00040.nc").unlink()
    damaged = path / "N00011-d005-t0000-m00004-00006.nc"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    with pytest.warns(UserWarning, match=f"{damaged} is damaged"):
        part = mbsim.open_run(path)
    there = part.status != 0
    assert int((~there).sum()) == 3 + 2 * 3
    xr.testing.assert_equal(part.where(there), whole.where(there))


def test_the_state_of_an_old_run_is_that_of_its_files(old):
    path, _ = old
    assert status.counts(status.states(RunFolder.open(path))) == {
        "total": 16, "done": 16, "damaged": 0, "left": 0
    }  # fmt: skip
    (path / "N00009-d003-t0001-m00040-00040.nc").unlink()
    damaged = path / "N00011-d005-t0000-m00004-00006.nc"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    assert status.counts(status.states(RunFolder.open(path))) == {
        "total": 16, "done": 14, "damaged": 1, "left": 1
    }  # fmt: skip


def test_a_run_folder_is_exported_whole_or_not_at_all(old, tmp_path, monkeypatch):
    dataset, write, count = mbsim.open_run(old[0]), RunFolder.write, itertools.count()

    def full(*given):
        if next(count) == 2:
            raise OSError(28, "No space left on device")
        write(*given)

    before = {entry.name for entry in tmp_path.iterdir()}
    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "write", full)
        with pytest.raises(OSError, match="No space"):
            mbsim.export(dataset, tmp_path / "new")
    assert {entry.name for entry in tmp_path.iterdir()} == before
    mbsim.export(dataset, tmp_path / "new")


def test_an_old_run_is_exported(old, tmp_path):
    path, whole = old
    before = {entry.name: entry.read_bytes() for entry in path.iterdir()}
    with pytest.raises(RunFolderError, match=r"holds a run of an older mbsim.* are drawn otherwise now"):
        RunFolder.create_or_open(path, small_config())
    assert "begin a new run, for ±1 weights are drawn otherwise now" in status.text(RunFolder.open(path))
    (path / "N00009-d003-t0001-m00040-00040.nc").unlink()
    with finely_cut():
        with pytest.warns(
            UserWarning, match="6 students that have run are of work units in which others have not"
        ):
            exports.export(mbsim.open_run(path), tmp_path / "new", leave_out=True)  # as `mbsim export` does
        with pytest.raises(RunFolderError, match=f"was drawn with '{DRAWN}', and this mbsim draws with"):
            RunFolder.create_or_open(tmp_path / "new", small_config())
        new = RunFolder.open(tmp_path / "new")
        assert f"drawn with '{DRAWN}'" in status.text(new)
        [left] = new.missing()
        assert (left.N, left.d, left.first_teacher) == (9, 3, 1)
        kept = mbsim.open_run(new.path)
        there = kept.status != 0
        xr.testing.assert_equal(kept.where(there), whole.where(there))
    del before["N00009-d003-t0001-m00040-00040.nc"]
    assert {entry.name: entry.read_bytes() for entry in path.iterdir()} == before


def test_an_old_run_of_real_weights_goes_on_where_it_is_exported_to(tmp_path):
    """Their random numbers are drawn as ever."""
    config = load_config({"model": "dense-vector", "grid": {"N": [9], "d": [3], "m": [4], "teachers": 1}})
    write_config(tmp_path / "config.toml", config)
    (tmp_path / "N00009-d003-t0000-m00004-00004.nc").write_bytes(b"")
    with pytest.raises(
        RunFolderError, match=r"holds a run of an older mbsim.*: mbsim export .* NEW, then go on"
    ):
        RunFolder.create_or_open(tmp_path, config)
    assert "to go on: mbsim export" in status.text(RunFolder.open(tmp_path))
