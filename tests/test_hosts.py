"""Several hosts of one JAX program, as on a TPU pod: each takes its share of the work units, by its process index."""

import os
import socket
import subprocess
import sys

import numpy as np
import pytest

import mbsim

pytestmark = pytest.mark.slow  # real processes, which compile

HOST = """if True:
    import sys
    import jax

    address, place, model, out = sys.argv[1:]
    jax.distributed.initialize(address, 2, int(place))
    import mbsim

    grid = {"N": [9, 11], "d": [3, 5], "m": [4, 8], "teachers": 2, "replicas": 2}
    config = {"model": model, "grid": grid, "dynamics": {"sweeps": 40}}
    if model == "dense-vector":
        config["dynamics"] = {"steps": 40}
    told = []
    mbsim.run(config, out, progress=False, report=told.append)
    print(jax.process_index(), told[0].units, told[-1].units_done)
"""


@pytest.mark.parametrize("model", ["sparse-vector", "dense-vector"])
def test_two_hosts_make_the_run_of_one(tmp_path, model):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    arguments = [address, model, str(tmp_path / "shared")]
    hosts = [
        subprocess.Popen(
            [sys.executable, "-c", HOST, arguments[0], str(place), *arguments[1:]],
            env=os.environ | {"JAX_PLATFORMS": "cpu"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for place in (0, 1)
    ]
    said = [host.communicate() for host in hosts]
    assert [host.returncode for host in hosts] == [0, 0], said
    said = [(text.splitlines()[-1], errors) for text, errors in said]  # what connects them may say so before
    units = 4 if model == "sparse-vector" else int(said[0][0].split()[1]) + int(said[1][0].split()[1])
    assert [text.split()[0] for text, _ in said] == ["0", "1"]
    assert sum(int(text.split()[2]) for text, _ in said) == units
    shared = mbsim.open_run(tmp_path / "shared")
    assert (shared.status != 0).all()
    alone = mbsim.run(mbsim.load_config(tmp_path / "shared" / "config.toml"), progress=False)
    for name in alone:
        np.testing.assert_array_equal(shared[name], alone[name])
