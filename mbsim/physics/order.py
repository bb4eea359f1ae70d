"""The order of proposals within a sweep.

A proposal is the flip of one trained weight, numbered: output links first, if they are trained (link o*D + a
is slot a of output o, D its in-degree), then hidden links (link k*d + b is slot b of hidden unit k). A sweep
has as many proposals as there are trained weights. Replicas of a teacher share the order.

    random      each proposal picks a trained weight uniformly, with replacement
    sequential  every trained weight once, output layer first, in one fixed order
"""

import numpy as np

from mbsim.lazy import Array, jnp
from mbsim.physics import graphs
from mbsim.sampling.streams import Key, fold, threefry


def random_order(key: Array, sweeps: Array, n: int) -> Array:
    """Proposals (S, n) of the sweeps numbered `sweeps` (S,): each uniform on 0..n-1, with replacement.

    Of two random words h and l it is (2^32 h + l) mod n, up to carries. `key` is the teacher's raw key (2,),
    uint32. These are the numbers of `jax.random.randint` with the partitionable form of threefry, which a setting
    of JAX may change: so they are written out.
    """
    span, place = np.uint32(n), jnp.arange(n, dtype=jnp.uint32)[None]
    carry = np.uint32((2**16 % n) ** 2 % 2**32 % n)
    of_sweep = fold(Key(key[0], key[1]), jnp.asarray(sweeps)[:, None])
    high, low = (xor(threefry(fold(of_sweep, part), np.uint32(0), place)) for part in (0, 1))
    return (((high % span) * carry + low % span) % span).astype(jnp.int32)


def xor(words: tuple[Array, Array]) -> Array:
    """One word of two."""
    return words[0] ^ words[1]


def sequential_order(
    output_sources: np.ndarray, hidden_degree: int, hidden_units: int, train_output: bool
) -> np.ndarray:
    """Every trained weight once (n,) int32: output links slot by slot, then hidden links colour by colour and
    slot by slot.

    output_sources (M, D) names the hidden unit behind each output link. Hidden units of one colour share no
    output, so that their proposals commute; any fixed order would be as good a law.
    """
    outputs, degree = output_sources.shape
    first = (
        np.arange(outputs * degree).reshape(outputs, degree).T.ravel() if train_output else np.empty(0, int)
    )
    slots = np.arange(hidden_degree)[:, None]
    second = [
        (group[None, :] * hidden_degree + slots).ravel() for group in colours(output_sources, hidden_units)
    ]
    return np.concatenate([first, len(first) + np.concatenate(second)]).astype(np.int32)


def colours(output_sources: np.ndarray, hidden_units: int) -> list[np.ndarray]:
    """The hidden units of each colour, ascending: greedy colouring in the units' own order."""
    colour = greedy_colours(output_sources, hidden_units)
    unit = np.argsort(colour, kind="stable")
    return np.split(unit, np.flatnonzero(np.diff(colour[unit])) + 1)


def greedy_colours(output_sources: np.ndarray, hidden_units: int) -> np.ndarray:
    """The smallest colour (K,) for each hidden unit that no earlier unit sharing an output has."""
    if len(output_sources) == 1:  # a single output that reads every unit: all conflict
        return np.arange(hidden_units)
    links, counts = graphs.readers_of(output_sources, hidden_units)
    taken = [0] * len(output_sources)  # the colours that an output has met, a bit for each
    colour = []
    for outputs, count in zip((links // output_sources.shape[1]).tolist(), counts.tolist(), strict=True):
        used = 0
        for output in outputs[:count]:
            used |= taken[output]
        free = ~used & (used + 1)  # the lowest bit that is not set
        colour.append(free.bit_length() - 1)
        for output in outputs[:count]:
            taken[output] |= free
    return np.array(colour)
