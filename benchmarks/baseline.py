"""Sequential reference for speed: one student at a time on one core, bit-packed, in plain numba.

What a careful physicist would write to run the greedy Metropolis dynamics of ±1 weights (temperature 0, a
fresh batch every sweep) without an accelerator. mbsim's kernel is measured against it; they share no code.

* A bit is one for +1. The m examples of a batch fill W = ceil(m / 64) words; word w of row r is at r * W + w.
  Bits past m are rubbish: `valid` clears them wherever examples are counted.
* A weight is a word, 0 for +1 and all ones for -1: weight times unit is one xor. Output links are numbered
  first, then hidden links, unit by unit: the sequential order. The random order picks with replacement.
* A sum of an odd number of signs is P bit planes, plane p of word w of unit k at (k * P + p) * W + w: the
  number of +1 terms, shifted so that the highest plane is the sign. Negating a term changes the sign only
  where the sum is ±1 (highest plane unlike all others: `edge`) and the term agrees with it.
* `source[j]` is where the row behind link j starts: in the inputs, or at the sign plane of a hidden unit.
* Arrays are flat, since views cost reference counting; tables are uint32, since a signed index costs a test
  for negative ones. Functions are compiled for each d and W: loops over them have constant lengths.
"""

from collections import namedtuple
from functools import cache
from time import thread_time

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

