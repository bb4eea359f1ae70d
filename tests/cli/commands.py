"""The run that tests of commands make, and how they read what is said."""

import json
import subprocess
import sys

import numpy as np
from small_runs import result_of

CONFIG = """
name = "tiny"
model = "sparse-vector"
grid = { N = [9, 15], d = [3], m = [2, 4, 6, 8, 10, 12], teachers = 2, replicas = 3 }
dynamics = { sweeps = 32 }
"""
MIDDLE = {9: 5.3, 15: 8.1}  # where the made-up order parameter has its step


def with_transition(unit, times):
    """A unit's arrays, with a step of the order parameter at `MIDDLE`."""
    result = result_of(unit, times)
    noise = 0.02 * result["overlap_second"]
    step = 1 / (1 + np.exp(-(np.array(unit.m) - MIDDLE[unit.N]) / 0.5))
    result["overlap_mean"] = np.nan_to_num(noise) + step[:, None, None]
    return result


def last_line(code: str, *arguments: str) -> str:
    """What a Python program says last."""
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1]


def strict(text: str) -> dict:
    """The one object of a text; NaN or infinity, which JSON has not, are refused."""

    def refuse(name):
        raise ValueError(name)

    assert text.count("\n") == 1
    return json.loads(text, parse_constant=refuse)
