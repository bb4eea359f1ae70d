"""What a user registers is used like what is built in, and is refused in one line where it cannot be."""

import doctest
import importlib
import subprocess
import sys
import textwrap
import warnings
from functools import partial

import jax.numpy as jnp
import numpy as np
import optax
import pytest
import xarray as xr

import mbsim
from mbsim.cli import main
from mbsim.data.registered import fingerprint
from mbsim.errors import RunFolderError
from mbsim.physics.activations import ACTIVATIONS
from mbsim.physics.observables import OBSERVABLES
from mbsim.physics.optimisers import OPTIMISERS

GRID = {"N": [9], "d": [3], "m": [4, 8], "teachers": 2, "replicas": 2}
RUN = {"grid": GRID, "measure": {"measurements": 12, "test_size": 64}}


@pytest.fixture(autouse=True)
def forgotten():
    """Nothing that a test registers outlives it."""
    yield
    for registry in (OBSERVABLES, ACTIVATIONS, OPTIMISERS):
        for name in [name for name in registry if not registry.built_in(name)]:
            registry.remove(name)


def magnetization(student, teacher, examples):
    return (student.w * teacher.w).mean() + 0 * examples.y.sum()


def binary(**more):
    return {"model": "sparse-vector", **RUN, "dynamics": {"sweeps": 32}, **more}


def measured(*names):
    return {"measure": {**RUN["measure"], "observables": list(names)}}


@pytest.mark.parametrize(
    "name",
    ["activations", "keys", "observables", "optimisers", pytest.param("single", marks=pytest.mark.slow)],
)
def test_the_examples_show_what_happens(name):
    found = doctest.testmod(importlib.import_module(f"mbsim.physics.{name}"))
    assert found.attempted and not found.failed


def test_an_observable_goes_from_run_to_analysis(tmp_path, capsys):
    mbsim.observable("magnetization", long_name="magnetisation of the hidden layer", units="1")(magnetization)
    config = binary(**measured("overlap", "generalization_error", "magnetization"))
    config["model"] = {"output": "vector", "train_output": False}
    ds = mbsim.run(config, tmp_path / "run", progress=False)
    assert ds.magnetization.attrs == {"long_name": "magnetisation of the hidden layer", "units": "1"}
    # With fixed outputs the path overlap is the mean of v v* w w* = w w* over paths, and each unit has d readers.
    assert np.allclose(ds.magnetization, ds.overlap, atol=1e-6)
    tail = ds.magnetization.isel(time=slice(-8, None)).astype(float)
    assert np.allclose(ds.magnetization_second, (tail**2).mean("time"), atol=1e-6)
    assert "acceptance" not in ds
    assert ds.attrs["engine"] == "reference"
    OBSERVABLES.remove("magnetization")  # as a process that never ran the script
    assert mbsim.open_run(tmp_path / "run").identical(ds)
    for arguments in (
        ["status", str(tmp_path / "run")],
        ["analyze", str(tmp_path / "run"), "--order-parameter", "magnetization"],
    ):
        assert main(arguments) == 0
    with pytest.raises(mbsim.ConfigError, match="magnetization"):
        mbsim.run(config, tmp_path / "run", progress=False)

    # A changed function is not taken for the old one.
    @mbsim.observable("magnetization", long_name="magnetisation of the hidden layer", units="1")
    def another(student, teacher, examples):
        return student.v.mean()

    changed = 'observable "magnetization" was registered with another function'
    with pytest.raises(mbsim.RunFolderError, match=changed):
        mbsim.run(config, tmp_path / "run", progress=False)


