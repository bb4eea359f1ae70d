"""What the Pallas engine is made of: sums of bits, parts of sweeps, labels, tables, and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from pallas_tasks import GPU, IRREGULAR, TPU, many, task_of
from students import SEED

from mbsim.engines import networks
from mbsim.engines.mesh import student_mesh
from mbsim.engines.pallas import batches, bitwise, layout, refusals, tables, training
from mbsim.engines.pallas.targets import Target
from mbsim.physics.problem import Teacher
from mbsim.sampling import streams


@pytest.mark.parametrize(("fields", "most"), [(1, 40), (2, 9), (2, 60), (4, 14)])
def test_sums_of_fields(fields, most):
    """Planes of random counts, summed over the examples of each field."""
    rng = np.random.default_rng(0)
    counts = rng.integers(0, most + 1, (50, 32))
    planes = [
        ((counts >> i & 1) << np.arange(32)).sum(axis=1).astype(np.uint32).view(np.int32)
        for i in range(most.bit_length())
    ]
    total = np.asarray(bitwise.field_sums([jax.numpy.asarray(p) for p in planes], fields, most)).view(
        np.uint32
    )
    width = 32 // fields
    for f in range(fields):
        part = total >> np.uint32(f * width) & np.uint32((1 << width) - 1) if fields > 1 else total
        np.testing.assert_array_equal(part, counts[:, f * width : (f + 1) * width].sum(axis=1))


@pytest.mark.parametrize("terms", [1, 3, 5, 7, 9, 13, 31])
def test_decisive_terms(terms):
    """A term decides a sum where the others cancel; and a majority is the sign of a sum."""
    rng = np.random.default_rng(1)
    bits = rng.integers(0, 2, (terms, 200, 32))
    words = [
        jax.numpy.asarray((term << np.arange(32)).sum(axis=1).astype(np.uint32).view(np.int32))
        for term in bits
    ]

    def unpacked(word):
        return np.asarray(word).view(np.uint32)[:, None] >> np.arange(32, dtype=np.uint32) & 1

    signs = 1 - 2 * bits
    cancel = signs.sum(axis=0) - signs[0] == 0
    np.testing.assert_array_equal(unpacked(bitwise.decisive(words, words[0])), cancel)
    np.testing.assert_array_equal(unpacked(bitwise.majority(words)), signs.sum(axis=0) < 0)


def test_parts_of_sweeps():
    """Sweeps of 6 proposals, batches of 4."""
    assert list(training.parts_of(0, 2, 6, 4)) == [(0, 0, 0, 4), (0, 1, 4, 6), (1, 1, 0, 2), (1, 2, 2, 6)]
    assert list(training.parts_of(1, 2, 6, 100)) == [(1, 0, 0, 6)]


def test_batches_are_numbered_in_32_bits():
    """Numbers that an int32 does not hold are labels as any other."""
    number = 2**31 + 5
    key = streams.folded(SEED, np.arange(4))
    of_batch = jax.jit(batches.folded)(
        jax.tree.map(jnp.asarray, key), jnp.asarray(training._words((7, number))[1])
    )
    for half, right in zip(of_batch, streams.fold(key, number), strict=True):
        np.testing.assert_array_equal(half, right)


def test_tables_name_rows_of_readers():
    task = task_of(IRREGULAR)
    teacher = Teacher(*(part[0] for part in task.teachers))
    rows = tables.readers(networks.tables_of(task.teachers, task.shape), task.shape, 2)[0]
    rows = rows.reshape(task.shape.K, -1)
    for k, (number, *pairs) in enumerate(rows.tolist()):
        links = np.flatnonzero(teacher.output_sources.ravel() == k)
        assert number == len(links)
        assert pairs[: 2 * number : 2] == (2 * links).tolist()
        assert pairs[1 : 2 * number : 2] == (2 * (links // 3 * 3)).tolist()


def test_refusals_are_one_line():
    small = networks.Shape(12, 12, 12, 3, 3, True, True)
    m, cold = np.array([5, 8]), np.zeros(2)
    assert refusals.refuses(small, m, cold, GPU) == refusals.refuses(small, m, cold, TPU, 2**30) == ""
    deep = small._replace(d=33), m, cold
    wide = small._replace(N=2**14, K=2**14, M=2**14), m, cold
    large = small._replace(N=1000, K=1000, M=1000), np.array([8, 2048]), cold
    hot = small, np.array([2000]), np.array([100.0])
    for case, words in ((deep, "d = 33"), (wide, "N = 16384"), (large, "m = 2048"), (hot, "T = 100")):
        reason = refusals.refuses(*case, TPU)
        assert words in reason and "\n" not in reason
    assert refusals.refuses(*wide, GPU, 80 * 2**30) == ""
    assert "need 0.057 GiB, the device has 0.031 GiB" in refusals.refuses(*wide, GPU, 2**25)
    deep_task = many(1)._replace(shape=small._replace(d=33))
    with pytest.raises(ValueError, match="d = 33"):
        training.train(deep_task, student_mesh(jax.devices()[:1]), lambda done: None, GPU)


def test_a_tpu_holds_the_largest_batches():
    """Batches of 1,024 with many outputs, 4,096 with one."""
    vector_shape = networks.Shape(128, 128, 128, 3, 3, True, True)
    scalar_shape = networks.Shape(63, 63, 1, 3, 1, True, False)
    for shape, m in ((vector_shape, 1024), (scalar_shape, 4096)):
        of = layout.layout_for(Target("tpu"), shape, m, 10**4)
        assert of is not None and of.examples >= m
