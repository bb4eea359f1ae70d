"""One run, three ways to open it: whole, lazily, and by xarray alone; unfinished, uneven, and while it is written."""

import shutil

import numpy as np
import pytest
import xarray as xr
from processes import python
from small_runs import PROVENANCE, fill, finely_cut, result_of, small_config

import mbsim
from mbsim.data import dataset as datasets
from mbsim.data.store import RunFolder
from mbsim.data.variables import contents_of
from mbsim.plan.memory import dataset_bytes

UNEVEN = {"N": [9, 15], "d": [3, 5], "m": {"unit": "N*d", "values": [0.1, 0.5, 1.0]}, "teachers": 3}
AXES = ["init_overlap", "temperature"]


@pytest.fixture(scope="module")
def uneven(tmp_path_factory) -> RunFolder:
    """A finished run whose values of m differ from one (N, d) to the next, and one of whose groups has grown."""
    path = tmp_path_factory.mktemp("runs") / "uneven"
    with finely_cut():
        fill(RunFolder.create_or_open(path, small_config(**UNEVEN | {"teachers": 2})))
        grown = RunFolder.create_or_open(path, small_config(**UNEVEN))
        fill(grown, grown.missing())
        yield grown


@pytest.fixture
def unfinished(uneven, tmp_path) -> RunFolder:
    """As it was when every second unit had been written."""
    shutil.copytree(uneven.path, tmp_path / "run")
    folder = RunFolder.open(tmp_path / "run")
    for unit in folder.units[1::2]:
        folder.record_path(unit).unlink()
        for name in folder.variables:
            folder.chunk_path(unit, name).unlink()
    return folder


def of_xarray_alone(path) -> list[xr.Dataset]:
    """The groups of a run folder, by `xr.open_datatree`."""
    with xr.open_datatree(path, engine="zarr") as tree:
        return [node.to_dataset(inherit=False).load().squeeze(AXES) for node in tree.children.values()]


def empty(values: xr.DataArray) -> xr.DataArray:
    return values == 0 if values.name == "status" else values.isnull()


def test_an_unfinished_uneven_run_is_the_same_in_all_three_ways(unfinished, uneven):
    eager = mbsim.open_run(unfinished.path)
    done = eager.status != 0
    assert int(done.sum()) == sum(unit.students for unit in unfinished.units[::2])
    whole = mbsim.open_run(uneven.path)
    for name in whole:
        np.testing.assert_array_equal(eager[name].where(done), whole[name].where(done))
        assert empty(eager[name]).where(~done, True).all()
    lazy = mbsim.open_run(unfinished.path, lazy=True)
    assert lazy.overlap.chunks is not None
    xr.testing.assert_identical(lazy.load(), eager)
    groups = of_xarray_alone(unfinished.path)
    assert len(groups) == 8
    for group in groups:
        xr.testing.assert_equal(group, eager.sel({dim: group[dim] for dim in eager.dims}))
    assert sum(int((group.status != 0).sum()) for group in groups) == int(done.sum())


def assert_part_of(whole: xr.Dataset, some: xr.Dataset) -> None:
    """Each number is that of the whole, or stands for none."""
    same = whole.sel({dim: some[dim] for dim in whole.dims})
    for name in whole:
        values, expected = some[name].values, same[name].values
        equal = (values == expected) | (np.isnan(values) & np.isnan(expected))
        assert (equal | empty(some[name]).values).all()


def test_without_what_was_measured_over_time_the_rest_is_the_same(unfinished):
    whole = mbsim.open_run(unfinished.path)
    some = datasets.open_run(unfinished.path, over_time=False)
    assert set(some) == {name for name in whole if "time" not in whole[name].dims} < set(whole)
    xr.testing.assert_identical(some.drop_vars("time"), whole[list(some)])


WRITE = """if True:
    import sys, time
    from small_runs import PROVENANCE, finely_cut, result_of, small_config
    from mbsim.data.store import RunFolder

    path, grid = sys.argv[1], eval(sys.argv[2])
    with finely_cut():
        for teachers in (2, 3):  # the run grows
            folder = RunFolder.create_or_open(path, small_config(**grid | {"teachers": teachers}))
            with folder.lock():
                folder.prepare()
                print("prepared", flush=True)
                for unit in folder.missing():
                    time.sleep(1)
                    folder.write(unit, result_of(unit, len(folder.times)), folder.times, PROVENANCE)
"""


@pytest.mark.slow
def test_a_run_opens_in_all_three_ways_while_another_process_writes_it(uneven, tmp_path):
    """No number is ever another than that of the finished run."""
    path, whole, seen = tmp_path / "run", mbsim.open_run(uneven.path), set()
    with python(WRITE, path, UNEVEN) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "prepared\n"
        while writer.poll() is None:
            eager, lazy = mbsim.open_run(path), mbsim.open_run(path, lazy=True)
            there = whole.sel({dim: eager[dim] for dim in eager.dims})
            done = eager.status != 0
            seen.add(int(done.sum()))
            for name in whole:
                np.testing.assert_array_equal(eager[name].where(done), there[name].where(done))
                assert empty(eager[name]).where(~done, True).all()
            for group in [lazy.load(), *of_xarray_alone(path)]:
                same = whole.sel({dim: group[dim] for dim in whole.dims})
                for name in whole:
                    equal = (group[name] == same[name]) | (group[name].isnull() & same[name].isnull())
                    assert (equal | empty(group[name])).all()
    assert writer.returncode == 0
    assert len(seen) > 2, seen  # states of the run that were met
    xr.testing.assert_identical(mbsim.open_run(path), whole)


def test_a_run_larger_than_the_limit_is_opened_lazily_and_is_the_same(uneven, monkeypatch):
    size = dataset_bytes(uneven.config)
    whole = mbsim.open_run(uneven.path, lazy=False)
    for limit, chunked in ((size, False), (size - 1, True)):
        monkeypatch.setattr(datasets, "EAGER_BYTES", limit)
        opened = mbsim.open_run(uneven.path)
        assert (opened.overlap.chunks is not None) == chunked
        found = mbsim.fss.midpoint(opened)
        assert [repr(record) for record in found] == [repr(record) for record in mbsim.fss.midpoint(whole)]
        xr.testing.assert_identical(opened.load(), whole)


@pytest.mark.slow
def test_a_run_of_more_than_2_gib_is_opened_lazily(tmp_path):
    """Of which one unit is done: it takes no more memory than what is asked for."""
    config = small_config(N=[9], d=[3], teachers=256, replicas=8192)
    assert 2**31 < dataset_bytes(config) < 2**33
    folder = RunFolder.create_or_open(tmp_path / "run", config)
    unit = folder.units[3]
    folder.prepare()
    result = result_of(unit, len(folder.times))
    folder.write(unit, result, folder.times, PROVENANCE)
    opened = mbsim.open_run(folder.path)
    assert opened.overlap.chunks is not None
    assert opened.nbytes > 2**31
    mine = opened.sel(N=9, d=3, teacher=unit.first_teacher + np.arange(unit.teachers), m=list(unit.m))
    for name in ("overlap_mean", "status"):
        kept = result[name].astype(contents_of(unit).variables()[name].dtype)
        np.testing.assert_array_equal(mine[name], kept[0, 0])
    assert (opened.status.isel(teacher=-1) == 0).all()