def test_runs_with_an_observable_are_merged_and_exported_without_its_function(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    about = {"long_name": "magnetisation of the hidden layer", "units": "1"}
    mbsim.observable("magnetization", **about)(magnetization)
    config = binary(**measured("overlap", "magnetization"))
    ds = mbsim.run(config, "both", progress=False)
    for m in (4, 8):
        mbsim.run(config, f"m{m}", overrides=[f"grid.m=[{m}]"], progress=False)
    mbsim.export(ds, "both.nc")
    OBSERVABLES.remove("magnetization")  # as a process that never ran the script
    assert main(["merge", "m4", "m8", "--out", "merged"]) == 0
    assert main(["export", "both", "exported"]) == 0
    with xr.open_dataset("both.nc", engine="h5netcdf") as kept:
        mbsim.export(kept.load(), "again")
    content = (tmp_path / "both" / "registered.json").read_bytes()
    for name in ("merged", "exported", "again"):
        assert mbsim.open_run(name).identical(ds)
        assert (tmp_path / name / "registered.json").read_bytes() == content
    capsys.readouterr()
    with pytest.raises(
        mbsim.DatasetError, match='x: observable "magnetization" is not registered here'
    ) as told:
        mbsim.export(ds.drop_attrs().assign_attrs(config=ds.attrs["config"]), "x")
    assert len(told.value.lines) == 1
    other = ds.assign_attrs(registered=ds.attrs["registered"].replace("hidden", "other"))
    with pytest.raises(mbsim.DatasetError, match=r"dataset 2: an observable, .* otherwise than"):
        mbsim.concat([ds, other])

    # The exported folder too knows another function when it sees it.
    @mbsim.observable("magnetization", **about)
    def another(student, teacher, examples):
        return student.v.mean()

    with pytest.raises(mbsim.RunFolderError, match='"magnetization" was registered with another function'):
        mbsim.run(config, "exported", progress=False)


def test_the_names_of_what_is_measured_are_part_of_the_identity():
    plain, fewer = mbsim.load_config(binary()), mbsim.load_config(binary(**measured("overlap")))
    assert plain.hash != fewer.hash
    assert plain.observables == ("generalization_error", "training_error", "overlap", "acceptance")


def test_an_activation_and_an_optimiser_train(tmp_path):
    @mbsim.activation("softsign")
    def softsign(z):
        return z / (1 + jnp.abs(z))

    mbsim.optimizer("lion", optax.lion)
    model = {"output": "vector", "student": "dense", "weights": "real", "activation": "softsign"}
    dynamics = {"steps": 40, "lr": 0.01, "optimizer": "lion"}
    ds = mbsim.run({"model": model, **RUN, "dynamics": dynamics}, tmp_path / "run", progress=False)
    assert ds.attrs["engine"] == "reference"
    first, last = (float(ds.loss.isel(time=i).mean()) for i in (0, -1))
    assert last < first


@pytest.mark.slow
def test_a_name_given_to_another_function_is_the_other_function():
    """Programs are kept by what they compute, not by its name."""
    found = []
    for value in (1.0, 2.0):
        mbsim.observable("constant", long_name="a constant")(
            lambda s, t, e, value=value: value + 0 * s.w.sum()
        )
        ds = mbsim.run(binary(**measured("overlap", "generalization_error", "constant")), progress=False)
        found.append(float(ds.constant.max()))
        OBSERVABLES.remove("constant")
    assert found == [1.0, 2.0]


@pytest.mark.parametrize(
    "name", ["m", "time", "temperature", "success", "status", "overlap_mean", "work", "accepted", "a-b", 3]
)
def test_names_that_the_dataset_has_itself(name):
    with pytest.raises(mbsim.RegistrationError, match=f"^observable {name!r}: ") as caught:
        mbsim.observable(name, long_name="x")(magnetization)
    assert "\n" not in str(caught.value)
    assert name not in OBSERVABLES


@pytest.mark.slow
def test_an_optimiser_of_optax_is_the_one_built_in():
    mbsim.optimizer("again", optax.adam)
    dynamics = {"steps": 40, "lr": 0.02}
    losses = [
        mbsim.run(
            {"model": "dense-vector", **RUN, "dynamics": {**dynamics, "optimizer": name}},
            progress=False,
            engine="reference",
        ).loss
        for name in ("again", "adam")
    ]
    assert np.array_equal(*losses)


@pytest.mark.parametrize(
    ("function", "line"),
    [
        (lambda s, t, e: s.w, r"gives float32\[9, 3\]; must be one real number"),
        (lambda s, t, e: s.w.sum() > 0, r"gives bool\[\]; must be one real number"),
        (lambda s, t, e: (s.w.sum(), 1), "gives tuple; must be one real number"),
        (lambda s, t, e: s.weights, "fails: AttributeError"),
    ],
)
def test_an_observable_that_gives_no_number_is_named(tmp_path, function, line):
    mbsim.observable("wrong", long_name="wrong")(function)
    with pytest.raises(mbsim.ConfigError, match=f'^measure.observables = "wrong": {line}') as caught:
        mbsim.run(binary(**measured("wrong")), tmp_path / "run", progress=False)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("register", "line"),
    [
        (
            lambda: mbsim.observable("overlap", long_name="x")(magnetization),
            r"observable 'overlap': this name is taken \(built in\)",
        ),
        (lambda: mbsim.activation("tanh")(jnp.tanh), r"activation 'tanh': this name is taken"),
        (lambda: mbsim.optimizer("adam", optax.adam), r"optimizer 'adam': this name is taken"),
        (
            lambda: mbsim.observable("Big Name", long_name="x")(magnetization),
            r"observable 'Big Name': a name must be lower-case",
        ),
        (
            lambda: mbsim.observable("five", long_name="x")(5),
            r"observable 'five': must be a function, not int",
        ),
        (lambda: mbsim.activation("sum")(jnp.sum), r"activation 'sum': gives .*; must be elementwise"),
        (
            lambda: mbsim.optimizer("none", lambda rate: None),
            r"optimizer 'none': must make an optax.GradientTransformation",
        ),
    ],
)
def test_what_cannot_be_registered(register, line):
    with pytest.raises(mbsim.MbsimError, match=f"^{line}") as caught:
        register()
    assert "\n" not in str(caught.value)


