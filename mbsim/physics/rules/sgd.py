"""SGD: real weights, one mini-batch at a time.

    loss      L = 1/m Σ_μ ½ |y(x_μ) − y*_μ|²,  over the m examples of the mini-batch
    update    w ← w − η ∇_w L; or what another optimiser of optax makes of the gradient

Online, every step draws m fresh examples. η is `lr`, times m or sqrt(m) if `lr_scaling` says so; with
`lr_multipliers = "mup"` each layer has the factor with which its features move as much at any width. A student
whose weights stop being finite has diverged: it keeps its last finite weights and is trained no more.

`init` and `step` are for ONE student. Reference: D. Saad, S. A. Solla, Phys. Rev. E 52, 4225 (1995).
"""

from typing import Any, NamedTuple

import numpy as np

from mbsim.lazy import Array, jax, jnp, optax
from mbsim.physics.keys import LARGEST_COUNT, Axis, Key, OneOf, Real, Whole
from mbsim.physics.optimisers import OPTIMISERS, multipliers, scaled_rate
from mbsim.physics.problem import Problem, Weights
from mbsim.physics.rules.protocol import Group, Prepared, Words
from mbsim.physics.students import STUDENTS
from mbsim.physics.world import Batch, Moment, World


class State(NamedTuple):
    """A student: its weights, the memory of the optimiser of each layer, and whether it has diverged."""

    weights: Weights
    memory: tuple[Any, ...]
    diverged: Array


def loss(world: World, weights: Weights, batch: Batch) -> Array:
    """L = 1/m Σ_μ ½ |y(x_μ) − y*_μ|²."""
    y = STUDENTS[world.problem.student].outputs(world, weights, batch.x)
    square = jnp.where(batch.used[:, None], y - batch.y, 0) ** 2
    return 0.5 * square.sum() / world.labels.m.astype(jnp.float32)


def optimisers(world: World) -> tuple[Any, ...]:
    """The optimiser of each trained layer, at its own learning rate."""
    options, own = world.problem.options, world.labels.own
    more = {"momentum": options["momentum"]} if options["momentum"] else {}
    rates = [own["hidden_rate"], *([own["output_rate"]] if world.problem.train_output else [])]
    return tuple(OPTIMISERS[options["optimizer"]](rate, **more) for rate in rates)


class Sgd:
    """Stochastic gradient descent."""

    name: str = "sgd"
    title: str = "SGD"
    equation: str = "w ← w − η ∇_w L, L = ½ |y − y*|² averaged over the mini-batch"
    weights: str = "real"
    time: Words = Words("step", "steps")
    work: Words = time
    length: str = "steps"
    keys: tuple[Key, ...] = (
        Key(
            "steps",
            Whole(32, LARGEST_COUNT),
            1000,
            words=f"an integer from 32 to {LARGEST_COUNT}, so that the last quarter has eight steps",
        ),
        Key("optimizer", OneOf(lambda: tuple(OPTIMISERS)), "sgd", report="optimiser {}"),
        Key("momentum", Real(least=0, below=1), 0.0),
        Key(
            "lr",
            Real(above=0),
            0.1,
            help="a list of learning rates goes in [grid]",
            axis=Axis("learning rate"),
            plural="rates",
            report="learning rate {}",
        ),
        Key(
            "lr_scaling",
            OneOf(("constant", "linear", "sqrt")),
            "constant",
            words='"constant", "linear" or "sqrt", of m',
            help='with m: "linear", "sqrt"',
        ),
        Key("lr_multipliers", OneOf(("none", "mup")), "none"),
    )

    def steps_of_work(self, problem: Problem) -> int:
        """One."""
        return 1

    def prepare(self, group: Group) -> Prepared:
        """The learning rates of both layers."""
        problem = group.problem
        rate = scaled_rate(np.asarray(group.axes["lr"], float), group.m, problem.options["lr_scaling"])
        rates = [rate * multiplier for multiplier in multipliers(problem)]
        own = {"hidden_rate": rates[0], "output_rate": rates[1]}
        return Prepared({}, {name: np.asarray(values, np.float32) for name, values in own.items()})

    def moment(self, problem: Problem, time: int) -> Moment:
        """A step has one mini-batch, of the same number."""
        return Moment(np.uint32(time), np.uint32(time), np.int32(0))

    def init(self, world: World) -> State:
        """Normal weights."""
        weights = STUDENTS[world.problem.student].init(world)
        memory = tuple(
            one.init(layer) for one, layer in zip(optimisers(world), weights.layers(), strict=True)
        )
        return State(weights, memory, jnp.zeros((), bool))

    def step(self, world: World, state: State, moment: Moment) -> tuple[State, dict[str, Array]]:
        """One update, on mini-batch number `moment.batch`."""
        batch = world.batch(moment.batch)
        gradient = jax.grad(lambda weights: loss(world, weights, batch))(state.weights)
        updated, memory = [], []
        for one, slope, kept, layer in zip(
            optimisers(world), gradient.layers(), state.memory, state.weights.layers(), strict=True
        ):
            update, new = one.update(slope, kept, layer)
            updated.append(optax.apply_updates(layer, update))
            memory.append(new)
        weights = Weights(updated[0], updated[1] if world.problem.train_output else None)
        finite = jnp.stack([jnp.isfinite(layer).all() for layer in updated]).all()
        sound = finite & ~state.diverged
        later = State(weights, tuple(memory), ~sound)
        kept = jax.tree.map(lambda new, old: jnp.where(sound, new, old), later, state)
        return kept._replace(diverged=~sound), {}

    def weights_of(self, state: State) -> Weights:
        """The real weights."""
        return state.weights

    def diverged(self, state: State) -> Array:
        """Whether weights stopped being finite."""
        return state.diverged


SGD = Sgd()
