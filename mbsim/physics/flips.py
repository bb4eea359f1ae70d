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

import numpy as np

from mbsim.lazy import Array, jnp, lax
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


class Trial(NamedTuple):
    """What a flip would change: the sum g (slots,) of hidden unit k, and the sums s (R, slots) of outputs o (R,).

    Where fewer outputs are touched, or no hidden unit, M or K stands in their place: those are not there, and not
    written.
    """

    k: Array
    g: Array
    o: Array
    before: Array
    after: Array


def flip(world: World, now: Network, rows: Rows, link: Array, decide: Decide) -> tuple[Network, Array]:
    """Flip the trained weight with number `link` if `decide(ΔE)`; returns also whether it was."""
    first = first_hidden(world.problem)
    hidden = jnp.maximum(link - first, 0)
    if first == 0:
        trial = try_hidden(world, now, rows, hidden)
    else:
        of_output, of_hidden = (
            (lambda: try_output(world, now, link)),
            (lambda: try_hidden(world, now, rows, hidden)),
        )
        trial = lax.cond(link < first, of_output, of_hidden)
    y = rows.y.at[trial.o].get(mode="fill", fill_value=0)
    accept = decide(cost(trial.before, trial.after, y, rows.used))
    sign = jnp.where(accept, -1.0, 1.0)
    w, v = now.weights
    if first > 0:
        v = v.reshape(-1).at[link].multiply(sign, mode="drop").reshape(v.shape)
    w = w.reshape(-1).at[jnp.where(link < first, w.size, hidden)].multiply(sign, mode="drop").reshape(w.shape)
    g = now.g.at[trial.k].set(jnp.where(accept, trial.g, now.g.at[trial.k].get(mode="clip")), mode="drop")
    s = now.s.at[trial.o].set(jnp.where(accept, trial.after, trial.before), mode="drop")
    return Network(Weights(w, v), g, s), accept


def try_output(world: World, now: Network, link: Array) -> Trial:
    """Output link o*D + a: s_o would be s_o − 2 v_oa h."""
    problem, most = world.problem, world.shared["readers"].shape[1]
    link = jnp.minimum(link, first_hidden(problem) - 1)
    o = link // problem.output_degree
    h = jnp.sign(now.g[world.teacher.output_sources.reshape(-1)[link]])
    before = jnp.zeros((most, len(h))).at[0].set(now.s[o])
    after = before.at[0].add(-2 * now.weights.v.reshape(-1)[link] * h)
    touched = jnp.full(most, problem.M, jnp.int32).at[0].set(o)
    return Trial(jnp.int32(problem.K), h, touched, before, after)


def try_hidden(world: World, now: Network, rows: Rows, link: Array) -> Trial:
    """Hidden link k*d + b: g_k would be g_k − 2 w_kb x, and the outputs that read k would follow."""
    problem, sources = world.problem, world.teacher.output_sources
    k = link // problem.d
    g = (
        now.g[k]
        - 2 * now.weights.w.reshape(-1)[link] * rows.x[world.teacher.hidden_sources.reshape(-1)[link]]
    )
    moved = jnp.sign(g) - jnp.sign(now.g[k])
    reading = world.shared["readers"][k]
    o = jnp.where(reading < sources.size, reading // problem.output_degree, problem.M)
    v = output_weights(world, now.weights).reshape(-1).at[reading].get(mode="fill", fill_value=0)
    before = now.s.at[o].get(mode="fill", fill_value=0)
    return Trial(k, g, o, before, before + v[:, None] * moved[None])
