"""Configurations that cannot be run: one line each, with the key, its value, and what is allowed."""

import pickle

import pytest
import tomli_w
from configurations import VECTOR, changed

from mbsim.config.configuration import known_keys, load_config
from mbsim.config.problems import nearest_key
from mbsim.errors import ConfigError, MbsimError


def error_lines(source, overrides=()):
    with pytest.raises(ConfigError) as caught:
        load_config(source, overrides, "--set")
    assert str(caught.value) == "\n".join(caught.value.lines)
    assert all(line == " ".join(line.splitlines()) for line in caught.value.lines)
    return list(caught.value.lines)


LARGEST = 2**24
SIZE = f"an integer from 1 to {LARGEST}"
SIZES = f"a list of different values, each {SIZE}"
VALUES_OF_M = f"{SIZES}; or a table {{start, stop, step}}, or {{unit, values}}"
TEMPERATURE = "must be a number not below 0; a list of temperatures goes in grid.temperature"
START = "must be a number from 0 to 1; a list of overlaps goes in grid.init_overlap"
NAME = "must be 1 to 64 of the characters A-Z a-z 0-9 . _ -, the first no dot or hyphen"
REFRESH = f'must be "sweep" or a number of proposals, an integer from 1 to {2**31 - 1}'
NAMES = 'one of "sparse-vector", "sparse-scalar", "dense-vector", "dense-scalar"'
FOR_REAL = 'is for real weights trained by SGD: set model.weights = "real", or remove it'
FOR_BINARY = 'is for ±1 weights trained by Metropolis: set model.weights = "binary", or remove it'
REAL = {"output": "vector", "student": "dense", "weights": "real"}
LR = "must be a positive number; a list of rates goes in grid.lr"

