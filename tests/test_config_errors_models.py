"""Models that cannot be, and keys that do not go with them: one line each."""

from configurations import NAMES, REAL, each, is_one_line

FOR_REAL = 'is for real weights trained by SGD: set model.weights = "real", or remove it'
FOR_BINARY = 'is for ±1 weights trained by Metropolis: set model.weights = "binary", or remove it'
LR = "must be a positive number; a list of rates goes in grid.lr"

WRONG = [
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
]


@each(WRONG)
def test_one_wrong_value_is_one_line(values, expected, tmp_path):
    is_one_line(values, expected, tmp_path)
