"""What `vector.py` and `scalar.py` share: the state of the students, a group of proposals, and the Metropolis
rule.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from mbsim.engines.networks import Shape, Tables
from mbsim.engines.xla import bits
from mbsim.sampling.streams import Key, Leaf, threefry, uniform


class State(NamedTuple):
    """Students and their current mini-batch; L lanes, W words.

    w (K*d, L) and v (M*D, L): weights, int8 0 or -1. inputs (N, W, L), targets (M, W, L): the batch and the
    teacher's answers.
    sums: what the student makes of the batch and each flip keeps up to date: hidden states (K, W, L) for a
    vector output, the bit-sliced number of -1 terms for a scalar one, P planes (W, L). batch (): number of
    the next batch.
    """

    w: Leaf
    v: Leaf
    inputs: Leaf
    targets: Leaf
    sums: Leaf
    batch: Leaf


class View(NamedTuple):
    """What proposals read and never change. mask (W, L); temperature (L,), or None when every lane is
    greedy.
    """

    shape: Shape
    tables: Tables
    mask: Array
    temperature: Array | None
    acceptance: Key
    group: int
    one: Array | None


class Group(NamedTuple):
    """Commuting proposals (G,) of one kind: numbers, places in the sweep, which are real and not padding; the
    sweep's number.
    """

    links: Array
    positions: Array
    valid: Array
    sweep: Array


def acceptance_uniforms(key: Key, sweep: Array, positions: Array) -> Array:
    """Uniform numbers (G, L) in [0, 1) of the proposals at `positions` (G,) of a sweep."""
    lanes = Key(key.first[None, :], key.second[None, :])
    position = positions.astype(jnp.uint32)[:, None]
    return uniform(threefry(lanes, jnp.full_like(position, sweep.astype(jnp.uint32)), position)[0])


def accepted(view: View, group: Group, change: Array) -> Array:
    """Whether each proposal (G, L) is accepted, from the change in the number of wrong outputs: dE <= 0, or u
    < exp(-dE/T).
    """
    accept = change <= 0
    if view.temperature is not None:
        u = acceptance_uniforms(view.acceptance, group.sweep, group.positions)
        temperature = view.temperature[None, :]
        # Where T = 0 the quotient would be infinite or not a number; the greedy rule has already decided
        # there.
        safe = jnp.where(temperature > 0, temperature, 1)
        accept |= (temperature > 0) & (u < jnp.exp(-change.astype(jnp.float32) / safe))
    return accept & group.valid[:, None]


def rivals(link: Array, degree: int) -> Array:
    """The other degree - 1 links (..., degree - 1) into the unit that a link leads to."""
    others = jnp.arange(1, degree, dtype=jnp.int32).reshape((1,) * link.ndim + (-1,))
    return (link // degree)[..., None] * degree + (link[..., None] + others) % degree


def tied(terms: list[Array], like: Array) -> Array:
    """Ones at the examples where an even number of ±1 terms sums to zero, so that one more term decides the
    sign.
    """
    if not terms:
        return ~jnp.zeros_like(like)
    return bits.equals(bits.count(terms), len(terms) // 2)
