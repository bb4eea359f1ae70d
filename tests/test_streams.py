"""Random numbers: the cipher is the standard one, and a number depends on its labels only."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mbsim.sampling import streams
from mbsim.sampling.examples import by_example, in_tiles
from mbsim.sampling.streams import Key, Purpose


def test_threefry_known_answers():
    """The vectors published with Random123 (kat_vectors, threefry2x32 20)."""
    cases = [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF,) * 2, (0xFFFFFFFF,) * 2, (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ]
    for key, counter, expected in cases:
        arrays = [jnp.asarray([x], jnp.uint32) for x in (*key, *counter)]
        result = streams.threefry(Key(*arrays[:2]), *arrays[2:])
        assert tuple(int(x[0]) for x in result) == expected


def test_keys_of_students_are_folded_labels():
    m, replica = np.array([3, 9, 9]), np.array([0, 0, 5])
    teacher = np.array([2, 2, 1])
    keys = streams.keys_of_students(7, 64, 3, teacher, m, replica)
    for i in range(3):
        key = jax.random.key(7, impl=streams.GENERATOR)
        for label in (64, 3, int(m[i]), int(teacher[i]), int(replica[i])):
            key = jax.random.fold_in(key, label)
        for purpose, half in zip(
            (Purpose.WEIGHTS, Purpose.EXAMPLES, Purpose.TEST, Purpose.ACCEPTANCE), keys, strict=True
        ):
            expected = jax.random.key_data(jax.random.fold_in(key, int(purpose)))
            assert (half.first[i], half.second[i]) == tuple(np.asarray(expected))


def test_every_label_changes_every_key():
    def key(seed=1, N=64, d=3, teacher=0, m=8, replica=0):
        keys = streams.keys_of_students(seed, N, d, teacher, np.array([m]), np.array([replica]))
        return {(int(k.first[0]), int(k.second[0])) for k in keys}

    variants = [key(), key(seed=2), key(N=65), key(d=5), key(teacher=1), key(m=9), key(replica=1)]
    assert len(set().union(*variants)) == sum(len(v) for v in variants) == 28


@pytest.mark.slow
def test_inputs_do_not_depend_on_the_shape_of_the_draw():
    key = Key(jnp.uint32(5), jnp.uint32(9))
    wide = np.asarray(in_tiles(key, 100, 7))
    np.testing.assert_array_equal(wide[:40], np.asarray(in_tiles(key, 40, 7)))
    np.testing.assert_array_equal(wide[:, :3], np.asarray(in_tiles(key, 100, 3)))
    numbers = jnp.arange(100, dtype=jnp.uint32)
    for kind in ("sign", "normal"):
        wide = np.asarray(by_example(key, numbers, 70, kind))
        np.testing.assert_array_equal(wide[31:33], np.asarray(by_example(key, numbers[31:33], 70, kind)))
        np.testing.assert_array_equal(wide[:, :40], np.asarray(by_example(key, numbers, 40, kind)))


def test_inputs_are_fair_and_uncorrelated():
    """Means and pair correlations of 2^16 examples of 8 inputs within 5.5 standard errors (false alarm below
    1e-5 in all).
    """
    spins = np.asarray(in_tiles(Key(jnp.uint32(3), jnp.uint32(3)), 2**16, 8), float)
    bound = 5.5 / np.sqrt(len(spins))
    gram = spins.T @ spins / len(spins)
    assert np.abs(spins.mean(axis=0)).max() < bound
    assert np.abs(gram - np.eye(8)).max() < bound


def test_uniform_is_in_the_unit_interval():
    bits = jnp.asarray([0, 255, 256, 2**32 - 1], jnp.uint32)
    np.testing.assert_array_equal(
        np.asarray(streams.uniform(bits)), np.float32([0, 0, 2.0**-24, 1 - 2.0**-24])
    )
