"""Sequential reference for speed: one student at a time on one core, bit-packed, in plain numba.

What a careful physicist would write to run the greedy Metropolis dynamics of ±1 weights (temperature 0, a fresh
batch every sweep) without an accelerator. mbsim's kernel is measured against it and shares no code with it.

Conventions
-----------
* Bits. A one stands for +1. The m examples of a batch lie side by side in W = ceil(m / 64) words; word w of row r is
  at r * W + w. Bits past m are rubbish: `valid` clears them wherever examples are counted.
* Weights are words, 0 for +1 and all ones for -1, so that weight times packed unit is one xor. Output links come first,
  then hidden links, unit by unit: that is the sequential order. The random order picks uniformly with replacement.
* Sums. A sum of an odd number of signs is kept as P bit planes, plane p of word w of unit k at (k * P + p) * W + w:
  the number of +1 terms, shifted so that the highest plane is the sign. Negating a term changes the sign only where
  the sum is ±1 (highest plane unlike all others: `edge`) and the term agrees with it.
* `source[j]` is where the row behind link j starts: in the inputs, or at the sign plane of a hidden unit.
* Random numbers are splitmix64.

Arrays are flat and indexed by hand, since views in the inner loops cost reference counting. Functions are compiled
anew for each d and W, so that the loops over words, planes and readers have constant lengths.
"""

from functools import cache
from time import thread_time
from typing import NamedTuple

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

