"""A dozen and more small runs, one for every mode, and the digests of all that they measured.

Random numbers follow from labels, so a run of ±1 weights has one right answer, to the last bit, on every
machine and by every engine. Real weights round differently from one processor to the next: of them the errors
at the end are kept, as numbers.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import xarray as xr

ANSWERS = Path(__file__).with_name("runs.json")

_VECTOR = {"N": [12], "d": [3], "m": [2, 5, 9, 40], "teachers": 2, "replicas": 3}
_SCALAR = {"N": [11], "d": [3], "m": [8, 33, 70], "teachers": 2, "replicas": 3}
_DENSE = {"N": [8], "d": [3], "m": [1, 4, 12, 20], "teachers": 2, "replicas": 2}


def _config(model: object, grid: dict, dynamics: dict, data: dict | None = None, test_size: int = 64) -> dict:
    measure = {"measurements": 12, "test_size": test_size}
    whole = {"model": model, "grid": grid, "dynamics": dynamics, "measure": measure, "run": {"seed": 7}}
    return whole if data is None else {**whole, "data": data}


def _binary(output: str, **keys: object) -> dict:
    return {"output": output, "weights": "binary", **keys}


def _real(output: str, student: str = "dense", **keys: object) -> dict:
    return {"output": output, "student": student, "weights": "real", **keys}


BINARY = {
    "vector random": _config("sparse-vector", _VECTOR, {"sweeps": 40}),
    "vector sequential": _config("sparse-vector", _VECTOR, {"sweeps": 40, "order": "sequential"}),
    "vector thermal": _config(
        "sparse-vector",
        {**_VECTOR, "temperature": [0.0, 0.4, 1.5], "init_overlap": [0.0, 1.0]},
        {"sweeps": 36},
    ),
    "vector thermal sequential": _config(
        "sparse-vector", _VECTOR, {"sweeps": 36, "order": "sequential", "temperature": 0.7}
    ),
    "vector refreshed within a sweep": _config("sparse-vector", _VECTOR, {"sweeps": 32, "refresh": 7}),
    "vector refreshed within a sequential sweep": _config(
        "sparse-vector", _VECTOR, {"sweeps": 32, "refresh": 10, "order": "sequential"}
    ),
    "vector refreshed rarely": _config("sparse-vector", _VECTOR, {"sweeps": 40, "refresh": 200}),
    "vector, other numbers of hidden units": _config(
        _binary("vector", hidden=7), {**_VECTOR, "N": [10, 13]}, {"sweeps": 36}
    ),
    "vector, outputs fixed": _config(_binary("vector", train_output=False), _VECTOR, {"sweeps": 36}),
    "vector d = 5": _config("sparse-vector", {**_VECTOR, "d": [5]}, {"sweeps": 36, "init_overlap": 0.5}),
    "scalar random": _config("sparse-scalar", _SCALAR, {"sweeps": 40}, test_size=128),
    "scalar sequential": _config("sparse-scalar", _SCALAR, {"sweeps": 40, "order": "sequential"}),
    "scalar thermal": _config("sparse-scalar", {**_SCALAR, "temperature": [0.0, 1.0]}, {"sweeps": 36}),
    "scalar, outputs trained": _config(_binary("scalar", train_output=True), _SCALAR, {"sweeps": 36}),
    "vector, training set in epochs": _config("sparse-vector", _VECTOR, {"sweeps": 36}, {"examples": 100}),
    "vector, training set with replacement": _config(
        "sparse-vector", _VECTOR, {"sweeps": 32, "refresh": 11}, {"examples": 60, "sampling": "with"}
    ),
    "scalar, training set without replacement": _config(
        "sparse-scalar", _SCALAR, {"sweeps": 32}, {"examples": 90, "sampling": "without"}
    ),
}
REAL = {
    "dense vector": _config("dense-vector", {**_DENSE, "lr": [0.2, 20.0]}, {"steps": 60}),
    "dense scalar, adam": _config("dense-scalar", _DENSE, {"steps": 60, "optimizer": "adam", "lr": 0.02}),
    "dense, wider student, momentum, ntk, mup": _config(
        _real("vector", student_hidden=11, activation="erf", scaling="ntk"),
        _DENSE,
        # Ten times the rate and students explode: then the last bit of a rounding error decides where to.
        {"steps": 60, "momentum": 0.5, "lr": 0.02, "lr_multipliers": "mup", "lr_scaling": "sqrt"},
    ),
    "sparse vector, relu": _config(_real("vector", "sparse", activation="relu"), _DENSE, {"steps": 60}),
    "sparse scalar, normal": _config(
        _real("scalar", "sparse", inputs="normal", teacher_weights="normal"), _DENSE, {"steps": 60}
    ),
    "committee, noise": _config(
        _real("scalar", hidden=3, train_output=False, noise=0.1, activation="erf"), _DENSE, {"steps": 60}
    ),
    "dense linear, training set": _config(
        _real("vector", activation="linear"), _DENSE, {"steps": 60}, {"examples": 50}
    ),
}


def digest(ds: xr.Dataset) -> str:
    """SHA-256 over the coordinates and variables of a dataset: names, types, shapes, bytes."""
    found = hashlib.sha256()
    for name in sorted(map(str, ds.variables)):
        values = np.ascontiguousarray(ds[name].to_numpy())
        found.update(f"{name} {values.dtype.str} {values.shape} ".encode())
        found.update(values.tobytes())
    return found.hexdigest()


def errors(ds: xr.Dataset) -> list[float]:
    """The error of every student at the end."""
    return [float(f"{x:.6g}") for x in ds.generalization_error.isel(time=-1).to_numpy().ravel()]


def answers() -> dict:
    """What was found when the answers were made."""
    return json.loads(ANSWERS.read_text())


if __name__ == "__main__":  # make the answers anew: only where random streams were changed on purpose
    import mbsim

    found = {
        "binary": {name: digest(mbsim.run(config)) for name, config in BINARY.items()},
        "real": {name: errors(mbsim.run(config)) for name, config in REAL.items()},
    }
    if "--digests" in sys.argv:  # of real weights too: they compare two versions on one machine
        found["real digests"] = {name: digest(mbsim.run(config)) for name, config in REAL.items()}
        print(json.dumps(found, indent=1))
    else:
        ANSWERS.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
