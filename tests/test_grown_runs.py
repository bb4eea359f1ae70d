"""Runs that grow, really trained, have the bits of a run from scratch: every dimension, and all of them at once."""

import pytest
import xarray as xr

import mbsim

BINARY = {
    "one temperature more": {"temperature": [0.0, 0.5]},
    "and one between": {"temperature": [0.0, 0.2, 0.5]},
    "starts": {"temperature": [0.0, 0.2, 0.5], "init_overlap": [0.0, 1.0]},
    "connectivities": {"temperature": [0.0, 0.2, 0.5], "init_overlap": [0.0, 1.0], "d": [3, 5]},
    "all": {
        "N": [10, 12], "d": [3, 5], "m": [4, 6, 8, 40], "teachers": 3, "replicas": 3,
        "temperature": [0.0, 0.2, 0.5], "init_overlap": [0.0, 0.5, 1.0],
    },
}  # fmt: skip
REAL = {
    "rates": {"lr": [0.1, 0.2]},
    "mini-batches and connectivities": {"lr": [0.1, 0.2], "m": [4, 6, 8], "d": [3, 5]},
    "all": {
        "N": [10, 14], "d": [3, 5], "m": [4, 6, 8], "teachers": 3, "replicas": 3, "lr": [0.05, 0.1, 0.2],
    },
}  # fmt: skip
FIRST = {"N": [12], "d": [3], "m": [4, 8], "teachers": 2, "replicas": 2}


def config(model: str, length: str, grid: dict) -> dict:
    measure = {"measurements": 12, "test_size": 64}
    return {"model": model, "grid": FIRST | grid, "dynamics": {length: 32}, "measure": measure}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "length", "first", "steps"),
    [
        ("sparse-vector", "sweeps", {}, BINARY),
        ("dense-vector", "steps", {"N": [10], "lr": [0.1]}, REAL),
    ],
    ids=["±1 weights", "real weights"],
)
def test_a_run_that_grew_has_the_bits_of_one_from_scratch(model, length, first, steps, tmp_path):
    mbsim.run(config(model, length, first), tmp_path / "grown")
    for name, more in steps.items():
        wanted = config(model, length, first | more)
        grown = mbsim.run(wanted, tmp_path / "grown")
        xr.testing.assert_identical(grown, mbsim.run(wanted, tmp_path / name))
        assert (grown.status != 0).all()
