"""Students that are copies of one another are told, unless chance explains that they agree."""

import numpy as np
import pytest
from known_answers import collapses
from rises import logistic

from mbsim import fss
from mbsim.fss.copies import copies, without

M = np.arange(10, 27)


def noisy(teachers=8, replicas=6, seed=0):
    return np.random.default_rng(seed).normal(size=(teachers, replicas, len(M)))


def succeed(teachers=8, replicas=16, width=2.0, seed=0):
    """0 or 1 at every m on its own; teachers differ in their threshold."""
    rng = np.random.default_rng(seed)
    own = rng.normal(size=(teachers, 1, 1))
    return (rng.random((teachers, replicas, len(M))) < logistic((M - 18 - own) / width)).astype(float)


def monotone(teachers=8, replicas=16, spread=1.5, seed=0):
    """0 below a threshold of each student and 1 above it, as along an annealed chain."""
    rng = np.random.default_rng(seed)
    place = 18 + rng.normal(size=(teachers, 1, 1)) + spread * rng.normal(size=(teachers, replicas, 1))
    return (M > place).astype(float)


def test_teachers_that_are_copies_are_told_whatever_their_values():
    for made in (noisy(), succeed(), monotone()):
        assert not copies(made).teachers.any() and not copies(made).students.any()
        again = made[[0, 1, 2, 2, 4, 0, 6, 7]]
        assert np.flatnonzero(copies(again).teachers).tolist() == [3, 5]
        alone = copies(made[[0] * 8])  # one seed everywhere
        assert alone.teachers.tolist() == [False] + [True] * 7


@pytest.mark.parametrize("seed", range(20))
def test_what_chance_explains_is_no_copy(seed):
    """Two values and few replicas, or thresholds that all students share: curves agree without a seed."""
    for made in (
        monotone(replicas=1, spread=0.5, seed=seed),
        monotone(replicas=2, spread=0.5, seed=seed),
        succeed(replicas=1, width=0.2, seed=seed),
        np.broadcast_to(
            (M > 18.0)[None, None] * 1.0, (8, 16, len(M))
        ),  # a sharp transition, the same for all
        np.zeros((8, 16, len(M))),
    ):
        found = copies(made)
        assert not found.teachers.any() and not found.students.any()


def test_replicas_within_a_teacher_that_are_copies_count_once():
    made = noisy()
    made[:, :, M > 20] = 1.0  # where all learn all agree
    assert not copies(made).students.any()
    again = made[:, [0, 0, 2, 2, 4, 0]]
    found = copies(again)
    assert not found.teachers.any()
    assert found.students.tolist() == [[False, True, False, True, False, True]] * 8
    np.testing.assert_array_equal(without(again, found), made[:, [0, 2, 4]])
    uneven = made.copy()
    uneven[3, 1] = uneven[3, 0]
    left = without(uneven, copies(uneven))
    assert left.shape == made.shape and np.isnan(left[3, -1]).all() and np.isfinite(left[:3]).all()
    saturated = np.where(
        M > 12, 1.0, noisy(8, 6)
    )  # noise at three points only is not enough among 48 students
    saturated[:, 1] = saturated[:, 0]
    assert copies(saturated[..., 2:]).students.sum() == 0


def test_estimates_are_those_of_the_students_that_differ():
    ds = collapses.samples(8, 3, 0, sizes=(64,))
    again = ds.isel(replica=[0, 1, 2] * 10)
    [one], [other] = (fss.midpoint(each, "q", bootstrap=300) for each in (ds, again))
    assert one.reason == "" and "216 of 240 students are copies" in other.reason
    assert (one.m_c, one.low, one.high) == (other.m_c, other.low, other.high)
    verdict = fss.transition_order(again, "q", bootstrap=100)[0]
    assert all(drawn.counts.sum() == 24 for drawn in verdict.histograms)  # students, not copies


def test_success_of_one_seed_everywhere_has_no_interval():
    ds = collapses.samples(6, 16, 0, sizes=(64, 128))
    two = ds.assign(success=(ds.q > 0.5).astype(float)).isel(teacher=[2] * 6)
    for one in fss.midpoint(two, "success", bootstrap=50):
        assert np.isnan(one.low) and "5 of 6 teachers are copies" in one.reason
