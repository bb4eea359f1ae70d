"""Packed arithmetic against plain Python integers, example by example."""

import jax.numpy as jnp
import numpy as np
import pytest

from mbsim.engines.xla import bits
from mbsim.engines.xla.groups import rivals, tied

WORDS = {8: np.uint8, 16: np.uint16, 32: np.uint32}


def random_rows(rows, dtype, seed=0, words=4, lanes=3):
    """`rows` random arrays of words (words, lanes), and the same unpacked, (rows, words, lanes, bits)."""
    rng = np.random.default_rng([seed, rows])
    # Ones are rarer in some lanes than in others, so that counts far from the middle occur too.
    width = np.dtype(dtype).itemsize * 8
    unpacked = rng.random((rows, words, lanes, width)) < np.array([0.5, 0.1, 0.9])[:, None]
    packed = (unpacked.astype(np.uint64) << np.arange(width, dtype=np.uint64)).sum(-1).astype(dtype)
    return [jnp.asarray(x) for x in packed], unpacked.astype(int)


def unpacked(words):
    """Bits of words, least significant first, as one more axis."""
    words = np.asarray(words)
    place = np.arange(words.dtype.itemsize * 8, dtype=np.uint64)
    return ((words[..., None].astype(np.uint64) >> place) & np.uint64(1)).astype(int)


def value_of(planes):
    """The numbers that bit-sliced planes hold."""
    return sum(unpacked(plane) << i for i, plane in enumerate(planes))


@pytest.mark.parametrize("rows", range(1, 32))
def test_sums_of_bits(rows):
    packed, ones = random_rows(rows, np.uint32)
    expected = ones.sum(axis=0)
    planes = bits.count(packed)
    assert len(planes) == rows.bit_length()
    np.testing.assert_array_equal(value_of(planes), expected)
    for value in {0, 1, rows // 2, (rows + 1) // 2, rows, rows + 1, 40}:
        np.testing.assert_array_equal(unpacked(bits.equals(planes, value)), expected == value)
    for value in {1, rows // 2 + 1, (rows + 1) // 2, rows}:
        np.testing.assert_array_equal(unpacked(bits.at_least(planes, value)), expected >= value)
    if rows % 2:
        # The sign of the sum of the ±1 values that the bits stand for.
        np.testing.assert_array_equal(unpacked(bits.majority(packed)), (1 - 2 * ones).sum(axis=0) < 0)
    else:
        np.testing.assert_array_equal(unpacked(tied(packed, packed[0])), (1 - 2 * ones).sum(axis=0) == 0)


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 11])
def test_sums_of_all_patterns(rows):
    """Every pattern of bits, one an example."""
    patterns = np.arange(2 ** max(rows, 5))
    columns = (patterns[:, None] >> np.arange(rows)) & 1
    place = np.arange(32, dtype=np.uint64)
    words = (columns.T.reshape(rows, -1, 32).astype(np.uint64) << place).sum(-1).astype(np.uint32)
    planes = bits.count([jnp.asarray(row) for row in words])
    got = sum(unpacked(plane).ravel() << i for i, plane in enumerate(planes))
    np.testing.assert_array_equal(got, columns.sum(axis=1))
    for value in range(rows + 1):
        np.testing.assert_array_equal(unpacked(bits.equals(planes, value)).ravel(), got == value)
        if value:
            np.testing.assert_array_equal(unpacked(bits.at_least(planes, value)).ravel(), got >= value)


def test_count_leaves_its_argument_alone():
    packed, _ = random_rows(5, np.uint32)
    before = list(packed)
    bits.count(packed)
    assert all(x is y for x, y in zip(before, packed, strict=True))


def test_nothing_is_tied_with_nothing():
    """A unit with a single link has the sign of that link."""
    like = jnp.zeros((4, 3), jnp.uint8)
    assert (np.asarray(tied([], like)) == 255).all()