NONE, ALL = np.uint64(0), np.uint64(0xFFFFFFFFFFFFFFFF)
GOLDEN, MIX_1, MIX_2 = (np.uint64(c) for c in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
S27, S30, S31, S32 = (np.uint64(shift) for shift in (27, 30, 31, 32))

SEQUENTIAL = {"random": False, "sequential": True}

# What a run reads and writes; `readers` are the output links that leave each hidden unit in turn. If it is
# compiled to, `trace` receives (link, change of energy) for each proposal of the last sweep.
Student = namedtuple("Student", "valid source readers weights teacher x h y target trace")
# `seconds`: CPU time of the compiled run alone. `weights`, `teacher`: ±1, in the numbering of the links.
Result = namedtuple("Result", "proposals accepted seconds weights teacher")


@intrinsic
def popcount(typing, word):
    """Number of ones in a word: one machine instruction."""
    return types.int64(types.uint64), lambda context, builder, signature, args: builder.ctpop(args[0])


@njit(nogil=True)
def change_of_energy(flips, wrong):
    """Right outputs become wrong where they flip, and wrong ones right."""
    return popcount(flips) - 2 * popcount(flips & wrong)


@njit(nogil=True)
def mixed(counter):
    """splitmix64: random bits for a counter that moves on by GOLDEN at each draw."""
    z = (counter ^ (counter >> S30)) * MIX_1
    z = (z ^ (z >> S27)) * MIX_2
    return z ^ (z >> S31)


@njit(nogil=True)
def below(counter, n):
    """A random number from 0 to n - 1; the bias is below n / 2^32."""
    return np.int64(((mixed(counter) >> S32) * np.uint64(n)) >> S32)


def planes_of(terms):
    """(P, start): planes of a sum of `terms` signs; counting from `start` makes plane P-1 the sign."""
    half = (terms + 1) // 2
    P = (half - 1).bit_length() + 1
    return P, 2 ** (P - 1) - half


@cache
def sum_operations(terms, W):
    """Compile add_up, edge, negate for sums of `terms` signs."""
    P, start = planes_of(terms)
    begin = tuple(ALL if start >> p & 1 else NONE for p in range(P))

    @njit(nogil=True)
    def add_up(planes, at, rows, source, weights, first):
        """Make the sum at `at` from the links first, ..., first + terms - 1."""
        at = np.uint32(at)
        for p in range(P):
            for w in range(W):
                planes[at + p * W + w] = begin[p]
        for j in range(first, first + terms):
            row, weight = source[j], weights[j]
            for w in range(W):
                carry = rows[row + w] ^ weight
                for p in range(P):
                    old = planes[at + p * W + w]
                    planes[at + p * W + w] = old ^ carry
                    carry &= old

    @njit(nogil=True)
    def edge(planes, at):
        """Examples of the word at `at` on which the sum is ±1."""
        where = ALL
        for p in range(P - 1):
            where &= planes[at + p * W] ^ planes[at + (P - 1) * W]
        return where

    @njit(nogil=True)
    def negate(planes, at, where, term):
        """Negate a term, so far `term`, on the examples `where` of the word at `at`: one +1 less or more."""
        for p in range(P):
            old = planes[at + p * W]
            planes[at + p * W] = old ^ where
            where &= old ^ term

    return add_up, edge, negate


@cache
def start_of_sweep(d, D, W):
    """Compile refresh: a fresh batch, the teacher's answers, the student's sums."""
    P, Q = planes_of(d)[0], planes_of(D)[0]
    add_hidden, add_output = sum_operations(d, W)[0], sum_operations(D, W)[0]

    @njit(nogil=True)
    def forward(source, weights, x, h, y):
        K, M = h.size // (P * W), y.size // (Q * W)
        for k in range(K):
            add_hidden(h, k * P * W, x, source, weights, M * D + k * d)
        for o in range(M):
            add_output(y, o * Q * W, h, source, weights, o * D)

    @njit(nogil=True)
    def refresh(counter, source, weights, teacher, x, h, y, target):
        for i in range(x.size):
            counter += GOLDEN
            x[i] = mixed(counter)
        forward(source, teacher, x, h, y)
        for o in range(target.size // W):
            for w in range(W):
                target[o * W + w] = y[(o * Q + Q - 1) * W + w]
        forward(source, weights, x, h, y)
        return counter

    return refresh


@cache
def vector_kernel(d, W, sequential, traced=False):
    """Compile run(sweeps, counter, *student) -> accepted proposals, for a vector output."""
    (P, _), (_, edge, negate), refresh = planes_of(d), sum_operations(d, W), start_of_sweep(d, d, W)
    sign, record, degree = (P - 1) * W, P * W, np.uint64(d)

    @njit(nogil=True)
    def run(sweeps, counter, valid, source, readers, weights, teacher, x, h, y, target, trace):
        links, accepted = readers.size, 0
        flips = np.zeros(W, np.uint64)  # where the hidden unit would change
        for _ in range(sweeps):
            counter = refresh(counter, source, weights, teacher, x, h, y, target)
            for i in range(2 * links):
                counter += GOLDEN
                j = i if sequential else below(counter, 2 * links)
                change, any_flip = 0, NONE
                if j < links:
                    o = np.int64(np.uint64(j) // degree)
                    for w in range(W):
                        at, output = o * record + w, y[o * record + sign + w]
                        flip = edge(y, at) & ~(output ^ h[source[j] + w] ^ weights[j]) & valid[w]
                        change += change_of_energy(flip, output ^ target[o * W + w])
                    if change <= 0:
                        for w in range(W):
                            negate(y, o * record + w, ALL, h[source[j] + w] ^ weights[j])
                else:
                    k = np.int64(np.uint64(j - links) // degree)
                    for w in range(W):
                        at = k * record + w
                        flips[w] = edge(h, at) & ~(h[at + sign] ^ x[source[j] + w] ^ weights[j]) & valid[w]
                        any_flip |= flips[w]
                    if any_flip:
                        for b in range(d):
                            link = readers[k * d + b]
                            o = np.int64(np.uint64(link) // degree)
                            for w in range(W):
                                at, output = o * record + w, y[o * record + sign + w]
                                term = h[k * record + sign + w] ^ weights[link]
                                flip = flips[w] & edge(y, at) & ~(output ^ term)
                                change += change_of_energy(flip, output ^ target[o * W + w])
                        if change <= 0:
                            for b in range(d):
                                link = readers[k * d + b]
                                o = np.int64(np.uint64(link) // degree)
                                for w in range(W):
                                    term = h[k * record + sign + w] ^ weights[link]
                                    negate(y, o * record + w, flips[w], term)
                    if change <= 0:
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
    """The same for a scalar output, the majority of K hidden units: its links, below K, are never picked."""
    (P, _), (_, edge, negate), refresh = planes_of(d), sum_operations(d, W), start_of_sweep(d, K, W)
    _, edge_of_output, negate_in_output = sum_operations(K, W)
    sign, output_sign, record, degree = (P - 1) * W, (planes_of(K)[0] - 1) * W, P * W, np.uint64(d)

    @njit(nogil=True)
    def run(sweeps, counter, valid, source, readers, weights, teacher, x, h, y, target, trace):
        links, accepted = K * d, 0
        free = np.zeros(W, np.uint64)  # where the output's sum is ±1: too many planes to look at each time
        for _ in range(sweeps):
            counter = refresh(counter, source, weights, teacher, x, h, y, target)
            for w in range(W):
                free[w] = edge_of_output(y, w) & valid[w]
            for i in range(links):
                counter += GOLDEN
                pick = i if sequential else below(counter, links)
                j, k, change = K + pick, np.int64(np.uint64(pick) // degree), 0
                for w in range(W):
                    at, output = k * record + w, y[output_sign + w]
                    flip = edge(h, at) & ~(h[at + sign] ^ x[source[j] + w] ^ weights[j])
                    flip &= free[w] & ~(output ^ h[at + sign])
                    change += change_of_energy(flip, output ^ target[w])
                if change <= 0:
                    for w in range(W):
                        at, term = k * record + w, x[source[j] + w] ^ weights[j]
                        flip = edge(h, at) & ~(h[at + sign] ^ term)
                        negate_in_output(y, w, flip, h[at + sign])
                        free[w] = edge_of_output(y, w) & valid[w]
                        negate(h, at, ALL, term)
                    weights[j] = ~weights[j]
                    accepted += 1
                if traced:
                    trace[i, 0], trace[i, 1] = j, change
        return accepted

    return run


def new_student(N, m, rng, hidden_sources, output_sources, train_output):
    """A student and its teacher, both with random ±1 weights; output weights are +1 unless trained."""
    (K, d), (M, D), W = hidden_sources.shape, output_sources.shape, -(-m // 64)
    if d % 2 == 0 or D % 2 == 0:
        raise ValueError(f"in-degrees {d} and {D}: must be odd, or a sum of signs could be zero")
    P, Q = planes_of(d)[0], planes_of(D)[0]
    weights, teacher = rng.choice(np.array([NONE, ALL]), (2, M * D + K * d))
    if not train_output:
        weights[: M * D] = teacher[: M * D] = NONE
    source = np.concatenate([output_sources.ravel() * P + P - 1, hidden_sources.ravel()]) * W
    readers = np.argsort(output_sources.ravel(), kind="stable")
    valid = np.array([(1 << min(64, m - 64 * w)) - 1 for w in range(W)], np.uint64)
    words = [np.zeros(rows * W, np.uint64) for rows in (N, K * P, M * Q, M)]
    trace = np.zeros((len(weights), 2), np.int64)
    source, readers = source.astype(np.uint32), readers.astype(np.uint32)
    return Student(valid, source, readers, weights, teacher, *words, trace)


def train(run, student, proposals, sweeps, rng):
    """One run, timed in CPU seconds of this thread: on a busy machine the wall clock tells nothing."""
    counter = rng.integers(0, 2**64, dtype=np.uint64)
    began = thread_time()
    accepted = run(sweeps, counter, *student)
    seconds = thread_time() - began
    weights, teacher = (np.where(words == NONE, 1, -1) for words in (student.weights, student.teacher))
    return Result(proposals * sweeps, accepted, seconds, weights, teacher)


def vector(N, d, m, sweeps, order, seed, hidden_sources, output_sources):
    """Train one vector-output student (M = K = N, d odd, both graphs regular).

    The first call for a new d, order or number of words compiles: warm up with one sweep.
    """
    rng = np.random.default_rng(seed)
    student = new_student(N, m, rng, hidden_sources, output_sources, train_output=True)
    return train(vector_kernel(d, len(student.valid), SEQUENTIAL[order]), student, 2 * N * d, sweeps, rng)


def scalar(N, d, m, sweeps, order, seed, hidden_sources):
    """Train the hidden layer of one scalar-output student (K = N and d odd); as `vector` otherwise."""
    rng = np.random.default_rng(seed)
    student = new_student(N, m, rng, hidden_sources, np.arange(N)[None], train_output=False)
    return train(scalar_kernel(N, d, len(student.valid), SEQUENTIAL[order]), student, N * d, sweeps, rng)
