"""Metropolis: ±1 weights, one flip at a time.

    propose   flip one trained weight; ΔE is the change in the number of wrong outputs of the mini-batch
    accept    with probability P(ΔE) = 1 if ΔE ≤ 0, exp(−ΔE/T) otherwise; at T = 0 nothing that costs energy

A sweep is as many proposals as there are trained weights, in the order of `order.py`. A fresh mini-batch comes
every `refresh` proposals. The unit of temperature is one wrong output of the mini-batch.

`init` and `step` are for ONE student: a step is a sweep, `propose` is one proposal of it, `acceptance` the law.

Reference: R. Marino, F. Ricci-Tersenghi, arXiv:2305.06435; N. Metropolis et al., J. Chem. Phys. 21, 1087 (1953).
"""

from typing import NamedTuple

import numpy as np

from mbsim.lazy import Array, jnp, lax
from mbsim.physics.flips import Network, Rows, flip, network, proposals
from mbsim.physics.order import random_order
from mbsim.physics.problem import Weights
from mbsim.physics.rules.flip_rule import FlipRule
from mbsim.physics.students import STUDENTS
from mbsim.physics.world import Moment, World
from mbsim.sampling.streams import threefry


def acceptance(change: np.ndarray, temperature: np.ndarray) -> np.ndarray:
    """P(ΔE) = 1 if ΔE ≤ 0, exp(−ΔE/T) otherwise, 0 there at T = 0; float64, arguments broadcast."""
    uphill = np.exp(-np.maximum(change, 0) / np.where(temperature > 0, temperature, 1))
    return np.where(change <= 0, 1.0, np.where(temperature > 0, uphill, 0.0))


class State(NamedTuple):
    """A student: its ±1 weights, and how many proposals of the last sweep it accepted."""

    weights: Weights
    accepted: Array


class Flips(FlipRule):
    """The dynamics of single flips under any law P(ΔE, T)."""

    def init(self, world: World) -> State:
        """Each weight is the teacher's with probability (1 + q0)/2."""
        return State(STUDENTS[world.problem.student].init(world), jnp.zeros((), jnp.int32))

    def propose(self, world: World, now: Network, rows: Rows, link: Array, u: Array) -> tuple[Network, Array]:
        """One proposal: flip weight `link`, and keep it if the random number u, below 2^24, is below 2^24 P(ΔE).

        Returns the student, and whether the flip was accepted.
        """
        table = world.shared["chances"][world.labels.own["heat"]]  # 2^24 P(ΔE) at ΔE = −E, ..., E
        return flip(world, now, rows, link, lambda change: u < table[change + len(table) // 2])

    def step(self, world: World, state: State, moment: Moment) -> tuple[State, dict[str, Array]]:
        """One sweep. A mini-batch follows from its number, so one that began in the sweep before is drawn again.

        Returns the state, and the number of accepted proposals.
        """
        n, refresh = proposals(world.problem), self.refresh(world.problem)
        order = self.order(world, moment.time, n)
        left = refresh - moment.past  # proposals of the mini-batch in use when the sweep begins

        def on_batch(i: Array, state: State) -> State:
            now, rows = network(world, state.weights, world.batch(moment.batch + i.astype(jnp.uint32)))

            def proposal(position: Array, carry: tuple[Network, Array]) -> tuple[Network, Array]:
                word = threefry(world.labels.keys.acceptance, moment.time, position.astype(jnp.uint32))[0]
                now, accepted = self.propose(world, carry[0], rows, order[position], word >> np.uint32(8))
                return now, carry[1] + accepted

            begin = jnp.where(i == 0, 0, left + (i - 1) * refresh)
            end = left + jnp.minimum(i * refresh, n - left)
            now, accepted = lax.fori_loop(begin, end, proposal, (now, state.accepted))
            return State(now.weights, accepted)

        batches = 1 + jnp.where(n > left, (n - left - 1) // refresh + 1, 0)
        state = lax.fori_loop(0, batches, on_batch, state._replace(accepted=jnp.zeros((), jnp.int32)))
        return state, {"accepted": state.accepted}

    def order(self, world: World, time: Array, n: int) -> Array:
        """The weights (n,) that a sweep proposes, one after the other."""
        if world.problem.options["order"] == "sequential":
            return world.shared["order"]
        return random_order(world.shared["order_key"], time[None], n)[0]

    def weights_of(self, state: State) -> Weights:
        """The ±1 weights."""
        return state.weights

    def diverged(self, state: State) -> Array:
        """Never."""
        return jnp.zeros((), bool)


METROPOLIS = Flips(
    name="metropolis",
    title="Metropolis",
    equation="a flip is accepted with probability 1 if ΔE ≤ 0, exp(−ΔE/T) otherwise",
    law=acceptance,
)
