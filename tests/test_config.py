"""Configurations: what is read is what is meant, and what is stored runs again."""

import json
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from configurations import SCALAR, VECTOR, changed

from mbsim.config.configuration import Config, Grid, Measure, Model, load_config

CONFIGS = Path(__file__).parents[1] / "configs"


# What is meant


def test_every_default_is_filled_in():
    config = load_config(VECTOR)
    assert config.resolved() == {
        "name": "sparse-vector",
        "model": {"output": "vector", "student": "sparse", "weights": "binary", "train_output": True},
        "grid": {"N": [64, 128], "d": [3, 5], "m": [4, 8], "teachers": 4, "replicas": 32},
        "dynamics": {
            "sweeps": 300,
            "order": "random",
            "refresh": "sweep",
            "temperature": 0.0,
            "init_overlap": 0.0,
        },
        "measure": {"measurements": 32, "test_size": 256, "success_threshold": 0.01},
        "run": {"seed": 1},
    }
    assert config.model.kind_name == "sparse-vector"
    assert config.axes == {"init_overlap": (0.0,), "temperature": (0.0,)}


def test_a_scalar_output_is_a_majority_and_is_tested_on_more_examples():
    config = load_config(SCALAR)
    assert config.model.kind_name == "sparse-scalar"
    assert config.model.train_output is False
    assert config.measure.test_size == 4096
    assert (config.model.hidden_units(31), config.model.outputs(31)) == (31, 1)

    asked = load_config(
        changed(SCALAR, model={"output": "scalar", "train_output": True}, measure__test_size=99)
    )
    assert asked.model.train_output is True
    assert asked.measure.test_size == 99
    assert load_config(changed(SCALAR, measure__measurements=20)).measure.test_size == 4096


def test_models_made_in_python_get_the_same_defaults():
    grid = Grid(N=(31,), d=(3,), m=(8,))
    config = Config(model=Model(output="scalar"), grid=grid, measure=Measure(measurements=20))
    assert config == load_config(config.resolved())
    assert config.measure.test_size == 4096


def test_hidden_units_follow_n_unless_given():
    assert [load_config(VECTOR).model.hidden_units(N) for N in (64, 128)] == [64, 128]
    config = load_config(changed(VECTOR, model={"output": "vector", "hidden": 7}))
    assert [(config.model.hidden_units(N), config.model.outputs(N)) for N in (64, 128)] == [(7, 64), (7, 128)]
    assert load_config(changed(SCALAR, grid__N=[64], model={"output": "scalar", "hidden": 7})).grid.N == (64,)


def test_a_range_of_m_is_the_list_it_stands_for():
    inclusive = load_config(changed(VECTOR, grid__m={"start": 10, "stop": 16, "step": 3}))
    assert inclusive.m_values(64, 3) == (10, 13, 16)
    assert inclusive == load_config(changed(VECTOR, grid__m=[10, 13, 16]))
    assert load_config(changed(VECTOR, grid__m={"start": 2, "stop": 4})).grid.m == (2, 3, 4)
    assert load_config(changed(VECTOR, grid__m={"start": 2, "stop": 8, "step": 4})).grid.m == (2, 6)


@pytest.mark.parametrize(
    ("unit", "values", "expected"),
    [
        ("N", [0.5, 0.25], (16, 32)),  # ascending
        ("d", [0.5, 1.5], (2, 5)),  # 1.5 and 4.5: halves round up
        ("d", [0.5, 0.6, 1], (2, 3)),  # 1.5 and 1.8 are one m
        ("d", [0.01], (1,)),  # never below one
        ("K", [1], (9,)),
        ("N*d", [0.5, 1.0], (96, 192)),
        ("K*d", [1.0], (27,)),
        ("d*log(N)", [1.0], (12,)),  # 3 × 4.159
    ],
)
def test_m_relative_to_the_size(unit, values, expected):
    source = changed(
        VECTOR, grid__m={"unit": unit, "values": values}, model={"output": "vector", "hidden": 9}
    )
    assert load_config(source).m_values(64, 3) == expected


def test_lists_are_kept_in_ascending_order_so_that_one_grid_is_one_run():
    mixed = load_config(changed(VECTOR, grid__N=[128, 64], grid__d=[5, 3], grid__m=[8, 4]))
    assert mixed.grid.N == (64, 128)
    assert mixed == load_config(VECTOR)
    assert mixed.hash == load_config(VECTOR).hash


def test_arrays_and_tuples_stand_for_lists():
    source = changed(VECTOR, grid__N=np.array([64, 128]), grid__d=(3, np.int64(5)), grid__m=range(4, 9, 4))
    assert load_config(source) == load_config(VECTOR)
    assert isinstance(source["grid"]["N"], np.ndarray), "the dict that was passed in must not change"


def test_lists_of_starts_and_temperatures_become_dimensions():
    config = load_config(changed(VECTOR, grid__init_overlap=[1, 0], grid__temperature=[0.5]))
    assert config.axes["init_overlap"] == config.grid.init_overlap == (0.0, 1.0)
    assert config.axes["temperature"] == (0.5,)
    single = load_config(changed(VECTOR, dynamics__init_overlap=1, dynamics__temperature=0.25))
    assert single.grid.init_overlap is None
    assert single.axes == {"init_overlap": (1.0,), "temperature": (0.25,)}


