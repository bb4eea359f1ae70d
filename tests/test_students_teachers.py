"""Kinds of students and teachers: one object each, from its weights to what the dataset holds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mbsim
from mbsim.cli import main
from mbsim.physics.problem import Problem
from mbsim.physics.students import STUDENTS
from mbsim.physics.students.dense import Dense
from mbsim.physics.teachers import TEACHERS

GRID = {"N": [9], "d": [3], "m": [4, 8], "teachers": 2, "replicas": 2}
RUN = {"grid": GRID, "measure": {"measurements": 12, "test_size": 64}}


@pytest.fixture(autouse=True)
def forgotten():
    """Nothing that a test registers outlives it."""
    yield
    for registry in (STUDENTS, TEACHERS):
        for name in [name for name in registry if not registry.built_in(name)]:
            registry.remove(name)


@pytest.mark.slow
def test_a_student_is_one_object_from_its_weights_to_what_success_means():
    class Small(Dense):
        """Weights that start a thousand times smaller."""

        name, title, guess = "small", "dense network that starts small", 2.0

        def init(self, world):
            weights = super().init(world)
            return weights._replace(w=1e-3 * weights.w)

        def learned(self, problem, series, threshold):
            return series["overlap"] > 0.5

    STUDENTS.add("small", Small())
    model = {"output": "scalar", "student": "small", "weights": "real", "hidden": 3}
    ds = mbsim.run({"model": model, **RUN, "dynamics": {"steps": 40, "lr": 0.01}}, progress=False)
    assert ds.attrs["engine"] == "reference"
    first = ds.isel(time=0)
    assert abs(first.generalization_error - 1).max() < 0.1  # answers are next to nothing
    assert np.array_equal(ds.success == 1, ds.overlap.isel(time=-1) > 0.5)
    assert np.allclose(ds.output_overlap_mean, 1 - ds.generalization_error_mean / 2, atol=1e-6)


def test_parity_is_the_product_of_its_inputs():
    of = Problem(6, 2, 1, 2, 4, "parity", "dense", True, "sgd", {}, "tanh", "tanh")
    teacher = TEACHERS["parity"].draw(of, 3, 0)
    x = np.random.default_rng(0).choice([-1.0, 1.0], (20, 6)).astype(np.float32)
    hidden = [
        np.prod([w * x[:, i] for w, i in zip(*unit, strict=True)], axis=0)
        for unit in zip(teacher.w, teacher.hidden_sources, strict=True)
    ]
    expected = sum(v * h for v, h in zip(teacher.v[0], hidden, strict=True)) / np.sqrt(2)
    found = TEACHERS["parity"].outputs(of, jax.tree.map(jnp.asarray, teacher), jnp.asarray(x))
    assert np.allclose(found[:, 0], expected, atol=1e-6)


@pytest.mark.slow
def test_a_teacher_may_have_another_activation():
    """A linear student of a linear teacher errs less than of a teacher that is no linear function."""
    model = {"output": "scalar", "student": "dense", "weights": "real", "activation": "linear", "hidden": 3}
    ends = {}
    for name in ("linear", "relu"):
        config = {
            "model": {**model, "teacher_activation": name},
            **RUN,
            "dynamics": {"steps": 200, "lr": 0.05},
        }
        ds = mbsim.run(config, progress=False)
        ends[name] = float(ds.generalization_error.isel(time=-1).mean())
        assert ds.attrs["engine"] == ("batched" if name == "linear" else "reference")
    assert ends["linear"] < 0.5 * ends["relu"]


def test_a_setting_without_effect_is_said(tmp_path, capsys):
    config = tmp_path / "mup.toml"
    mbsim_config = mbsim.load_config({"model": "dense-vector", **RUN, "dynamics": {"lr_multipliers": "mup"}})
    config.write_text(mbsim_config.to_toml())
    assert main(["run", str(config), "--out", str(tmp_path / "run"), "--dry-run"]) == 0
    assert 'dynamics.lr_multipliers = "mup": no effect' in capsys.readouterr().err
