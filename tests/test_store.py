"""The store keeps its promises: whole units or none, damage found, configurations never mixed."""

import errno
import fcntl
import os
import re
import shutil
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from small_runs import PROVENANCE, contents, error_line, fill, finely_cut, result_of, small_config

import mbsim
from mbsim.config.configuration import load_config
from mbsim.data import files
from mbsim.data import provenance as prov
from mbsim.data.store import RunFolder
from mbsim.data.variables import contents_of, coordinates
from mbsim.errors import RunFolderError

# -- configurations


def test_folder_keeps_the_configuration(tmp_path):
    config = small_config(init_overlap=[0.0, 1.0])
    made = RunFolder.create_or_open(tmp_path / "deep" / "run", config)
    before = contents(made.path)
    for folder in (made, RunFolder.open(made.path), RunFolder.create_or_open(made.path, config)):
        assert folder.config == config
        assert folder.config_hash == config.hash
    assert config.hash in (made.path / "config.toml").read_text()
    assert load_config(made.path / "config.toml") == config  # users can run it again
    assert contents(made.path) == before


def test_other_configuration_is_refused_with_the_keys(folder):
    other = load_config(folder.config, ["dynamics.sweeps=64", "run.seed=7"])
    line = error_line(folder.path, other)
    assert "dynamics.sweeps is 32 there and 64 here" in line
    assert "run.seed is 1 there and 7 here" in line
    assert line.count(" there and ") == 2
    relative = small_config(m={"unit": "N", "values": [0.5]})
    assert "grid.m is [4, 6, 40] there and not set here" in error_line(folder.path, relative)
    assert 'grid.m.unit is not set there and "N" here' in error_line(folder.path, relative)
    long = small_config(m=list(range(5, 2000)))
    assert len(error_line(folder.path, long)) < 400
    assert "grid.teachers is 2 there and 1 here" in error_line(folder.path, small_config(teachers=1))


def test_a_run_of_other_random_streams_is_not_gone_on_with(tmp_path):
    """Its students would be of two kinds. It is read as ever; of real weights nothing has changed."""
    for model, old in (("sparse-vector", "threefry2x32"), ("dense-vector", "another")):
        config = load_config({"model": model, "grid": {"N": [9], "d": [3], "m": [4], "teachers": 2}})
        folder = RunFolder.create_or_open(tmp_path / model, config)
        folder.prepare()
        [unit] = folder.units
        own = prov.generator(config)
        assert own == ("threefry2x32" if model == "dense-vector" else "threefry2x32 in tiles")
        for drawn in (own, old):
            origin = PROVENANCE | {"prng": drawn}
            folder.write(unit, result_of(unit, len(folder.times)), folder.times, origin)
            if drawn == own:
                assert RunFolder.create_or_open(folder.path, config).missing() == []
                continue
            before = contents(folder.path)
            larger = load_config(config, ["grid.m=[4, 5]"])
            line = f"was drawn with '{old}', and this mbsim draws with '{own}'"
            for asked in (config, larger):
                with pytest.raises(RunFolderError, match=line):
                    RunFolder.create_or_open(folder.path, asked)
            assert contents(folder.path) == before
            assert mbsim.open_run(folder.path).attrs["prng"] == old


def test_what_is_no_run_folder_is_refused(tmp_path):
    config = small_config()
    (tmp_path / "file").write_text("x")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("x")
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "config.toml").write_text(config.to_toml())
    assert "is a file" in error_line(tmp_path / "file", config)
    assert "Not a directory" in error_line(tmp_path / "file" / "run", config)
    assert "thesis.tex" in error_line(tmp_path / "full", config)
    assert "was not written by a run" in error_line(tmp_path / "own", config)
    assert "does not exist" in error_line(tmp_path / "nowhere")
    assert "holds no config.toml" in error_line(tmp_path / "full")
    assert "cannot be used as a run folder" in error_line(Path("/dev/null/run"), config)


def test_edited_configuration_is_refused(folder):
    path = folder.path / "config.toml"
    path.write_text(path.read_text().replace("sweeps = 32", "sweeps = 33"))
    assert "was changed" in error_line(folder.path)
    assert "was changed" in error_line(folder.path, load_config(folder.config, ["dynamics.sweeps=33"]))


def test_folder_of_a_run_killed_before_its_configuration_is_taken(tmp_path):
    (tmp_path / ".lock").touch()
    (tmp_path / ".tmp-1-config.toml").write_text("name =")
    folder = RunFolder.create_or_open(tmp_path, small_config())
    folder.prepare()
    assert not list(tmp_path.glob(".tmp-*"))
    assert RunFolder.open(tmp_path).config == small_config()


def test_of_two_configurations_at_once_the_first_stays(tmp_path):
    from mbsim.data.configs import write_config

    RunFolder.create_or_open(tmp_path / "run", small_config())
    write_config(
        tmp_path / "run" / "config.toml", small_config(teachers=5), new=True
    )  # it had seen none a moment before
    assert RunFolder.open(tmp_path / "run").config == small_config()
    assert not list((tmp_path / "run").glob(".tmp-*"))


