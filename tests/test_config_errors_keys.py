"""Keys that are missing or unknown: one line each, with the nearest valid key."""

from configurations import NAMES, SIZES, VECTOR, changed, each, error_lines, is_one_line

from mbsim.config.configuration import known_keys
from mbsim.config.problems import nearest_key

WRONG = [
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


@each(WRONG)
def test_one_wrong_value_is_one_line(values, expected, tmp_path):
    is_one_line(values, expected, tmp_path)


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
