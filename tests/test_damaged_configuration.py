"""The configuration of a run, damaged or edited: it does no harm, or one line says what is wrong and what to do."""

import re
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from small_runs import contents, error_line, fill, small_config

from mbsim.config import load_config
from mbsim.data.store import RunFolder
from mbsim.errors import RunFolderError


def opened_or_line(path: Path) -> tuple[RunFolder | None, str]:
    try:
        return RunFolder.open(path), ""
    except RunFolderError as error:
        return None, str(error)


def test_any_flipped_bit_of_the_configuration_does_no_harm_or_is_told_in_a_line(finished, folder):
    """What it says is not changed unnoticed: it is read all the same, or the line names the key."""
    path = folder.path / "config.toml"
    sound, outcomes = path.read_bytes(), Counter()
    random = np.random.default_rng(1)
    for position in {*range(0, len(sound), 5), *random.integers(0, len(sound), 20).tolist()}:
        content = bytearray(sound)
        content[position] ^= 1 << random.integers(0, 8)
        path.write_bytes(content)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            opened, line = opened_or_line(folder.path)
        if opened is None:
            pattern = (
                rf"{re.escape(str(path))} was changed since the run began \(\S+ is .+ in the run and .+\)"
            )
            assert re.match(pattern, line) and "\n" not in line
            outcomes["refused"] += 1
            continue
        assert opened.config == finished.config
        outcomes["told" if told else "no harm"] += 1
        assert [str(one.message) for one in told] == [
            f"{path} is damaged: its content is taken from zarr.json beside it, and `mbsim run` puts it back"
        ] * len(told)
        opened.prepare()
        assert path.read_bytes() == sound or not told
    assert min(outcomes[name] for name in ("refused", "told", "no harm")) > 2, outcomes


def test_an_edit_of_the_configuration_is_told_by_its_key_and_can_be_undone(folder):
    path = folder.path / "config.toml"
    sound = path.read_text()
    path.write_text(sound.replace("sweeps = 32", "sweeps = 33"))
    line = error_line(folder.path)
    assert "was changed since the run began (dynamics.sweeps is 32 in the run and 33 in the file)" in line
    assert "put it back, or use another folder" in line
    path.write_text(folder.config.to_toml())  # whoever puts it back need not know the header
    assert RunFolder.open(folder.path).config == folder.config
    (folder.path / "zarr.json").unlink()  # as before the metadata were written, or of an older mbsim
    path.write_text(sound.replace("sweeps = 32", "sweeps = 33"))
    assert f"{path} was changed since the run began: put it back" in error_line(folder.path)
    path.write_text(sound.replace("Written by mbsim", "Written by mbsin"))
    assert RunFolder.open(folder.path).config == folder.config
    path.write_text(sound.replace("# sha256 of what follows = ", "# sha256 of what follows = 0"))
    assert RunFolder.open(folder.path).config == folder.config


def test_a_lost_configuration_is_taken_from_the_metadata_and_put_back(folder):
    path = folder.path / "config.toml"
    sound = path.read_bytes()
    path.unlink()
    lost = f"{path} is lost: its content is taken from zarr.json beside it, and `mbsim run` puts it back"
    with pytest.warns(UserWarning, match=re.escape(lost)):
        opened = RunFolder.create_or_open(folder.path, folder.config)
    assert len(opened.missing()) == len(folder.missing())
    opened.prepare()
    assert path.read_bytes() == sound
    path.unlink()
    (folder.path / "done").rename(
        folder.path / "elsewhere"
    )  # a store of Zarr that was exported has metadata too
    assert error_line(folder.path) == f"{folder.path} is not an mbsim run folder: it holds no config.toml"


def test_an_older_configuration_in_the_place_of_the_last_is_told_and_gives_way(tmp_path):
    """As a backup that was copied back: no unit is done again."""
    for teachers in (2, 3, 4):
        folder = RunFolder.create_or_open(tmp_path / "run", small_config(teachers=teachers))
        fill(folder, folder.missing())
    before = contents(folder.path)
    (folder.path / "config.toml").write_bytes((folder.path / "config.1.toml").read_bytes())
    with pytest.warns(UserWarning, match="is older than this run: its content is taken from zarr.json"):
        opened = RunFolder.open(folder.path)
    assert (opened.history, opened.missing()) == (folder.history, [])
    opened.prepare()
    assert contents(folder.path) == before


def test_the_configuration_of_another_run_is_refused(finished, folder, tmp_path):
    other = load_config(folder.config.resolved(), ("run.seed=5",))
    fill(RunFolder.create_or_open(tmp_path / "other", other))
    (folder.path / "config.toml").write_bytes((tmp_path / "other" / "config.toml").read_bytes())
    before = contents(folder.path)
    line = error_line(folder.path)
    assert "is that of another run (run.seed is 1 in the run and 5 in the file)" in line
    with pytest.raises(RunFolderError, match="is that of another run"):
        RunFolder.create_or_open(folder.path, other)
    assert contents(folder.path) == before
