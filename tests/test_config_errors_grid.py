"""Grids that cannot be run: one line each."""

from configurations import LARGEST, SIZE, SIZES, each, is_one_line

VALUES_OF_M = f"{SIZES}; or a table {{start, stop, step}}, or {{unit, values}}"

WRONG = [
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
]


@each(WRONG)
def test_one_wrong_value_is_one_line(values, expected, tmp_path):
    is_one_line(values, expected, tmp_path)
