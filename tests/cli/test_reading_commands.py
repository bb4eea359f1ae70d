"""`mbsim status`, `mbsim analyze` and `mbsim export` read a run, finished or not, and leave it as it is."""

import os
import re
import warnings

import pytest
import xarray as xr
from commands import MIDDLE, last_line, strict
from made_up import run_folder
from small_runs import contents, fill, finely_cut, small_config

from mbsim.config.configuration import load_config
from mbsim.data.dataset import open_run
from mbsim.data.store import RunFolder
from mbsim.plan.units import work_of
from mbsim.running import status


def test_status_counts_and_tells_how_to_go_on(half, mbsim, here):
    todo = half.units
    half.record_path(todo[3]).write_bytes(b"cut short")
    for place, unit in enumerate(todo[:2]):  # written 9 s apart
        os.utime(half.record_path(unit), (1000 + 9 * place, 1000 + 9 * place))
    before = contents(here)
    code, output, _ = mbsim("status half")
    assert code == 0
    lines = output.splitlines()
    assert lines[0] == "tiny: sparse-vector, in half"
    assert lines[1] == "2 of 4 units are done, 2 to go; no process is computing them"
    assert [line.split() for line in lines[2:5]] == [
        ["N", "d", "done", "damaged", "left"], ["9", "3", "2", "0", "0"], ["15", "3", "0", "1", "1"]
    ]  # fmt: skip
    # N = 15 has 15/9 of the proposals of N = 9: two units of 15 s each.
    assert lines[5] == "time left, by the times of the records: 30 s"
    assert lines[6] == "go on with: mbsim run half/config.toml --out half"
    assert contents(here) == before
    assert mbsim(lines[6].removeprefix("go on with: mbsim "))[0] == 0
    assert "all 4 units are done" in mbsim("status half")[1]


def test_time_left_where_units_are_written_many_at_once(tmp_path):
    """Launches of many units, each written within milliseconds, 20 s of work each; and an hour's pause between."""
    config = small_config(N=[9], d=[3], teachers=40)
    with finely_cut():
        folder = RunFolder.create_or_open(tmp_path / "run", config)
        fill(folder)
        todo = folder.units
        for place, unit in enumerate(todo):
            launch, pause = divmod(place, 8)
            at = 1000 + 20 * launch + 3600 * (launch > 2) + 0.007 * pause
            os.utime(folder.record_path(unit), (at, at))
        truth = sum(work_of(unit, config) for unit in todo[8:16]) / 20
        assert status.rate(folder, todo) == pytest.approx(truth, rel=0.01)
        assert status.rate(folder, todo[:8]) is None  # nobody knows when it began


def test_a_pause_before_a_run_grew_counts_as_no_work(tmp_path):
    """N = 9, and an hour later N = 11, for which a process took 20 s: of the first nobody knows when it began."""
    config = small_config(N=[9, 11], d=[3])
    folder = RunFolder.create_or_open(tmp_path / "run", config)
    fill(folder)
    for unit in folder.units:
        at = {9: 1000, 11: 4620}[unit.N]
        os.utime(folder.record_path(unit), (at, at))
    work = sum(work_of(unit, config) for unit in folder.units if unit.N == 11)
    for began, seconds in ((4600, 20), (990, 3620)):  # there was a pause; one process did both
        os.utime(folder.path / "zarr.json", (began, began))
        assert status.rate(folder, folder.units) == pytest.approx(work / seconds, rel=0.01)


def test_a_folder_whose_files_are_all_as_new_tells_no_rate(mbsim, here):
    """As after a copy that keeps no times: the rate would be that of copying."""
    folder = RunFolder.create_or_open(here / "copied", load_config("tiny.toml"))
    fill(folder)
    for place, path in enumerate([here / "copied" / "zarr.json", *map(folder.record_path, folder.units)]):
        os.utime(path, (1000 + place / 1000, 1000 + place / 1000))
    (here / "copied" / ".lock").unlink(missing_ok=True)
    assert status.rate(folder, folder.units) is None
    output = mbsim("run tiny.toml --out copied --set grid.teachers=20 --dry-run")[1]
    assert "how long it takes is not known" in output


def test_status_of_a_run_that_has_just_begun(mbsim, here):
    folder = RunFolder.create_or_open(here / "new", load_config("tiny.toml"))
    output = mbsim("status new")[1]
    assert "0 of 4 units are done, 4 to go; no process" in output
    assert "not known before more units are done" in output
    with folder.lock():
        output = mbsim("status new")[1]
        assert "a process is computing them" in output
        assert "go on with" not in output
        assert status.being_written(folder)


@pytest.mark.slow
def test_reading_a_run_does_not_start_jax(half):
    code = "import sys; from mbsim.cli import main; print(main(sys.argv[1:]), 'jax' in sys.modules)"
    for arguments in (["status", "half"], ["analyze", "half", "--json"], ["export", "half", "half.nc"]):
        assert last_line(code, *arguments) == "0 False"


def test_commands_that_are_told_can_be_pasted(mbsim):
    mbsim('run tiny.toml --out "a b"')
    assert mbsim("status 'a b'")[1].endswith("all 4 units are done; m_c: mbsim analyze 'a b'\n")


