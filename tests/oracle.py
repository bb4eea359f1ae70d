"""A plain NumPy oracle of ±1 two-layer networks trained by Metropolis, one student at a time.

Written from the design page alone; it shares no code with the fast kernel. Nothing here is fast.

Conventions
-----------
* Every input, weight, hidden value and output is the integer +1 or -1, unpacked.
* N inputs, K hidden units, M outputs, m examples; d links into a hidden unit, D into an output.
* ``inputs`` (m, N); ``hidden_sources`` (K, d): hidden unit k reads input ``hidden_sources[k, b]``
  through ``w[k, b]``; ``output_sources`` (M, D): output o reads hidden unit ``output_sources[o, a]``
  through ``v[o, a]``. A scalar output is M = 1, ``output_sources = arange(K)[None]``.
* Proposals number the trained weights. With ``train_output``: the output links o*D + a first, then
  the hidden links M*D + k*d + b. Without: the hidden links k*d + b.
* A sweep is n proposals, n the number of trained weights. Proposals are also counted globally, from
  0, across sweeps: the batch b = p // refresh serves the global proposal p.
* The teacher has the student's links.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

import numpy as np

Array = np.ndarray


# Networks


def sign(sums: Array) -> Array:
    """+1 or -1; a zero sum is an error, since no network here may have one."""
    assert np.all(sums != 0), "zero sum: the in-degree must be odd"
    return np.where(sums > 0, 1, -1)


def forward(
    inputs: Array, hidden_sources: Array, output_sources: Array, w: Array, v: Array
) -> tuple[Array, Array]:
    """h_k = sign(sum_b w_kb x_in(k,b)), y_o = sign(sum_a v_oa h_in(o,a)): hidden (m, K), outputs (m, M)."""
    inputs, w, v = (np.asarray(values, dtype=np.int64) for values in (inputs, w, v))
    assert all(np.all(np.abs(values) == 1) for values in (inputs, w, v)), "values must be +1 or -1"
    assert w.shape == np.shape(hidden_sources), "w and hidden_sources differ in shape"
    assert v.shape == np.shape(output_sources), "v and output_sources differ in shape"

    hidden = np.zeros((len(inputs), len(w)), dtype=np.int64)
    for k in range(len(w)):
        sums = np.zeros(len(inputs), dtype=np.int64)
        for b in range(w.shape[1]):
            sums += w[k, b] * inputs[:, hidden_sources[k, b]]
        hidden[:, k] = sign(sums)

    outputs = np.zeros((len(inputs), len(v)), dtype=np.int64)
    for o in range(len(v)):
        sums = np.zeros(len(inputs), dtype=np.int64)
        for a in range(v.shape[1]):
            sums += v[o, a] * hidden[:, output_sources[o, a]]
        outputs[:, o] = sign(sums)
    return hidden, outputs


def energy(outputs: Array, targets: Array) -> int:
    """Number of wrong outputs, summed over the examples; both arguments (m, M)."""
    assert np.shape(outputs) == np.shape(targets)
    return int(np.sum(outputs != targets))


# Dynamics


class Trained(NamedTuple):
    """What ``metropolis`` returns."""

    w: Array  # (K, d)
    v: Array  # (M, D)
    accepted: Array  # (sweeps,) accepted proposals in each sweep
    training_errors: list[float]  # [b]: fraction of wrong outputs on batch b, before its first proposal


def flip(w: Array, v: Array, proposal: int, train_output: bool) -> tuple[Array, Array]:
    """Copies of (w, v) with the weight numbered ``proposal`` flipped."""
    w, v = w.copy(), v.copy()
    output_links = v.size if train_output else 0
    assert 0 <= proposal < output_links + w.size
    if proposal < output_links:
        o, a = divmod(proposal, v.shape[1])
        v[o, a] = -v[o, a]
    else:
        k, b = divmod(proposal - output_links, w.shape[1])
        w[k, b] = -w[k, b]
    return w, v


def metropolis(
    *,
    hidden_sources: Array,
    output_sources: Array,
    teacher_w: Array,
    teacher_v: Array,
    w: Array,
    v: Array,
    train_output: bool,
    refresh: int,
    sweeps: int,
    examples: Callable[[int], Array],
    order: Callable[[int], Array],
    uniforms: Callable[[int], Array],
    temperature: float,
    law: Callable[[int, float], float] | None = None,
) -> Trained:
    """Train one student; accept if ΔE <= 0 or, at T > 0, if u < exp(-ΔE/T) in float32.

    ``law(ΔE, T)``, where it is given, is the chance of acceptance in place of that.
    ``examples(b)`` is batch b, (m, N); ``order(sweep)`` the n proposals of a sweep;
    ``uniforms(sweep)`` one float32 for each *position* in that order (not called for Metropolis at T = 0).
    ``refresh`` is a number of proposals: pass n for a fresh batch every sweep. The initial ``w`` and
    ``v`` are not modified.
    """
    assert refresh >= 1 and temperature >= 0
    w, v = np.array(w, dtype=np.int64), np.array(v, dtype=np.int64)
    n = w.size + (v.size if train_output else 0)

    def outputs_of(inputs: Array, w: Array, v: Array) -> Array:
        return forward(inputs, hidden_sources, output_sources, w, v)[1]

    accepted = np.zeros(sweeps, dtype=np.int64)
    training_errors: list[float] = []
    for sweep in range(sweeps):
        proposals = np.asarray(order(sweep))
        assert proposals.shape == (n,), "a sweep is one proposal per trained weight"
        if temperature > 0 or law is not None:
            u = np.asarray(uniforms(sweep))
            assert u.shape == (n,) and u.dtype == np.float32

        for position in range(n):
            p = sweep * n + position
            if p % refresh == 0:
                inputs = examples(p // refresh)
                targets = outputs_of(inputs, teacher_w, teacher_v)
                current = energy(outputs_of(inputs, w, v), targets)
                training_errors.append(current / targets.size)

            new_w, new_v = flip(w, v, int(proposals[position]), train_output)
            proposed = energy(outputs_of(inputs, new_w, new_v), targets)
            change = proposed - current
            if law is not None:
                accept = u[position] < law(change, temperature)
            else:
                accept = change <= 0
                if not accept and temperature > 0:
                    accept = u[position] < np.exp(-np.float32(change) / np.float32(temperature))
            if accept:
                w, v, current = new_w, new_v, proposed
                accepted[sweep] += 1
    return Trained(w, v, accepted, training_errors)


# Observables


def path_overlap(w: Array, v: Array, teacher_w: Array, teacher_v: Array, output_sources: Array) -> float:
    """Mean of (v v*)(w w*) over the paths: output link (o, a) from unit k, then hidden link (k, b)."""
    total, paths = 0, 0
    for o in range(v.shape[0]):
        for a in range(v.shape[1]):
            k = output_sources[o, a]
            for b in range(w.shape[1]):
                total += int(v[o, a]) * int(teacher_v[o, a]) * int(w[k, b]) * int(teacher_w[k, b])
                paths += 1
    return total / paths


def generalization_error(
    inputs: Array,
    hidden_sources: Array,
    output_sources: Array,
    w: Array,
    v: Array,
    teacher_w: Array,
    teacher_v: Array,
) -> float:
    """Fraction of wrong outputs on ``inputs`` (m, N), 0 to 1."""
    _, outputs = forward(inputs, hidden_sources, output_sources, w, v)
    _, targets = forward(inputs, hidden_sources, output_sources, teacher_w, teacher_v)
    return energy(outputs, targets) / targets.size


def gauge_equivalent(w: Array, v: Array, teacher_w: Array, teacher_v: Array, output_sources: Array) -> bool:
    """Is there a sign s_k with w_k = s_k w*_k and v = s_k v* on every link out of k, for each unit read?

    Units that no output reads are free. Sufficient for the same function, not always necessary: two
    units with the same inputs and the same readers could also trade places.
    """
    for k in range(w.shape[0]):
        readers = [(o, a) for o, a in np.ndindex(*v.shape) if output_sources[o, a] == k]
        if readers and not any(
            all(w[k, b] == s * teacher_w[k, b] for b in range(w.shape[1]))
            and all(v[o, a] == s * teacher_v[o, a] for o, a in readers)
            for s in (1, -1)
        ):
            return False
    return True


# Exact one-step law of a tiny network: uses ``forward`` and ``energy`` above, nothing else.


class Transition(NamedTuple):
    """Law of one proposal on a fresh batch."""

    flips: Array  # (n,) probability that this weight is flipped, by proposal number
    stay: float  # probability that nothing is


def acceptance_probabilities(
    *,
    inputs_count: int,
    batch: int,
    hidden_sources: Array,
    output_sources: Array,
    teacher_w: Array,
    teacher_v: Array,
    w: Array,
    v: Array,
    train_output: bool,
    temperature: float,
) -> Array:
    """(n,) probability that each proposal, once made, is accepted: for a given, fixed proposal index.

    Averages min(1, exp(-ΔE/T)), in float64, over all 2^(N m) batches of ``batch`` = m examples of
    N = ``inputs_count`` uniform ±1 inputs: the student must not depend on the batch, so this is the
    law of the first proposal after a refresh. Exact at T = 0.
    """
    assert inputs_count * batch <= 16, "too many batches to enumerate"
    patterns = np.array(list(itertools.product([-1, 1], repeat=inputs_count)))  # every input vector
    _, targets = forward(patterns, hidden_sources, output_sources, teacher_w, teacher_v)

    def wrong_by_pattern(w: Array, v: Array) -> Array:
        _, outputs = forward(patterns, hidden_sources, output_sources, w, v)
        return np.array([energy(outputs[i], targets[i]) for i in range(len(patterns))])

    students = []  # every student one flip away, in the order of the proposal numbers
    if train_output:
        for link in np.ndindex(*v.shape):
            other = np.array(v)
            other[link] *= -1
            students.append((w, other))
    for link in np.ndindex(*w.shape):
        other = np.array(w)
        other[link] *= -1
        students.append((other, v))

    before = wrong_by_pattern(w, v)
    change = np.array([wrong_by_pattern(*student) - before for student in students])  # (n, 2^N)

    batches = list(itertools.product(range(len(patterns)), repeat=batch))
    accepted = np.zeros(len(students))
    for members in batches:
        for proposal, total in enumerate(change[:, members].sum(axis=1).tolist()):
            if total <= 0:
                accepted[proposal] += 1
            elif temperature > 0:
                accepted[proposal] += math.exp(-total / temperature)
    return accepted / len(batches)


def transition_probabilities(**network) -> Transition:
    """Law of one proposal drawn uniformly among the n (order = "random").

    Takes the keywords of ``acceptance_probabilities``; see there for what is enumerated.
    """
    accept = acceptance_probabilities(**network)
    return Transition(flips=accept / len(accept), stay=float(np.mean(1 - accept)))


# Levels


def reference_levels(touched: Sequence[AbstractSet[int]]) -> list[int]:
    """Level of each proposal, in order: 1 + the highest level of an earlier one sharing a resource.

    A proposal that shares nothing with any earlier one has level 0.
    """
    levels: list[int] = []
    for i, resources in enumerate(touched):
        earlier = [levels[j] for j in range(i) if not resources.isdisjoint(touched[j])]
        levels.append(1 + max(earlier) if earlier else 0)
    return levels
