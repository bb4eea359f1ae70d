"""Faults put into the kernel on purpose: the tests of its law and of its bits must notice every one."""

import jax.numpy as jnp
import numpy as np
import pytest
from test_oracle import SCALAR, VECTOR
from test_oracle import check as check_bits
from test_transitions import REGULAR, THERMAL
from test_transitions import check as check_law

from mbsim.kernel import bits, blocks, ensemble, metropolis, networks, programs, scalar, vector
from mbsim.kernel import order as orders


@pytest.fixture(autouse=True)
def _compile_anew(monkeypatch):
    """Mutants neither find compiled programs nor leave any behind."""
    monkeypatch.setattr(ensemble, "programs", programs.programs.__wrapped__)


def reversed_acceptance(patch):
    accepted = vector.accepted
    patch.setattr(vector, "accepted", lambda view, block, change: accepted(view, block, -change))


def refused_ties(patch):
    accepted = vector.accepted
    patch.setattr(vector, "accepted", lambda view, block, change: accepted(view, block, change) & (change != 0))


def doubled_temperature(patch):
    view_of = metropolis.view_of

    def hotter(setting, tables, lanes, one):
        return view_of(setting, tables, lanes._replace(temperature=2 * lanes.temperature), one)

    patch.setattr(metropolis, "view_of", hotter)


def reused_key(patch):
    """Every batch is the first."""
    examples = metropolis.examples
    patch.setattr(metropolis, "examples", lambda setting, keys, batch, one: examples(setting, keys, 0 * batch, one))


def forgotten_mask(patch):
    """All examples of a word count, not only the first m."""
    mask = bits.batch_mask
    patch.setattr(metropolis.bits, "batch_mask", lambda m, words, dtype: ~jnp.zeros_like(mask(m, words, dtype)))


def biased_index(patch):
    """The remainder of a five-bit number, and not an unbiased number below n = 24."""
    order = orders.random_order
    patch.setattr(orders, "random_order", lambda key, sweeps, n: order(key, sweeps, 32) % n)


def one_weight_never_proposed(patch):
    order = orders.random_order
    patch.setattr(orders, "random_order", lambda key, sweeps, n: order(key, sweeps, n - 1))


@pytest.mark.parametrize(
    "mutant",
    [
        reversed_acceptance,
        refused_ties,
        doubled_temperature,
        reused_key,
        forgotten_mask,
        biased_index,
        one_weight_never_proposed,
    ],
)
def test_law_notices(mutant, monkeypatch):
    mutant(monkeypatch)
    with pytest.raises(AssertionError, match=r"their law|impossible"):
        check_law(REGULAR, THERMAL, thermal=True)


def forgotten_batch(patch):
    """Proposals go on with the first batch for ever."""
    refresh = metropolis.refresh

    def once(setting, view, keys, state):
        fresh = refresh(setting, view, keys, state)
        kept = state._replace(batch=fresh.batch)
        return metropolis.lax.cond(state.batch == 0, lambda: fresh, lambda: kept)

    patch.setattr(metropolis, "refresh", once)


def stale_hidden_state(patch):
    """A flipped hidden link leaves what outputs read as it was."""
    flip = vector.flip_hidden

    def stale(view, state, block):
        after, accepted = flip(view, state, block)
        return after._replace(sums=state.sums), accepted

    patch.setattr(vector, "flip_hidden", stale)


def stale_counts(patch):
    """A flipped hidden link leaves the sum at the scalar output as it was."""
    flip = scalar.flip_hidden

    def stale(view, state, block):
        after, accepted = flip(view, state, block)
        return after._replace(sums=state.sums), accepted

    patch.setattr(scalar, "flip_hidden", stale)


def levels_that_conflict(patch):
    """Proposals of one level are done at once although they touch a common output."""
    levels = orders.levels
    patch.setattr(orders, "levels", lambda *arguments: levels(*arguments) // 2)


def uniforms_of_another_sweep(patch):
    draw = blocks.acceptance_uniforms
    patch.setattr(blocks, "acceptance_uniforms", lambda key, sweep, positions: draw(key, 0 * sweep, positions))


@pytest.mark.parametrize(
    ("network", "mutant"),
    [
        (VECTOR, forgotten_batch),
        (VECTOR, stale_hidden_state),
        (VECTOR, levels_that_conflict),
        (SCALAR, stale_counts),
        (VECTOR, uniforms_of_another_sweep),
    ],
)
def test_bits_notice(network, mutant, monkeypatch):
    mutant(monkeypatch)
    with pytest.raises(AssertionError, match="Arrays are not equal"):
        check_bits(network, "sequential", None, [3, 8], 0.7)


def test_a_mutant_of_nothing_passes(monkeypatch):
    """The same checks, made the same way, let the kernel itself through."""
    monkeypatch.setattr(networks, "take", networks.take)
    check_bits(VECTOR, "sequential", None, [3, 8], 0.7)
    check_law(REGULAR, THERMAL, thermal=True)
