"""Files and overrides that are no configuration: one line each, with the file or the override."""

import pytest
import tomli_w
from configurations import NAMES, SIZE, SIZES, VECTOR, changed, error_lines

from mbsim.config.configuration import load_config


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"name = \n", "not valid TOML: Invalid value (at line 1, column 8)"),
        (b"[grid\n", "not valid TOML: Expected ']' at the end of a table declaration (at line 1, column 6)"),
        (b"[grid]\nd = [3]\nd = [5]\n", "not valid TOML: Cannot overwrite a value (at line 3, column 8)"),
        (b'name = "caf\xe9"\n', "not valid TOML: byte 11 is not UTF-8 text"),
        (b"x = " + b"[" * 100_000, "not valid TOML: nested too deeply"),
        (b"x = " + b"9" * 5000, "not valid TOML: Exceeds the limit"),
        (b"", f"model: missing; must be {NAMES}, or a table [model] with output"),
    ],
)
def test_a_file_that_is_no_configuration(content, expected, tmp_path):
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    assert error_lines(path)[0].startswith(f"{path}: {expected}")


def test_a_file_that_is_not_there(tmp_path):
    assert error_lines(tmp_path / "no.toml") == [
        f"{tmp_path}/no.toml: no such file; a configuration file is needed"
    ]
    assert error_lines(str(tmp_path)) == [f"{tmp_path}: is a folder; a configuration file is needed"]
    (tmp_path / "file").touch()
    assert error_lines(tmp_path / "file" / "x") == [f"{tmp_path}/file/x: cannot be read: Not a directory"]
    assert error_lines("a\0b") == ["'a\\x00b': no file can have this name"]


def test_a_line_break_in_a_file_name_stays_within_the_line(tmp_path):
    assert len(error_lines(tmp_path / "a\nb.toml")) == 1


def test_a_byte_order_mark_is_skipped(tmp_path):
    path = tmp_path / "x.toml"
    path.write_bytes(b"\xef\xbb\xbf" + tomli_w.dumps(VECTOR).replace("\n", "\r\n").encode())
    assert load_config(path) == load_config(VECTOR)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("grid.replica=3", "--set: grid.replica = 3: unknown key; nearest valid key is grid.replicas"),
        ("grd.N=[3]", "--set: grd.N = [3]: unknown key; nearest valid key is grid.N"),
        ("seed=3", "--set: seed = 3: unknown key; nearest valid key is run.seed"),
        ("grid.N.x=3", "--set: grid.N.x = 3: unknown key; nearest valid key is grid.N"),
        ("grid.m.step=2", "--set: grid.m.step = 2: cannot be set, for grid.m is not a table here"),
        ("grid.d=[4]", "--set: grid.d = 4: must be odd with ±1 weights, so that no sum is zero"),
        ("grid.d=[3,5", f'--set: grid.d = "[3,5": must be {SIZES}'),
        (
            "run.seed=1\nname = 'x'",
            "--set: run.seed = \"1\\nname = 'x'\": must be an integer from 0 to 4294967295",
        ),
        ("grid.d", "--set grid.d: must be KEY=VALUE, for example grid.d=[3,5]"),
        ("grid.d=", "--set grid.d=: must be KEY=VALUE, for example grid.d=[3,5]"),
        ("=3", "--set =3: must be KEY=VALUE, for example grid.d=[3,5]"),
        (
            "model=dense",
            f'--set: model = "dense": must be {NAMES}, or a table [model]; nearest is "dense-vector"',
        ),
    ],
)
def test_a_wrong_override_is_one_line(override, expected, tmp_path):
    path = tmp_path / "x.toml"
    path.write_text(tomli_w.dumps(VECTOR), encoding="utf-8")
    assert error_lines(path, [override]) == [expected]


def test_what_the_file_got_wrong_is_not_blamed_on_an_override(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text(tomli_w.dumps(changed(VECTOR, grid__teachers=0)), encoding="utf-8")
    assert error_lines(path, ["grid.replicas=0", "run.seed=3"]) == [
        f"{path}: grid.teachers = 0: must be {SIZE}",
        f"--set: grid.replicas = 0: must be {SIZE}",
    ]


def test_two_overrides_may_contradict_each_other():
    (line,) = error_lines(VECTOR, ["grid.temperature=[0.5]", "dynamics.temperature=0"])
    assert line == (
        "--set: grid.temperature = [0.5]: is given by dynamics.temperature too; keep one of the two"
    )
