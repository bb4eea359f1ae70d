"""The command line says what it does, refuses in one line, and ends with the right code.

Training is faked (random numbers that follow from the unit): `test_runner` and `test_resume` train.
"""

import errno
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from made_up import run_folder
from test_store import PROVENANCE, contents, fill, result_of, small_config

from mbsim.cli import main
from mbsim.cli.help_texts import RUN_HELP
from mbsim.config.configuration import load_config
from mbsim.data import store
from mbsim.data.dataset import open_run
from mbsim.data.store import RunFolder
from mbsim.plan.units import units
from mbsim.running import runner, status

COMMANDS = ("run", "status", "analyze", "report", "export", "doctor", "bench")
CONFIG = """
name = "tiny"
model = "sparse-vector"
grid = { N = [9, 15], d = [3], m = [2, 4, 6, 8, 10, 12], teachers = 2, replicas = 3 }
dynamics = { sweeps = 32 }
"""
MIDDLE = {9: 5.3, 15: 8.1}  # where the made-up order parameter has its step


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """An empty folder, but for a configuration, to work in."""
    (tmp_path / "tiny.toml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def made_up(monkeypatch):
    """Results with a transition, without training."""

    def train(unit, config, advance):
        advance(runner.work_of(unit, config))
        return with_transition(unit, len(runner._times(config)))

    monkeypatch.setattr(runner, "train_unit", train)
    monkeypatch.setattr(runner, "self_check", lambda config, unit: None)


def with_transition(unit, times):
    result = result_of(unit, times)
    noise = 0.02 * result["overlap_second"]
    step = 1 / (1 + np.exp(-(np.array(unit.m) - MIDDLE[unit.N]) / 0.5))
    result["overlap_mean"] = np.nan_to_num(noise) + step[:, None]
    return result


@pytest.fixture(scope="module")
def half_of_a_run(tmp_path_factory) -> Path:
    folder = RunFolder.create_or_open(tmp_path_factory.mktemp("runs"), load_config(tomllib.loads(CONFIG)))
    times = folder.times()
    for unit in units(folder.config)[:2]:
        folder.write(unit, with_transition(unit, len(times)), times, PROVENANCE)
    return folder.path


@pytest.fixture
def half(here, half_of_a_run) -> RunFolder:
    """A run of which half is done, all of N = 9, in the folder "half"."""
    shutil.copytree(half_of_a_run, here / "half")
    return RunFolder.open(here / "half")


def mbsim(capsys, command: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    code = main(shlex.split(command))
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    return code, said.out, said.err


def last_line(code: str, *arguments: str) -> str:
    """What a Python program says last."""
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1]


# -- help


def test_help_names_every_command_and_exit_code(capsys):
    code, output, _ = mbsim(capsys, "--help")
    assert code == 0
    for command in COMMANDS:
        assert re.search(rf"^  {command} +\S", output, re.MULTILINE)
        assert mbsim(capsys, f"{command} --help")[0] == 0
    for exit_code in ("0 ", "1 ", "2 ", "75"):
        assert f"\n    {exit_code}" in output
    assert max(map(len, output.splitlines())) <= 100
    assert mbsim(capsys, "") == (2, output, "")


def test_help_of_run_teaches_configurations_that_load():
    """What it calls defaults changes nothing when it is written out."""
    text = RUN_HELP.replace("\b", "")
    least, _, rest = text.partition("The least that a configuration needs:")[2].partition("What else")
    discrete, _, dense = (part.partition(":")[2] for part in rest.partition("Dense models"))
    needed = tomllib.loads(least)
    config = load_config(needed)
    assert config.grid.m == tuple(range(2, 15))
    told = tomllib.loads(discrete)
    assert load_config(needed | told | {"grid": needed["grid"] | told["grid"]}) == config
    table = tomllib.loads(dense)
    real = {"output": "vector", "student": "dense", "weights": "real"}
    named = load_config({"name": "dense", "model": real, "grid": needed["grid"]})
    written = table | {"name": "dense", "model": real | table["model"], "grid": needed["grid"]}
    assert load_config(written) == named


def test_version(capsys):
    assert re.fullmatch(r"mbsim \d+\.\d+\S*\n", mbsim(capsys, "--version")[1])


def test_help_and_usage_errors_import_nothing_heavy():
    code = "import sys; from mbsim.cli import main; main(sys.argv[1:]); print([*sys.modules])"
    for arguments in (["run", "--help"], ["rnu"]):
        loaded = last_line(code, *arguments)
        for heavy in ("numpy", "jax", "xarray", "matplotlib", "scipy"):
            assert f"'{heavy}'" not in loaded


# -- one line each, exit code 2, nothing written


@pytest.mark.parametrize(
    ("command", "parts"),
    [
        ("rnu tiny.toml", ["no command 'rnu'", "nearest is run"]),
        ("run tiny.toml --otu x", ["no option --otu", "nearest is --out"]),
        ("run", ["mbsim run", "missing argument 'CONFIG.toml'"]),
        ("run tiny.toml more", ["mbsim run", "unexpected extra argument", "more"]),
        ("run tiny.toml --set", ["--set", "requires an argument"]),
        ("run absent.toml", ["absent.toml: no such file"]),
        ("run .", ["is a folder; a configuration file is needed"]),
        ("run tiny.toml --set grid.n=3", ["--set: grid.n = 3", "nearest valid key is grid.N"]),
        ("run tiny.toml --set grid.d=[4]", ["grid.d = 4", "must be odd"]),
        ("run tiny.toml --set dynamics.sweeps=1", ["dynamics.sweeps = 1", "from 32 to"]),
        ("run tiny.toml --set nonsense", ["--set nonsense", "must be KEY=VALUE"]),
        ("run tiny.toml --set grid.replicas=10000000", ["grid.replicas = 10000000", "GiB of memory"]),
        ("run tiny.toml --out tiny.toml", ["tiny.toml is a file, not a folder"]),
        ("run tiny.toml --out tiny.toml --dry-run", ["tiny.toml is there but holds no run"]),
        ("run tiny.toml --out .", [". holds half but no run"]),
        ("status .", [". is not an mbsim run folder: it holds no config.toml"]),
        ("status absent", ["absent does not exist"]),
        ("analyze absent", ["absent does not exist"]),
        ("analyze absent --json", ["absent does not exist"]),
        ("analyze half --order-parameter sucess", ["--order-parameter sucess", "nearest is success"]),
        ("analyze half --order-parameter overlap", ["--order-parameter overlap", "must be one of"]),
        ("analyze half --bootstrap 5", ["--bootstrap 5", "100 or more"]),
        ("analyze half --bootstrap many", ["--bootstrap many", "must be an integer"]),
        ("analyze half --figure x.doc", ["--figure x.doc", ".png, .pdf, .svg"]),
        ("analyze half --figure absent/x.png", ["--figure absent/x.png", "absent is no folder"]),
        ("export half", ["mbsim export", "missing argument 'FILE'"]),
        ("export absent x.nc", ["absent does not exist"]),
        ("export half x.csv", ["x.csv: the ending must be one of .nc"]),
        ("export half tiny.toml/x.nc", ["tiny.toml/x.nc cannot be written"]),
    ],
)
def test_wrong_usage_is_one_line_and_writes_nothing(command, parts, capsys, half, here):
    before = contents(here)
    code, output, errors = mbsim(capsys, command)
    assert code == 2
    assert output == ""
    assert re.fullmatch(r"error: [^\n]+\n", errors)
    for part in parts:
        assert part in errors
    assert contents(here) == before


def test_every_fault_of_a_configuration_has_its_line(capsys):
    code, _, errors = mbsim(capsys, "run tiny.toml --set dynamics.sweeps=1 --set run.seed=-1")
    assert code == 2
    assert [line[:7] for line in errors.splitlines()] == ["error: "] * 2


def test_another_configuration_is_refused_with_the_keys(half, capsys, here):
    before = contents(here)
    for options in ("", "--dry-run"):
        code, output, errors = mbsim(
            capsys, f"run tiny.toml --out half --set dynamics.sweeps=64 --set run.seed=9 {options}"
        )
        assert (code, output) == (2, "")
        assert errors.count("\n") == 1
        assert "dynamics.sweeps is 32 there and 64 here; run.seed is 1 there and 9 here" in errors
    assert contents(here) == before


def test_existing_file_is_not_overwritten_by_export(half, capsys, here):
    assert mbsim(capsys, "export half half.nc")[0] == 0
    before = contents(here)
    code, output, errors = mbsim(capsys, "export half half.nc")
    assert (code, output) == (2, "")
    assert errors == "error: half.nc exists already: remove it, or choose another name\n"
    assert contents(here) == before


# -- run


def test_run_says_what_it_does_and_finds_the_transition(capsys, here):
    code, output, errors = mbsim(capsys, "run tiny.toml")
    assert code == 0
    lines = output.splitlines()
    assert lines[0] == "tiny: sparse-vector, N = 9, 15; d = 3; m = 2, 4, 6, 8, 10, 12"
    proposals = 2 * (9 + 15) * 3 * 32 * 6 * 3 * 2
    assert lines[1] == (
        f"72 students of 4 teachers, 32 sweeps: {proposals / 1e3:.0f} k proposals in 4 units of work"
    )
    assert lines[2].startswith("runs/tiny: a new run, on 8 x cpu")
    assert lines[3].startswith("trained 4 units in")
    for (N, middle), line in zip(MIDDLE.items(), lines[5:7], strict=True):
        size, d, m_c, low, _, high, *_ = line.split()
        assert (int(size), int(d)) == (N, 3)
        assert float(low) <= middle <= float(high)
        assert abs(float(m_c) - middle) < 0.3
    assert lines[7] == "figure: runs/tiny/order_parameter.png"
    assert lines[8].endswith("mbsim report runs/tiny")
    assert "mbsim.open_run('runs/tiny')" in lines[9]
    assert (here / "runs/tiny/order_parameter.png").read_bytes().startswith(b"\x89PNG")
    assert (open_run("runs/tiny").status == 1).all()
    assert errors.splitlines()[0].startswith("0 of 4 units, 0%: checking")


def test_run_again_computes_nothing(capsys, here, monkeypatch):
    mbsim(capsys, "run tiny.toml")
    before = contents(here)
    monkeypatch.setattr(runner, "train_unit", None)
    for config in ("tiny.toml", "runs/tiny/config.toml"):
        code, output, errors = mbsim(capsys, f"run {config} --out runs/tiny")
        assert (code, errors) == (0, "")
        assert "runs/tiny: all 4 units are done, nothing to compute" in output
        assert "m_c" in output
    assert contents(here) == before


def test_run_goes_on_where_it_was(half, capsys):
    name = half.unit_path(units(half.config)[1])
    name.write_bytes(name.read_bytes()[:-1])
    code, output, _ = mbsim(capsys, "run tiny.toml --out half")
    assert code == 0
    assert "half: 1 of 4 units are done, 3 to go, 1 of them because the file was damaged, on" in output
    assert "trained 3 units in" in output


def test_dry_run_writes_nothing(half, capsys, here):
    before = contents(here)
    code, output, _ = mbsim(capsys, "run tiny.toml --dry-run")
    assert code == 0
    assert "runs/tiny: a new run\n" in output
    assert "4 units of work" in output
    assert "half: 2 of 4 units are done, 2 to go\n" in mbsim(capsys, "run tiny.toml --out half --dry-run")[1]
    assert contents(here) == before


def test_relative_m_and_long_lists_are_said_briefly(capsys):
    m = "grid.m={unit='N*d',values=[0.5,1.0]}"
    sets = [m, "grid.N=[9,11,13,15,17,19,21]", "grid.temperature=[0.0,0.5]"]
    words = shlex.join(word for text in sets for word in ("--set", text))
    output = mbsim(capsys, f"run tiny.toml --dry-run {words}")[1]
    assert "N = 9, 11, ..., 21 (7 values); d = 3; m = 0.5, 1 times N*d; temperature = 0, 0.5\n" in output


def test_failed_units_are_named_and_the_rest_is_analysed(capsys, monkeypatch):
    train = runner.train_unit
    broken = units(load_config("tiny.toml"))[3]

    def out_of_memory(unit, config, advance):
        if unit == broken:
            raise MemoryError("the device has 0.1 GiB free")
        return train(unit, config, advance)

    monkeypatch.setattr(runner, "train_unit", out_of_memory)
    code, output, errors = mbsim(capsys, "run tiny.toml --set run.seed=2")
    assert code == 1
    assert "trained 3 units" in output
    assert re.search(r"^ 9  3  [45]\.", output, re.MULTILINE)
    assert re.search(r"^15  3 +- +- +undecided  one teacher tells nothing", output, re.MULTILINE)
    last = errors.splitlines()[-2:]
    assert last[0] == f"error: {broken.stem}: the device has 0.1 GiB free"
    assert last[1] == (
        "1 unit failed; 3 of 4 units are done and safe in runs/tiny; to try the failed ones again: "
        "mbsim run tiny.toml --out runs/tiny --set run.seed=2"
    )


def test_full_disk_ends_the_run_which_goes_on_later(capsys, monkeypatch, here):
    write = store.write_atomically

    def full(path, *parts):
        if path.suffix == ".nc" and len(list(path.parent.glob("*.nc"))) == 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        write(path, *parts)

    mbsim(capsys, "run tiny.toml --out whole")
    monkeypatch.setattr(store, "write_atomically", full)
    code, _, errors = mbsim(capsys, "run tiny.toml --out stopped")
    assert code == 75
    stopped, advice = errors.splitlines()[-2:]
    assert "no space left to write stopped" in stopped
    assert "1 of 4 units are done and safe in stopped" in stopped
    monkeypatch.setattr(store, "write_atomically", write)
    assert mbsim(capsys, advice.removeprefix("go on with: mbsim "))[0] == 0
    xr.testing.assert_identical(open_run("stopped"), open_run("whole"))


def test_full_disk_at_the_start_or_at_the_figure(capsys, monkeypatch):
    from mbsim.cli import training

    def full(path, *parts):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    write = store.write_atomically
    monkeypatch.setattr(store, "write_atomically", full)
    code, _, errors = mbsim(capsys, "run tiny.toml")
    assert code == 75
    assert "no space left to write runs/tiny" in errors
    monkeypatch.setattr(store, "write_atomically", write)
    monkeypatch.setattr(training, "write_atomically", full)
    code, output, errors = mbsim(capsys, "run tiny.toml")
    assert code == 75
    assert "no space left to write runs/tiny/order_parameter.png: 4 of 4 units are done and safe" in errors
    assert "m_c" in output


# -- status


def test_status_counts_and_tells_how_to_go_on(half, capsys, here):
    todo = units(half.config)
    damaged = half.unit_path(todo[3])
    damaged.write_bytes(b"cut short")
    for place, unit in enumerate(todo[:2]):  # written 9 s apart
        os.utime(half.unit_path(unit), (1000 + 9 * place, 1000 + 9 * place))
    before = contents(here)
    code, output, _ = mbsim(capsys, "status half")
    assert code == 0
    lines = output.splitlines()
    assert lines[0] == "tiny: sparse-vector, in half"
    assert lines[1] == "2 of 4 units are done, 2 to go; no process is computing them"
    assert [line.split() for line in lines[2:5]] == [
        ["N", "d", "done", "damaged", "left"], ["9", "3", "2", "0", "0"], ["15", "3", "0", "1", "1"]
    ]  # fmt: skip
    # N = 15 has 15/9 of the proposals of N = 9: two units of 15 s each.
    assert lines[5] == "time left, by the times of the files: 30 s"
    assert lines[6] == "go on with: mbsim run half/config.toml --out half"
    assert contents(here) == before
    assert mbsim(capsys, lines[6].removeprefix("go on with: mbsim "))[0] == 0
    assert "all 4 units are done" in mbsim(capsys, "status half")[1]


def test_status_of_a_run_that_has_just_begun(capsys, here):
    folder = RunFolder.create_or_open(here / "new", load_config("tiny.toml"))
    output = mbsim(capsys, "status new")[1]
    assert "0 of 4 units are done, 4 to go; no process" in output
    assert "not known before two units are done" in output
    with folder.lock():
        output = mbsim(capsys, "status new")[1]
        assert "a process is computing them" in output
        assert "go on with" not in output
        assert status.being_written(folder)


def test_reading_a_run_does_not_start_jax(half):
    code = "import sys; from mbsim.cli import main; print(main(sys.argv[1:]), 'jax' in sys.modules)"
    for arguments in (["status", "half"], ["analyze", "half", "--json"], ["export", "half", "half.nc"]):
        assert last_line(code, *arguments) == "0 False"


# -- analyze and export


def strict(text: str) -> dict:
    """JSON without NaN or infinity, which is none."""

    def refuse(name):
        raise ValueError(name)

    assert text.count("\n") == 1
    return json.loads(text, parse_constant=refuse)


def test_json_is_one_complete_object(capsys):
    mbsim(capsys, "run tiny.toml --out done")
    code, output, errors = mbsim(capsys, "analyze done --json")
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


def test_the_text_tells_the_growth_with_the_size_and_what_was_found(capsys):
    mbsim(capsys, "run tiny.toml --out done")
    code, output, errors = mbsim(capsys, "analyze done")
    assert (code, errors) == (0, "")
    found = strict(mbsim(capsys, "analyze done --json")[1])
    assert "midpoint against N\n  d = 3: " in output and " as N^x with x = " in output
    assert all(sentence in output for sentence in found["findings"])
    assert all(sentence in output for verdict in found["verdicts"] for sentence in verdict["evidence"])


def test_both_spinodals_of_a_loop_are_in_the_json_and_the_text(capsys, here):
    run_folder(here / "loop")
    found = strict(mbsim(capsys, "analyze loop --json --bootstrap 200")[1])
    assert [record["N"] for record in found["hysteresis"]] == [32, 64, 128]
    for record in found["hysteresis"]:
        for name, value in (("random", 18), ("planted", 9), ("width", 9)):
            assert abs(record[name][0] - value) < 0.6 and record[name][1] < record[name][0] < record[name][2]
    assert "spinodals " in found["findings"][0] and "m_c" not in found["findings"][0]
    output = mbsim(capsys, "analyze loop --bootstrap 200")[1]
    assert found["findings"][0] in output and "m_c is where students of that start go over" in output


def test_unfinished_run_is_analysed_as_far_as_it_is(half, capsys):
    code, output, errors = mbsim(capsys, "analyze half --json")
    assert (code, errors) == (0, "")
    found = strict(output)
    assert found["units"] == {"total": 4, "done": 2, "damaged": 0, "left": 2}
    assert "2 of 4 units are done" in found["note"]
    first, second = found["critical"]
    assert abs(first["m_c"] - MIDDLE[9]) < 0.3
    assert (second["m_c"], second["low"], second["high"], second["order"]) == (None, None, None, "none")
    assert "hold data" in second["reason"]
    code, output, errors = mbsim(capsys, "analyze half --bootstrap 200")
    assert code == 0
    assert output.splitlines()[0].split() == ["N", "d", "m_c", "95%", "interval", "order"]
    assert errors == "note: 2 of 4 units are done: more will change the numbers\n"


def test_no_transition_is_none(capsys, here):
    folder = RunFolder.create_or_open(here / "flat", small_config(m=[2, 4, 6, 8, 10, 12]))
    fill(folder)
    found = strict(mbsim(capsys, "analyze flat --json")[1])
    assert [(record["m_c"], record["order"]) for record in found["critical"]] == [(None, "none")]
    assert re.search(r"-\s+-\s+none  \S", mbsim(capsys, "analyze flat")[1])


@pytest.mark.filterwarnings("default:.*is damaged")
def test_damaged_unit_is_left_out_with_a_warning(half, capsys):
    path = half.unit_path(units(half.config)[0])
    path.write_bytes(b"")
    code, output, errors = mbsim(capsys, "analyze half --json")
    assert code == 0
    assert strict(output)["units"] == {"total": 4, "done": 1, "damaged": 1, "left": 2}
    assert errors.startswith(f"warning: half/{path.name} is damaged")
    assert errors.count("\n") == 1


def test_figure_of_another_variable(half, capsys, here):
    code, output, _ = mbsim(capsys, "analyze half --order-parameter success --figure fig.pdf --json")
    assert code == 0
    assert strict(output)["order_parameter"] == "success"
    assert (here / "fig.pdf").read_bytes().startswith(b"%PDF")


def test_export_writes_the_dataset(half, capsys):
    code, output, errors = mbsim(capsys, "export half half.nc")
    assert code == 0
    assert output == "half.nc: 16 variables over N 2, d 1, m 6, teacher 2, replica 3, time 32\n"
    assert errors == "note: 36 of 72 students have not run, NaN stands there\n"
    with xr.open_dataset("half.nc", engine="h5netcdf") as written:
        xr.testing.assert_equal(written.load(), open_run("half"))
