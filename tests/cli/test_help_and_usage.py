"""Help teaches what works; wrong usage is one line, exit code 2, and nothing is written."""

import re
import subprocess
import sys
import tomllib

import pytest
from commands import last_line
from small_runs import contents

from mbsim.cli.help_texts import run_help
from mbsim.config.configuration import load_config

COMMANDS = ("run", "status", "analyze", "report", "export", "merge", "doctor", "bench")


def test_help_names_every_command_and_exit_code(mbsim):
    code, output, _ = mbsim("--help")
    assert code == 0
    for command in COMMANDS:
        assert re.search(rf"^  {command} +\S", output, re.MULTILINE)
        assert mbsim(f"{command} --help")[0] == 0
    for exit_code in ("0 ", "1 ", "2 ", "75"):
        assert f"\n    {exit_code}" in output
    assert max(map(len, output.splitlines())) <= 100
    assert mbsim("") == (2, output, "")


def test_help_of_run_teaches_configurations_that_load():
    """What it calls defaults changes nothing when it is written out."""
    text = run_help().replace("\b", "")
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


def test_version(mbsim):
    version = mbsim("--version")[1]
    assert re.fullmatch(r"mbsim \d+\.\d+\S*\n", version)
    command = [sys.executable, "-m", "mbsim.cli", "--version"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == version


def test_help_and_usage_errors_import_nothing_heavy():
    code = "import sys; from mbsim.cli import main; main(sys.argv[1:]); print([*sys.modules])"
    for arguments in (["run", "--help"], ["rnu"]):
        loaded = last_line(code, *arguments)
        for heavy in ("jax", "xarray", "matplotlib", "scipy"):
            assert f"'{heavy}'" not in loaded


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
        ("run tiny.toml --set grid.replicas=16000000", ["grid.replicas = 16000000", "GiB of memory"]),
        ("run tiny.toml --out tiny.toml", ["tiny.toml is a file, not a folder"]),
        ("run tiny.toml --out tiny.toml --dry-run", ["tiny.toml is there but holds no run"]),
        ("run tiny.toml --out .", [". holds half but no run"]),
        ("status .", [". is not an mbsim run folder: it holds no config.toml"]),
        ("status absent", ["absent does not exist"]),
        ("analyze absent", ["absent does not exist"]),
        ("analyze absent --json", ["absent does not exist"]),
        ("analyze half --order-parameter sucess", ["--order-parameter sucess", "nearest is success"]),
        ("analyze half --order-parameter training_error", ["training_error: must be one of"]),
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
def test_wrong_usage_is_one_line_and_writes_nothing(command, parts, mbsim, half, here):
    before = contents(here)
    code, output, errors = mbsim(command)
    assert code == 2
    assert output == ""
    assert re.fullmatch(r"error: [^\n]+\n", errors)
    for part in parts:
        assert part in errors
    assert contents(here) == before


def test_every_fault_of_a_configuration_has_its_line(mbsim):
    code, _, errors = mbsim("run tiny.toml --set dynamics.sweeps=1 --set run.seed=-1")
    assert code == 2
    assert [line[:7] for line in errors.splitlines()] == ["error: "] * 2


def test_another_configuration_is_refused_with_the_keys(half, mbsim, here):
    before = contents(here)
    for options in ("", "--dry-run"):
        code, output, errors = mbsim(
            f"run tiny.toml --out half --set dynamics.sweeps=64 --set run.seed=9 {options}"
        )
        assert (code, output) == (2, "")
        assert errors.count("\n") == 1
        assert "dynamics.sweeps is 32 there and 64 here; run.seed is 1 there and 9 here" in errors
    assert contents(here) == before


def test_existing_file_is_not_overwritten_by_export(half, mbsim, here):
    assert mbsim("export half half.nc")[0] == 0
    before = contents(here)
    code, output, errors = mbsim("export half half.nc")
    assert (code, output) == (2, "")
    assert errors == "error: half.nc exists already: remove it, or choose another name\n"
    assert contents(here) == before
