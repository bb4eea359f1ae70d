"""Faults put into the engine of CPUs on purpose: the tests of its bits must notice every one."""

import pytest
from against_oracle import FIVE, SCALAR, VECTOR, WARM
from against_oracle import check as check_bits
from against_reference import problem_of, students_of, task_of, train, with_training_set
from numba import njit

from mbsim.engines.registers import (
    blocks,
    cipher,
    compiled,
    decisions,
    example_sets,
    groups,
    kept,
    networks,
    scalar_output,
    training,
    unit_sweeps,
    unit_terms,
    vector_output,
    vector_terms,
    vectors,
)
from mbsim.engines.registers.loading import load
from mbsim.engines.task import Task
from mbsim.sampling.streams import Key

SLOW = pytest.mark.slow


# Faults in what compiled functions are told


def forgotten_mask(patch):
    """All examples of a word count, not only the first m."""
    valid = blocks.valid_examples
    patch.setattr(blocks, "valid_examples", lambda m, words, size: ~(0 * valid(m, words, size)))


def forgotten_batch(patch):
    """The first batch serves for ever."""
    patch.setattr(Task, "refresh", property(lambda task: 10**6 * task.shape.proposals))


def colder(patch):
    limits = decisions.limits_of
    patch.setattr(decisions, "limits_of", lambda temperatures, most: limits(temperatures / 2, most))


def one_key_for_all(patch):
    streams_of = groups.streams_of

    def of_the_first(task):
        keys = streams_of(task)
        first = Key(*(half * 0 + half[0] for half in keys.examples))
        return keys._replace(examples=first)

    patch.setattr(groups, "streams_of", of_the_first)


def units_that_conflict(patch):
    """Units of one colour are done one after the other although some share an output."""
    colours_of = groups.colours_of
    patch.setattr(groups, "colours_of", lambda *graph: colours_of(*graph) // 2)


def order_of_another_teacher(patch):
    """Whoever takes blocks from the queue has the order of the first teacher."""
    key = training.order_key
    patch.setattr(training, "order_key", lambda seed, N, d, number: key(seed, N, d, 0 * number))


@pytest.mark.parametrize(
    ("network", "order", "mutant"),
    [
        (VECTOR, "random", forgotten_mask),
        (VECTOR, "random", forgotten_batch),
        (VECTOR, "random", colder),
        (VECTOR, "random", one_key_for_all),
        (VECTOR, "random", order_of_another_teacher),
        pytest.param(VECTOR, "sequential", units_that_conflict, marks=SLOW),
        pytest.param(VECTOR, "sequential", forgotten_batch, marks=SLOW),
    ],
)
def test_bits_notice(network, order, mutant, monkeypatch):
    mutant(monkeypatch)
    with pytest.raises(AssertionError, match="Arrays are not equal"):
        check_bits(network, order, None, [3, 8], WARM, teachers=2)


def test_numbers_of_teachers_that_are_their_places_are_noticed(monkeypatch):
    task = task_of(problem_of(VECTOR), students_of(teachers=(1, 2, 5)))
    right = train("registers", task)
    monkeypatch.setattr(Task, "student_numbers", property(lambda task: task.labels.teacher))
    wrong = train("registers", task)
    assert (wrong != right).any(axis=1).all()


# Faults in training sets


def keys_exchanged(patch):
    """Examples are chosen under the key that draws them."""
    streams_of = groups.streams_of

    def exchanged(task):
        keys = streams_of(task)
        return keys._replace(choice=keys.examples, examples=keys.choice)

    patch.setattr(groups, "streams_of", exchanged)


def one_example_less(patch):
    of = groups.example_set
    patch.setattr(groups, "example_set", lambda size: of(size - 1))


def set_of_another_student(patch):
    """All students choose the same examples."""
    streams_of = groups.streams_of

    def first(task):
        keys = streams_of(task)
        return keys._replace(choice=Key(*(half * 0 + half[0] for half in keys.choice)))

    patch.setattr(groups, "streams_of", first)


def unchanged_order(patch):
    """Every epoch goes through the set as it is numbered."""

    @njit
    def unmoved(number, first, second, sets):
        return number

    patch.setattr(example_sets, "permuted", unmoved)


SETS = (SCALAR, "sequential", "sweep", "epochs", (30, 70))


@SLOW
@pytest.mark.parametrize("mutant", [keys_exchanged, one_example_less, set_of_another_student])
def test_training_sets_notice(mutant, monkeypatch):
    task, expected = with_training_set(*SETS)
    mutant(monkeypatch)
    assert (train("registers", task) != expected).any()


# Faults in compiled functions

COMPILED = {
    made
    for module in (
        cipher,
        compiled,
        decisions,
        example_sets,
        networks,
        scalar_output,
        unit_sweeps,
        unit_terms,
        vector_output,
        vector_terms,
    )
    for made in vars(module).values()
    if hasattr(made, "cache_clear")
}


@pytest.fixture
def _compile_anew(monkeypatch):
    """In memory and on disk."""
    monkeypatch.setattr(kept, "use_files", False)
    for factory in COMPILED:
        factory.cache_clear()
    yield
    for factory in COMPILED:
        factory.cache_clear()


def reversed_acceptance(patch):
    rule = vectors.at_most_zero

    @njit
    def reversed_rule(change):
        return rule(vectors.zero_like(change) - change)

    patch.setattr(decisions, "at_most_zero", reversed_rule)


def stale(patch, module):
    """Links flip, but the sums of outputs stay as they were."""

    @njit
    def unmoved(counter, where, term):
        return counter

    patch.setattr(module, "negated", unmoved)


def stale_outputs(patch):
    stale(patch, vector_output)


def stale_output(patch):
    stale(patch, scalar_output)


def stale_unit(patch, module=unit_sweeps):
    """A unit changes its sign, but its outputs and its effect stay as they were."""
    weigher = module.weigher

    def forgetful(*kind):
        weigh = weigher(*kind)

        @njit
        def once(unit, changed, block):
            if not changed:
                weigh(unit, changed, block)

        return once

    patch.setattr(module, "weigher", forgetful)


def stale_terms(patch):
    stale_unit(patch, unit_terms)


def all_terms_cancel(patch):
    """A term is looked at as if it were one of the two beside it."""

    @njit
    def whole(rows, first, row, own):
        return load(rows, first) ^ load(rows, first + row) ^ load(rows, first + row + row)

    patch.setattr(vector_terms, "cancel", whole)


@pytest.mark.usefixtures("_compile_anew")
@pytest.mark.parametrize(
    ("network", "order", "mutant"),
    [
        pytest.param(VECTOR, "random", reversed_acceptance, marks=SLOW),
        pytest.param(FIVE, "sequential", stale_unit, marks=SLOW),
        pytest.param(FIVE, "random", stale_outputs, marks=SLOW),
        pytest.param(VECTOR, "sequential", stale_terms, marks=SLOW),
        pytest.param(VECTOR, "random", all_terms_cancel, marks=SLOW),
        pytest.param(SCALAR, "random", stale_output, marks=SLOW),
    ],
)
def test_bits_notice_what_is_compiled(network, order, mutant, monkeypatch):
    mutant(monkeypatch)
    with pytest.raises(AssertionError, match="Arrays are not equal"):
        check_bits(network, order, None, [3, 8], WARM, sweeps=2)


@SLOW
@pytest.mark.usefixtures("_compile_anew")
def test_training_sets_notice_what_is_compiled(monkeypatch):
    task, expected = with_training_set(*SETS)
    unchanged_order(monkeypatch)
    assert (train("registers", task) != expected).any()
