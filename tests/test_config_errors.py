"""Values of the wrong type or out of range: one line each, with the key, its value, and what is allowed."""

import pickle

from configurations import LARGEST, SIZE, SIZES, VECTOR, changed, each, error_lines, is_one_line

from mbsim.errors import ConfigError, MbsimError

TEMPERATURE = "must be a number not below 0; a list of temperatures goes in grid.temperature"
START = "must be a number from 0 to 1; a list of overlaps goes in grid.init_overlap"
NAME = "must be 1 to 64 of the characters A-Z a-z 0-9 . _ -, the first no dot or hyphen"
REFRESH = f'must be "sweep" or a number of proposals, an integer from 1 to {2**31 - 1}'

WRONG = [
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
]


@each(WRONG)
def test_one_wrong_value_is_one_line(values, expected, tmp_path):
    is_one_line(values, expected, tmp_path)


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


def test_errors_keep_their_lines_across_processes():
    error = pickle.loads(pickle.dumps(ConfigError("one", "two\nthree")))
    assert isinstance(error, MbsimError)
    assert error.lines == ("one", "two three")
    assert str(error) == "one\ntwo three"