ONE_WRONG_VALUE = [
    # types: strict
    ({"grid__N": ["64"]}, f'grid.N = "64": each value must be {SIZE}'),
    ({"grid__N": [True]}, f"grid.N = true: each value must be {SIZE}"),
    ({"grid__N": [64.0]}, f"grid.N = 64.0: each value must be {SIZE}"),
    ({"grid__N": 64}, f"grid.N = 64: must be {SIZES}"),
    ({"grid__N": "64"}, f'grid.N = "64": must be {SIZES}'),
    ({"grid__N": [[64]]}, f"grid.N = [64]: each value must be {SIZE}"),
    ({"grid__replicas": "many"}, f'grid.replicas = "many": must be {SIZE}'),
    ({"grid__replicas": 1e3}, f"grid.replicas = 1000.0: must be {SIZE}"),
    ({"dynamics__temperature": "0"}, f'dynamics.temperature = "0": {TEMPERATURE}'),
    ({"dynamics__temperature": False}, f"dynamics.temperature = false: {TEMPERATURE}"),
    ({"dynamics__temperature": [0.5]}, f"dynamics.temperature = [0.5]: {TEMPERATURE}"),
    ({"grid": 5}, "grid = 5: must be a table, [grid], with N, d and m"),
    ({"run": [1]}, "run = [1]: must be a table, [run]"),
    # ranges
    ({"grid__N": [0]}, f"grid.N = 0: each value must be {SIZE}"),
    ({"grid__N": [LARGEST + 1]}, f"grid.N = {LARGEST + 1}: each value must be {SIZE}"),
    ({"grid__teachers": 0}, f"grid.teachers = 0: must be {SIZE}"),
    ({"grid__replicas": -3}, f"grid.replicas = -3: must be {SIZE}"),
    ({"dynamics__temperature": -0.1}, f"dynamics.temperature = -0.1: {TEMPERATURE}"),
    ({"dynamics__temperature": float("nan")}, f"dynamics.temperature = nan: {TEMPERATURE}"),
    ({"dynamics__temperature": float("inf")}, f"dynamics.temperature = inf: {TEMPERATURE}"),
    ({"dynamics__init_overlap": 1.5}, f"dynamics.init_overlap = 1.5: {START}"),
    ({"dynamics__init_overlap": -0.5}, f"dynamics.init_overlap = -0.5: {START}"),
    (
        {"dynamics__sweeps": 31},
        f"dynamics.sweeps = 31: must be an integer from 32 to {2**31 - 1}, "
        "so that the last quarter has eight sweeps",
    ),
    (
        {"measure__measurements": 11},
        f"measure.measurements = 11: must be an integer from 12 to {LARGEST}: "
        "eight go to the last quarter of the run, for its moments, and the others before it",
    ),
    ({"measure__test_size": 0}, f"measure.test_size = 0: must be {SIZE}"),
    ({"measure__success_threshold": 0}, "measure.success_threshold = 0: must be a positive number"),
    ({"run__seed": -1}, "run.seed = -1: must be an integer from 0 to 4294967295"),
    ({"run__seed": 2**32}, "run.seed = 4294967296: must be an integer from 0 to 4294967295"),
    # choices
    ({"dynamics__order": "randm"}, 'dynamics.order = "randm": must be "random" or "sequential"'),
    (
        {"dynamics__refresh": 0},
        f"dynamics.refresh = 0: {REFRESH}",
    ),
    (
        {"dynamics__refresh": "step"},
        f'dynamics.refresh = "step": {REFRESH}',
    ),
    ({"model": {"output": "matrix"}}, 'model.output = "matrix": must be "vector" or "scalar"'),
    (
        {"model": {"output": "vector", "train_output": 1}},
        "model.train_output = 1: must be true or false "
        "(default: true, but false with a scalar output of ±1 weights)",
    ),
    (
        {"model": {"output": "vector", "hidden": "N"}},
        f'model.hidden = "N": must be {SIZE}; leave it out for K = N',
    ),
    (
        {"name": "a/b"},
        f'name = "a/b": {NAME}',
    ),
    (
        {"name": "two\nlines"},
        rf'name = "two\nlines": {NAME}',
    ),
    # models
    (
        {"model": "sparse-vectr"},
        f'model = "sparse-vectr": must be {NAMES}, or a table [model]; nearest is "sparse-vector"',
    ),
    ({"model": 3}, f"model = 3: must be {NAMES}, or a table [model] with output"),
    (
        {"model": {"output": "vector", "student": "dense"}},
        'model.student = "dense": must be "sparse" with ±1 weights; '
        'a dense student needs model.weights = "real"',
    ),
    ({"model": {"output": "vector", "activation": "tanh"}}, f'model.activation = "tanh": {FOR_REAL}'),
    ({"model": {"output": "vector", "student_hidden": 9}}, f"model.student_hidden = 9: {FOR_REAL}"),
    ({"grid__lr": [0.1]}, f"grid.lr = [0.1]: {FOR_REAL}"),
    # real weights
    ({"dynamics__algorithm": "sgd"}, f'dynamics.algorithm = "sgd": {FOR_REAL}'),
    ({"dynamics__lr": 0.1}, f"dynamics.lr = 0.1: {FOR_REAL}"),
    (
        {"model": REAL, "dynamics__algorithm": "metropolis"},
        f'dynamics.algorithm = "metropolis": {FOR_BINARY}',
    ),
    ({"model": REAL, "dynamics__sweeps": 99}, f"dynamics.sweeps = 99: {FOR_BINARY}"),
    ({"model": REAL, "grid__temperature": [0.5]}, f"grid.temperature = [0.5]: {FOR_BINARY}"),
    ({"model": REAL, "dynamics__lr": 0}, f"dynamics.lr = 0: {LR}"),
    ({"model": REAL, "dynamics__lr": -0.5}, f"dynamics.lr = -0.5: {LR}"),
    ({"model": REAL, "grid__lr": [0.1, -1.0]}, "grid.lr = -1.0: each value must be a positive number"),
    (
        {"model": REAL, "grid__lr": [0.1], "dynamics__lr": 0.1},
        "grid.lr = [0.1]: is given by dynamics.lr too; keep one of the two",
    ),
    (
        {"model": REAL | {"activation": "gelu"}},
        'model.activation = "gelu": must be "tanh", "erf", "relu" or "linear"',
    ),
    (
        {"model": REAL | {"student": "sparse", "student_hidden": 5}},
        "model.student_hidden = 5: goes with a dense student; a sparse one has the teacher's hidden units",
    ),
    (
        {"model": REAL | {"train_output": False}},
        "model.train_output = false: must be true with a dense student and vector output: "
        "fixed outputs would all be the same",
    ),
    (
        {"model": REAL, "dynamics__optimizer": "adam", "dynamics__momentum": 0.9},
        'dynamics.momentum = 0.9: goes with optimizer = "sgd"; adam has its own',
    ),
    (
        {"model": REAL, "measure__test_size": 10},
        "measure.test_size = 10: must be at least 64 with real weights, whose error is over a variance",
    ),
    (
        {"model": REAL, "data__examples": 7},
        "data.examples = 7: gives P = 7 examples at N = 64, d = 3: must be at least m, and grid.m has 8",
    ),
    (
        {"data__examples": {"unit": "d", "value": 2}},
        'data.examples = {"unit": "d", "value": 2.0}: '
        "gives P = 6 examples at N = 64, d = 3: must be at least m, and grid.m has 8",
    ),
    (
        {"data__examples": "online", "data__sampling": "with"},
        'data.sampling = "with": is about a finite training set, and examples are fresh: '
        "set data.examples, or remove it",
    ),
    (
        {"data__examples": 0},
        f'data.examples = 0: must be "online", a number of examples from 1 to {2**31 - 1}, '
        "or a table {unit, value}",
    ),
    # lists
    ({"grid__N": []}, "grid.N = []: must not be empty"),
    ({"grid__m": []}, "grid.m = []: must not be empty"),
    ({"grid__temperature": []}, "grid.temperature = []: must not be empty"),
    ({"grid__d": [3, 5, 3]}, "grid.d = 3: appears more than once; give each value once"),
    (
        {"grid__temperature": [0.0, -0.0]},
        "grid.temperature = 0.0: appears more than once; give each value once",
    ),
    (
        {"grid__temperature": 0.5},
        "grid.temperature = 0.5: must be a list of different values, each a number not below 0; "
        "one number alone goes in dynamics.temperature",
    ),
    ({"grid__init_overlap": [0, 2]}, "grid.init_overlap = 2: each value must be a number from 0 to 1"),
    # mini-batch sizes
    ({"grid__m": 8}, f"grid.m = 8: must be {VALUES_OF_M}"),
    ({"grid__m": "8"}, f'grid.m = "8": must be {VALUES_OF_M}'),
    ({"grid__m": [0]}, f"grid.m = 0: each value must be {SIZE}"),
    ({"grid__m": [8, 8]}, "grid.m = 8: appears more than once; give each value once"),
    ({"grid__m": {"start": 0, "stop": 5}}, f"grid.m.start = 0: must be {SIZE}"),
    ({"grid__m": {"start": 6, "stop": 5}}, "grid.m.stop = 5: must be at least grid.m.start = 6"),
    ({"grid__m": {"start": 1, "stop": 5, "step": 0}}, f"grid.m.step = 0: must be {SIZE}"),
    (
        {"grid__m": {"start": 1, "stop": LARGEST}},
        f"grid.m.step = 1: gives {LARGEST} values of m, more than 65536",
    ),
    ({"grid__m": {"start": 5}}, f"grid.m.stop: missing; must be {SIZE}"),
    (
        {"grid__m": {"unit": "N"}},
        "grid.m.values: missing; must be a list of different values, each a positive number",
    ),
    ({"grid__m": {"unit": "N", "values": [-1]}}, "grid.m.values = -1: each value must be a positive number"),
    ({"grid__m": {"unit": "N", "values": []}}, "grid.m.values = []: must not be empty"),
    (
        {"grid__m": {"unit": "N^2", "values": [1]}},
        'grid.m.unit = "N^2": must be "N", "d", "K", "N*d", "K*d" or "d*log(N)"',
    ),
    (
        {"grid__m": {"unit": "N", "values": [1, 1e300]}},
        f"grid.m.values = 1e+300: gives m above {LARGEST}, the largest allowed, at N = 64, d = 3",
    ),
    (
        {"grid__m": {"unit": "N", "values": [1], "stop": 4}},
        "grid.m.stop = 4: does not go with the other keys of grid.m",
    ),
    (
        {"grid__m": {"start": 1, "stop": 4, "steps": 1}},
        "grid.m.steps = 1: unknown key; nearest valid key is grid.m.step",
    ),
    # relations
    ({"grid__d": [3, 4]}, "grid.d = 4: must be odd with ±1 weights, so that no sum is zero"),
    (
        {"grid__d": [65]},
        "grid.d = 65: must be at most N, for a hidden unit reads d of N inputs; grid.N has 64",
    ),
    (
        {"grid__d": [7], "model": {"output": "vector", "hidden": 5}},
        "grid.d = 7: must be at most K, for an output reads d of K units; model.hidden = 5",
    ),
    (
        {"model": "sparse-scalar", "grid__N": [31, 64]},
        "grid.N = 64: must be odd with a scalar output of ±1 weights, where K = N, so that no sum is zero; "
        "or set model.hidden to an odd K",
    ),
    (
        {"model": {"output": "scalar", "hidden": 6}},
        "model.hidden = 6: must be odd with a scalar output of ±1 weights, so that no sum is zero",
    ),
    (
        {"grid__temperature": [0.1], "dynamics__temperature": 0.0},
        "grid.temperature = [0.1]: is given by dynamics.temperature too; keep one of the two",
    ),
    (
        {"grid__init_overlap": [0, 1], "dynamics__init_overlap": 0.5},
        "grid.init_overlap = [0.0, 1.0]: is given by dynamics.init_overlap too; keep one of the two",
    ),
    # missing
    ({"model": ...}, f"model: missing; must be {NAMES}, or a table [model] with output"),
    ({"grid": ...}, "grid: missing; must be a table, [grid], with N, d and m"),
    ({"grid__N": ...}, f"grid.N: missing; must be {SIZES}"),
    ({"model": {"hidden": 5}}, 'model.output: missing; must be "vector" or "scalar"'),
    # unknown
    ({"grid__replica": 3}, "grid.replica = 3: unknown key; nearest valid key is grid.replicas"),
    ({"grid__n": [3]}, "grid.n = [3]: unknown key; nearest valid key is grid.N"),
    ({"dynamic": {}}, "dynamic = {}: unknown key; nearest valid key is dynamics"),
    ({"seed": 3}, "seed = 3: unknown key; nearest valid key is run.seed"),
    ({"dynamics__sweep": 3}, "dynamics.sweep = 3: unknown key; nearest valid key is dynamics.sweeps"),
    ({"grid__K": 3}, "grid.K = 3: unknown key; nearest valid key is model.hidden"),
    ({"grid__batch_size": [3]}, "grid.batch_size = [3]: unknown key; nearest valid key is grid.m"),
    ({"run__replicas": 3}, "run.replicas = 3: unknown key; nearest valid key is grid.replicas"),
]


