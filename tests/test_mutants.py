"""Faults put into the kernel on purpose: the tests of its law and of its bits must notice every one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from against_oracle import SCALAR, VECTOR, WARM
from against_oracle import check as check_bits
from numba import njit
from one_step import REGULAR, THERMAL
from one_step import check as check_law

from mbsim.engines.registers import (
    blocks,
    cipher,
    compiled,
    cores,
    decisions,
    kept,
    networks,
    scalar_output,
    students,
    unit_sweeps,
    vector_output,
    vectors,
)
from mbsim.engines.xla import bits, groups, launches, metropolis, programs, scalar, vector
from mbsim.engines.xla import order as levels
from mbsim.physics import order as orders


@pytest.fixture(autouse=True)
def _compile_anew(monkeypatch):
    """Mutants neither find compiled programs nor leave any behind."""
    monkeypatch.setattr(launches, "programs", programs.compiled)


def reversed_acceptance(patch):
    rule = vector.accepted
    patch.setattr(vector, "accepted", lambda view, group, change: rule(view, group, -change))


def refused_ties(patch):
    rule = vector.accepted
    patch.setattr(vector, "accepted", lambda view, group, change: rule(view, group, change) & (change != 0))


def doubled_temperature(patch):
    view_of = metropolis.view_of

    def hotter(setting, tables, lanes, one):
        return view_of(setting, tables, lanes._replace(temperature=2 * lanes.temperature), one)

    patch.setattr(metropolis, "view_of", hotter)


def reused_key(patch):
    """Every batch is the first."""
    examples = metropolis.examples

    def first(setting, keys, batch, one):
        return examples(setting, keys, jnp.zeros_like(batch), one)

    patch.setattr(metropolis, "examples", first)


def forgotten_mask(patch):
    """All examples of a word count, not only the first m."""
    mask = bits.batch_mask
    patch.setattr(bits, "batch_mask", lambda m, words, dtype: ~jnp.zeros_like(mask(m, words, dtype)))


def biased_index(patch):
    """The remainder of a five-bit number, and not an unbiased number below n = 24."""
    order = orders.random_order
    patch.setattr(orders, "random_order", lambda key, sweeps, n: order(key, sweeps, 32) % n)


def one_weight_never_proposed(patch):
    order = orders.random_order
    patch.setattr(orders, "random_order", lambda key, sweeps, n: order(key, sweeps, n - 1))


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "mutant",
    [
        reversed_acceptance,
        reused_key,
        forgotten_mask,
        biased_index,
        pytest.param(refused_ties, marks=SLOW),
        pytest.param(doubled_temperature, marks=SLOW),
        pytest.param(one_weight_never_proposed, marks=SLOW),
    ],
)
def test_law_notices(mutant, monkeypatch):
    mutant(monkeypatch)
    with pytest.raises(AssertionError, match=r"their law|impossible"):
        check_law(REGULAR, THERMAL, thermal=True, students=2)


def forgotten_batch(patch):
    """Proposals go on with the first batch for ever."""
    refresh = metropolis.refresh

    def once(setting, view, keys, state):
        fresh = refresh(setting, view, keys, state)
        kept = state._replace(batch=fresh.batch)
        return jax.tree.map(lambda new, old: jnp.where(state.batch == 0, new, old), fresh, kept)

    patch.setattr(metropolis, "refresh", once)


def stale(patch, module, name):
    """Hidden links flip, but what outputs make of their units stays as it was."""
    flip = getattr(module, name)

    def forgetful(view, state, *proposals):
        after, accepted = flip(view, state, *proposals)
        return after._replace(sums=state.sums), accepted

    patch.setattr(module, name, forgetful)


def stale_links(patch):
    stale(patch, vector, "flip_hidden")


def stale_units(patch):
    stale(patch, vector, "flip_units")


def stale_counts(patch):
    stale(patch, scalar, "flip_hidden")


def levels_that_conflict(patch):
    """Proposals of one level are done at once although they touch a common output."""
    right = levels.levels
    patch.setattr(levels, "levels", lambda *arguments: right(*arguments) // 2)


def units_that_conflict(patch):
    """Units of one colour are done at once although some share an output."""
    colours = orders.greedy_colours
    patch.setattr(orders, "greedy_colours", lambda *graph: colours(*graph) // 2)


def uniforms_of_another_sweep(patch):
    draw = groups.acceptance_uniforms

    def first(key, sweep, positions):
        return draw(key, jnp.zeros_like(sweep), positions)

    patch.setattr(groups, "acceptance_uniforms", first)


@pytest.mark.parametrize(
    ("network", "order", "mutant"),
    [
        (VECTOR, "sequential", forgotten_batch),
        pytest.param(VECTOR, "sequential", stale_units, marks=SLOW),
        pytest.param(VECTOR, "random", stale_links, marks=SLOW),
        pytest.param(VECTOR, "sequential", units_that_conflict, marks=SLOW),
        pytest.param(VECTOR, "random", levels_that_conflict, marks=SLOW),
        pytest.param(SCALAR, "sequential", stale_counts, marks=SLOW),
        pytest.param(VECTOR, "sequential", uniforms_of_another_sweep, marks=SLOW),
        pytest.param(VECTOR, "random", forgotten_batch, marks=SLOW),
        pytest.param(SCALAR, "random", forgotten_batch, marks=SLOW),
    ],
)
def test_bits_notice(network, order, mutant, monkeypatch):
    mutant(monkeypatch)
    with pytest.raises(AssertionError, match="Arrays are not equal"):
        check_bits(network, order, None, [3, 8], WARM, measured=False)


NATIVE = {
    made
    for module in (cipher, compiled, decisions, networks, scalar_output, unit_sweeps, vector_output)
    for made in vars(module).values()
    if hasattr(made, "cache_clear")
}


@pytest.fixture
def _registers_compile_anew(monkeypatch):
    """In memory and on disk; and without what only measures, which takes as long to compile again."""
    monkeypatch.setattr(kept, "use_files", False)
    monkeypatch.setattr(cores.Ensemble, "observe", see_nothing)
    for factory in NATIVE:
        factory.cache_clear()
    yield
    for factory in NATIVE:
        factory.cache_clear()


def see_nothing(ensemble, time):
    return cores.Observation(*np.zeros((3, ensemble.count), np.int64))


def native_reversed_acceptance(patch):
    rule = vectors.at_most_zero

    @njit
    def reversed_rule(change):
        return rule(vectors.zero_like(change) - change)

    patch.setattr(decisions, "at_most_zero", reversed_rule)


def native_forgotten_mask(patch):
    valid = blocks.valid_examples
    patch.setattr(blocks, "valid_examples", lambda m, words, size: ~(0 * valid(m, words, size)))


def native_forgotten_batch(patch):
    """The first batch serves for ever."""
    shared_of = students.shared_of
    patch.setattr(students, "shared_of", lambda t, s, refresh, *rest: shared_of(t, s, 10**9, *rest))


def native_stale_outputs(patch):
    """Links flip, but sums stay as they were."""

    @njit
    def unmoved(counter, where, term):
        return counter

    patch.setattr(vector_output, "negated", unmoved)


def native_stale_output(patch):
    """The same with one output."""

    @njit
    def unmoved(counter, where, term):
        return counter

    patch.setattr(scalar_output, "negated", unmoved)


def native_stale_unit(patch):
    """A unit changes its sign, but its outputs and its effect stay as they were."""
    weigher = unit_sweeps.weigher

    def forgetful(*kind):
        weigh = weigher(*kind)

        @njit
        def once(unit, changed, block):
            if not changed:
                weigh(unit, changed, block)

        return once

    patch.setattr(unit_sweeps, "weigher", forgetful)


def native_colder(patch):
    limits = decisions.limits_of
    patch.setattr(decisions, "limits_of", lambda temperatures, most: limits(temperatures / 2, most))


def native_one_key_for_all(patch):
    keys = blocks.cipher_keys
    patch.setattr(blocks, "cipher_keys", lambda key, block: tuple(k * 0 + k[0] for k in keys(key, block)))


@pytest.mark.usefixtures("_registers_compile_anew")
@pytest.mark.parametrize(
    ("network", "order", "mutant"),
    [
        (VECTOR, "random", native_reversed_acceptance),
        pytest.param(VECTOR, "random", native_forgotten_mask, marks=SLOW),
        (VECTOR, "random", native_forgotten_batch),
        (VECTOR, "random", native_stale_outputs),
        (SCALAR, "random", native_stale_output),
        pytest.param(VECTOR, "random", native_colder, marks=SLOW),
        pytest.param(VECTOR, "random", native_one_key_for_all, marks=SLOW),
        (VECTOR, "sequential", native_stale_unit),
        pytest.param(VECTOR, "sequential", units_that_conflict, marks=SLOW),
    ],
)
def test_registers_notice(network, order, mutant, monkeypatch):
    mutant(monkeypatch)
    with pytest.raises(AssertionError, match="Arrays are not equal"):
        check_bits(network, order, None, [3, 8], WARM, engine="native", measured=False)