def test_a_name_is_taken_until_it_is_freed():
    register = mbsim.observable("magnetization", long_name="x")
    mbsim.unregister("observable", "magnetization")  # nothing there, nothing happens
    register(magnetization)
    with pytest.raises(mbsim.RegistrationError, match="taken") as caught:
        register(magnetization)
    assert 'mbsim.unregister("observable", "magnetization") frees it' in str(caught.value)
    mbsim.unregister("observable", "magnetization")
    register(magnetization)
    for what, name, line in (
        ("observable", "overlap", "observable 'overlap': is built in, and stays"),
        ("rule", "sgd", 'unregister: what = \'rule\': must be "observable", "activation"'),
    ):
        with pytest.raises(mbsim.RegistrationError) as caught:
            mbsim.unregister(what, name)
        assert str(caught.value).startswith(line)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            {"dynamics": {"rule": "sgd"}},
            'dynamics.rule = "sgd": trains real weights, and the model\'s are ±1',
        ),
        (
            {"dynamics": {"rule": "heatbath"}},
            'dynamics.rule = "heatbath": must be "metropolis" or "heat-bath" with ±1 weights; nearest is "heat-bath"',
        ),
        (
            {"dynamics": {"rule": "sdg"}},  # not the nearest of all, but of those that train these weights
            'dynamics.rule = "sdg": must be "metropolis" or "heat-bath" with ±1 weights; nearest is "metropolis"',
        ),
        ({"dynamics": {"rule": 3}}, 'dynamics.rule = 3: must be "metropolis" or "heat-bath" with ±1 weights'),
        (
            measured("overlap", "overlap"),
            'measure.observables = "overlap": appears more than once; give each name once',
        ),
        (measured("loss"), 'measure.observables = "loss": is for real weights trained by SGD'),
        (measured("output_overlap"), 'measure.observables = "output_overlap": no observable of this name'),
        (
            {"model": {"output": "vector", "teacher": "parity"}},
            'model.teacher = "parity": is learnt by a dense network',
        ),
        (
            {"model": {"output": "vector", "teacher": "xor"}},
            'model.teacher = "xor": must be "sparse" or "parity"',
        ),
    ],
)
def test_bad_names_in_a_configuration(change, line):
    with pytest.raises(mbsim.ConfigError) as caught:
        mbsim.load_config(binary() | change)
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_script_of_a_user(tmp_path):
    """In a process of its own, as a user has it."""
    script = tmp_path / "own.py"
    script.write_text(
        textwrap.dedent(
            """
            import mbsim

            @mbsim.observable("agreement", long_name="agreement of the outputs")
            def agreement(student, teacher, examples):
                return (student.answers == examples.y).mean()

            config = {
                "model": "sparse-vector",
                "grid": {"N": [9], "d": [3], "m": [4], "teachers": 1, "replicas": 2},
                "dynamics": {"sweeps": 32},
                "measure": {"observables": ["generalization_error", "agreement"], "measurements": 12},
            }
            ds = mbsim.run(config, "run", progress=False)
            print(float(abs(ds.agreement + ds.generalization_error - 1).max()) < 1e-6)
            """
        )
    )
    done = subprocess.run(
        [sys.executable, "own.py"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "True"
    assert "agreement" in mbsim.open_run(tmp_path / "run")


def power(student, teacher, examples, exponent=1):
    """A function that a partial gives an exponent."""
    return (student.w**exponent).mean()


class Scaled:
    """An observable that is an object with a number."""

    def __init__(self, factor, table=None):
        self.factor, self.table = factor, table

    def __call__(self, student, teacher, examples):
        return self.factor * student.w.mean()


def times(factor):
    """A function that closes over a number, and over itself."""

    def observed(student, teacher, examples):
        return factor * student.w.mean() if observed else 0.0

    return observed


@pytest.mark.parametrize(
    ("one", "same", "other"),
    [
        (Scaled(1.0), Scaled(1.0), Scaled(2.0)),
        (Scaled(1.0, np.arange(3)), Scaled(1.0, np.arange(3)), Scaled(1.0, np.arange(3) + 1)),
        (partial(power, exponent=1), partial(power, exponent=1), partial(power, exponent=2)),
        (times(1.0), times(1.0), times(2.0)),
        (partial(optax.lion, b1=0.9), partial(optax.lion, b1=0.9), partial(optax.lion, b1=0.1)),
    ],
)
def test_values_that_a_function_was_given_are_part_of_what_it_is(one, same, other):
    assert fingerprint(one) == fingerprint(same) != fingerprint(other)


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"{\xff")])
def test_a_lost_or_damaged_description_is_put_back(tmp_path, damage):
    """By whoever runs on; from the folder's metadata, and without them from the script that registers it."""
    mbsim.observable("magnetization", long_name="magnetisation", units="1")(magnetization)
    run, path = binary(**measured("overlap", "magnetization")), tmp_path / "run"
    whole = mbsim.run(run, path, progress=False)
    sound = (path / "registered.json").read_bytes()
    known = OBSERVABLES["magnetization"]
    for metadata in (True, False):
        damage(path / "registered.json")
        if not metadata:
            (path / "zarr.json").unlink()
        OBSERVABLES.remove("magnetization")
        if metadata:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                assert mbsim.open_run(path).identical(whole)
        else:
            with pytest.raises(RunFolderError, match="only the script that registered it can put it back"):
                mbsim.open_run(path)
        OBSERVABLES.add("magnetization", known)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            mbsim.run(run, path, progress=False)
        assert (path / "registered.json").read_bytes() == sound
