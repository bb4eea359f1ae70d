"""Runs give the bits that they gave, by every engine that can do them.

The answers in `known_answers/runs.json` are those of the reference engine, of the day on which examples began to be
drawn in tiles.
"""

import numpy as np
import pytest
from known_answers import runs

import mbsim
from mbsim.config import load_config
from mbsim.engines import ENGINES, choose
from mbsim.plan.tasks import task_of
from mbsim.plan.units import units

QUICK = {
    None: ("vector random",),
}
ANSWERS = runs.answers()


def engines_for(name):
    """Names of the engines that can do a run here."""
    config = load_config(runs.BINARY[name])
    task = task_of(units(config)[0], config)
    return [
        name for name, engine in ENGINES.items() if not (engine.refuses(task) or engine.unavailable(task))
    ]


def check(name, engine):
    found = mbsim.run(runs.BINARY[name], progress=False, engine=engine)
    assert runs.digest(found) == ANSWERS["binary"][name]
    return found


@pytest.mark.parametrize(
    ("engine", "name"), [(engine, name) for engine, names in QUICK.items() for name in names]
)
def test_bits(engine, name):
    found = check(name, engine)
    assert found.attrs["engine"] == (engine or "registers")


@pytest.mark.slow
@pytest.mark.parametrize("name", runs.BINARY)
def test_bits_of_every_mode_by_every_engine(name):
    names = engines_for(name)
    assert "reference" in names
    for engine in names:
        check(name, engine)


@pytest.mark.slow
@pytest.mark.parametrize("name", runs.REAL)
def test_numbers_of_every_mode_of_real_weights(name):
    """Rounding grows with the steps, so errors agree to a part in a thousand, whichever engine and processor. Of the
    linear student that diverges, the reference knows to the step where it was last finite, and the batched engine to
    a chunk of steps: its error is not compared.
    """
    diverged = []
    for engine in ("batched", "reference"):
        found = mbsim.run(runs.REAL[name], progress=False, engine=engine)
        errors, status = np.array(runs.errors(found)), found.status.to_numpy().ravel()
        told = status == 1 if name == "dense linear, training set" else np.full(status.shape, True)
        assert np.allclose(errors[told], np.array(ANSWERS["real"][name])[told], rtol=2e-3, atol=1e-5)
        diverged.append(np.flatnonzero(status == 2).tolist())
    assert diverged[0] == diverged[1]
    assert diverged[0] == {"dense linear, training set": [2], "dense vector": [*range(16, 32)]}.get(name, [])


def test_the_fastest_engine_that_can_is_chosen():
    config = load_config(runs.BINARY["vector random"])
    task = task_of(units(config)[0], config)
    assert choose(task).engine.name == "registers"
    finite = load_config(runs.BINARY["vector, training set in epochs"])
    assert choose(task_of(units(finite)[0], finite)).engine.name == "registers"
    for name in runs.REAL:
        real = load_config(runs.REAL[name])
        assert choose(task_of(units(real)[0], real)).engine.name == "batched"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vector thermal", "scalar thermal"])
def test_the_fast_engine_knows_every_law_of_single_flips(name):
    """Heat bath, which draws a number for every proposal, at T = 0 too."""
    config = runs.BINARY[name]
    config = {**config, "dynamics": {**config["dynamics"], "rule": "heat-bath"}}
    found = {
        engine: mbsim.run(config, progress=False, engine=engine) for engine in ("registers", "reference")
    }
    assert runs.digest(found["registers"]) == runs.digest(found["reference"])
    assert runs.digest(found["registers"]) != ANSWERS["binary"][name]


def test_an_engine_that_cannot_is_refused_by_name():
    with pytest.raises(
        mbsim.ConfigError, match=r'^run.engine = "batched": it trains real weights; able are '
    ):
        mbsim.run(runs.BINARY["vector random"], engine="batched")
    with pytest.raises(
        mbsim.ConfigError, match=r'^engine: run.engine = "regsters": must be .*nearest is "registers"'
    ):
        mbsim.run(runs.BINARY["vector random"], engine="regsters")


def test_an_engine_without_its_device_is_refused(tmp_path):
    with pytest.raises(mbsim.ConfigError, match=r'^run.engine = "pallas": it runs on GPUs and TPUs'):
        mbsim.run(runs.BINARY["vector random"], tmp_path / "run", engine="pallas")
    assert not (tmp_path / "run").exists()


def test_the_engine_is_no_part_of_the_run():
    config = runs.BINARY["vector random"]
    assert load_config(config, ["run.engine=reference"]).hash == load_config(config).hash
