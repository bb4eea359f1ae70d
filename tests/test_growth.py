"""Runs whose grid grows: what is there is kept, what is missing is added, and nothing is done twice."""

import re
import shutil
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from small_runs import contents, error_line, fill, small_config

import mbsim
from mbsim.data.store import RunFolder
from mbsim.errors import RunFolderError

GROWTHS = {
    "m": {"m": [4, 5, 6, 40, 50]},
    "teachers": {"teachers": 5},
    "replicas": {"replicas": 4},
    "sizes": {"N": [7, 9, 11], "d": [3, 5, 7]},
    "axes": {"temperature": [0.0, 0.5], "init_overlap": [0.0, 1.0]},
    "all": {"N": [9, 11, 13], "m": [2, 4, 6, 40], "teachers": 3, "replicas": 5, "temperature": [0.0, 1.0]},
}


def students_of(unit) -> set[tuple]:
    grids = (
        *unit.axes.values(),
        unit.m,
        range(unit.first_teacher, unit.first_teacher + unit.teachers),
        range(unit.first_replica, unit.first_replica + unit.replicas),
    )
    return {(unit.N, unit.d, *map(float, labels)) for labels in product(*grids)}


@pytest.mark.parametrize("grid", GROWTHS.values(), ids=GROWTHS.keys())
def test_a_grid_that_grows_keeps_what_is_there_and_adds_what_is_missing(finished, folder, grid):
    larger = small_config(**grid)
    before = contents(folder.path)
    grown = RunFolder.create_or_open(folder.path, larger)
    assert contents(folder.path) == before  # nothing is written before the run begins
    assert grown.config == larger
    todo = grown.missing()
    assert [unit for unit in grown.units if unit not in todo] == list(folder.units)
    with grown.lock():
        grown.prepare()
    for name, content in before.items():
        if name not in ("config.toml", "zarr.json"):
            assert (folder.path / name).read_bytes() == content
    reopened = RunFolder.open(folder.path)
    assert reopened.config == larger
    assert reopened.units == grown.units
    assert reopened.missing() == todo
    asked = set().union(*map(students_of, RunFolder(Path(), (larger,), 1).units))
    given = [student for unit in grown.units for student in students_of(unit)]
    assert len(given) == len(set(given))
    assert set(given) == asked
    fill(reopened, todo)
    assert reopened.missing() == []
    ds = mbsim.open_run(folder.path)
    assert (ds.status != 0).all()
    old = mbsim.open_run(finished.path)
    again = ds.sel(
        {dim: old[dim] for dim in ds.dims}
        | {dim: old[dim] for dim in ("init_overlap", "temperature") if dim in ds.dims}
    )
    for name in old:
        np.testing.assert_array_equal(again[name].values, old[name].values)
    assert "grid." in error_line(folder.path, finished.config)  # it does not shrink
    with xr.open_datatree(folder.path, engine="zarr") as tree:
        assert len(tree.children) == len({unit.group for unit in grown.units})


def test_a_growth_that_was_killed_goes_on(folder):
    """After each of its steps: the earlier configuration is kept, the larger one is written, metadata follow."""
    larger = small_config(teachers=4)
    shutil.copy(folder.path / "config.toml", folder.path / "config.1.toml")  # and no more
    assert RunFolder.open(folder.path).units == folder.units
    grown = RunFolder.create_or_open(folder.path, larger)
    grown.prepare()
    again = RunFolder.create_or_open(folder.path, larger)
    assert again.units == grown.units
    assert len(again.missing()) == 4
    twice = RunFolder.create_or_open(folder.path, small_config(teachers=4, m=[3, 4, 6, 40]))
    twice.prepare()
    assert sorted(p.name for p in folder.path.glob("config*")) == [
        "config.1.toml",
        "config.2.toml",
        "config.toml",
    ]
    assert RunFolder.open(folder.path).units == twice.units


def test_an_edited_earlier_configuration_is_refused(folder):
    RunFolder.create_or_open(folder.path, small_config(teachers=4)).prepare()
    path = folder.path / "config.1.toml"
    path.write_text(path.read_text().replace("sweeps = 32", "sweeps = 33"))
    assert f"{path} was changed" in error_line(folder.path)


@pytest.mark.parametrize("damage", ["lost", "empty", "cut off"])
@pytest.mark.parametrize("number", [1, 2])
def test_a_damaged_earlier_configuration_loses_nothing_and_is_put_back(folder, number, damage):
    """Whatever was finished stays so, where without its history the units of the run would be others."""
    for m in ([3, 4, 6, 40], [3, 4, 5, 6, 40]):
        RunFolder.create_or_open(folder.path, small_config(teachers=4, m=m)).prepare()
    grown = RunFolder.open(folder.path)
    path = folder.path / f"config.{number}.toml"
    sound = path.read_bytes()
    if damage == "lost":
        path.unlink()
    else:
        path.write_bytes(b"" if damage == "empty" else sound[:100])
    told = f"{path} is {'lost' if damage == 'lost' else 'damaged'}: its content is taken from zarr.json beside it"
    with pytest.warns(UserWarning, match=re.escape(told)):
        opened = RunFolder.open(folder.path)
    assert (opened.history, opened.missing()) == (grown.history, grown.missing())
    opened.prepare()
    assert path.read_bytes() == sound


def test_a_run_that_grew_otherwise_meanwhile_is_not_overwritten(folder):
    one = RunFolder.create_or_open(folder.path, small_config(teachers=4))
    other = RunFolder.create_or_open(folder.path, small_config(m=[3, 4, 6, 40]))
    one.prepare()
    with pytest.raises(RunFolderError, match="has grown otherwise since it was looked at: start again"):
        other.prepare()
    assert RunFolder.open(folder.path).config == one.config


def test_parts_that_grow_a_run_at_once_keep_what_it_grew_from(finished, folder):
    """Each opened the smaller run; one writes the larger configuration before the other begins to."""
    larger = small_config(teachers=4)
    both = [RunFolder.create_or_open(folder.path, larger) for _ in range(2)]
    for part in both:
        with part.lock(shared=True):
            part.prepare(alone=False)
    reopened = RunFolder.open(folder.path)
    assert reopened.history == (finished.config, larger)
    assert len(reopened.missing()) == len(reopened.units) - len(folder.units)
