"""Acceptance at T > 0 in the Pallas engine's kernels: the law's, for every number that may be drawn."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mbsim.engines.networks import Shape
from mbsim.engines.pallas import body, layout
from mbsim.engines.pallas.heat import STEP
from mbsim.engines.pallas.targets import Target
from mbsim.engines.registers.decisions import limits_of

SHAPE = Shape(12, 12, 12, 3, 3, True, True)
READERS = 3


@pytest.mark.parametrize("m", [8, 16, 32])
def test_every_change_is_accepted_as_the_law_says(m, monkeypatch):
    """Students with 1, 2 and 4 in a word, beside others of up to 64 examples whose table is longer."""
    of = layout.layout_for(Target("gpu"), SHAPE, m, 64)
    temperatures = np.array([0.0, 0.3, 2.0, 60.0])
    table = limits_of(temperatures, 64 * READERS)
    rows = -(-len(table[1:]) // STEP) * STEP
    padded = table[1:][np.minimum(np.arange(rows), len(table) - 2)].astype(np.int32)
    most = READERS * of.bits
    monkeypatch.setattr(
        body, "threefry", lambda key, first, second: (key.first, key.second)
    )  # the key is drawn

    @jax.jit
    def decide(drawn, limits, numbers):
        keys = jnp.stack([drawn] * (2 * of.fields))
        kernel = SimpleNamespace(layout=of, heat=rows, key=keys, limits=limits, sweep=0)
        return body.decide(kernel, 0, numbers, READERS)

    numbers = np.unique(
        [0, 1, 2, 2**24 - 1, *(table[1:, 1:].ravel().astype(int) - 1)]
    )  # every count of steps
    which, u, change = (
        grid.ravel() for grid in np.meshgrid(np.arange(4), numbers, np.arange(-most, most + 1), indexing="ij")
    )
    packed = sum((change + most) << (of.bits * f) for f in range(of.fields)).astype(np.uint32)
    limits = np.tile(padded[:, which], (of.fields, 1))
    found = np.asarray(decide((u << 8).astype(np.uint32).view(np.int32), limits, packed.view(np.int32)))
    chance = table[np.clip(change, 0, len(table) - 1), which]
    right = (change <= 0) | (u < chance)
    assert 0.1 < right.mean() < 0.9
    for f in range(of.fields):
        np.testing.assert_array_equal((found >> (of.bits * f) & 1).astype(bool), right)