def test_a_configuration_does_not_change():
    config = load_config(VECTOR)
    with pytest.raises(ValueError, match="frozen"):
        config.grid.replicas = 3
    with pytest.raises(ValueError, match="frozen"):
        config.name = "other"


# What is stored runs again

EVERY_KIND = [
    VECTOR,
    SCALAR,
    changed(VECTOR, grid__m={"start": 1, "stop": 9, "step": 2}),
    changed(SCALAR, grid__m={"unit": "N*d", "values": [0.1, 1 / 3]}),
    changed(VECTOR, grid__init_overlap=[0, 0.1, 1], grid__temperature=[0.3, 1e-7]),
    changed(VECTOR, grid__init_overlap=[0.5], dynamics__temperature=0.1, dynamics__refresh=7),
    changed(SCALAR, model={"output": "scalar", "hidden": 5, "train_output": True}, name="ab-1.2_c"),
    changed(VECTOR, run__seed=2**32 - 1, dynamics__sweeps=2**31 - 1, grid__m=[1, 2**24]),
]


@pytest.mark.parametrize("source", EVERY_KIND)
def test_resolved_loads_back_through_toml_json_and_pickle(source, tmp_path):
    config = load_config(source)
    path = tmp_path / "config.toml"
    path.write_text(config.to_toml(), encoding="utf-8")
    for again in (
        load_config(path),
        load_config(config.resolved()),
        load_config(json.loads(json.dumps(config.resolved(), allow_nan=False))),
        load_config(config),
        pickle.loads(pickle.dumps(config)),
    ):
        assert again == config
        assert again.hash == config.hash
        assert again.resolved() == config.resolved()
        for N in config.grid.N:
            assert again.m_values(N, 3) == config.m_values(N, 3)
    assert re.fullmatch("[0-9a-f]{64}", config.hash)


def test_the_hash_tells_runs_apart_and_nothing_else():
    hashes = {load_config(source).hash for source in EVERY_KIND}
    hashes |= {
        load_config(VECTOR, [override]).hash for override in ("run.seed=2", "name=x", "grid.replicas=33")
    }
    assert len(hashes) == len(EVERY_KIND) + 3
    explicit = changed(
        VECTOR, model={"output": "vector"}, dynamics__temperature=0, dynamics__init_overlap=-0.0
    )
    assert load_config(explicit).hash == load_config(VECTOR).hash


def test_stored_hashes_stay_what_they_are():
    """A run folder is resumed only if the hash of its configuration is still the same."""
    assert load_config(VECTOR).hash == "fb4f569c44cf4ed5860397c8d1ac2f41450f54b115bf72d14020b7bb1271a6ec"


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_configuration_that_is_shipped_loads(path):
    assert load_config(path).name == path.stem


def test_the_quickstart_is_the_one_that_is_documented():
    config = load_config(CONFIGS / "quickstart.toml")
    assert config.model.kind_name == "sparse-vector"
    assert (config.grid.N, config.grid.d, config.grid.m) == ((64, 128, 256), (5,), tuple(range(10, 27)))
    assert (config.grid.teachers, config.grid.replicas, config.dynamics.sweeps) == (4, 32, 300)


# Overrides


def test_overrides_are_toml_or_else_bare_strings():
    config = load_config(
        VECTOR,
        [
            "grid.d=[7, 3]",
            "grid.m = { start = 1, stop = 9, step = 4 }",
            "dynamics.order=sequential",
            'dynamics.refresh="sweep"',
            "dynamics.temperature=1",
            "run.seed=0x10",
            "name=a=b".replace("=b", "-b"),
        ],
    )
    assert (config.grid.d, config.grid.m) == ((3, 7), (1, 5, 9))
    assert (config.dynamics.order, config.dynamics.temperature, config.run.seed) == ("sequential", 1.0, 16)
    assert config.name == "a-b"
    assert load_config(VECTOR) == load_config(VECTOR, []), "overrides must not leak into the dict passed in"


def test_overrides_apply_in_order_and_one_may_stand_alone():
    assert load_config(VECTOR, ["run.seed=2", "run.seed=3"]).run.seed == 3
    assert load_config(VECTOR, "run.seed=4").run.seed == 4
    assert load_config(VECTOR, ["grid.m={start=1, stop=9}", "grid.m.step=4"]).grid.m == (1, 5, 9)


def test_a_named_model_can_be_varied():
    config = load_config(VECTOR, ["model=sparse-scalar", "model.hidden=9"])
    assert (config.model.kind_name, config.model.hidden, config.model.train_output) == (
        "sparse-scalar",
        9,
        False,
    )
    assert config.measure.test_size == 4096
    assert load_config(VECTOR, ["model.hidden=9"]).model.output == "vector"
    assert load_config(VECTOR, ["model.hidden=9", "model=sparse-vector"]) == load_config(VECTOR)


def test_an_override_moves_a_key_between_grid_and_dynamics():
    stored = load_config(VECTOR)  # has dynamics.temperature = 0.0 written out
    listed = load_config(stored, ["grid.temperature=[0.0, 0.5]"])
    assert listed.axes["temperature"] == (0.0, 0.5)
    assert load_config(listed, ["dynamics.temperature=0"]) == stored
