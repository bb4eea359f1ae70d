"""±1 weights, one flip at a time: the sums behind every sign, kept up to date, and what a flip changes in them.

    hidden sums  g_k = Σ_b w_kb x_in(k,b)         h_k = sign g_k
    output sums  s_o = Σ_a v_oa h_in(o,a)         y_o = sign s_o

A flip of output link (o,a) turns s_o into s_o − 2 v_oa h_in(o,a). A flip of hidden link (k,b) turns g_k into
g_k − 2 w_kb x_in(k,b); where that changes h_k, every output that reads k follows. The energy of a mini-batch
is its number of wrong outputs, E = Σ_{examples, o} [y_o ≠ y*_o]. All for one student; rows of examples, so
that what a flip touches lies together: x (N, slots), g (K, slots), s and y* (M, slots).
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from mbsim.physics.graphs import readers_of
from mbsim.physics.problem import Problem, Teacher, Weights
from mbsim.physics.students import output_weights
from mbsim.physics.world import Batch, World


class Rows(NamedTuple):
    """A mini-batch: inputs x, answers y*, and which examples count (slots,)."""

    x: Array
    y: Array
    used: Array


class Network(NamedTuple):
    """A student on a mini-batch: its weights, and the sums g and s."""

    weights: Weights
    g: Array
    s: Array


Decide = Callable[[Array], Array]
"""Whether a flip with a change of energy, int32 (), is accepted, bool ()."""


def proposals(problem: Problem) -> int:
    """Number of trained weights, which is that of the proposals in a sweep."""
    return first_hidden(problem) + problem.K * problem.d


def first_hidden(problem: Problem) -> int:
    """Number of the first proposal that flips a hidden link: trained output links come before it."""
    return problem.M * problem.output_degree if problem.train_output else 0


def readers(problem: Problem, teacher: Teacher) -> np.ndarray:
    """The output links (K, R) that read each hidden unit, on the host; padded with the number of links."""
    links, _ = readers_of(teacher.output_sources, problem.K)
    return np.where(links < 0, teacher.output_sources.size, links).astype(np.int32)


def network(world: World, weights: Weights, batch: Batch) -> tuple[Network, Rows]:
    """A student and a mini-batch as rows."""
    x, teacher = batch.x.T, world.teacher
    g = (weights.w[:, :, None] * x[teacher.hidden_sources]).sum(axis=1)
    v = output_weights(world, weights)
    s = (v[:, :, None] * jnp.sign(g)[teacher.output_sources]).sum(axis=1)
    return Network(weights, g, s), Rows(x, batch.y.T, batch.used)


def cost(before: Array, after: Array, y: Array, used: Array) -> Array:
    """ΔE of output sums (outputs, slots) that change."""
    change = (jnp.sign(after) != y).astype(jnp.int32) - (jnp.sign(before) != y).astype(jnp.int32)
    return jnp.where(used[None], change, 0).sum(dtype=jnp.int32)


def flip(world: World, now: Network, rows: Rows, link: Array, decide: Decide) -> tuple[Network, Array]:
    """Flip the trained weight with number `link` if `decide(ΔE)`; returns also whether it was."""
    first = first_hidden(world.problem)
    if first == 0:
        return flip_hidden(world, now, rows, link, decide)
    return lax.cond(
        link < first,
        lambda: flip_output(world, now, rows, link, decide),
        lambda: flip_hidden(world, now, rows, jnp.maximum(link - first, 0), decide),
    )


def flip_output(world: World, now: Network, rows: Rows, link: Array, decide: Decide) -> tuple[Network, Array]:
    """Flip output link o*D + a: s_o becomes s_o − 2 v_oa h."""
    o, a = link // world.problem.output_degree, link % world.problem.output_degree
    h = jnp.sign(now.g[world.teacher.output_sources[o, a]])
    before = now.s[o]
    after = before - 2 * now.weights.v[o, a] * h
    accept = decide(cost(before[None], after[None], rows.y[o][None], rows.used))
    v = now.weights.v.at[o, a].multiply(jnp.where(accept, -1, 1))
    s = now.s.at[o].set(jnp.where(accept, after, before))
    return now._replace(weights=now.weights._replace(v=v), s=s), accept


def flip_hidden(world: World, now: Network, rows: Rows, link: Array, decide: Decide) -> tuple[Network, Array]:
    """Flip hidden link k*d + b: g_k becomes g_k − 2 w_kb x, and the outputs that read k follow."""
    problem, sources = world.problem, world.teacher.output_sources
    k, b = link // problem.d, link % problem.d
    g = now.g[k] - 2 * now.weights.w[k, b] * rows.x[world.teacher.hidden_sources[k, b]]
    moved = jnp.sign(g) - jnp.sign(now.g[k])
    reading = world.shared["readers"][k]
    # Where k has fewer readers than others, output M stands in their place: it is not there, and not written.
    o = jnp.where(reading < sources.size, reading // problem.output_degree, problem.M)
    v = output_weights(world, now.weights).reshape(-1).at[reading].get(mode="fill", fill_value=0)
    before = now.s.at[o].get(mode="fill", fill_value=0)
    after = before + v[:, None] * moved[None]
    accept = decide(cost(before, after, rows.y.at[o].get(mode="fill", fill_value=0), rows.used))
    w = now.weights.w.at[k, b].multiply(jnp.where(accept, -1, 1))
    s = now.s.at[o].set(jnp.where(accept, after, before), mode="drop")
    g = now.g.at[k].set(jnp.where(accept, g, now.g[k]))
    return Network(now.weights._replace(w=w), g, s), accept
