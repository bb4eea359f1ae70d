"""The store keeps its promises: whole files or none, damage found, configurations never mixed."""

import errno
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from small_runs import PROVENANCE, contents, fill, result_of, small_config

from mbsim.config.configuration import Config, load_config
from mbsim.data.store import SEAL_SIZE, RunFolder
from mbsim.data.variables import coordinates, variables_of
from mbsim.errors import RunFolderError
from mbsim.plan.units import units


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> RunFolder:
    """A finished run that tests copy and do not change."""
    folder = RunFolder.create_or_open(tmp_path_factory.mktemp("runs") / "finished", small_config())
    fill(folder)
    return folder


@pytest.fixture
def folder(finished, tmp_path) -> RunFolder:
    shutil.copytree(finished.path, tmp_path / "run")
    return RunFolder.open(tmp_path / "run")


def error_line(path: Path, config: Config | None = None) -> str:
    """The one line with which a folder is refused, having checked that nothing was written."""
    before = contents(path.parent) if path.parent.is_dir() else {}
    with pytest.raises(RunFolderError) as caught:
        RunFolder.create_or_open(path, config) if config else RunFolder.open(path)
    if path.parent.is_dir():
        assert contents(path.parent) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


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
    long = small_config(m=list(range(1, 2000)))
    assert len(error_line(folder.path, long)) < 400


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
    folder.clean_temporaries()
    assert sorted(contents(tmp_path)) == [".lock", "config.toml"]


# -- units


def test_round_trip_is_bit_identical(finished):
    for unit in units(finished.config):
        result = result_of(unit, len(finished.times()))
        block = finished.read(unit)
        for name, given in result.items():
            kept = block[name].isel(N=0, d=0, teacher=0)
            expected = given.astype(variables_of(unit)[name].dtype)
            assert kept.dtype == expected.dtype
            assert kept.dims == tuple(dim for dim in coordinates() if dim in kept.dims)
            assert kept.values.tobytes() == expected.tobytes()


def test_file_is_self_contained(finished):
    unit = units(finished.config)[-1]
    with xr.open_dataset(finished.unit_path(unit), engine="h5netcdf") as file:
        xr.testing.assert_identical(file.load(), finished.read(unit))
        assert file.sizes == {
            "N": 1, "d": 1, "init_overlap": 1, "temperature": 1, "m": 1, "teacher": 1, "replica": 3,
            "time": len(finished.times()),
        }  # fmt: skip
        assert (file.N, file.d, file.teacher, file.m) == (9, 3, 1, 40)
        assert file.attrs["config_hash"] == finished.config.hash
        assert file.attrs["git_commit"] == "<git_commit>"


def test_same_numbers_give_the_same_bytes(finished, folder):
    before = contents(folder.path)
    fill(folder)
    assert contents(folder.path) == before == contents(finished.path)


def flip(position: float):
    def damage(path: Path, _: RunFolder) -> None:
        content = bytearray(path.read_bytes())
        content[int(position * (len(content) - 1))] ^= 1
        path.write_bytes(content)

    return damage


def replace_by(other: int):
    """A sound file, but another unit's."""
    return lambda path, folder: shutil.copy(folder.unit_path(units(folder.config)[other]), path)


def of_other_seed(path: Path, folder: RunFolder) -> None:
    other = RunFolder.create_or_open(path.parent / "other", load_config(folder.config, ["run.seed=2"]))
    fill(other, units(other.config)[1:2])
    shutil.copy(other.unit_path(units(other.config)[1]), path)


def a_folder(path: Path, _: RunFolder) -> None:
    path.unlink()
    path.mkdir()


