"""Whatever stands in a configuration or on the command line: an answer or one line for each error, never a traceback,
and nothing is written.
"""

import contextlib
import copy
import os
from pathlib import Path

import pytest
import tomli_w
from fuzzing import answer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mbsim
from mbsim.config.configuration import known_keys, load_config

pytestmark = pytest.mark.slow

EXAMPLES = int(os.environ.get("MBSIM_FUZZ", "1000"))
BASES = (
    {"model": "sparse-vector", "grid": {"N": [9, 15], "d": [3], "m": [4, 8]}, "dynamics": {"sweeps": 40}},
    {"model": "sparse-scalar", "grid": {"N": [15], "d": [3], "m": [32]}},
    {
        "model": "dense-vector",
        "grid": {"N": [8], "d": [3], "m": [2, 4]},
        "dynamics": {"steps": 40, "lr": 1.0},
    },
)
TEXTS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["", " ", "é ü", "N*d", "sweep", "online", "erf", "adam", "real", "binary", "nan"]),
    st.sampled_from(["../x", "-", "\x00", "\n"]),
)
NUMBERS = st.one_of(
    st.integers(-3, 40),
    st.integers(),
    st.sampled_from([2**24, 2**31, 2**32, 2**63, -(2**63), 10**30, 10**400]),
    st.floats(),
    st.sampled_from([0.0, -0.0, 0.5, 1.0, 1e-308, 1e308, float("nan"), float("inf")]),
)
LEAVES = st.one_of(st.booleans(), NUMBERS, TEXTS, st.datetimes(), st.dates(), st.times())
INNER_KEYS = st.one_of(st.sampled_from(["start", "stop", "step", "unit", "values", "value"]), TEXTS)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(st.integers(1, 40), min_size=1, max_size=4, unique=True),
        st.dictionaries(INNER_KEYS, inner, max_size=4),
    ),
    max_leaves=8,
)
KEYS = st.one_of(st.sampled_from(sorted(known_keys())), TEXTS, st.builds("grid.{}".format, TEXTS))
MANY = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


@st.composite
def tables(draw):
    """A configuration that is right but for a few keys."""
    table = copy.deepcopy(draw(st.sampled_from(BASES)))
    for key, value in draw(st.lists(st.tuples(KEYS, VALUES), max_size=4)):
        *names, last = key.split(".")
        inner = table
        for name in names:
            if not isinstance(inner.get(name), dict):
                inner[name] = {}
            inner = inner[name]
        inner[last] = value
    return table


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a space and letters that are not ASCII in its name."""
    folder = tmp_path / "à b 目"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def refused_or_done(words, place: Path) -> None:
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    code, out, errors = answer(words)
    assert "Traceback" not in errors
    if code == 2:
        lines = errors.splitlines()
        assert out or (lines and all(line.startswith(("error: ", "warning: ")) for line in lines)), errors
    else:
        assert code == 0, errors
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before


@MANY
@given(table=tables())
def test_any_dict_is_a_configuration_or_a_line(table):
    with contextlib.suppress(mbsim.ConfigError):
        load_config(table)


@MANY
@given(table=tables())
def test_any_file_is_planned_or_refused(table, place):
    try:
        text = tomli_w.dumps(table)
    except (TypeError, ValueError):  # what TOML cannot say
        return
    (place / "c d.toml").write_text(text, "utf-8")
    refused_or_done(["run", "c d.toml", "--dry-run", "--out", "r ü"], place)


@MANY
@given(text=st.one_of(st.text(max_size=80), st.binary(max_size=80)))
def test_any_bytes_as_a_file(text, place):
    (place / "c.toml").write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    refused_or_done(["run", "c.toml", "--dry-run"], place)


@MANY
@given(
    overrides=st.lists(
        st.one_of(st.builds("{}={}".format, KEYS, st.one_of(NUMBERS, TEXTS, VALUES)), TEXTS), max_size=3
    )
)
def test_any_overrides(overrides, place):
    (place / "c.toml").write_text(tomli_w.dumps(BASES[0]))
    sets = [word for text in overrides for word in ("--set", text)]
    refused_or_done(["run", "c.toml", "--dry-run", *sets], place)


COMMANDS = ["run", "status", "analyze", "report", "export", "merge", "--help", "--version"]
OPTIONS = [
    "--out",
    "--set",
    "--json",
    "--part",
    "--dask",
    "--bootstrap",
    "--figure",
    "--order-parameter",
    "-h",
    "--",
]
ARGUMENTS = [
    "c.toml",
    "nowhere",
    "1/3",
    "auto",
    "0/0",
    "tcp://",
    "100",
    "f.png",
    "x.nc",
    "-",
    ".",
    "/",
    300 * "x",
]
WORDS = st.one_of(st.sampled_from(COMMANDS), st.sampled_from(OPTIONS), st.sampled_from(ARGUMENTS), TEXTS)


@MANY
@given(command=st.one_of(st.sampled_from(COMMANDS), TEXTS), more=st.lists(WORDS, max_size=5))
def test_any_command_line(command, more, place):
    (place / "c.toml").write_text(tomli_w.dumps(BASES[0]))
    dry = ["--dry-run"] if command == "run" else []
    refused_or_done([command, *dry, *more], place)