NONE, ALL = np.uint64(0), np.uint64(0xFFFFFFFFFFFFFFFF)
GOLDEN, MIX_1, MIX_2 = (np.uint64(c) for c in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
S27, S30, S31, S32 = (np.uint64(shift) for shift in (27, 30, 31, 32))


class Result(NamedTuple):
    """A trained student; `seconds` is the CPU time of the compiled run alone, weights are {name: ±1 array}."""

    proposals: int
    accepted: int
    seconds: float
    weights: dict[str, np.ndarray]


@intrinsic
def popcount(typing, word):
    """Number of ones in a word: one machine instruction."""
    return types.int64(types.uint64), lambda context, builder, signature, args: builder.ctpop(args[0])


@njit(nogil=True)
def mixed(counter):
    """splitmix64's output for a counter that moves on by GOLDEN at each draw."""
    z = (counter ^ (counter >> S30)) * MIX_1
    z = (z ^ (z >> S27)) * MIX_2
    return z ^ (z >> S31)


@njit(nogil=True)
def fill_random(words, counter):
    """Fill an array with random bits; returns the counter moved on."""
    for i in range(words.size):
        counter += GOLDEN
        words[i] = mixed(counter)
    return counter


def planes_of(terms):
    """(P, start): planes of a sum of `terms` signs, and the count at which it starts for plane P-1 to be the sign."""
    half = (terms + 1) // 2
    P = (half - 1).bit_length() + 1
    return P, 2 ** (P - 1) - half


@cache
def sum_operations(terms, W):
    """Compile add_up, edge, negate for sums of `terms` signs."""
    P, start = planes_of(terms)
    begin = tuple(ALL if start >> p & 1 else NONE for p in range(P))
    sign = (P - 1) * W

    @njit(nogil=True)
    def add_up(planes, at, rows, source, weights, first):
        """Make the sum at `at` from the links first, ..., first + terms - 1."""
        for w in range(W):
            for p in range(P):
                planes[at + p * W + w] = begin[p]
            for j in range(first, first + terms):
                carry = rows[source[j] + w] ^ weights[j]
                for p in range(P):
                    old = planes[at + p * W + w]
                    planes[at + p * W + w] = old ^ carry
                    carry &= old

    @njit(nogil=True)
    def edge(planes, at):
        """Examples of the word at `at` on which the sum is ±1."""
        where = ALL
        for p in range(P - 1):
            where &= planes[at + p * W] ^ planes[at + sign]
        return where

    @njit(nogil=True)
    def negate(planes, at, where, term):
        """Negate a term, so far `term`, on the examples `where` of the word at `at`: one less or one more +1."""
        for p in range(P):
            old = planes[at + p * W]
            planes[at + p * W] = old ^ where
            where &= old ^ term

    return add_up, edge, negate


@cache
def forward_pass(d, D, W):
    """Compile forward(source, weights, x, h, y): all sums of hidden units (d terms) and outputs (D terms)."""
    add_hidden, add_output = sum_operations(d, W)[0], sum_operations(D, W)[0]
    hidden_record, output_record = planes_of(d)[0] * W, planes_of(D)[0] * W

    @njit(nogil=True)
    def forward(source, weights, x, h, y):
        K, M = h.size // hidden_record, y.size // output_record
        for k in range(K):
            add_hidden(h, k * hidden_record, x, source, weights, M * D + k * d)
        for o in range(M):
            add_output(y, o * output_record, h, source, weights, o * D)

    return forward


@cache
def vector_kernel(d, W, sequential, traced=False):
    """Compile the run of a vector-output student; `trace` receives (weight, change of energy) of the last sweep."""
    _, edge, negate = sum_operations(d, W)
    forward = forward_pass(d, d, W)
    P = planes_of(d)[0]
    sign, record, degree = (P - 1) * W, P * W, np.uint64(d)

    @njit(nogil=True)
    def run(sweeps, counter, valid, source, readers, weights, teacher, x, h, y, target, trace):
        links, accepted = readers.size, 0
        flips = np.zeros(W, np.uint64)  # where the hidden unit would change
        for _ in range(sweeps):
            counter = fill_random(x, counter)
            forward(source, teacher, x, h, y)
            for o in range(links // d):
                for w in range(W):
                    target[o * W + w] = y[o * record + sign + w]
            forward(source, weights, x, h, y)
            for i in range(2 * links):
                j = i
                if not sequential:
                    counter += GOLDEN
                    j = np.int64(((mixed(counter) >> S32) * np.uint64(2 * links)) >> S32)
                change = 0
                if j < links:
                    o = np.int64(np.uint64(j) // degree)
                    for w in range(W):
                        at = o * record + w
                        term = h[source[j] + w] ^ weights[j]
                        flip = edge(y, at) & ~(y[at + sign] ^ term) & valid[w]
                        change += popcount(flip) - 2 * popcount(flip & (y[at + sign] ^ target[o * W + w]))
                    if change <= 0:
                        for w in range(W):
                            negate(y, o * record + w, ALL, h[source[j] + w] ^ weights[j])
                else:
                    k = np.int64(np.uint64(j - links) // degree)
                    any_flip = NONE
                    for w in range(W):
                        at = k * record + w
                        flips[w] = edge(h, at) & ~(h[at + sign] ^ x[source[j] + w] ^ weights[j]) & valid[w]
                        any_flip |= flips[w]
                    if any_flip:
                        for b in range(d):
                            link = readers[k * d + b]
                            o = np.int64(np.uint64(link) // degree)
                            for w in range(W):
                                at = o * record + w
                                term = h[k * record + sign + w] ^ weights[link]
                                flip = flips[w] & edge(y, at) & ~(y[at + sign] ^ term)
                                change += popcount(flip) - 2 * popcount(flip & (y[at + sign] ^ target[o * W + w]))
                    if change <= 0:
                        if any_flip:
                            for b in range(d):
                                link = readers[k * d + b]
                                o = np.int64(np.uint64(link) // degree)
                                for w in range(W):
                                    term = h[k * record + sign + w] ^ weights[link]
                                    negate(y, o * record + w, flips[w], term)
                        for w in range(W):
                            negate(h, k * record + w, ALL, x[source[j] + w] ^ weights[j])
                if change <= 0:
                    weights[j] = ~weights[j]
                    accepted += 1
                if traced:
                    trace[i, 0], trace[i, 1] = j, change
        return accepted

    return run


@cache
def scalar_kernel(K, d, W, sequential, traced=False):
    """Compile the run of a scalar-output student: links below K are the output's, +1 and never picked."""
    _, edge, negate = sum_operations(d, W)
    _, output_edge, output_negate = sum_operations(K, W)
    forward = forward_pass(d, K, W)
    P, output_sign = planes_of(d)[0], (planes_of(K)[0] - 1) * W
    sign, record, degree, links = (P - 1) * W, P * W, np.uint64(d), K * d

    @njit(nogil=True)
    def run(sweeps, counter, valid, source, weights, teacher, x, h, y, target, trace):
        accepted = 0
        flips = np.zeros(W, np.uint64)  # where the hidden unit would change
        free = np.zeros(W, np.uint64)  # where the output's sum is ±1: too many planes to look at each time
        for _ in range(sweeps):
            counter = fill_random(x, counter)
            forward(source, teacher, x, h, y)
            for w in range(W):
                target[w] = y[output_sign + w]
            forward(source, weights, x, h, y)
            for w in range(W):
                free[w] = output_edge(y, w) & valid[w]
            for i in range(links):
                j = K + i
                if not sequential:
                    counter += GOLDEN
                    j = K + np.int64(((mixed(counter) >> S32) * np.uint64(links)) >> S32)
                k = np.int64(np.uint64(j - K) // degree)
                change = 0
                for w in range(W):
                    at, output = k * record + w, y[output_sign + w]
                    flips[w] = edge(h, at) & ~(h[at + sign] ^ x[source[j] + w] ^ weights[j])
                    flip = flips[w] & free[w] & ~(output ^ h[at + sign])
                    change += popcount(flip) - 2 * popcount(flip & (output ^ target[w]))
                if change <= 0:
                    for w in range(W):
                        at = k * record + w
                        output_negate(y, w, flips[w], h[at + sign])
                        free[w] = output_edge(y, w) & valid[w]
                        negate(h, at, ALL, x[source[j] + w] ^ weights[j])
                    weights[j] = ~weights[j]
                    accepted += 1
                if traced:
                    trace[i, 0], trace[i, 1] = j, change
        return accepted

    return run


class Student(NamedTuple):
    """The arrays that a run reads and writes; `readers` are the output links that leave each hidden unit in turn."""

    valid: np.ndarray
    source: np.ndarray
    readers: np.ndarray
    weights: np.ndarray
    teacher: np.ndarray
    x: np.ndarray
    h: np.ndarray
    y: np.ndarray
    target: np.ndarray
    trace: np.ndarray


def new_student(N, m, rng, hidden_sources, output_sources, fixed_output):
    """A student and its teacher, random ±1 weights (output weights +1 if fixed)."""
    (K, d), (M, D), W = hidden_sources.shape, output_sources.shape, -(-m // 64)
    if d % 2 == 0 or D % 2 == 0:
        raise ValueError(f"in-degrees {d} and {D}: must be odd, or a sum of signs could be zero")
    P, links = planes_of(d)[0], M * D + K * d
    at_sign = (output_sources.ravel().astype(np.int64) * P + P - 1) * W
    weights, teacher = rng.choice(np.array([NONE, ALL]), (2, links))
    if fixed_output:
        weights[: M * D] = teacher[: M * D] = NONE
    return Student(
        valid=np.array([(1 << min(64, m - 64 * w)) - 1 for w in range(W)], np.uint64),
        source=np.concatenate([at_sign, hidden_sources.ravel().astype(np.int64) * W]),
        readers=np.argsort(output_sources.ravel(), kind="stable"),
        weights=weights,
        teacher=teacher,
        x=np.zeros(N * W, np.uint64),
        h=np.zeros(K * P * W, np.uint64),
        y=np.zeros(M * planes_of(D)[0] * W, np.uint64),
        target=np.zeros(M * W, np.uint64),
        trace=np.zeros((links, 2), np.int64),
    )


def is_sequential(order):
    if order not in ("random", "sequential"):
        raise ValueError(f"order = {order!r}: must be 'random' or 'sequential'")
    return order == "sequential"


def signs(weights, shape):
    return np.where(weights == NONE, np.int8(1), np.int8(-1)).reshape(shape)


def train(run, student, sweeps, rng, proposals):
    """(accepted, CPU seconds of this thread)."""
    counter = rng.integers(0, 2**64, dtype=np.uint64)
    began = thread_time()
    accepted = run(sweeps, counter, *student)
    return accepted, thread_time() - began


def vector(N, d, m, sweeps, order, seed, hidden_sources, output_sources):
    """Train one vector-output student (M = K = N, d odd, both graphs regular).

    The first call for a new d, order or number of words compiles: warm up with one sweep.
    """
    rng = np.random.default_rng(seed)
    s = new_student(N, m, rng, hidden_sources, output_sources, False)
    run = vector_kernel(d, len(s.valid), is_sequential(order))
    accepted, seconds = train(run, s, sweeps, rng, 0)
    return Result(2 * N * d * sweeps, accepted, seconds, {})


def scalar(N, d, m, sweeps, order, seed, hidden_sources):
    """Train the hidden layer of one scalar-output student (K = N and d odd); as `vector` otherwise."""
    rng = np.random.default_rng(seed)
    s = new_student(N, m, rng, hidden_sources, np.arange(N)[None], True)
    run = scalar_kernel(N, d, len(s.valid), is_sequential(order))
    counter = rng.integers(0, 2**64, dtype=np.uint64)
    began = thread_time()
    accepted = run(sweeps, counter, s.valid, s.source, s.weights, s.teacher, s.x, s.h, s.y, s.target, s.trace)
    seconds = thread_time() - began
    return Result(N * d * sweeps, accepted, seconds, {})