each_wrong_value = pytest.mark.parametrize(
    ("values", "expected"), ONE_WRONG_VALUE, ids=[expected[:50] for _, expected in ONE_WRONG_VALUE]
)


@each_wrong_value
def test_one_wrong_value_is_one_line(values, expected):
    assert error_lines(changed(VECTOR, **values)) == [expected]


@each_wrong_value
def test_the_line_begins_with_the_file(values, expected, tmp_path):
    source = changed(VECTOR, **values)
    path = tmp_path / "x.toml"
    path.write_text(tomli_w.dumps(source), encoding="utf-8")
    assert error_lines(path) == [f"{path}: {expected}"]
    assert sorted(tmp_path.iterdir()) == [path], "a refused configuration must leave nothing behind"


def test_an_unlike_key_comes_with_all_that_is_valid_there():
    (line,) = error_lines(changed(VECTOR, run__wibble=3))
    assert line == "run.wibble = 3: unknown key; nearest valid key is run.engine (valid here: seed, engine)"


def test_every_valid_key_is_its_own_nearest_and_survives_a_slip():
    keys = known_keys()
    for key in keys:
        assert nearest_key(key, keys)[0] == key
        table, dot, name = key.rpartition(".")
        if len(name) > 3:
            assert nearest_key(f"{table}{dot}{name[:-1]}", keys)[0] == key
            assert nearest_key(f"{table}{dot}{name[1]}{name[0]}{name[2:]}", keys)[0] == key


