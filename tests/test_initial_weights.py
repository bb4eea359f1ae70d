"""Weights that students start with, as compiled loops draw and pack them: the law, and nothing beyond them."""

import numpy as np
import pytest

from mbsim.engines.registers import records, rows
from mbsim.engines.registers.cipher import CIPHERS
from mbsim.engines.registers.compiled import initial_weights
from mbsim.engines.registers.loading import address
from mbsim.sampling.streams import Key, threefry

GUARD = 0xA5


@pytest.mark.parametrize("students", [8, 16, 32, 64])
def test_weights_are_drawn_by_the_law(students):
    """A link's 24-bit number below the limit gives the teacher's weight. An odd number of links: eight students fill
    half a register, so that the last one holds one link where the others hold two.
    """
    rng, layer, links = np.random.default_rng(students), 1, 77
    key = Key(*rng.integers(0, 2**32, (2, students), np.uint32))
    limit = rng.choice(np.array([0, 2**22, 2**23, 2**24], np.uint32), students)
    taught = rng.choice(np.array([0, -1], np.int8), links)
    every = np.arange(max(CIPHERS, students))
    filled = [np.ascontiguousarray(values[every % students]) for values in (limit, *key)]
    beyond = (every // students).astype(np.uint32)
    drawn = np.full(links * students // 8 + 16, GUARD, np.uint8)
    row = rows.row_of(
        records.Links(layer, links, students, len(every)),
        records.Drawing(*map(address, (taught, drawn, *filled, beyond))),
    )
    initial_weights(address(row))

    u = threefry(Key(*(half[:, None] for half in key)), np.uint32(layer), np.arange(links, dtype=np.uint32))[
        0
    ]
    teachers = (u >> np.uint32(8)) < limit[:, None]  # (students, links)
    expected = np.where(teachers, taught, ~taught) != 0
    bits = np.unpackbits(drawn[:-16], bitorder="little").reshape(links, students)
    np.testing.assert_array_equal(bits.T, expected)
    assert (drawn[-16:] == GUARD).all()
