"""Faults in kernels of the Pallas engine are noticed."""

import functools

import jax
import numpy as np
import pytest
from pallas_tasks import GPU, expected, many, trained

from mbsim.engines import known_answers
from mbsim.engines.pallas import batches, bitwise, programs, training, vector
from mbsim.engines.registers import kept

pytestmark = [pytest.mark.usefixtures("layouts_apart", "no_programs_kept"), pytest.mark.slow]


@pytest.fixture
def no_programs_kept(monkeypatch):
    """A mutant's program has the name of the right one: on a GPU, others would find it in its file."""
    monkeypatch.setattr(kept, "use_files", False)


def reversed_acceptance(patch):
    patch.setattr(bitwise, "at_most", lambda numbers, limits, fields: AT_MOST(limits, numbers, fields))


def stale_readers(patch):
    """A hidden link flips, but what outputs make of its unit stays as it was."""
    flip = vector._flip
    patch.setattr(
        vector, "flip_hidden", lambda body, own, record, reads, i: FLIP(body, own, record, reads, i)
    )
    patch.setattr(vector, "each", lambda first, stop, do: None)
    seen = []

    def first_only(body, row, where):
        seen.append(row)
        if len(seen) % (1 + body.shape.readers) == 1:
            flip(body, row, where)

    patch.setattr(vector, "_flip", first_only)


def forgotten_mask(patch):
    patch.setattr(batches, "mask", lambda of, m: MASK(of, np.int32(of.examples) + 0 * m))


AT_MOST, FLIP, MASK = bitwise.at_most, vector.flip_hidden, batches.mask


@pytest.mark.parametrize("mutant", [reversed_acceptance, stale_readers, forgotten_mask])
def test_mutants_are_noticed(mutant, monkeypatch):
    monkeypatch.setattr(programs, "_once", functools.cache(lambda *of: programs._Once()))
    mutant(monkeypatch)
    task = many(6)
    assert (trained(task, GPU).w != expected(task)[4]).any()


def test_known_answers_notice_the_tables_of_another_teacher(monkeypatch):
    """A kernel that is right for one teacher, and takes the first of several for all."""
    case = "vector", False, "random", "pallas"
    assert known_answers.passes(*case)
    right = training._Launch._teachers

    def first_for_all(launch):
        return jax.tree.map(lambda table: np.repeat(table[:1], len(table), axis=0), right(launch))

    monkeypatch.setattr(training._Launch, "_teachers", first_for_all)
    assert known_answers.run(*case) == known_answers.DIGESTS[case[:3]]
    assert not known_answers.passes(*case)