# -- units


def test_round_trip_is_bit_identical(finished):
    for unit in finished.units:
        result = result_of(unit, len(finished.times))
        block = finished.read(unit)
        for name, given in result.items():
            kept = block[name].isel(N=0, d=0)
            expected = given.astype(contents_of(unit).variables()[name].dtype)
            assert kept.dtype == expected.dtype
            assert kept.dims == tuple(dim for dim in coordinates() if dim in kept.dims)
            assert kept.values.tobytes() == expected.tobytes()


def test_xarray_and_zarr_read_the_folder_without_mbsim(finished):
    whole = mbsim.open_run(finished.path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with xr.open_datatree(finished.path, engine="zarr") as tree:
            assert set(tree.groups) == {"/", "/N9-d3", "/N9-d5", "/N11-d3", "/N11-d5"}
            assert tree.attrs["config_hash"] == finished.config.hash
            parts = [node.to_dataset().load() for node in tree.children.values()]
        joined = xr.combine_by_coords(parts).squeeze(["init_overlap", "temperature"])
        xr.testing.assert_equal(joined, whole)
        with xr.open_zarr(finished.path, group="N11-d5") as one:
            assert one.overlap.attrs == whole.overlap.attrs
            assert one.time.attrs == whole.time.attrs
            xr.testing.assert_equal(one.load(), finished.read(finished.units[-1]))


def test_a_group_of_many_units_is_one_array(tmp_path):
    """Seven teachers by threes: two whole chunks, and one that ends with the array."""
    config = small_config(N=[9], d=[3], teachers=7)
    with finely_cut(3):
        folder = RunFolder.create_or_open(tmp_path / "run", config)
        fill(folder)
        assert [(unit.first_teacher, unit.teachers) for unit in folder.units] == [(0, 3), (3, 3), (6, 1)]
        whole = mbsim.open_run(folder.path)
        with xr.open_zarr(folder.path, group="N9-d3") as group:
            assert group.overlap.chunksizes["teacher"] == (3, 3, 1)
            xr.testing.assert_equal(group.load().squeeze(["init_overlap", "temperature"]), whole)
        xr.testing.assert_identical(mbsim.open_run(folder.path, lazy=True).load(), whole)
        for unit in folder.units:
            mine = whole.sel(N=9, d=3, teacher=unit.first_teacher + np.arange(unit.teachers))
            np.testing.assert_array_equal(mine.overlap, result_of(unit, len(folder.times))["overlap"][0, 0])


def test_same_numbers_give_the_same_bytes(finished, folder):
    before = contents(folder.path)
    fill(folder)
    assert contents(folder.path) == before == contents(finished.path)


# -- damage


def flip(position: float):
    def damage(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[int(position * (len(content) - 1))] ^= 1
        path.write_bytes(content)

    return damage


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES = {
    **{f"flip at {p}": flip(p) for p in (0.0, 0.1, 0.5, 0.9, 0.998, 1.0)},
    "one byte less": lambda path: os.truncate(path, path.stat().st_size - 1),
    "half": lambda path: os.truncate(path, path.stat().st_size // 2),
    "empty": lambda path: path.write_bytes(b""),
    "one byte more": lambda path: path.write_bytes(path.read_bytes() + b"\n"),
    "deleted": lambda path: path.unlink(),
    "a folder": a_folder,
}


def record(folder: RunFolder, place: int) -> Path:
    return folder.record_path(folder.units[place])


def chunk(folder: RunFolder, place: int, name: str = "overlap") -> Path:
    return folder.chunk_path(folder.units[place], name)


@pytest.mark.parametrize("file", [record, chunk])
def test_exactly_the_damaged_unit_is_missing(folder, file):
    assert folder.missing() == []
    path = file(folder, 1)
    sound = path.read_bytes()
    for damage in DAMAGES.values():
        damage(path)
        assert folder.missing() == [folder.units[1]]
        with pytest.raises((RunFolderError, FileNotFoundError), match=re.escape(str(path))):
            folder.read(folder.units[1])
        if path.is_dir():
            path.rmdir()
        path.write_bytes(sound)
    assert folder.missing() == []


@pytest.mark.parametrize("file", [record, chunk])
def test_a_folder_in_the_place_of_a_file_gives_way_if_it_is_empty(finished, folder, file):
    a_folder(file(folder, 1))
    fill(folder)
    assert contents(folder.path) == contents(finished.path)
    a_folder(file(folder, 1))
    (file(folder, 1) / "mine").touch()
    with pytest.raises(OSError, match=re.escape(str(file(folder, 1)))):
        fill(folder)
    assert (file(folder, 1) / "mine").exists()


def test_sound_files_of_another_unit_or_run_are_not_taken(folder, tmp_path):
    shutil.copy(chunk(folder, 2), chunk(folder, 1))
    assert folder.missing() == [folder.units[1]]
    shutil.copy(record(folder, 2), record(folder, 1))
    assert folder.missing() == [folder.units[1]]
    other = RunFolder.create_or_open(tmp_path / "other", load_config(folder.config, ["run.seed=2"]))
    fill(other)
    for path in (p for p in other.path.rglob("*") if p.is_file() and p.name != "config.toml"):
        shutil.copy(path, folder.path / path.relative_to(other.path))
    assert folder.missing() == list(folder.units)


def test_any_flipped_bit_is_found(folder):
    random = np.random.default_rng(1)
    unit = folder.units[0]
    for path in (
        record(folder, 0),
        *(chunk(folder, 0, name) for name in ("overlap", "status", "success_time")),
    ):
        sound = path.read_bytes()
        for position, bit in zip(random.integers(0, len(sound), 60), random.integers(0, 8, 60), strict=True):
            content = bytearray(sound)
            content[position] ^= 1 << bit
            path.write_bytes(content)
            assert not folder.done(unit)
        path.write_bytes(sound)
        assert folder.done(unit)


@pytest.mark.parametrize("damage", ["flip at 0.5", "half", "deleted"])
@pytest.mark.parametrize("name", ["zarr.json", "N9-d3/zarr.json", "N9-d3/overlap/zarr.json", "N9-d3/m/c.0"])
def test_what_follows_from_the_configuration_is_put_back(finished, folder, name, damage):
    """Metadata and labels: mbsim needs none to read, so that no number changes; the next run mends them."""
    DAMAGES[damage](folder.path / name)
    assert folder.missing() == []
    xr.testing.assert_identical(mbsim.open_run(folder.path), mbsim.open_run(finished.path))
    folder.prepare()
    assert contents(folder.path) == contents(finished.path)


def test_a_lazy_dataset_says_what_is_damaged(folder):
    flip(0.5)(chunk(folder, 1))
    lazy = mbsim.open_run(folder.path, lazy=True)
    lazy.overlap_mean.load()
    with pytest.raises(RunFolderError, match="is damaged, its checksum does not match"):
        lazy.overlap.load()


def test_full_disk_leaves_no_unit_half_done(folder, monkeypatch):
    before = contents(folder.path)
    replace, calls = os.replace, iter(range(1000))

    def full(*arguments):
        if next(calls) == 5:  # in the middle of a unit
            raise OSError(errno.ENOSPC, "No space left on device")
        return replace(*arguments)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left") as caught:
        fill(folder, salt=1)
    assert caught.value.errno == errno.ENOSPC
    assert contents(folder.path).keys() == before.keys()  # nothing else is left
    assert folder.missing() == [folder.units[0]]

    def never(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", never)
    with pytest.raises(OSError, match="No space left"):  # resumable, so no RunFolderError
        RunFolder.create_or_open(folder.path.parent / "new", folder.config)


def test_results_of_another_shape_are_refused(folder):
    unit, times = folder.units[0], folder.times
    result = result_of(unit, len(times))
    with pytest.raises(ValueError, match="overlap of N = 9, d = 3, m = 4 to 40, teachers 0 to 1 has shape"):
        folder.write(unit, result | {"overlap": result["overlap"][..., 1:]}, times, PROVENANCE)
    with pytest.raises(ValueError, match=r"unknown variables .*: loss"):
        folder.write(unit, result | {"loss": result["overlap"]}, times, PROVENANCE)
    with pytest.raises(ValueError, match="measured times"):
        folder.write(unit, result, times + 1, PROVENANCE)


def test_processes_of_the_same_name_and_number_do_not_meet(tmp_path, monkeypatch):
    """As those of two containers: one writes while the other is about to rename."""
    replace, inside = os.replace, []

    def meanwhile(*arguments):
        if not inside:
            inside.append(True)
            files.put(tmp_path / "b" / "c.0", b"second", tmp_path)
        replace(*arguments)

    for name in "ab":
        (tmp_path / name).mkdir()
    monkeypatch.setattr(os, "replace", meanwhile)
    files.put(tmp_path / "a" / "c.0", b"first", tmp_path)
    assert [(tmp_path / name / "c.0").read_bytes() for name in "ab"] == [b"first", b"second"]


def test_whoever_looks_at_the_lock_for_a_moment_stops_nobody(folder):
    with (folder.path / ".lock").open("a") as looked_at:
        fcntl.flock(looked_at, fcntl.LOCK_EX)
        timer = threading.Timer(0.05, looked_at.close)
        timer.start()
        with folder.lock(shared=True):
            pass
        timer.join()


def test_what_was_joined_is_taken_apart_when_it_is_joined_again():
    first = prov.joined([{"engine": "registers"}, {"engine": "reference"}], ("engine",))
    assert prov.joined([first, {"engine": "reference"}], ("engine",)) == {"engine": "reference, registers"}
    assert prov.joined([first], ("engine",)) == first


def test_an_error_names_the_file_that_was_meant_and_no_other(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(FileNotFoundError) as missing:
        files.put(tmp_path / "none" / "x", b"", tmp_path)
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left") as no_room:
        files.put(tmp_path / "x", b"", tmp_path)
    for error, name in ((missing, "none/x"), (no_room, "x")):
        assert str(error.value).endswith(f": '{tmp_path}/{name}'")
        assert ".tmp-" not in str(error.value)
    assert not list(tmp_path.iterdir())
