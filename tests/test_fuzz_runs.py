"""Configurations that are right, or nearly, really run, with a few students: exit code 0 and a whole run, or 2, one
line for each error, and no folder.
"""

import copy
import os
import shutil

import pytest
import tomli_w
from fuzzing import answer
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

import mbsim

pytestmark = pytest.mark.slow

EXAMPLES = int(os.environ.get("MBSIM_FUZZ", "1000")) // 40  # each may take seconds
FEW = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
SMALL = {"teachers": 1, "replicas": 2}
QUICK = {"measurements": 12, "test_size": 64}  # 32 sweeps are the fewest that may be asked for
BASES = {
    "sparse-vector": {"N": [5], "d": [3], "m": [2, 4]},
    "sparse-scalar": {"N": [7], "d": [3], "m": [3]},
    "dense-vector": {"N": [6], "d": [2], "m": [2]},
    "dense-scalar": {"N": [5], "d": [3], "m": [1, 2]},
}


def lists(*values):
    return st.lists(st.sampled_from(values), min_size=1, max_size=2, unique=True)


ALL = {
    "grid.N": lists(5, 7, 9),
    "grid.d": lists(3, 5),
    "grid.m": st.one_of(
        lists(1, 2, 33, 65),
        st.fixed_dictionaries({"unit": st.sampled_from(["N", "d", "K*d"]), "values": lists(0.01, 1.0, 1.5)}),
        st.just({"start": 2, "stop": 6, "step": 3}),
    ),
    "grid.teachers": st.integers(1, 3),
    "data.examples": st.sampled_from(["online", 70, {"unit": "N", "value": 20}]),
    "measure.test_size": st.sampled_from([65, 1]),
    "measure.measurements": st.sampled_from([13, 32]),
    "measure.observables": lists("overlap", "generalization_error"),
    "run.engine": st.sampled_from(["reference", "registers", "batched", "pallas"]),
    "run.seed": st.sampled_from([0, 2**31]),
    "name": st.sampled_from(["a", "a-1", ".."]),
    "model.hidden": st.sampled_from([3, 5, 8]),
    "model.train_output": st.booleans(),
}
BINARY = {
    "grid.temperature": lists(0.0, 0.5, 1e-9, 1e9),
    "grid.init_overlap": lists(0.0, 0.5, 1.0),
    "dynamics.rule": st.sampled_from(["metropolis", "heat-bath"]),
    "dynamics.order": st.sampled_from(["random", "sequential"]),
    "dynamics.refresh": st.sampled_from(["sweep", 1, 7, 10**6]),
    "dynamics.init_overlap": st.sampled_from([0.0, 1.0]),
}
REAL = {
    "grid.lr": lists(0.1, 1.0, 1e30),
    "dynamics.optimizer": st.sampled_from(["sgd", "adam"]),
    "dynamics.momentum": st.sampled_from([0.0, 0.9]),
    "dynamics.lr_scaling": st.sampled_from(["constant", "linear", "sqrt"]),
    "dynamics.lr_multipliers": st.sampled_from(["none", "mup"]),
    "data.sampling": st.sampled_from(["epochs", "with", "without"]),
    "model.student": st.sampled_from(["sparse", "dense"]),
    "model.activation": st.sampled_from(["tanh", "erf", "relu", "linear"]),
    "model.teacher": st.sampled_from(["sparse", "parity"]),
    "model.student_hidden": st.sampled_from([2, 9]),
    "model.scaling": st.sampled_from(["standard", "ntk"]),
    "model.noise": st.sampled_from([0.0, 0.5]),
    "model.inputs": st.sampled_from(["sign", "normal"]),
}
MODELS = {
    name: dict(zip(("output", "student", "weights"), words.split(), strict=True))
    for name, words in {
        "sparse-vector": "vector sparse binary",
        "sparse-scalar": "scalar sparse binary",
        "dense-vector": "vector dense real",
        "dense-scalar": "scalar dense real",
    }.items()
}
WRONG = st.sampled_from([0, -1, "x", [], [2, 2], {}, True, 2.5, float("nan")])


def _set(table, key, value):
    *part, last = key.split(".")
    (table.setdefault(part[0], {}) if part else table)[last] = value


@st.composite
def tables(draw):
    """A configuration of a small grid, with a few keys set, and perhaps one of them wrong."""
    name = draw(st.sampled_from(list(BASES)))
    length = "steps" if name.startswith("dense") else "sweeps"
    table = {
        "model": copy.deepcopy(MODELS[name]),
        "grid": BASES[name] | SMALL,
        "dynamics": {length: 32},
        "measure": dict(QUICK),
    }
    keys = ALL | (REAL if length == "steps" else BINARY)
    for key in draw(st.lists(st.sampled_from(list(keys)), max_size=3, unique=True)):
        _set(table, key, draw(keys[key]))
    if draw(st.integers(0, 3)) == 3:  # nonsense, or what goes with other students
        key = draw(st.sampled_from(list(ALL | BINARY | REAL)))
        _set(table, key, draw(st.one_of(WRONG, (ALL | BINARY | REAL)[key])))
    return table


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@FEW
@given(table=tables())
def test_a_configuration_runs_to_its_end_or_leaves_nothing(table, place):
    shutil.rmtree("run", ignore_errors=True)
    (place / "c.toml").write_text(tomli_w.dumps(table), "utf-8")
    code, output, errors = answer(["run", "c.toml", "--out", "run"])
    event(f"exit code {code}")
    assert "Traceback" not in errors
    assert code in (0, 2), errors
    if code == 2:
        assert [line for line in errors.splitlines() if not line.startswith("error: ")] == []
        assert errors
        assert [path.name for path in place.iterdir()] == ["c.toml"]
        return
    dataset = mbsim.open_run("run")
    assert dataset.status.isin([1, 2]).any()
    assert "dataset: mbsim.open_run('run')" in output
    assert answer(["run", "c.toml", "--out", "run"])[0] == 0
    assert mbsim.open_run("run").identical(dataset)