DAMAGES = {
    **{f"flip at {p}": flip(p) for p in (0.0, 0.1, 0.5, 0.9, 0.998, 1.0)},
    "one byte less": lambda path, _: os.truncate(path, path.stat().st_size - 1),
    "half": lambda path, _: os.truncate(path, path.stat().st_size // 2),
    "no seal": lambda path, _: os.truncate(path, path.stat().st_size - SEAL_SIZE),
    "seal only": lambda path, _: path.write_bytes(path.read_bytes()[-SEAL_SIZE:]),
    "empty": lambda path, _: path.write_bytes(b""),
    "one byte more": lambda path, _: path.write_bytes(path.read_bytes() + b"\n"),
    "deleted": lambda path, _: path.unlink(),
    "another unit": replace_by(2),
    "another run": of_other_seed,
    "a folder": a_folder,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_exactly_the_damaged_unit_is_missing(folder, damage):
    everything = units(folder.config)
    assert folder.missing(everything) == []
    path = folder.unit_path(everything[1])
    damage(path, folder)
    assert folder.missing(everything) == [everything[1]]
    assert [folder.done(unit) for unit in everything] == [True, False, True, True]
    with pytest.raises((RunFolderError, FileNotFoundError), match=re.escape(str(path))):
        folder.read(everything[1])


def test_any_flipped_bit_is_found(folder):
    unit = units(folder.config)[0]
    path = folder.unit_path(unit)
    sound = path.read_bytes()
    random = np.random.default_rng(1)
    for position, bit in zip(random.integers(0, len(sound), 200), random.integers(0, 8, 200), strict=True):
        content = bytearray(sound)
        content[position] ^= 1 << bit
        path.write_bytes(content)
        assert not folder.done(unit)
    path.write_bytes(sound)
    assert folder.done(unit)


def test_full_disk_leaves_what_was_there(folder, monkeypatch):
    before = contents(folder.path)

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        fill(folder, salt=1)
    assert caught.value.errno == errno.ENOSPC
    assert contents(folder.path) == before
    with pytest.raises(OSError, match="No space left"):  # resumable, so no RunFolderError
        RunFolder.create_or_open(folder.path.parent / "new", folder.config)


def test_results_of_another_shape_are_refused(folder):
    unit, times = units(folder.config)[0], folder.times()
    result = result_of(unit, len(times))
    with pytest.raises(ValueError, match="overlap of N00009-d003-t0000-m00004-00006 has shape"):
        folder.write(unit, result | {"overlap": result["overlap"][..., 1:]}, times, PROVENANCE)
    with pytest.raises(ValueError, match=r"unknown variables .*: loss"):
        folder.write(unit, result | {"loss": result["overlap"]}, times, PROVENANCE)
    with pytest.raises(ValueError, match="measured times"):
        folder.write(unit, result, times + 1, PROVENANCE)


# -- processes that compete, and die


def python(code: str, *arguments: object, **options) -> subprocess.Popen:
    """Start a Python process that can import this file."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, **options)


def test_second_writer_is_locked_out_until_the_first_dies(folder):
    code = """if True:
        import sys, time
        from mbsim.data.store import RunFolder
        with RunFolder.open(sys.argv[1]).lock():
            print("locked", flush=True)
            time.sleep(600)
    """
    with python(code, folder.path) as writer:
        try:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "locked\n"
            with (
                pytest.raises(RunFolderError, match=f"written by process {writer.pid} on [^\n]*$"),
                folder.lock(),
            ):
                pass
            assert len(folder.missing(units(folder.config))) == 0  # reading needs no lock
        finally:
            writer.kill()
    with folder.lock(), pytest.raises(RunFolderError, match=f"process {os.getpid()} "), folder.lock():
        pass


def test_file_system_without_locks_is_used_with_a_warning(folder, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def unsupported(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with pytest.warns(UserWarning, match="cannot be locked") as caught, folder.lock():
        assert caught[0].filename == __file__


KILL_AT_EVERY_STEP = """if True:
    import os, signal, sys
    import mbsim.data.store
    from mbsim.plan.units import units
    from mbsim.data.store import RunFolder
    from small_runs import fill

    folder = RunFolder.open(sys.argv[1])
    unit = units(folder.config)[1]
    fresh = sys.argv[2] == "fresh"

    def die_at(step):
        calls = 0
        def dying(call):
            def wrapped(*arguments):
                nonlocal calls
                if calls == step:
                    os.kill(os.getpid(), signal.SIGKILL)
                calls += 1
                return call(*arguments)
            return wrapped
        os.fsync, os.replace = dying(os.fsync), dying(os.replace)

    for step in range(4):
        if fresh:
            folder.unit_path(unit).unlink(missing_ok=True)
        before = folder.read(unit) if folder.done(unit) else None
        if not (child := os.fork()):
            die_at(step)
            fill(folder, [unit], salt=step + 1)
            os._exit(0)
        killed = os.WIFSIGNALED(os.waitpid(child, 0)[1])
        left = len(list(folder.path.glob(".tmp-*")))
        after = folder.read(unit) if folder.done(unit) else None
        changed = after is not None and (before is None or not after.identical(before))
        print(step, killed, left, folder.done(unit), changed)
        folder.clean_temporaries()
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("state", ["fresh", "present"])
def test_killed_at_any_step_leaves_the_old_or_the_new(folder, state):
    old = str(state == "present")
    with python(KILL_AT_EVERY_STEP, folder.path, state) as process:
        out, _ = process.communicate(timeout=120)
    assert out.splitlines() == [  # step, killed, temporaries left, unit done, unit changed
        f"0 True 1 {old} False",  # before the file is synced
        f"1 True 1 {old} False",  # before the rename
        "2 True 0 True True",  # before the folder is synced
        "3 False 0 True True",  # not killed
    ]
    assert folder.missing(units(folder.config)) == []


KILL_AT_RANDOM = """if True:
    import os, random, signal, sys, time
    import mbsim.data.store
    from mbsim.plan.units import units
    from mbsim.data.store import RunFolder
    from small_runs import fill

    folder = RunFolder.open(sys.argv[1])
    everything = units(folder.config)
    # Making the bytes takes long, writing them is short: make them once, so that the kills hit the writing.
    sound = {unit.stem: folder.unit_path(unit).read_bytes()[: -mbsim.data.store.SEAL_SIZE] for unit in everything}
    mbsim.data.store.netcdf_bytes = lambda block: sound[
        next(u.stem for u in everything if u.teacher == block.teacher[0] and u.m[0] == block.m[0])
    ]
    for unit in everything:
        folder.unit_path(unit).unlink()
    random.seed(1)
    left = 0
    for attempt in range(40):
        if not (child := os.fork()):
            with folder.lock():
                while True:
                    fill(folder)
        time.sleep(random.uniform(0.0, 0.1))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        left += len(list(folder.path.glob(".tmp-*")))
        files = sorted(path.name for path in folder.path.glob("*.nc"))
        assert files == sorted(folder.unit_path(unit).name for unit in everything if folder.done(unit)), files
        with folder.lock():
            folder.clean_temporaries()
        if attempt == 20:
            for unit in everything:
                folder.unit_path(unit).unlink(missing_ok=True)
    print("survived", left)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_at_random_times_leaves_only_complete_files(finished, folder):
    with python(KILL_AT_RANDOM, folder.path) as process:
        out, _ = process.communicate(timeout=120)
    assert out.startswith("survived ")
    assert process.returncode == 0
    fill(folder, folder.missing(units(folder.config)))
    resumed, whole = contents(folder.path), contents(finished.path)
    assert resumed.pop(".lock") != whole.pop(".lock")
    assert resumed == whole  # bit for bit the run that nothing interrupted