def test_json_is_one_complete_object(mbsim):
    mbsim("run tiny.toml --out done")
    code, output, errors = mbsim("analyze done --json")
    assert (code, errors) == (0, "")
    found = strict(output)
    assert found["model"] == "sparse-vector"
    assert found["name"] == "tiny"
    assert found["order_parameter"] == "overlap_mean"
    assert found["units"] == {"total": 4, "done": 4, "damaged": 0, "left": 0}
    assert found["note"] == ""
    assert [(record["N"], record["d"]) for record in found["critical"]] == [(9, 3), (15, 3)]
    for record in found["critical"]:
        assert record["low"] <= record["m_c"] <= record["high"]
        assert abs(record["m_c"] - MIDDLE[record["N"]]) < 0.3
        assert record["order"] in ("first", "second", "undecided")
        assert record["estimator"] == "midpoint of overlap_mean"
    others = {record["estimator"] for record in found["estimators"]}
    assert {"perfect recovery, midpoint of success", "peak of the susceptibility of overlap_mean"} <= others
    assert {one["estimator"] for one in found["extrapolations"]} == others | {"midpoint of overlap_mean"}
    assert all(len(one["m_c"]) == 3 and one["reason"] for one in found["extrapolations"])
    assert (found["connectivity"], found["hysteresis"]) == ([], [])
    assert re.fullmatch(r"\d+ sweeps", found["run_length"])
    assert found["findings"][0].startswith("d = 3: the transition is ")


@pytest.mark.slow
def test_the_text_tells_the_growth_with_the_size_and_what_was_found(mbsim):
    mbsim("run tiny.toml --out done")
    code, output, errors = mbsim("analyze done")
    assert (code, errors) == (0, "")
    found = strict(mbsim("analyze done --json")[1])
    assert "midpoint against N\n  d = 3: " in output and " as N^x with x = " in output
    assert all(sentence in output for sentence in found["findings"])
    assert all(sentence in output for verdict in found["verdicts"] for sentence in verdict["evidence"])


@pytest.mark.slow
def test_both_spinodals_of_a_loop_are_in_the_json_and_the_text(mbsim, here):
    run_folder(here / "loop")
    found = strict(mbsim("analyze loop --json --bootstrap 200")[1])
    assert [record["N"] for record in found["hysteresis"]] == [32, 64, 128]
    for record in found["hysteresis"]:
        for name, value in (("random", 18), ("planted", 9), ("width", 9)):
            assert abs(record[name][0] - value) < 0.6 and record[name][1] < record[name][0] < record[name][2]
    assert "spinodals " in found["findings"][0] and "m_c" not in found["findings"][0]
    output = mbsim("analyze loop --bootstrap 200")[1]
    assert found["findings"][0] in output and "m_c is where students of that start go over" in output


def test_unfinished_run_is_analysed_as_far_as_it_is(half, mbsim):
    code, output, errors = mbsim("analyze half --json")
    assert (code, errors) == (0, "")
    found = strict(output)
    assert found["units"] == {"total": 4, "done": 2, "damaged": 0, "left": 2}
    assert "2 of 4 units are done" in found["note"]
    first, second = found["critical"]
    assert abs(first["m_c"] - MIDDLE[9]) < 0.3
    assert (second["m_c"], second["low"], second["high"], second["order"]) == (None, None, None, "undecided")
    assert "hold data" in second["reason"]
    code, output, errors = mbsim("analyze half --bootstrap 200")
    assert code == 0
    assert output.splitlines()[0].split() == ["N", "d", "m_c", "95%", "interval", "order"]
    assert errors == "note: 2 of 4 units are done: more will change the numbers\n"


def test_no_transition_is_none(mbsim, here):
    folder = RunFolder.create_or_open(here / "flat", small_config(N=[9], d=[3], m=[2, 4, 6, 8, 10, 12]))
    fill(folder)
    found = strict(mbsim("analyze flat --json")[1])
    assert [(record["m_c"], record["order"]) for record in found["critical"]] == [(None, "none")]
    assert re.search(r"-\s+-\s+none  \S", mbsim("analyze flat")[1])


@pytest.mark.filterwarnings("default:.*is damaged")
def test_damaged_unit_is_left_out_with_a_warning(half, mbsim, here):
    path = half.chunk_path(half.units[0], "overlap")
    path.write_bytes(b"")
    code, output, errors = mbsim("analyze half --json")
    assert code == 0
    assert strict(output)["units"] == {"total": 4, "done": 1, "damaged": 1, "left": 2}
    assert errors.startswith(f"warning: {path.relative_to(here)} is damaged")
    assert errors.count("\n") == 1


def test_figure_of_another_variable(half, mbsim, here):
    code, output, _ = mbsim("analyze half --order-parameter success --figure fig.pdf --json")
    assert code == 0
    assert strict(output)["order_parameter"] == "success"
    assert (here / "fig.pdf").read_bytes().startswith(b"%PDF")


def test_export_writes_the_dataset(half, mbsim):
    code, output, errors = mbsim("export half half.nc")
    assert code == 0
    assert output == "half.nc: 16 variables over N 2, d 1, m 6, teacher 2, replica 3, time 32\n"
    assert errors == "note: 36 of 72 students have not run, NaN stands there\n"
    with xr.open_dataset("half.nc", engine="h5netcdf") as written:
        xr.testing.assert_equal(written.load(), open_run("half"))


def test_warnings_that_the_shell_makes_errors_are_told_all_the_same(mbsim, here):
    folder = RunFolder.create_or_open(here / "flipped", load_config("tiny.toml"))
    fill(folder)
    path = folder.chunk_path(folder.units[0], "overlap")
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # PYTHONWARNINGS=error
        code, _, errors = mbsim("export flipped flipped.nc")
    assert code == 0
    assert errors.startswith("warning: ") and "is damaged, its checksum does not match" in errors


@pytest.mark.parametrize(
    "command", ["status ''", "analyze ''", "report ''", "export '' x.nc", "merge '' done --out y"]
)
def test_an_empty_folder_is_not_the_current_one(mbsim, here, monkeypatch, command):
    mbsim("run tiny.toml --out done")
    monkeypatch.chdir(here / "done")  # where a script with an unset variable may stand
    code, output, errors = mbsim(command)
    assert (code, output, errors) == (2, "", "error: run folder '': must name a folder\n")