def test_every_problem_gets_its_line():
    source = changed(
        VECTOR,
        grid__N=["64", 0],
        grid__replica=3,
        dynamics__sweeps=1,
        measure__test_size=None,
        run={"seeds": 1},
    )
    assert [line.split(":")[0] for line in error_lines(source)] == [
        'grid.N = "64"',
        "grid.N = 0",
        "grid.replica = 3",
        "dynamics.sweeps = 1",
        "measure.test_size = null",
        "run.seeds = 1",
    ]
    related = changed(VECTOR, model="sparse-scalar", grid__N=[10, 12], grid__d=[4, 11])
    assert [line.split(":")[0] for line in error_lines(related)] == [
        "grid.d = 4",
        "grid.N = 10",
        "grid.N = 12",
        "grid.d = 11",
    ]


def test_a_long_value_is_cut():
    assert error_lines(changed(VECTOR, grid__replicas=10**5000)) == [
        f"grid.replicas = (a very large number): must be {SIZE}"  # Python refuses to write it out
    ]
    (line,) = error_lines(changed(VECTOR, grid__replicas=list(range(1000))))
    assert line.endswith(f"…: must be {SIZE}")
    assert len(line) < 200


# Files


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


def test_errors_keep_their_lines_across_processes():
    error = pickle.loads(pickle.dumps(ConfigError("one", "two\nthree")))
    assert isinstance(error, MbsimError)
    assert error.lines == ("one", "two three")
    assert str(error) == "one\ntwo three"


# Overrides


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