@pytest.mark.parametrize("dtype", WORDS.values())
def test_moves(dtype):
    """Counts go up or down by one at the chosen examples, for as long as they stay in range."""
    rows = 21
    packed, ones = random_rows(rows, dtype)
    planes, count = bits.count(packed), ones.sum(axis=0)
    rng = np.random.default_rng(8)
    for _ in range(10):
        down = np.where(count == 0, 0, np.where(count == 31, 1, rng.integers(0, 2, count.shape)))
        where = rng.integers(0, 2, count.shape)
        width = np.dtype(dtype).itemsize * 8
        place = np.arange(width, dtype=np.uint64)
        words = [jnp.asarray((x.astype(np.uint64) << place).sum(-1).astype(dtype)) for x in (where, down)]
        planes = bits.move(planes, *words)
        count = count + where * (1 - 2 * down)
        np.testing.assert_array_equal(value_of(planes), count)


@pytest.mark.parametrize(("width", "dtype"), WORDS.items())
def test_batch_mask(width, dtype):
    """Ones at the first m examples of each lane, for every m that fits."""
    words = 3
    m = np.arange(words * width + 1)
    mask = np.asarray(bits.batch_mask(jnp.asarray(m, jnp.int32), words, np.dtype(dtype)))
    assert mask.shape == (words, len(m))
    assert mask.dtype == dtype
    examples = unpacked(mask).transpose(1, 0, 2).reshape(len(m), -1)
    np.testing.assert_array_equal(examples, np.arange(words * width) < m[:, None])


def test_word_types():
    """The narrowest word that holds the batch on CPU, 32 bits elsewhere; as many words as it takes."""
    for m in range(1, 200):
        dtype = bits.word_type(m, narrow=True)
        expected = 8 if m <= 8 else 16 if m <= 16 else 32
        assert bits.word_bits(dtype) == expected
        assert bits.word_type(m, narrow=False) == np.uint32
        words = bits.words_for(m, dtype)
        assert (words - 1) * expected < m <= words * expected


@pytest.mark.parametrize("dtype", WORDS.values())
def test_spread_and_popcount(dtype):
    flags = jnp.asarray([True, False, True])
    full = int(np.iinfo(dtype).max)
    spread = bits.spread(flags, np.dtype(dtype))
    assert spread.dtype == dtype
    assert np.asarray(spread).tolist() == [full, 0, full]
    values = np.random.default_rng(2).integers(0, full, (5, 4), dtype=dtype, endpoint=True)
    counts = bits.popcount(jnp.asarray(values), jnp.int16)
    assert counts.dtype == jnp.int16
    assert np.asarray(counts).tolist() == [[int(x).bit_count() for x in row] for row in values.tolist()]


@pytest.mark.parametrize("dtype", WORDS.values())
def test_products_with_weights(dtype):
    """Each lane's examples times its own weight, and times one that all lanes share."""
    packed, ones = random_rows(2, dtype)
    rows = jnp.stack(packed)
    signs = np.array([[1, -1, -1], [-1, 1, -1]])
    for weights in (signs, signs[:, 1:2]):
        held = jnp.asarray(np.where(weights < 0, -1, 0).astype(bits.WEIGHT))
        product = (1 - 2 * ones) * weights[:, None, :, None]
        np.testing.assert_array_equal(1 - 2 * unpacked(bits.times(rows, held)), product)


@pytest.mark.parametrize("degree", [1, 3, 5])
def test_rivals_are_the_other_links_of_the_unit(degree):
    links = jnp.arange(4 * degree).reshape(2, -1)
    result = np.asarray(rivals(links, degree))
    assert result.shape == (*links.shape, degree - 1)
    for link, others in zip(range(4 * degree), result.reshape(4 * degree, -1), strict=True):
        unit = range(link // degree * degree, (link // degree + 1) * degree)
        assert sorted(others) == [x for x in unit if x != link]
